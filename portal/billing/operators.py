"""The operator in force: `portal.toml`'s, or the one an administrator chose, in every process at once.

What is chosen is read from the database whenever an operator is about to be asked, so nothing waits for a restart.
A charge is settled where it was reserved: it opens under a lock that choosing another operator takes alone, and
while it is open only its own operator can be chosen (docs/decisions/0024).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import bindparam, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from connectors.contract import ChargeFiles, ConnectorError, OperatorAdapter, Problem
from connectors.operators.profiles import UnknownProfile, load_profile
from portal import audit, breakers, logs, outbox
from portal.billing import operator_choice
from portal.billing.charges import Charge
from portal.database import Database, beside_others, one_at_a_time
from portal.outbox import Lease
from portal.refusals import Reason, Refused

log = logs.get(__name__)

Source = Literal["environment", "screen", "file"]
"""Who decides: `PORTAL_OPERATOR__PROFILE`, a person on the screen or at a terminal, or `portal.toml`."""
ASKED_AND_CHOSEN = select(Charge.operator, operator_choice.PROFILE).where(
    Charge.order_number == bindparam("order_number")
)
WAITS_S = 30.0
"""When a task whose operator is not in force looks again."""
LAST_CALL_S = 60.0
"""Longer than any call under way may take when another operator is chosen."""


class EarlierOperator(Exception):
    """A charge is another operator's than the one in force; `identity` is its own."""

    def __init__(self, identity: str) -> None:
        self.identity = identity
        super().__init__(f"the charge is at {identity}, which is not in force")


def name_of(identity: str) -> str:
    """What an operator is called: `SFR` for `sfr/camara`, or the identity itself when its profile is gone."""
    try:
        return load_profile(identity.partition("/")[0]).name
    except UnknownProfile:
        return identity


@dataclass(frozen=True)
class InForce:
    """Who is the operator: the name that chose it (an old one perhaps), and who decided so."""

    profile: str
    source: Source
    adapter: OperatorAdapter


@dataclass(frozen=True)
class Prospect:
    """What choosing an operator would meet: what its check finds, or what stands in the way of any choice."""

    identity: str
    problems: list[Problem]
    obstacle: Reason | None = None


