"""A merchant made of fixtures, on a loopback socket: it answers, remembers orders by their key, and goes wrong when told to."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import secrets
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from zoneinfo import ZoneInfo

from connectors.kit import faults
from connectors.kit.faults import Fault
from connectors.kit.matching import SPECIAL, Asked, fill, fits, nearest
from connectors.kit.story import Exchange, Fixtures
from connectors.terms import read_term

OPEN = {"sign", "document"}
TERMS = re.compile(r"\{(P[0-9YMWDTH]+)\}")
"""Steps that need no credentials: signing in, and documents, which may stand on a public host."""
MOST_SHOWN = 2_000


@dataclass
class Received:
    """One exchange that took place; `content` is what was answered, as far as a person wants to read it."""

    asked: Asked
    step: str = ""
    status: int = 0
    content: str = ""


@dataclass
class ReplayingMerchant:
    """Serves fixtures. `canaries` are the secrets that sign in; none: everybody is let in.

    Args:
        hidden: parameters of the query that sign in.
    """

    fixtures: Fixtures
    canaries: Sequence[str] = ()
    hidden: frozenset[str] = frozenset()
    received: list[Received] = field(default_factory=list)
    elsewhere: list[Asked] = field(default_factory=list)
    """What came to another host, which should be nothing that matters."""
    unknown: list[str] = field(default_factory=list)
    """Requests for which there is no fixture, each with what was nearest."""
    conflicts: int = 0
    source: Callable[[Asked], bytes | None] | None = None
    """Asked first: the JSON for a request that no fixture is long enough for."""

    def __post_init__(self) -> None:
        self._lock = threading.RLock()
        self._server, self._other = _serve(self._answer), _serve(self._answer_elsewhere)
        self.reset()

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def other_url(self) -> str:
        """Another host's address."""
        return f"http://127.0.0.1:{self._other.server_port}"

    def reset(self) -> None:
        """Forget every order and every fault."""
        with self._lock:
            self.orders: dict[str, tuple[Exchange, bytes]] = {}
            self.ordered: dict[str, str] = {}
            self.tokens: list[str] = []
            self.valid: set[str] = set()
            self.fault: tuple[Fault, str] | None = None
            self.changed = False
            self.confused = self.ships = ""
            self.released = threading.Event()
            self._asked: Counter[str] = Counter()
            self.conflicts = 0
            self.source = None
            for kept in (self.received, self.elsewhere, self.unknown):
                kept.clear()

    @contextlib.contextmanager
    def going_wrong(self, fault: Fault, family: str = "") -> Iterator[None]:
        """A block in which requests of a family of steps (all but signing in when empty) end in a fault."""
        self.fault = (fault, family)
        try:
            yield
        finally:
            self.fault = None
            self.released.set()
            self.released = threading.Event()

    def expire(self) -> None:
        """Every token given so far is refused from now on."""
        self.valid.clear()

    def close(self) -> None:
        """End both servers."""
        self.released.set()
        for server in (self._server, self._other):
            server.shutdown()
            server.server_close()

    # --- Answering --------------------------------------------------------------------------------

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        asked = _asked(handler)
        with self._lock:
            note = Received(asked)
            self.received.append(note)
            made = self.source(asked) if self.source and self._is_signed(asked) else None
            if made is not None:
                return _send(handler, note, 200, {"Content-Type": "application/json"}, made)
            exchange, bound = self._choose(asked)
            family = exchange.family if exchange else ""
            note.step = exchange.step if exchange else ""
            if family not in OPEN and not self._is_signed(asked):
                return _send(handler, note, 401, {}, b'{"error": "not signed in"}')
            fault = self.fault if self.fault and family != "sign" and self.fault[1] in {"", family} else None
            if fault and not fault[0].after:
                exchange = None
            answer = self._act(exchange, bound, asked) if exchange else (501, {}, b'{"error": "no fixture"}')
        if fault:
            note.status, note.content = fault[0].status, f"({fault[0].id})"
            return faults.send(handler, fault[0], self.other_url, self.released)
        return _send(handler, note, *answer)

    def _choose(self, asked: Asked) -> tuple[Exchange | None, dict[str, str]]:
        """The exchange for a request, and what its names stand for in it."""
        compared = [(exchange, *fits(exchange, asked, self.hidden)) for exchange in self.fixtures.exchanges]
        found = [(exchange, bound) for exchange, bound, difference in compared if not difference]
        if not found:
            self.unknown.append(f"{asked.method} {asked.target}{nearest(self.fixtures.exchanges, asked, self.hidden)}")
            return None, {}
        wish = self._wish(found[0][0].family, found[0][1], asked)
        plain = [item for item in found if not item[0].step.endswith(SPECIAL)]
        return next((item for item in found if item[0].step == wish), (plain or found)[0])

    def _wish(self, family: str, bound: dict[str, str], asked: Asked) -> str:
        """The special step that what has happened calls for, "" for none."""
        if family == "fulfil" and self.changed:
            return "fulfil-changed"
        if family == "lookup":
            order = self.orders.get(bound.get("key", ""))
            return order[0].step.replace("fulfil", "lookup", 1) if order else "lookup-none"
        return "status-pending" if family == "status" and not self._asked[asked.target] else ""

    def _act(self, exchange: Exchange, bound: dict[str, str], asked: Asked) -> tuple[int, dict[str, str], bytes]:
        self._asked[asked.target] += 1
        key = bound.get("key", "")
        if exchange.family == "fulfil" and key and not exchange.step.endswith("changed"):
            first = self.orders.setdefault(key, (exchange, asked.body))
            if first[1] != asked.body:
                self.conflicts += 1
                return 409, {}, b'{"error": "another order under the same key"}'
            exchange, self.ordered = first[0], bound
        if exchange.family == "sign":
            self.tokens.append(f"token-{secrets.token_hex(12)}")
            self.valid.add(self.tokens[-1])
        # The book has the last order under its key and number.
        return self._filled(exchange, {**self.ordered, **bound} if exchange.family == "orders" else bound)

    def _filled(self, exchange: Exchange, bound: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        answer, now = exchange.answer, datetime.now(UTC)
        times = {
            "now": now,
            "soon": now + timedelta(minutes=15),
            "later": now + timedelta(days=30),
            "far": now + timedelta(days=4_000),
        }
        known = {"base": self.url, "token": self.tokens[-1] if self.tokens else ""}
        times |= ends_named(json.dumps([answer.content, answer.text]), now)
        values = {**{name: at.isoformat() for name, at in times.items()}, **known, **bound}
        if self.confused and exchange.family == "lookup":
            values["key"] = self.confused
        headers = {name: str(fill(value, values)) for name, value in answer.headers.items()}
        if answer.file:
            body, media_type = (self.fixtures.folder / answer.file).read_bytes(), "application/octet-stream"
        elif answer.text is not None:
            body, media_type = str(fill(answer.text, values)).encode(), "text/plain"
        else:
            content = fill(answer.content, values)
            said = shipped(content) if exchange.family == self.ships else content
            body, media_type = json.dumps(said, ensure_ascii=False).encode(), "application/json"
        return answer.status, {"Content-Type": media_type, **headers}, body

    def _is_signed(self, asked: Asked) -> bool:
        if not self.canaries:
            return True
        said = " ".join([*asked.headers.values(), asked.target])
        for word in asked.headers.get("authorization", "").split():
            with contextlib.suppress(ValueError):
                said += " " + base64.b64decode(word, validate=True).decode("utf-8", "replace")
        if self.fixtures.of("sign-in"):
            return any(token in said for token in self.valid)
        return all(canary in said for canary in self.canaries)

    def _answer_elsewhere(self, handler: BaseHTTPRequestHandler) -> None:
        self.elsewhere.append(_asked(handler))
        _send(handler, Received(self.elsewhere[-1]), 200, {"Content-Type": "application/json"}, b"{}")


def ends_named(said: str, start: datetime) -> dict[str, datetime]:
    """The ends that an answer names by how long it is until then, like `{P1Y}`; what is no length of time stays as it is."""
    found: dict[str, datetime] = {}
    for term in TERMS.findall(said):
        with contextlib.suppress(ValueError):
            found[term] = read_term(term).end(start, ZoneInfo("UTC"))
    return found


def shipped(content: Any) -> Any:
    """The same answer of a merchant that ships whatever it is about."""
    if isinstance(content, dict):
        return {**{name: shipped(value) for name, value in content.items()}, "requires_shipping": True}
    return [shipped(each) for each in content] if isinstance(content, list) else content


def _asked(handler: BaseHTTPRequestHandler) -> Asked:
    body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
    return Asked(handler.command, handler.path, {name.lower(): value for name, value in handler.headers.items()}, body)


def _send(handler: BaseHTTPRequestHandler, note: Received, status: int, headers: dict[str, str], body: bytes) -> None:
    note.status, note.content = status, body[:MOST_SHOWN].decode("utf-8", "replace")
    handler.send_response(status)
    for name, value in {**headers, "Content-Length": str(len(body))}.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves in the middle is what faults are about."""


def _serve(answer: Any) -> _Server:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def handle_one_request(self) -> None:
            with contextlib.suppress(OSError):
                super().handle_one_request()

        def log_message(self, format: str, *args: Any) -> None:
            """What came is kept, and shown masked."""

        def do_GET(self) -> None:
            answer(self)

        do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815

    server = _Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    return server
