"""The operator as one sheet: who it is, what waits for it, how it last answered, and who else could be chosen."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from sqlalchemy import ColumnElement, exists, func, select
from sqlalchemy.orm import Session

from connectors.contract import ChargeFile, ConnectorError, OperatorAdapter, Problem
from connectors.operators.profiles import Profile, load_profile, profile_names
from portal import breakers, clock
from portal.billing import offline, operator_choice
from portal.billing.charges import Charge, ChargeEvent
from portal.billing.config import OperatorSection
from portal.billing.offline import Offline
from portal.billing.operator_choice import Standing
from portal.billing.operators import InForce
from portal.outbox import OPERATOR, Task

LAST_FILES = 10
LOOKED_BACK = 200
"""Events read to find the operator's last word: more of them without one would be a day of silence."""
SETTLING = ("capture", "void", "refund")


@dataclass(frozen=True)
class Portrait:
    """Who the operator is; `host` is that of its address, "" when it has none; `missing` what only a contract gives."""

    profile: Profile
    in_force: InForce
    adapter: str
    host: str
    section: OperatorSection
    missing: list[Problem]


@dataclass(frozen=True)
class Sum:
    """Some charges: how many, how much in cents (VAT included), and since when the oldest."""

    count: int
    cents: int
    oldest: datetime | None


@dataclass(frozen=True)
class Answer:
    """What the operator last said, or that it said nothing: the kind of outcome, and when."""

    kind: str
    at: datetime
    order_number: str


@dataclass(frozen=True)
class Waiting:
    """What waits for the operator; `due` is the part of `settling` that is tried at the next moment.

    `away` is set while it is known not to answer, so that nothing is sent to it.
    """

    settling: Sum
    due: Sum
    reserved: Sum
    disputed: Sum
    offline: Offline
    elsewhere: list[Standing]
    last: Answer | None
    away: breakers.Standing | None


@dataclass(frozen=True)
class Files:
    """The last files of an operator that takes them, newest first; `detail` is why they cannot be read."""

    last: list[ChargeFile]
    unfiled: int
    detail: str = ""


def portrait(in_force: InForce, section: OperatorSection) -> Portrait:
    """Nothing is connected for it."""
    profile, adapter = load_profile(in_force.profile), in_force.adapter.identity.partition("/")[2]
    api_root = section.api_root or profile.defaults.api_root
    token_url = section.token_url or profile.defaults.token_url
    lacks = adapter == "camara" and not (api_root and token_url and section.line)
    # What has no address or no line says so before it would connect.
    missing = in_force.adapter.check() if lacks else []
    host = urlsplit(api_root).netloc if adapter == "camara" else ""
    return Portrait(profile, in_force, adapter, host, section, missing)


def choices() -> list[tuple[str, Profile]]:
    """Every name that can be chosen with its profile, by who it is today, today's own name first."""
    found = [(name, load_profile(name)) for name in profile_names()]
    return sorted(found, key=lambda each: (each[1].name.casefold(), each[1].former.casefold()))


def waiting(session: Session, identity: str) -> Waiting:
    """What waits for the operator, as one moment of the database shows it."""
    now, new = clock.now(), Charge.state == "new"
    task = exists().where(Task.subject == Charge.order_number, Task.done_at.is_(None))
    settled = task.where(Task.kind.in_(SETTLING))
    due = task.where(Task.kind.in_((*SETTLING, "purchase")), Task.due_at <= now)
    waits = Charge.state.in_(("new", "reserved", "refunding")) & (new | settled)
    return Waiting(
        settling=_sum(session, waits), due=_sum(session, waits & due),
        reserved=_sum(session, (Charge.state == "reserved") & ~settled), disputed=_sum(session, Charge.state == "disputed"),
        offline=offline.outstanding(session), elsewhere=operator_choice.elsewhere(session, identity),
        last=last_answer(session), away=next((each for each in breakers.standing(session) if each.lane == OPERATOR), None),
    )  # fmt: skip


def last_answer(session: Session) -> Answer | None:
    """How the operator answered when it was last asked; None when it never was, or not for long."""
    rows = session.execute(
        select(ChargeEvent, Charge.order_number).join(Charge, Charge.id == ChargeEvent.charge_id)
        .order_by(ChargeEvent.id.desc()).limit(LOOKED_BACK)
    )  # fmt: skip
    for event, order_number in rows:
        kind = "Unreachable" if event.event == "accepted_offline" else event.evidence.get("outcome", "")
        if kind:
            return Answer(kind, event.at, order_number)
    return None


def files_of(adapter: OperatorAdapter) -> Files | None:
    """What became of the last files; None for an operator that is told at once."""
    if adapter.files is None:
        return None
    try:
        return Files(adapter.files.listing()[-LAST_FILES:][::-1], adapter.files.unfiled())
    except ConnectorError as error:
        return Files([], 0, error.detail)


def _sum(session: Session, which: ColumnElement[bool]) -> Sum:
    query = select(func.count(), func.coalesce(func.sum(Charge.amount_cents), 0), func.min(Charge.created_at))
    return Sum(*session.execute(query.where(which)).one())
