"""Who may enter which admin screen, and the password asked again before something changes."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar, cast

from flask import abort, g, request
from flask_login import current_user

from portal.directory import sessions, sign_in
from portal.refusals import Refused
from portal.rights.delegations import Authority, authority_of
from portal.web import SignedIn, account, installation

Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")


def authority() -> Authority:
    """What the signed-in person may manage; nothing for a visitor."""
    if "authority" not in g:
        g.authority = _read_authority()
    return cast(Authority, g.authority)


def _read_authority() -> Authority:
    if not current_user.is_authenticated:
        return Authority(is_admin=False)
    house, person = installation(), account()
    is_admin = person.is_in(house.settings.directory.admin_groups)
    with house.database.reading() as session:
        return authority_of(session, person.group_keys, is_admin=is_admin)


def may_settle() -> bool:
    """Whether the signed-in person decides disputes, refunds and write-offs: administrators and finance."""
    if not current_user.is_authenticated:
        return False
    return authority().is_admin or account().is_in(installation().settings.directory.finance_groups)


def _guarded(view: Callable[Arguments, Answer], may: Callable[[], bool]) -> Callable[Arguments, Answer]:
    """The screen, which does not exist for those who may not see it."""

    @wraps(view)
    def guarded(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Answer:
        if not may():
            abort(404)
        return view(*args, **kwargs)

    return guarded


def admins_only(view: Callable[Arguments, Answer]) -> Callable[Arguments, Answer]:
    """A screen that only members of `[directory] admin_groups` may see; it does not exist for others."""
    return _guarded(view, lambda: authority().is_admin)


def managers_only(view: Callable[Arguments, Answer]) -> Callable[Arguments, Answer]:
    """A screen for administrators, and for delegates within what they were given."""
    return _guarded(view, lambda: authority().is_any)


def settlers_only(view: Callable[Arguments, Answer]) -> Callable[Arguments, Answer]:
    """A screen of everybody's purchases, for administrators and finance; it does not exist for others."""
    return _guarded(view, may_settle)


def actor() -> str:
    """The signed-in person, as the journal names him."""
    return f"account {account().id}"


def is_proved() -> bool:
    """Whether the password was typed lately, so that it need not be asked again."""
    with installation().database.reading() as session:
        return sessions.is_proved(session, cast(SignedIn, current_user).get_id())


def require_proof() -> None:
    """Check the `password` of the form, unless it was typed lately.

    Raises:
        Refused: `password_wrong`, `directory_unknown` or `sign_in_throttled`; nothing was changed.
    """
    if is_proved():
        return
    house = installation()
    password = request.form.get("password", "")
    if not password:
        raise Refused("password_wanted")
    sign_in.check_password(
        house.database, house.directory, account(), password, request.remote_addr or "",
        house.settings.directory.max_failures,
    )  # fmt: skip
    with house.database.transaction() as session:
        sessions.prove(session, cast(SignedIn, current_user).get_id())
