"""When what is sold for a time ends: by the calendar of the company, over months of any length and changing clocks."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.contract import Offer
from connectors.terms import LONGEST_DAYS, read_term, term_fault

PARIS = ZoneInfo("Europe/Paris")
WORDS = {"fr": "Une offre"}
PASS = Offer(
    "o", WORDS, WORDS, "presse", 1000, 2000, 200, 1200, "EUR", "access", pricing="duration", term="PT24H"
)  # fmt: skip


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=PARIS)


@pytest.mark.parametrize(("term", "start", "end"), [
    ("PT24H", "2026-11-26T14:03", "2026-11-27T14:03"), ("PT90M", "2026-11-26T14:03", "2026-11-26T15:33"),
    ("P7D", "2026-11-26T14:03", "2026-12-03T14:03"), ("P1W", "2026-11-26T14:03", "2026-12-03T14:03"),
    ("P1M", "2026-11-26T14:03", "2026-12-26T14:03"), ("P1M", "2026-12-31T23:59", "2027-01-31T23:59"),
    ("P1M", "2027-01-31T10:00", "2027-02-28T10:00"), ("P1M", "2028-01-31T10:00", "2028-02-29T10:00"),
    ("P1M", "2027-03-31T10:00", "2027-04-30T10:00"), ("P3M", "2026-11-30T10:00", "2027-02-28T10:00"),
    ("P1Y", "2028-02-29T10:00", "2029-02-28T10:00"), ("P1Y", "2026-11-26T14:03", "2027-11-26T14:03"),
    ("P1Y6M", "2026-11-26T14:03", "2028-05-26T14:03"),
    # Twenty-four hours are twenty-four hours, also over the night when clocks change; days are the calendar's.
    ("PT24H", "2027-03-27T14:00", "2027-03-28T15:00"), ("P1D", "2027-03-27T14:00", "2027-03-28T14:00"),
    ("PT24H", "2026-10-24T14:00", "2026-10-25T13:00"), ("P7D", "2026-10-20T14:00", "2026-10-27T14:00"),
    ("P1M", "2027-03-10T09:00", "2027-04-10T09:00"),
    # 02:30 does not exist that night: the clocks go from two to three.
    ("P1D", "2027-03-27T02:30", "2027-03-28T03:30"),
])  # fmt: skip
def test_a_term_ends_by_the_calendar_of_the_place(term, start, end):
    assert read_term(term).end(local(start).astimezone(UTC), PARIS) == local(end)


def test_the_hour_that_comes_twice_ends_at_its_first():
    end = read_term("P1D").end(local("2026-10-24T02:30"), PARIS)

    assert end == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["", "P", "PT", "P0D", "PT0H", "24h", "P-1D", "P1.5D", "p1m", "P11Y", "P9999D", "PT999999H", "1M", "P1H", "PT1Y", "P1MT"]
)  # fmt: skip
def test_what_is_no_bounded_term_is_said_so(text):
    with pytest.raises(ValueError, match=r"write it like|longer than ten years"):
        read_term(text)


@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC)),
    st.sampled_from(["PT1M", "PT24H", "P1D", "P7D", "P30D", "P1M", "P2M", "P1Y", "P10Y", "P1Y1M1W1DT1H1M"]),
    st.sampled_from(["Europe/Paris", "UTC", "America/New_York", "Pacific/Auckland", "Asia/Kolkata"]),
)
def test_every_term_ends_later_than_it_begins_and_within_ten_years(start, text, zone):
    term = read_term(text)
    end = term.end(start, ZoneInfo(zone))

    assert start < end <= start + timedelta(days=term.most_days, hours=2)
    assert term.most_days <= LONGEST_DAYS


@pytest.mark.parametrize(("changed", "said"), [
    ({"pricing": "act"}, "a single act lasts no time"), ({"term": ""}, "a duration needs the term"),
    ({"pricing": "subscription", "term": ""}, "a subscription needs the term"), ({"term": "P100Y"}, "longer than ten years"),
    ({"term": "one month"}, "is no length of time"), ({"delivery": "document"}, "whose end can be shown"),
    ({"delivery": "data", "pricing": "subscription"}, "whose end can be shown"), ({"pricing": "pack", "term": "soon"}, "is no length of time"),
])  # fmt: skip
def test_an_offer_whose_time_cannot_be_sold_says_why(changed, said):
    assert said in term_fault(replace(PASS, **changed))


@pytest.mark.parametrize("changed", [
    {}, {"pricing": "subscription", "term": "P1M"}, {"delivery": "link"}, {"delivery": "licence"},
    {"pricing": "act", "term": ""}, {"pricing": "pack", "term": ""}, {"pricing": "pack", "term": "P1Y", "delivery": "licence"},
])  # fmt: skip
def test_what_can_be_sold_is(changed):
    assert term_fault(replace(PASS, **changed)) == ""
