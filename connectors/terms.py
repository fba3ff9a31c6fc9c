"""How long something that is sold for a time lasts, and when it ends: ISO 8601-1:2019 durations, section 5.5.2."""

from __future__ import annotations

import calendar
import re
from dataclasses import astuple, dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from connectors.contract import Offer

FORM = re.compile(
    r"P(?=\d|T\d)(?:(\d{1,4})Y)?(?:(\d{1,4})M)?(?:(\d{1,4})W)?(?:(\d{1,4})D)?(?:T(?=\d)(?:(\d{1,6})H)?(?:(\d{1,6})M)?)?"
)
LONGEST_DAYS = 3_662
"""Ten years, however they lie: a longer promise is nobody's to keep."""
LASTING = frozenset({"duration", "subscription"})
WITH_AN_END = frozenset({"access", "link", "licence"})


@dataclass(frozen=True)
class Term:
    """A length of time; years to days are the calendar's, hours and minutes always the same."""

    years: int = 0
    months: int = 0
    weeks: int = 0
    days: int = 0
    hours: int = 0
    minutes: int = 0

    @property
    def is_elapsed(self) -> bool:
        """Whether it has hours and minutes only, which no calendar and no change of clocks makes longer or shorter."""
        return not (self.years or self.months or self.weeks or self.days)

    @property
    def most_days(self) -> float:
        """How many days it lasts at most."""
        months = self.years * 12 + self.months
        return (
            months * 366 / 12 + min(months, 1) + self.weeks * 7 + self.days + self.hours / 24 + self.minutes / 24 / 60
        )

    def end(self, start: datetime, zone: ZoneInfo) -> datetime:
        """When (UTC) it ends that begins at `start`, by the calendar of a place.

        The end has the start's time of day there, whatever its clocks do meanwhile; a month that begins on the 31st
        ends on the last day of a shorter one.
        """
        end = start.astimezone(UTC)
        if not self.is_elapsed:
            local = start.astimezone(zone)
            month = local.year * 12 + local.month - 1 + self.years * 12 + self.months
            year, month = month // 12, month % 12 + 1
            day = min(local.day, calendar.monthrange(year, month)[1])
            local = local.replace(year=year, month=month, day=day, tzinfo=None, fold=0)
            local += timedelta(weeks=self.weeks, days=self.days)
            end = local.replace(tzinfo=zone).astimezone(UTC)
        return end + timedelta(hours=self.hours, minutes=self.minutes)


def read_term(text: str) -> Term:
    """A term as offers give it, like PT24H, P7D, P1M or P1Y.

    Raises:
        ValueError: it is no such duration, lasts no time at all, or longer than ten years.
    """
    found = FORM.fullmatch(text)
    term = Term(*(int(part or 0) for part in found.groups())) if found else Term()
    if not any(astuple(term)):
        raise ValueError(f"{text!r} is no length of time: write it like PT24H, P7D, P1M or P1Y")
    if term.most_days > LONGEST_DAYS:
        raise ValueError(f"{text} is longer than ten years")
    return term


def term_fault(offer: Offer) -> str:
    """Why what an offer says of its time cannot be sold; "" when it can."""
    if offer.pricing not in LASTING and not offer.term:
        return ""
    if offer.pricing == "act":
        return f"a single act lasts no time: leave its term {offer.term!r} out, or say that pricing is duration or subscription"
    if not offer.term:
        return f"a {offer.pricing} needs the term it is paid for, like PT24H, P7D, P1M or P1Y"
    try:
        read_term(offer.term)
    except ValueError as error:
        return f"its term {error}"
    if offer.pricing in LASTING and offer.delivery not in WITH_AN_END:
        return f"what is sold for a time is an access, a link or a licence, whose end can be shown; this is {offer.delivery}"
    return ""
