"""The operator's list read over real sockets while it shifts, lags, repeats itself or does not end: nothing is passed over."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask, Response, jsonify, request

from connectors.contract import ContractBroken, NotFound, OperatorCharge, Unknown, Unreachable
from connectors.operators import camara_list
from demo import operator, operator_list
from demo.operator import PAYMENTS
from tests.connectors.conftest import adapter_for, charge

LONG_AGO = datetime.now(UTC) - timedelta(days=1)


@pytest.fixture(autouse=True)
def short_pages(monkeypatch):
    """However many we ask for, the operator gives five."""
    monkeypatch.setattr(operator_list, "LARGEST_PAGE", 5)


def record(server, count: int, *, at: datetime | None = None, apart: timedelta = timedelta(seconds=3)) -> list[str]:
    """So many payments in the operator's book, the oldest first; their keys."""
    begun = at or datetime.now(UTC) - timedelta(hours=1)
    keys = []
    for number in range(count):
        asked = charge()
        transaction = {
            "phoneNumber": asked.line, "clientCorrelator": asked.key, "referenceCode": asked.reference,
            "paymentAmount": {"chargingInformation": {"amount": 4.24, "currency": "EUR", "description": "K-bis"}},
        }  # fmt: skip
        server.book.open(transaction, (424, 71), "reserved").created_at = begun + number * apart
        keys.append(asked.key)
    return keys


def forget_oldest(server, count: int) -> None:
    """The operator purges its list."""
    payments = server.book.kept()[0]
    for ref in sorted(payments, key=lambda ref: payments[ref].created_at)[:count]:
        del payments[ref]


def listed(line) -> list[str]:
    return [item.key for item in line.adapter.list_charges(LONG_AGO)]


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("count", [0, 1, 4, 5, 6, 10, 23])
def test_a_page_shorter_than_was_asked_for_is_not_the_end(count, newest_first, line):
    line.server.listing.newest_first = newest_first
    keys = record(line.server, count)

    assert sorted(listed(line)) == sorted(keys)
    assert newest_first or listed(line) == keys


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("purged", [1, 3, 5, 6])
def test_what_moved_to_an_earlier_page_while_we_read_is_not_passed_over(purged, newest_first, line):
    line.server.listing.newest_first = newest_first
    keys = record(line.server, 60)
    line.http.between = lambda: forget_oldest(line.server, purged)

    found = listed(line)

    assert len(found) == len(set(found))
    left = {item.correlator for item in line.server.book.charges()}
    assert left <= set(found) <= set(keys)


@pytest.mark.parametrize("arriving", [1, 5, 7])
def test_new_payments_that_push_others_to_later_pages_do_not_end_the_list(arriving, line):
    line.server.listing.newest_first = True
    keys = record(line.server, 30)
    line.http.between = lambda: (
        record(line.server, arriving, at=datetime.now(UTC)) if len(line.server.book.charges()) < 200 else None
    )

    found = listed(line)

    assert len(found) == len(set(found))
    assert set(keys) <= set(found)


@pytest.mark.parametrize("newest_first", [False, True])
def test_more_payments_of_one_instant_than_a_page_holds(newest_first, line):
    line.server.listing.newest_first = newest_first
    begun = datetime.now(UTC) - timedelta(hours=2)
    keys = record(line.server, 3, at=begun - timedelta(minutes=1))
    keys += record(line.server, 23, at=begun, apart=timedelta())
    keys += record(line.server, 4, at=begun + timedelta(minutes=1))

    assert sorted(listed(line)) == sorted(keys)


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("apart_ms", [0.2, 90, 700])
def test_times_rounded_up_by_the_operator(apart_ms, newest_first, line, monkeypatch):
    line.server.listing.newest_first = newest_first

    def to_seconds(at: datetime) -> str:
        return (at + timedelta(microseconds=999_999)).replace(microsecond=0).isoformat().replace("+00:00", "Z")

    monkeypatch.setattr(operator, "rfc3339", to_seconds)
    keys = record(line.server, 40, apart=timedelta(milliseconds=apart_ms))

    assert sorted(listed(line)) == sorted(keys)


