"""T13: a server that falls silent, at whatever moment, costs its share of one time budget, and the next one answers."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest

from portal.directory import failover as sharing
from portal.directory.answers import No, Unknown, Yes
from portal.directory.failover import Failover
from portal.directory.ldap import Link
from portal.directory.lookup import LdapDirectory
from tests.real.relay import Relay
from tests.real.slapd import Slapd, free_port, make_slapd, site

BUDGET_S, SHORT_S = 3.0, 1.2
"""For a question that a server answers in the end, however slow this machine is; for one that none does."""
NEVER_S = 30
"""Far beyond any budget."""
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
    waiting: list[socket.socket] = []
    while not waiting or select.select([], [waiting[-1]], [], 0.2)[1]:
        client = socket.socket()
        client.setblocking(False)
        client.connect_ex(listener.getsockname())
        waiting.append(client)
    yield f"127.0.0.1:{listener.getsockname()[1]}"
    for each in [*waiting, listener]:
        each.close()


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Until when each server was waited for, each time."""
    noted: list[float] = []
    opened, hurry = Link.open, Link.hurry

    def opening(config: object, url: str, dn: str, password: str, end: float) -> Link:
        noted.append(end)
        return opened(config, url, dn, password, end)  # type: ignore[arg-type]

    monkeypatch.setattr(Link, "open", opening)
    monkeypatch.setattr(Link, "hurry", lambda link, end: (noted.append(end), hurry(link, end))[1])
    return noted


@pytest.fixture
def asked(ends: list[float], monkeypatch: pytest.MonkeyPatch) -> Callable[..., object]:
    """What a sign-in is answered; no server was waited for beyond its one budget."""
    deadline = LdapDirectory._deadline

    def sign_in(client: LdapDirectory, password: str = "secret") -> object:
        ends.clear()
        budgets: list[float] = []

        def noted(asking: LdapDirectory, at_least_s: float = 0) -> float:
            budgets.append(deadline(asking, at_least_s))
            return budgets[-1]

        monkeypatch.setattr(LdapDirectory, "_deadline", noted)
        answer = client.sign_in("zoe", password)
        assert len(budgets) == 1
        assert max(ends) <= budgets[0]
        return answer

    return sign_in


def plain(slapd: Slapd, first: str, *others: str, budget_s: float = BUDGET_S) -> LdapDirectory:
    return LdapDirectory(site(slapd, urls=[first, *others], start_tls=False, timeout=budget_s))


@pytest.mark.parametrize("secure", [False, True])
def test_a_server_that_never_accepts_costs_its_share_t13(secure, slapd, full, asked):
    scheme = "ldaps" if secure else "ldap"
    urls = [f"{scheme}://{full}", slapd.tls_url if secure else slapd.url]
    client = LdapDirectory(site(slapd, urls=urls, start_tls=not secure, timeout=BUDGET_S))

    answer = asked(client)

    assert isinstance(answer, Yes), answer
    client.close()


@pytest.mark.parametrize("secure", [False, True])
def test_a_server_that_is_silent_in_the_tls_handshake_costs_its_share_t13(secure, slapd, relay, asked):
    relay.silent_on = b""
    urls = [relay.tls_url, slapd.tls_url] if secure else [relay.url, slapd.url]
    client = LdapDirectory(site(slapd, urls=urls, start_tls=not secure, timeout=BUDGET_S))

    answer = asked(client)

    assert isinstance(answer, Yes), answer
    client.close()


@pytest.mark.parametrize("phase", [SERVICE_BIND, SEARCH])
def test_a_server_that_is_silent_to_a_bind_or_a_search_costs_its_share_t13(phase, slapd, relay, asked):
    relay.silent_on = phase
    client = plain(slapd, relay.url, slapd.url)

    answer = asked(client)

    assert isinstance(answer, Yes), answer
    client.close()


@pytest.mark.parametrize("trickle_s", [0, 0.05])
def test_a_connection_that_was_kept_and_falls_silent_costs_its_share_t13(trickle_s, slapd, relay, asked):
    client = plain(slapd, relay.url, slapd.url)
    assert isinstance(client.sign_in("zoe", "secret"), Yes)
    relay.trickle_s, relay.silent_on = trickle_s, SEARCH

    answer = asked(client)

    assert isinstance(answer, Yes), answer
    client.close()


@pytest.mark.parametrize("phase", [b"", SERVICE_BIND, SEARCH, PERSON_BIND])
@pytest.mark.parametrize("trickle_s", [0, 0.05])
def test_the_only_server_costs_the_budget_whatever_it_is_silent_to_t13(phase, trickle_s, slapd, relay, asked):
    relay.silent_on, relay.trickle_s = phase, trickle_s
    client, began = plain(slapd, relay.url, budget_s=SHORT_S), time.monotonic()

    answer = asked(client)

    assert isinstance(answer, Unknown), answer
    assert answer.reason == "timeout"
    assert time.monotonic() - began < NEVER_S
    client.close()


def test_a_password_is_never_sent_to_a_second_server_when_the_first_is_silent_to_it_t12(slapd, relay, asked):
    relay.silent_on = b"a-password-of-zoe"
    second = Relay(slapd.port)
    client = plain(slapd, relay.url, second.url)

    assert isinstance(asked(client, "a-password-of-zoe"), Unknown)
    assert (relay.seen + second.seen).count(b"a-password-of-zoe") == 1
    assert client.sign_in("zoe", "a-password-of-zoe") == No("wrong_password")
    assert b"a-password-of-zoe" in second.seen
    client.close()
    second.close()


def test_a_server_that_failed_rests_and_costs_nothing_for_a_while_t13(slapd, relay, asked):
    relay.silent_on = b""
    client = plain(slapd, relay.url, slapd.url)
    asked(client)
    came = relay.connections

    for _again in range(3):
        assert isinstance(asked(client), Yes)

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


def test_each_of_several_silent_servers_has_its_share_t13(slapd, relay, asked):
    relay.silent_on = b""
    others = [Relay(slapd.port), Relay(slapd.port)]
    for other in others:
        other.silent_on = b""
    client = plain(slapd, relay.url, *(other.url for other in others), slapd.url)

    answer = asked(client)

    assert isinstance(answer, Yes), answer
    client.close()
    for other in others:
        other.close()


def test_a_long_listing_waits_no_longer_for_a_silent_server_than_a_sign_in_t13(slapd, relay, ends):
    client = plain(slapd, relay.url, slapd.url)
    [inner] = client.find_group("inner")
    relay.silent_on = b""
    ends.clear()
    began = time.monotonic()

    assert {person.login for person in client.members(inner)} == {"zoe"}
    # The listing itself has a minute, of which two servers would have half each.
    assert ends[0] < began + NEVER_S / 2
    client.close()


def test_those_that_rest_come_last_and_shares_add_up_to_the_budget(monkeypatch):
    now = time.monotonic()
    monkeypatch.setattr(sharing, "time", SimpleNamespace(monotonic=lambda: now))
    failover = Failover(["a", "b", "c"])
    failover.rest("a")

    assert failover.next(set()) == "b"
    assert failover.next({"b", "c"}) == "a"
    assert failover.next({"a", "b", "c"}) is None
    assert failover.share(set(), now + 10) == pytest.approx(now + 5)
    assert failover.share({"b"}, now + 10) == pytest.approx(now + 10)
