"""An operator on a real socket, our adapter in front of it, and a record of all they said to each other."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from connectors.contract import ChargeRequest
from connectors.http import Answer, GuardedClient, Timeouts
from connectors.operators.camara import SCOPE, CamaraOperator
from connectors.operators.tokens import Tokens
from demo.operator import CLIENT, LINE, OperatorServer
from demo.sockets import LoopbackServer


@dataclass
class Exchange:
    """One request with its answer; `url` holds the parameters."""

    method: str
    url: str
    headers: dict[str, str]
    sent: Any
    answer: Answer


class Recorder(GuardedClient):
    """The product's own client, which also remembers; `between` is called after each answer."""

    def __init__(self, hosts: list[str]) -> None:
        super().__init__(hosts, timeouts=Timeouts(connect=1, read=1, total=2))
        self.exchanges: list[Exchange] = []
        self.between: Callable[[], object] = lambda: None

    def request(self, method: str, url: str, **content: Any) -> Answer:
        answer = super().request(method, url, **content)
        asked = "&".join(
            f"{name}={str(value).replace('+', '%2B')}" for name, value in (content.get("params") or {}).items()
        )
        self.exchanges.append(
            Exchange(method, f"{url}?{asked}", dict(content.get("headers") or {}), content.get("json"), answer)
        )
        self.between()
        return answer


@dataclass
class Line:
    """The adapter and what it speaks to."""

    server: OperatorServer
    http: Recorder
    adapter: CamaraOperator

    def statuses(self, path: str = "/payments") -> list[int]:
        """What was answered on payments, in order."""
        return [item.answer.status for item in self.http.exchanges if path in item.url]


def adapter_for(url: str, client: tuple[str, str] = CLIENT, line: str = LINE) -> tuple[Recorder, CamaraOperator]:
    """Our adapter over a recording client, for the operator at an address."""
    http = Recorder([url.partition("//")[2]])
    return http, CamaraOperator(http, url, Tokens(http, f"{url}/oauth2/token", *client, SCOPE), line)


@pytest.fixture
def line() -> Iterator[Line]:
    """The demonstration operator and our adapter."""
    server = OperatorServer()
    server.start()
    yield Line(server, *adapter_for(server.url))
    server.stop()


@pytest.fixture
def answering() -> Iterator[Any]:
    """Serve an application on a loopback socket; returns its address."""
    running: list[LoopbackServer] = []

    def serve(app: Any) -> str:
        server = LoopbackServer(app)
        server.start()
        running.append(server)
        return server.url

    yield serve
    for server in running:
        server.stop()


def charge(amount_cents: int = 424, vat_cents: int = 71, **changes: Any) -> ChargeRequest:
    """A charge with a key of its own."""
    values = {
        "key": str(uuid.uuid4()), "reference": "G-ABCDE-12345", "line": LINE, "amount_cents": amount_cents,
        "vat_cents": vat_cents, "currency": "EUR", "description": "Extrait K-bis - G-ABCDE-12345",
        "merchant_name": "Registre Démo SAS", "merchant_id": "registre", "category": "entreprises", "product_id": "kbis",
    }  # fmt: skip
    return ChargeRequest(**{**values, **changes})
