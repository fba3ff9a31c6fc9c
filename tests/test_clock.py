"""Periods begin at the company's own midnight, whatever its clocks do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.clock import next_period_start, period_start

PARIS = ZoneInfo("Europe/Paris")


@pytest.mark.parametrize(("period", "at", "start", "end"), [
    ("day", "2026-11-24T10:00", "2026-11-23T23:00", "2026-11-24T23:00"),
    ("day", "2026-11-23T22:59", "2026-11-22T23:00", "2026-11-23T23:00"),
    ("day", "2026-03-29T12:00", "2026-03-28T23:00", "2026-03-29T22:00"),
    ("day", "2026-10-25T12:00", "2026-10-24T22:00", "2026-10-25T23:00"),
    ("week", "2026-11-29T22:59", "2026-11-22T23:00", "2026-11-29T23:00"),
    ("week", "2026-11-29T23:00", "2026-11-29T23:00", "2026-12-06T23:00"),
    ("month", "2026-11-30T22:59", "2026-10-31T23:00", "2026-11-30T23:00"),
    ("month", "2026-11-30T23:00", "2026-11-30T23:00", "2026-12-31T23:00"),
    ("month", "2026-01-31T12:00", "2025-12-31T23:00", "2026-01-31T23:00"),
    ("year", "2026-12-31T22:59", "2025-12-31T23:00", "2026-12-31T23:00"),
    ("year", "2028-02-29T12:00", "2027-12-31T23:00", "2028-12-31T23:00"),
])  # fmt: skip
def test_a_period_begins_and_ends_at_the_companys_midnight(period, at, start, end):
    def utc(text):
        return datetime.fromisoformat(text).replace(tzinfo=UTC)

    assert period_start(period, utc(at), PARIS) == utc(start)
    assert next_period_start(period, utc(at), PARIS) == utc(end)


@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC)),
    st.sampled_from(["day", "week", "month", "year"]),
    st.sampled_from(["Europe/Paris", "UTC", "America/New_York", "Asia/Kolkata", "Pacific/Auckland"]),
)
def test_every_moment_lies_in_exactly_one_period(at, period, zone):
    place = ZoneInfo(zone)
    start, end = period_start(period, at, place), next_period_start(period, at, place)

    assert start <= at < end
    assert period_start(period, end, place) == end
    assert period_start(period, end - timedelta(microseconds=1), place) == start
    assert next_period_start(period, start, place) == end