@pytest.mark.parametrize("seed", [random.randrange(10**6) for _ in range(3)])
def test_any_shifting_passes_nothing_over(seed, line):
    chance = random.Random(seed)
    line.server.listing.newest_first = chance.random() < 0.5
    apart = timedelta(milliseconds=chance.choice([0.3, 40, 3_000]))
    record(line.server, chance.randrange(10, 60), apart=apart)
    before = {item.correlator for item in line.server.book.charges()}

    def shift() -> None:
        forget_oldest(line.server, chance.choice([0, 0, 1, 4]))
        if len(line.server.book.charges()) < 150:
            record(line.server, chance.choice([0, 0, 2, 5]), at=datetime.now(UTC), apart=timedelta())

    line.http.between = shift
    found = listed(line)

    stayed = before & {item.correlator for item in line.server.book.charges()}
    assert stayed <= set(found), f"seed {seed}"
    assert len(found) == len(set(found)), f"seed {seed}"


@pytest.mark.parametrize("ahead_min", [-9, 9])
def test_a_clock_that_is_minutes_off_hides_nothing(ahead_min, line):
    asked = charge()
    sent_at = datetime.now(UTC)
    line.adapter.prepare(asked)
    line.server.book.charges()[0].created_at += timedelta(minutes=ahead_min)

    assert line.adapter.find(asked.key, sent_at).key == asked.key


@pytest.mark.parametrize("repeats", [409, 400])
def test_a_list_that_lags_behind_is_a_doubt_for_a_known_correlator_and_no_absence(repeats, line):
    line.server.listing.lag = timedelta(seconds=20)
    line.server.repeats = repeats
    asked = charge()
    line.adapter.prepare(asked)

    assert isinstance(line.adapter.find(asked.key, datetime.now(UTC)), NotFound)
    assert line.adapter.prepare(asked) == Unknown(
        "the operator knows the correlator, but its list does not show it yet", 2
    )

    line.server.listing.lag = timedelta()
    assert line.adapter.prepare(asked).state == "reserved"
    assert len(line.server.book.charges()) == 1


def test_a_list_that_does_not_end_is_a_doubt_never_an_absence(line, monkeypatch):
    keys = record(line.server, 30)
    monkeypatch.setattr(camara_list, "MOST_PAGES", 4)

    assert isinstance(line.adapter.find("no such key", LONG_AGO), Unknown)
    assert isinstance(line.adapter.find(keys[0], LONG_AGO), OperatorCharge)
    with pytest.raises(ContractBroken, match="does not end within 4 pages"):
        listed(line)


def test_a_list_that_never_stands_still_is_a_doubt_never_an_absence(line):
    line.server.listing.newest_first = True
    record(line.server, 12)
    older = iter(range(1, 10_000))
    line.http.between = lambda: record(line.server, 1, at=datetime.now(UTC) - timedelta(hours=2, seconds=next(older)))

    assert isinstance(line.adapter.find("no such key", LONG_AGO), Unknown)


def test_a_list_that_cannot_be_read_now_says_when(answering):
    app = Flask("busy")
    app.add_url_rule("/oauth2/token", view_func=_token, methods=["POST"])
    app.add_url_rule(PAYMENTS, view_func=lambda: (jsonify(status=429, code="TOO_MANY_REQUESTS", message="No."), 429,
                                                  {"Retry-After": "7"}))  # fmt: skip
    _http, adapter = adapter_for(answering(app))

    outcome = adapter.find("key", LONG_AGO)

    assert isinstance(outcome, Unreachable)
    assert outcome.retry_after_s == 7


@pytest.mark.parametrize("habit", ["gives its last page again", "knows no filter", "knows neither filter nor pages"])
def test_an_operator_with_habits_of_its_own_is_read_to_the_end(habit, line, answering):
    keys = record(line.server, 12)
    payments = [operator._payment(item) for item in line.server.book.charges()]

    def page() -> Response:
        number = int(request.args["page"])
        if habit == "knows neither filter nor pages":
            return jsonify(payments)
        since = request.args["paymentCreationDate.gte"] if habit == "gives its last page again" else ""
        wanted = [item for item in payments if item["paymentCreationDate"] >= since]
        last = max(1, -(-len(wanted) // 5))
        number = min(number, last) if habit == "gives its last page again" else number
        return jsonify(wanted[(number - 1) * 5 : number * 5])

    app = Flask("habits")
    app.add_url_rule("/oauth2/token", view_func=_token, methods=["POST"])
    app.add_url_rule(PAYMENTS, view_func=page)
    _http, adapter = adapter_for(answering(app))

    assert [item.key for item in adapter.list_charges(LONG_AGO)] == keys


def _token() -> Response:
    return jsonify(access_token="t", token_type="Bearer", expires_in=300)
