"""Exchanges that go wrong in ways nobody thinks of: what cannot be sent, where nobody is, and what would be remembered."""

from __future__ import annotations

from dataclasses import replace

import pytest
from flask import Response, request
from sqlalchemy.exc import DataError, OperationalError

from connectors.contract import AuthFailed, ContractBroken
from tests.hostile.villain import raw

LATE = ({"minutes": 5}, {"minutes": 70})
NOWHERE = raw([b"HTTP/1.1 302 Found\r\nLocation: http://[::1\r\nContent-Length: 0\r\n\r\n"])


def test_a_document_that_is_nowhere_is_a_persons_to_decide_and_not_asked_for_without_an_end(world, later):
    world.villain.does("document", NOWHERE)

    number = world.buy()
    world.settle(later, *LATE)

    assert world.state(number) == ("disputed", "content_missing")
    assert world.paid(number) == []
    assert "sent on to what is no address" in world.read_by_admin(number)


@pytest.mark.parametrize("error", [KeyError("url"), TypeError("no text"), RecursionError()])
def test_whatever_fetching_raises_is_a_persons_to_decide_in_the_end(error, world, later, monkeypatch):
    def fetch(_document, _into):
        raise error

    monkeypatch.setattr(world.house.merchants.loaded["louche"].connector, "fetch", fetch)

    number = world.buy()
    world.settle(later, *LATE)

    assert world.state(number) == ("disputed", "content_missing")
    assert type(error).__name__ in world.read_by_admin(number)


@pytest.mark.parametrize("error", [ZeroDivisionError("ours"), DataError("INSERT", {}, ValueError("too long"))])
def test_whatever_recording_an_answer_raises_is_a_persons_to_decide_in_the_end(error, world, later, monkeypatch):
    def evidence_of(_outcome):
        raise error

    monkeypatch.setattr("portal.checkout.outcomes.evidence_of", evidence_of)

    number = world.buy()
    assert world.state(number)[0] == "fulfilling"
    world.settle(later, *LATE)

    assert world.state(number) == ("disputed", "merchant_unclear")
    assert type(error).__name__ in world.read_by_admin(number)
    assert world.paid(number) == []


def test_a_database_that_is_away_makes_no_dispute(world, later, monkeypatch):
    def evidence_of(_outcome):
        raise OperationalError("INSERT", {}, OSError("gone"))

    with monkeypatch.context() as away:
        away.setattr("portal.checkout.outcomes.evidence_of", evidence_of)
        number = world.buy()
        world.settle(later, *LATE)
        assert world.state(number)[0] == "fulfilling"
    world.settle(later, {"minutes": 10})

    assert world.state(number)[0] == "delivered"


def test_a_list_is_read_although_the_terms_of_its_merchant_are_nowhere(world, monkeypatch):
    loaded = world.house.merchants.loaded["louche"]
    url = f"{loaded.connector.context.base_url}/documents/terms"
    seller = loaded.manifest.merchant.model_copy(update={"terms_url": url})
    elsewhere = replace(loaded, manifest=loaded.manifest.model_copy(update={"merchant": seller}))
    monkeypatch.setitem(world.house.merchants.loaded, "louche", elsewhere)
    world.villain.does("document", NOWHERE)

    assert world.list_again().problem == ""


SECRET = "sk-live-Zt4mQ81xvW"


@pytest.mark.parametrize("value", [f"{SECRET}\n", f"{SECRET}\r\nX-Other: 1", f"{SECRET} ", f"{SECRET}é", f"{SECRET}\0"])
def test_a_key_that_no_header_can_hold_is_named_and_not_told(value, world):
    world.villain.asked.clear()
    for send in (
        lambda: world.http.request("GET", f"{world.villain.server.url}/catalogue", headers={"X-Api-Key": value}),
        lambda: world.http.download(f"{world.villain.server.url}/documents/1", None, headers={"X-Api-Key": value}),
    ):
        with pytest.raises(AuthFailed) as refused:
            send()

        assert refused.value.detail.startswith("X-Api-Key ")
        assert SECRET not in refused.value.detail
    assert world.villain.asked == {}


@pytest.mark.parametrize("place", ["https:///?key=" + SECRET, "http://[::1?key=" + SECRET])
def test_a_key_in_an_address_is_not_told_when_we_are_sent_on(place, world):
    world.villain.does("catalogue", raw([b"HTTP/1.1 302 Found\r\nLocation: %s\r\n\r\n" % place.encode()]))

    with pytest.raises(ContractBroken) as refused:
        world.http.request("GET", f"{world.villain.server.url}/catalogue", headers={"X-Api-Key": "cle-louche"})

    assert SECRET not in refused.value.detail


def test_a_merchant_cannot_tell_one_visitor_from_another_by_what_we_remember(world):
    seen = []

    def remember(_honest):
        seen.append(request.headers.get("Cookie"))
        return Response("{}", headers={"Set-Cookie": "visitor=1; Path=/"})

    world.villain.does("catalogue", remember)
    for _ in range(2):
        world.http.request("GET", f"{world.villain.server.url}/catalogue", headers={"X-Api-Key": "cle-louche"})

    assert seen == [None, None]
    assert not list(world.http._client.cookies.jar)
