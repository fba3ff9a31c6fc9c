"""What travels: endless, swelling and dripping answers, redirections elsewhere, names that lead elsewhere.

In the end the purchase is what it should be, and the canary host has heard nothing from us.
"""

from __future__ import annotations

import gzip
import io
import itertools
import socket
import threading
import time
import tracemalloc
import zlib

import httpcore2
import pytest
from werkzeug.serving import make_server

from connectors import addresses
from connectors.contract import ContractBroken, Document, Unavailable, UnknownOutcome
from connectors.http import GuardedClient, Network, Timeouts
from connectors.merchants.registry import ConnectorBroken, load_merchant
from demo.certificates import Authority
from tests.hostile.conftest import HURRIED, PATIENT
from tests.hostile.villain import CENTS, raw, sends_to

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
BOMB = gzip.compress(b"0" * 100_000_000)
ANSWERS = ("endless body", "gzip bomb", "slow drip", "slow drip within the head")


def without_end(name):
    """An act that answers so."""
    if name == "endless body":
        return raw(itertools.chain([HEAD + b"\r\n["], itertools.repeat(b"0," * 30_000, 3000)))
    if name == "gzip bomb":
        return raw([HEAD + b"content-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(BOMB), BOMB])
    start = HEAD + (b"content-length: 5000\r\n\r\n" if name == "slow drip" else b"x-slow: ")
    return raw(itertools.chain([start], itertools.repeat(b"0", 3000)), 0.02)


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_without_end_ends_in_time_and_in_memory(name, world):
    world.patience(HURRIED)
    world.villain.does("quote", without_end(name))
    began = time.monotonic()
    tracemalloc.start()

    assert world.ask_price() == ""

    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "Rien n'a été acheté" in world.buyer.text
    # To the end, those that drip would take a minute.
    assert time.monotonic() - began < 40
    # The answer may have 20 MB; what swells to 100 MB is never all here.
    assert peak < 60_000_000
    assert world.orders() == 0


@pytest.mark.parametrize("name", ANSWERS)
def test_an_order_answered_without_end_is_looked_up_and_made_once(name, world, later):
    def endless(honest):
        honest()
        return without_end(name)(honest)

    world.patience(HURRIED)
    world.villain.does("order", endless, times=1)

    number = world.buy()
    world.patience(Timeouts())
    world.settle(later)

    assert (world.state(number)[0], len(world.villain.made), world.villain.asked["order"]) == ("delivered", 1, 1)
    assert world.paid(number) == [CENTS]
    world.agree()


def test_an_answer_in_a_coding_that_nobody_asked_for_is_not_opened(world):
    content = zlib.compress(b"{}")
    world.villain.does(
        "quote", raw([HEAD + b"content-encoding: br\r\ncontent-length: %d\r\n\r\n" % len(content), content])
    )

    assert world.ask_price() == ""
    assert "Rien n'a été acheté" in world.buyer.text


@pytest.fixture
def targets(world):
    """Where a redirection may want to lead us."""
    canary = world.canary.server.url
    return {
        "another host": canary, "another host, by a name within": canary.replace("http://", "http://louche@"),
        "file:": "file:///etc/passwd", "169.254.169.254": "http://169.254.169.254/latest/meta-data/",
        "169.254.169.254 written as a number": "http://2852039166/", "a private address": "https://10.0.0.1/",
        "a private address in IPv6": "https://[fd00::1]/", "this machine": "http://127.0.0.1:1/",
        "a script": "javascript:alert(1)", "nowhere": "http://[::1",
    }  # fmt: skip


TARGETS = [
    "another host", "another host, by a name within", "file:", "169.254.169.254", "169.254.169.254 written as a number",
    "a private address", "a private address in IPv6", "this machine", "a script", "nowhere",
]  # fmt: skip


@pytest.mark.parametrize("name", TARGETS)
def test_a_redirection_elsewhere_is_not_followed(name, world, targets, later):
    for step in ("catalogue", "quote", "lookup"):
        world.villain.does(step, sends_to(targets[name]))

    assert world.list_again().problem
    assert world.ask_price() == ""
    world.villain.acts.clear()
    world.villain.does("document", sends_to(targets[name]))
    number = world.buy()
    world.settle(later, {"minutes": 5}, {"minutes": 70})

    assert world.state(number) == ("disputed", "content_missing")
    assert world.paid(number) == []
    assert world.canary.heard == []


def test_a_document_elsewhere_is_not_fetched_and_our_key_not_shown(world, later):
    world.villain.delivery = {"url": f"{world.canary.server.url}/extrait.pdf"}

    number = world.buy()
    world.settle(later, {"minutes": 5}, {"minutes": 70})

    assert world.state(number) == ("disputed", "content_missing")
    assert "is not among the hosts" in world.read_by_admin(number)
    assert world.canary.heard == []


# --- Names --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def secure(tmp_path):
    """A merchant at https://shop.example, on this machine, with a certificate of its name; yields its port and our CA."""
    authority = Authority.create(tmp_path)
    made = authority.issue(["shop.example"])
    heard = []

    def app(environ, start):
        heard.append(environ["HTTP_HOST"])
        start("200 OK", [("content-type", "application/json")])
        return [b"{}"]

    server = make_server("127.0.0.1", 0, app, threaded=True, ssl_context=(str(made.cert_path), str(made.key_path)))
    server.log = lambda *_said: None
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield server.server_port, str(tmp_path / "ca.pem"), heard
    server.shutdown()
    server.server_close()


def resolving(monkeypatch, *answers):
    """Names lead to these addresses, one list after the other; yields who was asked for."""
    asked, left = [], list(answers)

    def resolve(host, port):
        asked.append(host)
        found = left.pop(0) if len(left) > 1 else left[0]
        return [
            (socket.AF_INET6 if ":" in each else socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port))
            for each in found
        ]

    monkeypatch.setattr(addresses, "resolve", resolve)
    return asked


LEADS = [
    "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",  # noqa: S104
    "::1", "fe80::1", "fd00:ec2::254", "::ffff:10.0.0.1", "::ffff:127.0.0.1", "64:ff9b::a00:1", "2002:a00:1::",
]  # fmt: skip


@pytest.mark.parametrize("lead", LEADS)
def test_a_public_name_that_leads_inside_is_not_contacted(lead, secure, monkeypatch):
    port, ca_file, heard = secure
    resolving(monkeypatch, [lead])
    client = GuardedClient([f"shop.example:{port}"], Network(ca_file=ca_file), PATIENT)

    with pytest.raises(Unavailable, match="not contacted"):
        client.request("POST", f"https://shop.example:{port}/", headers={"X-Api-Key": "secret"})
    assert heard == []


def test_one_good_address_among_bad_ones_makes_a_name_no_better(secure, monkeypatch):
    port, ca_file, heard = secure
    resolving(monkeypatch, ["93.184.216.34", "127.0.0.1"])

    with pytest.raises(Unavailable, match="not contacted"):
        GuardedClient([f"shop.example:{port}"], Network(ca_file=ca_file), PATIENT).request(
            "GET", f"https://shop.example:{port}/"
        )
    assert heard == []


def test_dns_that_changes_between_the_check_and_the_connection_changes_nothing(secure, monkeypatch):
    port, ca_file, heard = secure
    asked = resolving(monkeypatch, ["93.184.216.34"], ["127.0.0.1"])
    dialled = []

    def dial(_self, host, *_more):
        dialled.append(host)
        raise httpcore2.ConnectError("not from here")

    monkeypatch.setattr(httpcore2.SyncBackend, "connect_tcp", dial)
    client = GuardedClient([f"shop.example:{port}"], Network(ca_file=ca_file), PATIENT)

    with pytest.raises(Unavailable, match="not from here"):
        client.request("GET", f"https://shop.example:{port}/")
    assert (asked, dialled) == (["shop.example"], ["93.184.216.34"])
    with pytest.raises(Unavailable, match="leads to"):
        client.request("GET", f"https://shop.example:{port}/")
    assert (dialled, heard) == (["93.184.216.34"], [])


def test_a_name_within_the_company_is_contacted_once_an_administrator_has_named_it(secure, monkeypatch):
    port, ca_file, heard = secure
    resolving(monkeypatch, ["127.0.0.1"])
    agreed = Network(ca_file=ca_file, private_hosts=("shop.example",))

    assert (
        GuardedClient([f"shop.example:{port}"], agreed, Timeouts())
        .request("GET", f"https://shop.example:{port}/")
        .json()
        == {}
    )
    # The certificate is still the name's, whatever address was dialled.
    assert heard == [f"shop.example:{port}"]


@pytest.mark.parametrize("lead", ["169.254.169.254", "fe80::1", "224.0.0.1", "fd00:ec2::254"])
def test_what_is_no_merchants_address_is_not_contacted_whoever_names_it(lead, monkeypatch):
    resolving(monkeypatch, [lead])
    client = GuardedClient(["shop.example"], Network(private_hosts=("shop.example",)), PATIENT)

    with pytest.raises(Unavailable, match="not contacted"):
        client.request("GET", "https://shop.example/")


def test_behind_a_proxy_the_proxy_resolves_and_is_the_only_one_dialled(monkeypatch):
    heard = []

    def serve(listener):
        connection, _address = listener.accept()
        with connection:
            heard.append(connection.recv(1000).partition(b"\r\n")[0])
            connection.sendall(b"HTTP/1.1 403 Forbidden\r\n\r\n")

    asked = resolving(monkeypatch, ["10.0.0.1"])
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        proxy = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(Unavailable):
            GuardedClient(["shop.example"], Network(proxy=proxy), Timeouts(30, 60, 60)).request(
                "GET", "https://shop.example/"
            )
    assert (heard, asked) == ([b"CONNECT shop.example:443 HTTP/1.1"], [])


def test_a_proxy_that_drips_ends_in_time():
    def serve(listener):
        connection, _address = listener.accept()
        with connection:
            connection.recv(1000)
            for byte in b"HTTP/1.1 200 OK\r\nx-slow: " + b"0" * 3000:
                try:
                    connection.sendall(bytes([byte]))
                except OSError:
                    return
                time.sleep(0.02)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        proxy, began = f"http://127.0.0.1:{listener.getsockname()[1]}", time.monotonic()
        with pytest.raises((Unavailable, UnknownOutcome)):
            GuardedClient(["shop.example"], Network(proxy=proxy), HURRIED).request("GET", "https://shop.example/")
        # To its end it would take a minute.
        assert time.monotonic() - began < 40


def test_a_private_address_in_an_authors_manifest_is_no_agreement_of_the_companys(tmp_path, monkeypatch):
    from connectors.merchants import registry
    from tests.connectors.declared_shop import MANIFEST, folder_of

    monkeypatch.setattr(registry, "FOLDER", tmp_path)
    folder_of(tmp_path, MANIFEST.replace("api.meteo.example", "10.1.2.3"))

    with pytest.raises(ConnectorBroken, match="private network"):
        load_merchant("meteo", "m", "", {"api_key": "k"}, Network())
    assert load_merchant("meteo", "m", "", {"api_key": "k"}, Network(private_hosts=("10.1.2.3",)))
    assert load_merchant("meteo", "m", "https://10.1.2.3", {"api_key": "k"}, Network())


def test_a_document_that_leads_elsewhere_says_where(world):
    document = Document("application/pdf", "http://169.254.169.254/", "d.pdf")

    with pytest.raises(ContractBroken, match=r"169\.254\.169\.254"):
        world.house.merchants.connector("louche").fetch(document, io.BytesIO())
