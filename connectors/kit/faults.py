"""What the kit makes a merchant do wrong, and how each wrong is sent over a socket."""

from __future__ import annotations

import socket
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler

from connectors.contract import Words

LOGIN_PAGE = b"<!doctype html><html><title>Sign in</title><form><input name=password></form></html>"
LAST_RESORT_S = 30
RETRY_AFTER_S = 7


@dataclass(frozen=True)
class Fault:
    """One wrong; `after` says that the merchant did what was asked before it went wrong."""

    id: str
    words: Words
    status: int = 200
    body: bytes = b""
    media_type: str = "application/json"
    transport: str = ""
    """`cut`, `hang`, `drip`, `endless` or `elsewhere`; an answer otherwise."""
    after: bool = False

    @property
    def slow(self) -> bool:
        """Whether it is found by waiting."""
        return self.transport in {"hang", "drip"}


FAULTS = {
    fault.id: fault
    for fault in (
        Fault("401", {"fr": "identifiants refusés", "en": "credentials refused"}, 401, b"{}"),
        Fault("403", {"fr": "accès interdit", "en": "access forbidden"}, 403, b"{}"),
        Fault("429", {"fr": "trop de demandes", "en": "too many requests"}, 429, b"{}"),
        Fault("503", {"fr": "maintenance", "en": "maintenance"}, 503, b"{}"),
        Fault("500", {"fr": "erreur après avoir agi", "en": "an error after it acted"}, 500, b"{}", after=True),
        Fault("garbage", {"fr": "réponse illisible", "en": "unreadable answer"}, body=b'{"half": tru', after=True),
        Fault("login-page", {"fr": "page de connexion", "en": "login page"}, 200, LOGIN_PAGE, "text/html", after=True),
        Fault("other-shape", {"fr": "autre chose", "en": "something else"}, body=b'{"kit": "hello"}', after=True),
        Fault("cut", {"fr": "connexion coupée", "en": "connection cut"}, transport="cut", after=True),
        Fault("hang", {"fr": "silence", "en": "silence"}, transport="hang", after=True),
        Fault("drip", {"fr": "goutte à goutte", "en": "a drip that never ends"}, transport="drip", after=True),
        Fault("endless", {"fr": "réponse sans fin", "en": "endless answer"}, transport="endless", after=True),
        Fault("elsewhere", {"fr": "renvoi vers un autre hôte", "en": "redirect to another host"}, transport="elsewhere"),
    )
}  # fmt: skip


def send(handler: BaseHTTPRequestHandler, fault: Fault, elsewhere: str, released: threading.Event) -> None:
    """Answer with a fault; returns when the other side has gone, or when `released` is set."""
    if fault.transport == "cut":
        handler.close_connection = True
        handler.connection.shutdown(socket.SHUT_RDWR)
    elif fault.transport == "hang":
        handler.close_connection = True
        released.wait(LAST_RESORT_S)
    elif fault.transport == "elsewhere":
        status = 302 if handler.command == "GET" else 307
        _head(handler, status, {"Location": elsewhere + handler.path.partition("?")[0], "Content-Length": "0"})
    elif fault.transport:
        handler.close_connection = True
        _head(handler, 200, {"Content-Type": "application/json", "Connection": "close"})
        _pour(handler, fault.transport == "drip", released)
    else:
        wait = {"Retry-After": str(RETRY_AFTER_S)} if fault.status in {429, 503} else {}
        sizes = {"Content-Type": fault.media_type, "Content-Length": str(len(fault.body))}
        _head(handler, fault.status, {**sizes, **wait})
        handler.wfile.write(fault.body)


def _head(handler: BaseHTTPRequestHandler, status: int, headers: dict[str, str]) -> None:
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.end_headers()


def _pour(handler: BaseHTTPRequestHandler, slowly: bool, released: threading.Event) -> None:
    part = b" " if slowly else b" " * 65_536
    for _turn in range(10_000):
        handler.wfile.write(part)
        handler.wfile.flush()
        if slowly and released.wait(0.02):
            return
