"""The secrets of a merchant stay in the portal: they are put into what goes to its hosts, and taken out of what comes back."""

from __future__ import annotations

import base64
from urllib.parse import unquote, unquote_plus

import pytest

from connectors.apart.relay import Relay, Traffic
from connectors.contract import Buyer, ContractBroken, Unavailable
from connectors.http import Answer, GuardedClient, Timeouts
from tests.connectors.apart_world import SECRETS, World, make_world, suggested

ACME = Buyer("Acme SA")
KEY, PASSWORD = SECRETS.values()


@pytest.fixture
def world(tmp_path, monkeypatch):
    yield from make_world(tmp_path, monkeypatch)


class Remembering(GuardedClient):
    """The product's own client, which remembers what it was asked to send, and what came back."""

    def __init__(self, hosts: list[str]) -> None:
        super().__init__(hosts, timeouts=Timeouts(1, 1, 2))
        self.sent: list[str] = []
        self.came: list[Answer] = []

    def request(self, method, url, **content):
        self.sent.append(f"{url} {content}")
        self.came.append(super().request(method, url, **content))
        return self.came[-1]


def remembering(world: World):
    """A connector over a client that remembers."""
    connector = world.connector()
    client = Remembering([world.server.url.partition("//")[2]])
    connector.context.http.close()
    connector._relay.http = client
    return connector, client


@pytest.mark.parametrize(("where", "arrived"), [
    ("header", f"Key {KEY}"), ("query", f"?key={KEY}"), ("form", f"'key': '{KEY}'"), ("body", f'"<{KEY}>"'),
    ("basic", base64.b64encode(f"{KEY}:{PASSWORD}".encode()).decode()),
])  # fmt: skip
def test_the_merchant_receives_the_secret_and_the_process_sees_it_nowhere(world: World, where, arrived):
    connector, client = remembering(world)
    word = suggested(connector, "secret", "api_key")
    shown = connector.quote(where, {}, ACME).subject
    assert arrived in client.came[0].body.decode()
    assert word not in client.came[0].body.decode()
    assert KEY not in shown
    assert arrived not in shown
    assert (word in shown) == (where != "basic")
    assert suggested(connector, "attempt", "remembered", KEY[:5] + KEY[5:]) == "got: 0"
    client.close()


def test_a_secret_in_the_address_is_escaped_there_and_hidden_in_errors(world: World):
    connector, client = remembering(world)
    connector.quote("", {"url": f"{world.server.url}/echo?key={{word}}"}, ACME)
    assert client.sent[0].startswith(f"{world.server.url}/echo?key={KEY} ")
    client.close()
    world.server.stop()
    connector, client = remembering(world)
    with pytest.raises(Unavailable) as raised:
        connector.quote("", {"url": f"{world.server.url}/{{word}}"}, ACME)
    assert KEY not in raised.value.detail
    client.close()


@pytest.mark.parametrize("url", ["https://{word}.example/", "https://elsewhere.example/{word}", "https://elsewhere.example/", "no address", "http://[{word}/"])  # fmt: skip
def test_no_secret_is_told_to_a_host_that_is_not_the_merchants(world: World, url):
    connector, client = remembering(world)
    word = suggested(connector, "secret", "api_key")
    with pytest.raises(ContractBroken) as raised:
        connector.quote("header", {"url": url}, ACME)
    assert KEY not in client.sent[0] + raised.value.detail
    assert word in client.sent[0]
    client.close()


def test_a_header_that_other_hosts_are_told_holds_no_secret(world: World):
    connector, client = remembering(world)
    connector.quote("agent", {}, ACME)
    assert KEY not in client.sent[0]
    client.close()


@pytest.mark.parametrize(("offer", "inputs", "named"), [
    ("host", {}, "a header that a connector does not set"), ("", {"method": "CONNECT"}, "no request is made by"),
    ("", {"method": "GET / HTTP/1.1\r\nX-Other: 1\r\n"}, "no request is made by"),
])  # fmt: skip
def test_requests_are_plain_ones(world: World, offer, inputs, named):
    with pytest.raises(ContractBroken, match=named):
        world.connector().quote(offer, inputs, ACME)
    assert world.seen == []


def test_traffic_knows_what_may_have_left(world: World):
    client = Remembering([world.server.url.partition("//")[2]])
    relay, traffic = Relay(client, {}, f"{world.server.url}/token"), Traffic()
    asked = {"method": "POST", "url": f"{world.server.url}/orders", "json": {}}
    world.server.stop()
    with pytest.raises(Unavailable):
        relay.request(asked, traffic)
    assert (traffic.left, traffic.lost) == (False, "")
    world.server.start()
    relay.request(asked, traffic)
    assert (traffic.left, traffic.lost) == (True, "")
    client.close()


HARD = 'p4ss/w:rd +&"é~\\x'


@pytest.mark.parametrize("where", ["query", "form", "body"])
def test_a_secret_of_any_signs_is_hidden_in_every_way_it_is_written(world: World, where, monkeypatch):
    monkeypatch.setitem(SECRETS, "api_key", HARD)
    connector, client = remembering(world)

    shown = connector.quote(where, {}, ACME).subject

    came = client.came[0].body.decode()
    for read in (str, unquote, unquote_plus, lambda text: text.replace('\\"', '"').replace("\\\\", "\\")):
        assert HARD not in read(shown), where
    assert any(
        HARD in read(came)
        for read in (unquote, unquote_plus, lambda text: text.replace('\\"', '"').replace("\\\\", "\\"))
    )
    client.close()
