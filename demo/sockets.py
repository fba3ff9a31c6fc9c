"""A WSGI application on a real loopback socket, that can close, hang or cut its answers like a real failure."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import threading
from collections.abc import Iterator
from typing import Any

from flask import Flask, Response, request
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server


class _Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().setup()

    def handle(self) -> None:
        """One client; a connection that a fault has closed under us is no news."""
        with contextlib.suppress(OSError, ValueError):
            super().handle()

    def finish(self) -> None:
        """Its end."""
        with contextlib.suppress(OSError, ValueError):
            super().finish()

    def log(self, type: str, message: str, *args: Any) -> None:
        """Requests are of no interest on the terminal."""


def hold(host: str, port: int) -> socket.socket:
    """Keep a port on which nobody listens, as in an outage, from being given to somebody else.

    Whoever calls is refused. A server that reuses addresses may listen again beside it; then it is to be closed.
    """
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind((host, port))
    return held


def _say_nothing(_kind: str, _message: str, *_args: Any) -> None:
    """Nor are answers that found their connection cut by ourselves."""


class LoopbackServer:
    """Serves an application in threads; between `pause` and the next `start` it refuses connections as a dead machine does."""

    def __init__(self, app: Flask, host: str = "127.0.0.1", port: int = 0) -> None:
        self._app, self._host, self._wanted = app, host, port
        self._server: BaseWSGIServer | None = None
        self._thread: threading.Thread | None = None
        self._held: socket.socket | None = None
        self._listen()

    @property
    def port(self) -> int:
        """The port, kept over an outage."""
        return self._wanted

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`."""
        return f"http://{self._host}:{self._wanted}"

    def start(self) -> None:
        """Serve in a thread."""
        if self._server is None:
            self._listen()
        assert self._server is not None  # noqa: S101 - for the type checker
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def pause(self) -> None:
        """Refuse connections until the next start; the port stays ours."""
        self.stop()
        self._held = hold(self._host, self._wanted)

    def stop(self) -> None:
        """End it; the port may be anybody's."""
        if self._server and self._thread:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
        self._server = self._thread = None
        self._let_go()

    def _listen(self) -> None:
        self._server = make_server(self._host, self._wanted, self._app, threaded=True, request_handler=_Handler)
        self._wanted = self._server.server_port
        self._server.log = _say_nothing  # type: ignore[method-assign]
        self._let_go()

    def _let_go(self) -> None:
        if self._held:
            self._held.close()
        self._held = None


def cut_connection() -> Response:
    """Close the client's connection; what is answered goes nowhere."""
    connection = request.environ["werkzeug.socket"]
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    return Response(_nothing())


def reset_connection() -> Response:
    """Reset the client's connection (TCP RST), as a firewall or a dying machine does; what is answered goes nowhere."""
    connection = request.environ["werkzeug.socket"]
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # Readers and writers of this request still refer to the socket, and would keep it open.
        os.close(connection.detach())
    return Response(_nothing())


def _nothing() -> Iterator[bytes]:
    raise ConnectionResetError
    yield b""
