"""What time it is, and when the company's days, weeks, months and years begin."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

Period = Literal["day", "week", "month", "year"]


def now() -> datetime:
    """The present, aware, in UTC."""
    return datetime.now(UTC)


def period_start(period: Period, at: datetime, zone: ZoneInfo) -> datetime:
    """The first instant (UTC) of the period that contains `at`, by the company's own midnight.

    A day may last 23 or 25 hours where the clocks change; weeks begin on Monday (ISO 8601).
    """
    day = at.astimezone(zone).date()
    if period == "week":
        day -= timedelta(days=day.weekday())
    elif period == "month":
        day = day.replace(day=1)
    elif period == "year":
        day = day.replace(month=1, day=1)
    return datetime.combine(day, time.min, zone).astimezone(UTC)


def next_period_start(period: Period, at: datetime, zone: ZoneInfo) -> datetime:
    """When (UTC) the period that contains `at` ends and the next begins."""
    day = period_start(period, at, zone).astimezone(zone).date()
    if period == "day":
        day += timedelta(days=1)
    elif period == "week":
        day += timedelta(days=7)
    elif period == "month":
        day = (day + timedelta(days=32)).replace(day=1)
    else:
        day = day.replace(year=day.year + 1)
    return datetime.combine(day, time.min, zone).astimezone(UTC)
