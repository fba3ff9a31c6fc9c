"""What tests of charges stand on: a purchase that was charged, and ways to act on its charge as people do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from demo.companies import COMPANIES
from demo.company import Company
from portal import clock
from portal.billing import charges, disputes, ledger, refunds, write_offs
from portal.billing.charges import Charge, ChargeEvent
from portal.billing.refunds import Refund
from portal.checkout.verification import Breach, verify
from portal.installation import Installation
from portal.outbox import Task
from portal.refusals import Refused
from portal.rights.ceilings import Terms, add_ceiling
from portal.rights.holds import CeilingUse
from portal.rights.scopes import Scope
from tests.conftest import Visitor

SIREN = next(siren for siren in COMPANIES if not siren.endswith("7"))
ACTOR = "account 7"


@dataclass
class Bought:
    """One K-bis, delivered, under a ceiling that counts it; `number` is its order's."""

    installation: Installation
    company: Company
    number: str
    work: Callable[[], int]

    @property
    def charge(self) -> Charge:
        with self.installation.database.reading() as session:
            return charges.of_order(session, self.number)

    @property
    def theirs(self) -> list[tuple[str, int]]:
        """Every payment of the operator: its state, and what of it was given back, in cents."""
        return [(line.state, line.refunded_cents) for line in self.company.operator.book.charges()]

    def ask(self, amount_cents: int | None = None, reason: str = "broken") -> str:
        """Ask for a refund; returns its key, or why not."""
        try:
            with self.installation.database.transaction() as session:
                charge = charges.of_order(session, self.number)
                return refunds.ask(session, ACTOR, charge, amount_cents, reason).key
        except Refused as refused:
            return refused.reason.code

    def decide(self, choice: disputes.Choice, reason: str = "looked into") -> str:
        """Decide a dispute; returns why not."""
        try:
            with self.installation.database.transaction() as session:
                charge = charges.locked(session, self.number)
                if choice == "write_off":
                    write_offs.write_off(session, ACTOR, charge, reason)
                else:
                    disputes.decide(session, ACTOR, charge, choice, reason)
        except Refused as refused:
            return refused.reason.code
        return ""

    @property
    def choices(self) -> list[str]:
        with self.installation.database.reading() as session:
            return list(disputes.choices(session, charges.of_order(session, self.number)))

    def look(self) -> object:
        return disputes.look(self.installation.database, self.installation.operator, self.number)

    def refund_states(self) -> list[str]:
        with self.installation.database.reading() as session:
            return list(session.scalars(select(Refund.state).order_by(Refund.id)))

    def events(self) -> list[str]:
        with self.installation.database.reading() as session:
            return list(session.scalars(select(ChargeEvent.event).order_by(ChargeEvent.id)))

    def spent(self) -> tuple[int, int]:
        """What the ceiling counts as held and as captured, in cents."""
        with self.installation.database.reading() as session:
            use = session.scalars(select(CeilingUse)).one()
            return use.held_cents, use.captured_cents

    def accounts(self) -> dict[str, int]:
        with self.installation.database.reading() as session:
            return {account: cents for account, cents in ledger.balances(session).items() if cents}

    def broken(self) -> list[Breach]:
        return verify(self.installation.database, self.installation.storage)

    def at_once(self) -> None:
        """Work as if whatever waits for later were due now."""
        with self.installation.database.transaction() as session:
            session.execute(
                update(Task).where(Task.done_at.is_(None)).values(due_at=clock.now() - timedelta(seconds=1))
            )
        self.work()


@pytest.fixture
def accepted(buyer: Visitor, installation: Installation, company: Company, work: Callable[[], int]) -> Bought:
    """Delivered, and not charged yet."""
    with installation.database.transaction() as session:
        add_ceiling(session, "test", None, Terms("everyone", Scope("all"), "month", 5_000))
    number = buyer.confirm(buyer.ask_price("registre-kbis", siren=SIREN))
    return Bought(installation, company, number, work)


@pytest.fixture
def bought(accepted: Bought) -> Bought:
    """Delivered and charged."""
    accepted.work()
    assert accepted.theirs == [("succeeded", 0)]
    return accepted