class Operators:
    """Every way to the operator goes by here; safe to use from several threads.

    Args:
        configured: the profile that the configuration names.
        pinned: the environment names it, so that nobody chooses another.
        make: the adapter of a profile's name; nothing is connected yet. Raises `UnknownProfile`.
        try_out: the same, to be asked once whether it would do: what it answers says nothing of the one in force.
    """

    def __init__(
        self, database: Database, configured: str, make: Callable[[str], OperatorAdapter],
        try_out: Callable[[str], OperatorAdapter] | None = None, *, pinned: bool = False,
    ) -> None:  # fmt: skip
        self.configured, self.pinned = configured, pinned
        self._database, self._make, self._try_out = database, make, try_out or make
        self._lock = threading.Lock()
        self._held: dict[str, OperatorAdapter] = {configured: make(configured)}

    def in_force(self, session: Session) -> InForce:
        """As a transaction sees it. Raises `UnknownProfile` when what was chosen has gone since."""
        return self._made(session.scalar(select(operator_choice.PROFILE)) or "")

    def current(self) -> InForce:
        """As it is at this moment, for what is about no charge. Raises `UnknownProfile`."""
        with self._database.reading() as session:
            return self.in_force(session)

    def last_known(self) -> InForce:
        """The same, or the configured one where the database cannot tell: it is away, or not of this version."""
        try:
            return self.current()
        except DBAPIError as error:
            log.warning("operator_choice_not_read", detail=str(error.orig))
            return self.as_configured()

    def as_configured(self) -> InForce:
        """The one that the configuration names, whatever is chosen."""
        return self._made("")

    def staying(self, session: Session) -> InForce:
        """The one in force, which nobody changes before this writing transaction ends."""
        beside_others(session.connection(), "operator")
        return self.in_force(session)

    def of_order(self, order_number: str) -> OperatorAdapter:
        """The operator to ask about an order's charge. Raises `EarlierOperator` when it is not in force any more."""
        with self._database.reading() as session:
            asked, chosen = session.execute(ASKED_AND_CHOSEN, {"order_number": order_number}).one()
        adapter = self._made(chosen or "").adapter
        if asked and asked != adapter.identity:
            raise EarlierOperator(asked)
        return adapter

    def asked_about(self, order_number: str) -> OperatorAdapter:
        """The same for a person. Raises `Refused`: `operator_earlier`."""
        try:
            return self.of_order(order_number)
        except EarlierOperator as error:
            raise self._earlier(error.identity) from error

    def require(self, session: Session, charge: Charge) -> None:
        """Make sure that what is now wanted of a charge reaches its own operator. Raises `Refused`: `operator_earlier`."""
        if charge.operator and charge.operator != self.staying(session).adapter.identity:
            raise self._earlier(charge.operator)

    def foresee(self, profile: str) -> Prospect:
        """What choosing a profile ("" for the configured one) would meet now; charges nothing. Raises `UnknownProfile`."""
        adapter = self._try_out(profile or self.configured)
        try:
            with self._database.reading() as session:
                self._require_rest(session, self._before(session), adapter.identity)
            return Prospect(adapter.identity, adapter.check())
        except Refused as refused:
            return Prospect(adapter.identity, [], refused.reason)
        finally:
            adapter.close()

    def choose(self, actor: str, profile: str, *, anyway: bool = False) -> InForce:
        """Put another operator in force, in every process, for every charge that opens from now on.

        Args:
            actor: who chooses, as the journal names him; the caller has made sure that he may.
            profile: any name of a profile; "" takes the choice back, and the configuration decides again.
            anyway: also when its check finds something wrong.

        Raises:
            Refused: `operator_pinned`, `operator_unknown`, `operator_not_ready`, `operator_busy` (charges are open at
                another) or `operator_unfiled` (lines of charges wait for a file); nothing was changed.
        """
        if self.pinned:
            raise Refused("operator_pinned")
        try:
            wanted = self._try_out(profile or self.configured)
        except UnknownProfile as error:
            raise Refused("operator_unknown", name=profile, known=", ".join(error.known)) from error
        try:
            problems = [] if anyway else wanted.check()
            if problems:
                raise Refused("operator_not_ready", operator=name_of(wanted.identity), problems=problems)
            with self._database.transaction() as session:
                one_at_a_time(session.connection(), "operator")
                self._replace(session, actor, profile, wanted.identity)
                return self.in_force(session)
        finally:
            wanted.close()

    def close(self) -> None:
        """Give back every connection."""
        with self._lock:
            for adapter in self._held.values():
                adapter.close()

    def _earlier(self, identity: str) -> Refused:
        current = name_of(self.current().adapter.identity)
        return Refused("operator_earlier", operator=name_of(identity), current=current)

    def _replace(self, session: Session, actor: str, profile: str, identity: str) -> None:
        chosen, before = operator_choice.read(session), self._before(session)
        self._require_rest(session, before, identity)
        if before:
            operator_choice.remember(session, before.adapter.identity)
        operator_choice.write(session, profile, actor)
        was = {"profile": chosen.profile if chosen else "", "operator": before.adapter.identity if before else ""}
        told = {"profile": profile, "operator": identity}
        # Whether the one so far was away says nothing of the next.
        breakers.forget(session, outbox.OPERATOR)
        audit.record(session, actor, "operator_chosen", profile or "portal.toml", before=was, after=told)
        log.info("operator_chosen", profile=profile, operator=identity, before=was["operator"])

    def _before(self, session: Session) -> InForce | None:
        try:
            return self.in_force(session)
        except UnknownProfile:
            return None

    def _require_rest(self, session: Session, before: InForce | None, identity: str) -> None:
        """Nothing may be left that only the operator so far can end."""
        so_far = before.adapter.identity if before else ""
        if so_far == identity:
            return
        others = [each for each in operator_choice.standing(session, so_far) if each.operator != identity]
        if others:
            count, cents = sum(each.count for each in others), sum(each.cents for each in others)
            raise Refused("operator_busy", count=count, cents=cents, operator=name_of(others[0].operator))
        files = before.adapter.files if before else None
        if files is not None and unfinished(files):
            raise Refused("operator_unfiled", operator=name_of(so_far))

    def _made(self, chosen: str) -> InForce:
        profile = self.configured if self.pinned else chosen or self.configured
        source: Source = "environment" if self.pinned else "screen" if chosen else "file"
        return InForce(profile, source, self._adapter(profile))

    def _adapter(self, profile: str) -> OperatorAdapter:
        with self._lock:
            adapter = self._held.get(profile)
            if adapter is None:
                adapter = self._make(profile)
                for old in self._held.values():
                    _close_later(old)
                self._held = {profile: adapter}
            return adapter


def asking_its_operator(
    database: Database, operators: Operators, instead: OperatorAdapter | None,
    work: Callable[[OperatorAdapter, Lease], None],
) -> Callable[[Lease], None]:  # fmt: skip
    """A task about an order's charge, done with the operator that has it; while that one is not in force it waits.

    Args:
        instead: the same operator by another way, for a caller that has heard from it already.
    """

    def do(lease: Lease) -> None:
        try:
            operator = operators.of_order(lease.subject)
        except EarlierOperator as error:
            log.error("charge_of_earlier_operator", order=lease.subject, operator=error.identity)
            with database.transaction() as session:
                outbox.postpone(session, lease, WAITS_S, str(error))
            return
        same = instead is not None and instead.identity == operator.identity
        work(instead if instead is not None and same else operator, lease)

    return do


def unfinished(files: ChargeFiles) -> bool:
    """Whether lines wait for a file, or files for their delivery; True when nobody can say."""
    try:
        return bool(files.unfiled()) or any(file.state == "closed" for file in files.listing())
    except ConnectorError as error:
        log.error("usage_files_not_read", detail=error.detail)
        return True


def _close_later(adapter: OperatorAdapter) -> None:
    closing = threading.Timer(LAST_CALL_S, adapter.close)
    closing.daemon = True
    closing.start()
