"""The guarded client against real sockets: what was certainly not sent, what is in doubt, and what is never done."""

from __future__ import annotations

import contextlib
import io
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask, Response, redirect, request

from connectors.contract import AuthFailed, ContractBroken, Unavailable, UnknownOutcome
from connectors.http import GuardedClient, Network, Timeouts
from tests.real.slapd import free_port

LONG = Timeouts(connect=30, read=30, total=60)
"""For whoever answers, however slow this machine is."""
SHORT = Timeouts(connect=30, read=0.3, total=0.8)
"""For whoever does not."""


def host_of(url: str) -> str:
    return url.partition("//")[2].partition("/")[0]


@pytest.fixture
def speaking() -> Iterator[Callable[[bytes, float], str]]:
    """A socket that answers each connection with the given bytes, a pause between two, then closes."""
    listeners: list[socket.socket] = []

    def start(answer: bytes, pause_s: float = 0) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        threading.Thread(target=serve, args=(listener, answer, pause_s), daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    def serve(listener: socket.socket, answer: bytes, pause_s: float) -> None:
        while True:
            try:
                connection, _address = listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(65_536)
                for byte in (answer[at : at + 1] for at in range(len(answer))) if pause_s else [answer]:
                    try:
                        connection.sendall(byte)
                    except OSError:
                        break
                    time.sleep(pause_s)

    yield start
    for listener in listeners:
        listener.close()


def closed_port() -> str:
    return f"http://127.0.0.1:{free_port()}"


def test_a_refused_connection_was_certainly_not_sent():
    url = closed_port()

    with pytest.raises(Unavailable):
        GuardedClient([host_of(url)], timeouts=LONG).request("POST", url)


def test_a_name_nobody_knows_was_certainly_not_sent():
    with pytest.raises(Unavailable):
        GuardedClient(["nowhere.invalid"], timeouts=LONG).request("POST", "https://nowhere.invalid/")


def test_a_proxy_that_is_down_was_certainly_not_sent():
    client = GuardedClient(["merchant.example"], Network(proxy=closed_port()), LONG)

    with pytest.raises(Unavailable):
        client.request("POST", "https://merchant.example/orders")


@pytest.mark.parametrize("answer", [
    b"", b"HTTP/1.1 200", b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf", b"SSH-2.0-OpenSSH\r\n",
    b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 3\r\n\r\nabc",
])  # fmt: skip
def test_an_answer_cut_or_mangled_is_a_doubt(answer, speaking):
    url = speaking(answer)

    with pytest.raises(UnknownOutcome):
        GuardedClient([host_of(url)], timeouts=LONG).request("POST", url)


def test_silence_is_a_doubt(answering):
    app = Flask("slow")
    gone = threading.Event()
    app.post("/")(lambda: gone.wait(60) and "late")
    url = answering(app)

    with pytest.raises(UnknownOutcome, match="Timeout"):
        GuardedClient([host_of(url)], timeouts=SHORT).request("POST", url)
    gone.set()


def test_an_answer_that_drips_ends_at_the_deadline(speaking):
    head = b"HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n"
    url = speaking(head + b"x" * 5000, 0.02)
    began = time.monotonic()

    with pytest.raises(UnknownOutcome, match="longer than"):
        GuardedClient([host_of(url)], timeouts=Timeouts(connect=30, read=30, total=1.2)).request("GET", url)
    # All of it would take a hundred seconds.
    assert time.monotonic() - began < 50


def test_an_answer_without_end_is_not_swallowed(answering):
    app = Flask("endless")
    app.get("/")(lambda: Response((b"x" * 1000 for _ in range(1_000_000)), mimetype="text/plain"))
    url = answering(app)
    client = GuardedClient([host_of(url)], timeouts=LONG, max_body=50_000)

    with pytest.raises(UnknownOutcome, match="50000 bytes"):
        client.request("GET", url)
    with pytest.raises(UnknownOutcome, match="50000 bytes"):
        client.download(url, io.BytesIO())


def test_a_small_answer_that_swells_is_not_swallowed(answering):
    import gzip

    app = Flask("bomb")
    content = gzip.compress(b"0" * 5_000_000)
    app.get("/")(lambda: Response(content, headers={"content-encoding": "gzip"}))
    url = answering(app)

    with pytest.raises(UnknownOutcome):
        GuardedClient([host_of(url)], timeouts=LONG, max_body=100_000).request("GET", url)


@pytest.mark.parametrize("url", [
    "https://other.example/", "https://merchant.example.evil.example/", "https://evil.example@other.example/",
    "http://merchant.example/", "ftp://merchant.example/", "file:///etc/passwd", "", "/orders", "https://",
    "https://[merchant.example/", "https://merchant.example:99999999/", "https://127.0.0.1/",
])  # fmt: skip
def test_only_listed_hosts_are_contacted_and_only_by_https(url):
    client = GuardedClient(["merchant.example"], timeouts=LONG)

    with pytest.raises(ContractBroken):
        client.request("GET", url)


def test_a_redirection_stays_on_the_list_and_a_post_is_never_redirected(answering):
    app = Flask("redirects")
    app.get("/away")(lambda: redirect("https://other.example/"))
    app.add_url_rule("/near", view_func=lambda: redirect("/here"), endpoint="near", methods=["GET", "POST"])
    app.add_url_rule("/here", view_func=lambda: "arrived", endpoint="here")
    app.add_url_rule("/round", view_func=lambda: redirect("/round"), endpoint="round")
    url = answering(app)
    client = GuardedClient([host_of(url)], timeouts=LONG)

    assert client.request("GET", f"{url}/near").body == b"arrived"
    assert client.request("POST", f"{url}/near").status == 302
    with pytest.raises(ContractBroken, match=r"other\.example"):
        client.request("GET", f"{url}/away")
    with pytest.raises(ContractBroken, match="redirections"):
        client.request("GET", f"{url}/round")


def test_sent_on_to_where_nobody_answers_is_a_doubt(answering):
    """Whoever sends us on has had the request: a GET may be an order."""
    dead = closed_port()
    here = Flask("here")
    here.get("/buy")(lambda: redirect(f"{dead}/file"))
    url = answering(here)
    client = GuardedClient([host_of(url), host_of(dead)])
    with pytest.raises(UnknownOutcome):
        client.request("GET", f"{url}/buy")
    with pytest.raises(Unavailable):
        client.request("GET", f"{dead}/file")


def test_credentials_do_not_follow_a_redirection_to_another_host(answering):
    there, here = Flask("there"), Flask("here")
    names = ("X-Api-Key", "Authorization", "Cookie", "X-Their-Own-Key")
    there.get("/")(lambda: "".join(request.headers.get(name, "") for name in names))
    other = answering(there)
    here.get("/")(lambda: redirect(other))
    url = answering(here)
    client = GuardedClient([host_of(url), host_of(other)], timeouts=LONG)

    answer = client.request("GET", url, headers=dict.fromkeys(names, "secret"))

    assert (answer.status, answer.body) == (200, b"")


@pytest.mark.parametrize(("status", "error"), [
    (401, AuthFailed), (403, AuthFailed), (404, ContractBroken), (410, ContractBroken), (500, Unavailable),
    (503, Unavailable), (204, Unavailable),
])  # fmt: skip
def test_a_document_comes_whole_or_not_at_all(status, error, answering):
    app = Flask("documents")
    app.get("/")(lambda: Response(b"%PDF-", mimetype="application/pdf; charset=x"))
    app.add_url_rule("/not", view_func=lambda: ("", status, {"Retry-After": "7"}), endpoint="not")
    url = answering(app)
    client, into = GuardedClient([host_of(url)], timeouts=LONG), io.BytesIO()

    download = client.download(url, into)

    assert (download.media_type, download.size, into.getvalue()) == ("application/pdf", 5, b"%PDF-")
    with pytest.raises(error) as raised:
        client.download(f"{url}/not", into)
    assert getattr(raised.value, "retry_after_s", 7) == 7


@pytest.mark.parametrize(("said", "seconds"), [
    ("3", 3), ("", None), ("-1", None), ("²", None), ("9" * 400, None), ("Wed, 21 Oct 2026 07:28:00 GMT", None),
    ("Fri, 31 Feb 2098 07:28:00 GMT", None), ("Thu, 01 Jan 2099 00:00:00 GMT", 999_999),
])  # fmt: skip
def test_a_wait_asked_for_is_a_small_number_of_seconds_or_nothing(said, seconds, answering):
    app = Flask("busy")
    app.get("/")(lambda: ("", 503, {"Retry-After": said.encode().decode("latin-1")}))
    url = answering(app)

    assert GuardedClient([host_of(url)], timeouts=LONG).request("GET", url).retry_after_s == seconds


def test_a_wait_may_be_given_as_the_time_it_ends(answering):
    app = Flask("busy")
    ends = (datetime.now(UTC) + timedelta(seconds=90)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    app.get("/")(lambda: ("", 503, {"Retry-After": ends}))
    url = answering(app)

    assert 30 < GuardedClient([host_of(url)], timeouts=LONG).request("GET", url).retry_after_s <= 90


class Told:
    """What a breaker was asked and told, in order."""

    def __init__(self, away=False):
        self.heard, self.away = [], away

    def before(self):
        self.heard.append("before")
        if self.away:
            raise Unavailable("away")

    def answered(self):
        self.heard.append("answered")

    def failed(self, detail, retry_after_s=None):
        self.heard.append(("failed", retry_after_s))


@pytest.mark.parametrize(("path", "end"), [
    ("ok", "answered"), ("missing", "answered"), ("busy", ("failed", 7)), ("broken", ("failed", None)),
    ("mute", ("failed", None)),
])  # fmt: skip
def test_a_breaker_hears_of_every_exchange(path, end, answering, speaking):
    app = Flask("moody")
    answers = {"ok": "yes", "busy": ("", 429, {"Retry-After": "7"}), "broken": ("", 502), "missing": ("", 404)}
    app.get("/<path>")(lambda path: answers[path])
    url = speaking(b"HTTP/1.1 200 OK\r\n", 1) if path == "mute" else answering(app)
    told = Told()
    client = GuardedClient([host_of(url)], Network(breaker=told), SHORT if path == "mute" else LONG)

    with contextlib.suppress(UnknownOutcome):
        client.request("GET", f"{url}/{path}")
    with contextlib.suppress(UnknownOutcome, Unavailable, ContractBroken):
        client.download(f"{url}/{path}", io.BytesIO())

    assert told.heard == ["before", end] * 2


def test_nothing_is_sent_to_whom_the_breaker_says_is_away(answering):
    app, heard = Flask("heard"), []
    app.get("/")(lambda: heard.append(1) or "yes")
    url = answering(app)
    told = Told(away=True)

    with pytest.raises(Unavailable):
        GuardedClient([host_of(url)], Network(breaker=told), LONG).request("GET", url)

    assert (heard, told.heard) == ([], ["before"])


def test_what_a_log_may_hold_of_an_answer_is_nothing_it_says(answering):
    app = Flask("leaky")
    app.get("/")(lambda: Response("+33142685300 is Mrs Secret", mimetype="text/plain"))
    url = answering(app)

    answer = GuardedClient([host_of(url)], timeouts=LONG).request("GET", url)

    with pytest.raises(ContractBroken) as raised:
        answer.json()
    assert "Secret" not in raised.value.detail
    assert "status 200" in raised.value.detail
