"""How full each ceiling is in its present period: for whom, and day by day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal import clock
from portal.checkout.orders import Order
from portal.directory.accounts import Account
from portal.rights.ceilings import Ceiling, live_ceilings
from portal.rights.holds import CeilingUse, Hold

FULLEST = 10
DAYS_SHOWN = 31


@dataclass(frozen=True)
class Filled:
    """One counter: whose it is ("" for the group together), what is used and what it may hold, in cents."""

    name: str
    used_cents: int
    limit_cents: int
    is_warning: bool


@dataclass(frozen=True)
class CeilingReport:
    """One ceiling: its fullest counters, how many there are, and what was spent by day (company's days, cents)."""

    ceiling: Ceiling
    fullest: list[Filled]
    counters: int
    days: list[tuple[date, int]]

    @property
    def most_cents(self) -> int:
        """The highest day, for the chart's scale; at least one cent."""
        return max([cents for _day, cents in self.days], default=0) or 1


def ceiling_reports(session: Session, zone: ZoneInfo) -> list[CeilingReport]:
    """Every live ceiling that counts over a period, and those on single purchases, which count nothing."""
    at = clock.now()
    return [_report(session, ceiling, at, zone) for ceiling in live_ceilings(session)]


def _report(session: Session, ceiling: Ceiling, at: datetime, zone: ZoneInfo) -> CeilingReport:
    if ceiling.period == "purchase":
        return CeilingReport(ceiling, [], 0, [])
    start = clock.period_start(ceiling.period, at, zone)  # type: ignore[arg-type]
    query = select(CeilingUse).where(CeilingUse.ceiling_id == ceiling.id, CeilingUse.period_start == start)
    uses = sorted(session.scalars(query), key=lambda use: -use.used_cents)
    return CeilingReport(
        ceiling,
        [_filled(session, ceiling, use) for use in uses[:FULLEST]],
        len(uses),
        _days(session, ceiling, at, zone),
    )


def _filled(session: Session, ceiling: Ceiling, use: CeilingUse) -> Filled:
    account = session.get(Account, int(use.subject.removeprefix("account "))) if use.subject != "group" else None
    limit = ceiling.limit_cents + use.extra_cents
    warns = ceiling.warn_percent > 0 and ceiling.limit_cents * ceiling.warn_percent <= use.used_cents * 100
    return Filled((account.name or account.login) if account else "", use.used_cents, limit, warns)


def _days(session: Session, ceiling: Ceiling, at: datetime, zone: ZoneInfo) -> list[tuple[date, int]]:
    """What was held or spent under a ceiling on each of the last days, today included."""
    today = at.astimezone(zone).date()
    first = today - timedelta(days=DAYS_SHOWN - 1)
    days = {first + timedelta(days=number): 0 for number in range(DAYS_SHOWN)}
    query = (
        select(Order.created_at, Hold.amount_cents - Hold.given_back_cents)
        .join(Hold, Hold.order_number == Order.number)
        .join(CeilingUse, Hold.ceiling_use_id == CeilingUse.id)
        .where(
            CeilingUse.ceiling_id == ceiling.id, Hold.state != "released",
            Order.created_at >= at - timedelta(days=DAYS_SHOWN + 1),
        )
    )  # fmt: skip
    for bought_at, cents in session.execute(query):
        day = bought_at.astimezone(zone).date()
        if day in days:
            days[day] += cents
    return list(days.items())
