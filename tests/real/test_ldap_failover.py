"""T13: a server that falls silent, at whatever moment, costs its share of one time budget, and the next one answers."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest

from portal.directory.answers import No, Unknown, Yes
from portal.directory.failover import Failover
from portal.directory.lookup import LdapDirectory
from tests.real.relay import Relay
from tests.real.slapd import Slapd, free_port, make_slapd, site

BUDGET_S, SLACK_S = 1.2, 0.6
SERVICE_BIND, SEARCH, PERSON_BIND = b"cn=guichet,ou=services", b"objectClass", b"uid=zoe,ou=people"


@pytest.fixture(scope="module")
def slapd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slapd]:
    running = make_slapd(tmp_path_factory.mktemp("failover"))
    yield running
    running.stop()


@pytest.fixture
def relay(slapd: Slapd) -> Iterator[Relay]:
    standing = Relay(slapd.port)
    yield standing
    standing.close()


@pytest.fixture
def full() -> Iterator[str]:
    """A port whose queue is full: connecting is never answered."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    waiting = []
    for _attempt in range(4):
        client = socket.socket()
        client.setblocking(False)
        client.connect_ex(listener.getsockname())
        waiting.append(client)
    time.sleep(0.05)
    yield f"127.0.0.1:{listener.getsockname()[1]}"
    for each in [*waiting, listener]:
        each.close()


def timed(client: LdapDirectory, password: str = "secret") -> tuple[object, float]:
    began = time.monotonic()
    answer = client.sign_in("zoe", password)
    return answer, time.monotonic() - began


def plain(slapd: Slapd, first: str, *others: str) -> LdapDirectory:
    return LdapDirectory(site(slapd, urls=[first, *others], start_tls=False, timeout=BUDGET_S))


@pytest.mark.parametrize("secure", [False, True])
def test_a_server_that_never_accepts_costs_its_share_t13(secure, slapd, full):
    scheme = "ldaps" if secure else "ldap"
    urls = [f"{scheme}://{full}", slapd.tls_url if secure else slapd.url]
    client = LdapDirectory(site(slapd, urls=urls, start_tls=not secure, timeout=BUDGET_S))

    answer, took = timed(client)

    assert isinstance(answer, Yes), answer
    assert took < BUDGET_S
    client.close()


@pytest.mark.parametrize("secure", [False, True])
def test_a_server_that_is_silent_in_the_tls_handshake_costs_its_share_t13(secure, slapd, relay):
    relay.silent_on = b""
    urls = [relay.tls_url, slapd.tls_url] if secure else [relay.url, slapd.url]
    client = LdapDirectory(site(slapd, urls=urls, start_tls=not secure, timeout=BUDGET_S))

    answer, took = timed(client)

    assert isinstance(answer, Yes), answer
    assert took < BUDGET_S
    client.close()


@pytest.mark.parametrize("phase", [SERVICE_BIND, SEARCH])
def test_a_server_that_is_silent_to_a_bind_or_a_search_costs_its_share_t13(phase, slapd, relay):
    relay.silent_on = phase
    client = plain(slapd, relay.url, slapd.url)

    answer, took = timed(client)

    assert isinstance(answer, Yes), answer
    assert took < BUDGET_S
    client.close()


@pytest.mark.parametrize("trickle_s", [0, 0.05])
def test_a_connection_that_was_kept_and_falls_silent_costs_its_share_t13(trickle_s, slapd, relay):
    client = plain(slapd, relay.url, slapd.url)
    assert isinstance(client.sign_in("zoe", "secret"), Yes)
    relay.trickle_s, relay.silent_on = trickle_s, SEARCH

    answer, took = timed(client)

    assert isinstance(answer, Yes), answer
    assert took < BUDGET_S
    client.close()


@pytest.mark.parametrize("phase", [b"", SERVICE_BIND, SEARCH, PERSON_BIND])
@pytest.mark.parametrize("trickle_s", [0, 0.05])
def test_the_only_server_costs_the_budget_whatever_it_is_silent_to_t13(phase, trickle_s, slapd, relay):
    relay.silent_on, relay.trickle_s = phase, trickle_s
    client = plain(slapd, relay.url)

    answer, took = timed(client)

    assert isinstance(answer, Unknown), answer
    assert answer.reason == "timeout"
    assert took < BUDGET_S + SLACK_S
    client.close()


def test_a_password_is_never_sent_to_a_second_server_when_the_first_is_silent_to_it_t12(slapd, relay):
    relay.silent_on = b"a-password-of-zoe"
    second = Relay(slapd.port)
    client = plain(slapd, relay.url, second.url)

    answer, took = timed(client, "a-password-of-zoe")

    assert isinstance(answer, Unknown)
    assert took < BUDGET_S + SLACK_S
    assert (relay.seen + second.seen).count(b"a-password-of-zoe") == 1
    assert client.sign_in("zoe", "a-password-of-zoe") == No("wrong_password")
    assert b"a-password-of-zoe" in second.seen
    client.close()
    second.close()


def test_a_server_that_failed_rests_and_costs_nothing_for_a_while_t13(slapd, relay):
    relay.silent_on = b""
    client = plain(slapd, relay.url, slapd.url)
    timed(client)
    came = relay.connections

    for _again in range(3):
        answer, took = timed(client)
        assert isinstance(answer, Yes)
        assert took < BUDGET_S / 2

    assert relay.connections == came
    client.close()


def test_when_all_rest_all_are_asked_again_t13(tmp_path):
    restarted = make_slapd(tmp_path / "restarted")
    client = plain(restarted, restarted.url, f"ldap://127.0.0.1:{free_port()}")
    restarted.stop()
    assert isinstance(client.sign_in("zoe", "secret"), Unknown)
    assert client.is_down
    restarted.start()
    try:
        assert isinstance(client.sign_in("zoe", "secret"), Yes)
        assert not client.is_down
    finally:
        client.close()
        restarted.stop()


def test_each_of_several_silent_servers_has_its_share_t13(slapd, relay):
    relay.silent_on = b""
    others = [Relay(slapd.port), Relay(slapd.port)]
    for other in others:
        other.silent_on = b""
    client = plain(slapd, relay.url, *(other.url for other in others), slapd.url)

    answer, took = timed(client)

    assert isinstance(answer, Yes), answer
    assert took < BUDGET_S
    client.close()
    for other in others:
        other.close()


def test_a_long_listing_waits_no_longer_for_a_silent_server_than_a_sign_in_t13(slapd, relay):
    client = plain(slapd, relay.url, slapd.url)
    [inner] = client.find_group("inner")
    relay.silent_on = b""
    began = time.monotonic()

    assert {person.login for person in client.members(inner)} == {"zoe"}
    assert time.monotonic() - began < BUDGET_S + SLACK_S
    client.close()


def test_those_that_rest_come_last_and_shares_add_up_to_the_budget():
    failover = Failover(["a", "b", "c"])
    failover.rest("a")
    now = time.monotonic()

    assert failover.next(set()) == "b"
    assert failover.next({"b", "c"}) == "a"
    assert failover.next({"a", "b", "c"}) is None
    assert failover.share(set(), now + 10) == pytest.approx(now + 5, abs=0.1)
    assert failover.share({"b"}, now + 10) == pytest.approx(now + 10, abs=0.1)
