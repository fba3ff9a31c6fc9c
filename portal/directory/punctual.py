"""A socket that never waits beyond the deadline of its question."""

from __future__ import annotations

import socket
import time
from typing import Any


class Punctual:
    """A connected socket on which every wait ends at `deadline` (of `time.monotonic()`), however slowly bytes trickle in."""

    def __init__(self, connected: socket.socket, deadline: float) -> None:
        self.connected, self.deadline = connected, deadline

    def recv(self, size: int) -> bytes:
        """As a socket's."""
        self.connected.settimeout(left(self.deadline))
        return self.connected.recv(size)

    def sendall(self, content: bytes) -> None:
        """As a socket's."""
        self.connected.settimeout(left(self.deadline))
        self.connected.sendall(content)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.connected, name)


def left(deadline: float) -> float:
    """The seconds left, never none: a socket takes 0 for not waiting at all."""
    return max(0.001, deadline - time.monotonic())
