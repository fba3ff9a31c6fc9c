"""What stands between a portal and a real server in tests: counts what passes, and falls silent when told to."""

from __future__ import annotations

import contextlib
import socket
import threading


class Relay:
    """Passes bytes to a server on a loopback port.

    Attributes:
        seen: everything clients have sent.
        connections: how many clients came.
        silent_on: what a client sends that is never answered (`b""`: anything), from then on; None: all is passed.
        trickle_s: seconds between the single bytes of an answer, once silent; 0: no answer at all.
    """

    def __init__(self, port: int) -> None:
        self.seen, self.connections = b"", 0
        self.silent_on: bytes | None = None
        self.trickle_s = 0.0
        self.silent = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port, self._target = self.listener.getsockname()[1], port
        self._sockets: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        """Plain, or StartTLS."""
        return f"ldap://127.0.0.1:{self.port}"

    @property
    def tls_url(self) -> str:
        """LDAPS, when it leads to a port that speaks it."""
        return f"ldaps://127.0.0.1:{self.port}"

    def close(self) -> None:
        """End every conversation."""
        for each in [self.listener, *self._sockets]:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _address = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            server = socket.create_connection(("127.0.0.1", self._target))
            self._sockets += [client, server]
            threading.Thread(target=self._pump, args=(client, server, True), daemon=True).start()
            threading.Thread(target=self._pump, args=(server, client, False), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket, asking: bool) -> None:
        with contextlib.suppress(OSError):
            while chunk := source.recv(65536):
                if asking:
                    self.seen += chunk
                    if self.silent_on is not None and self.silent_on in chunk:
                        self.silent.set()
                        self._trickle(source)
                        continue
                elif self.silent.is_set():
                    continue
                target.sendall(chunk)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)

    def _trickle(self, client: socket.socket) -> None:
        """The head of an LDAP message of a thousand bytes, then one byte after another."""
        if not self.trickle_s:
            return
        client.sendall(b"\x30\x82\x04\x00")
        for _byte in range(1000):
            if self.trickle_s and threading.Event().wait(self.trickle_s):
                return
            client.sendall(b"\x04")
