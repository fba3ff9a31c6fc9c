"""No network: while the kit runs, nothing in this process connects to any other machine, whatever library it uses."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

HERE = {"127.0.0.1", "::1", "localhost", ""}
_watching: list[list[str]] = []


@contextmanager
def no_network() -> Iterator[list[str]]:
    """A block that cannot reach another machine; yields the hosts that were tried."""
    _listen()
    tried: list[str] = []
    _watching.append(tried)
    try:
        yield tried
    finally:
        _watching.remove(tried)


@cache
def _listen() -> None:
    # Python forgets no audit hook: one for the process, which looks only within a block.
    sys.addaudithook(_forbid)


def _forbid(event: str, facts: tuple[Any, ...]) -> None:
    if not _watching or event not in {"socket.connect", "socket.getaddrinfo", "socket.sendto"}:
        return
    address = facts[0] if event == "socket.getaddrinfo" else facts[1]
    host = address[0] if isinstance(address, tuple) else address
    # A path is a socket of this machine.
    if isinstance(host, str) and host not in HERE and not host.startswith(("127.", "/")):
        for tried in _watching:
            tried.append(host)
        raise ConnectionRefusedError(f"{host}: the kit has no network")
