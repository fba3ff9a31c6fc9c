"""Where the guarded client really connects: the address that was checked is the one that is dialled, and no other.

A name of the public network that leads into this machine or the company's own network is refused, whatever its DNS
says the next time. Behind a proxy the proxy resolves names, and only the deadline is kept here.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import httpcore2
import httpx2

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
METADATA = frozenset(map(ipaddress.ip_address, ("169.254.169.254", "fd00:ec2::254", "100.100.100.200")))
"""Where clouds tell a machine its own secrets."""
TOO_LONG = "the answer took longer than it was given"

_DEADLINE: ContextVar[float] = ContextVar("deadline", default=float("inf"))


@contextmanager
def until(deadline: float) -> Iterator[None]:
    """A block whose reads and writes end at a time of `time.monotonic`, however slowly bytes drip."""
    token = _DEADLINE.set(deadline)
    try:
        yield
    finally:
        _DEADLINE.reset(token)


def guard(client: httpx2.Client, meant: Collection[str]) -> None:
    """Make a client dial checked addresses only.

    Args:
        meant: hosts that may be in a private network, or this machine, because an administrator named them.
    """
    client._transport._pool._network_backend = _Checked(meant)  # type: ignore[attr-defined]
    for transport in client._mounts.values():
        if transport is not None:
            transport._pool._network_backend = _Punctual()  # type: ignore[attr-defined]


def literal(host: str) -> Address | None:
    """The address that a host is, None when it is a name."""
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None


def is_this_machine(host: str) -> bool:
    """Whether a host is written as this machine itself."""
    found = literal(host)
    return found.is_loopback if found else host == "localhost"


def is_private(host: str) -> bool:
    """Whether a host is written as an address of this machine or of a private network."""
    found = literal(host)
    return is_this_machine(host) or bool(found and fault_of(found))


def fault_of(address: Address) -> str:
    """Why an address is none of the public network; "" when it is one."""
    address = _unwrapped(address)
    if address in METADATA or address.is_link_local:
        return "the address of this network's own service"
    if address.is_loopback or address.is_unspecified:
        return "this machine itself"
    if address.is_multicast or not address.is_global:
        return "a private network"
    return ""


def _never(address: Address) -> bool:
    """Whether an address is no merchant's, whoever names it."""
    address = _unwrapped(address)
    return address in METADATA or address.is_link_local or address.is_multicast or address.is_unspecified


def _unwrapped(address: Address) -> Address:
    """The IPv4 address within an IPv6 one that only wraps it."""
    if isinstance(address, ipaddress.IPv6Address):
        if address in NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
        return address.ipv4_mapped or address.sixtofour or address
    return address


class _Punctual(httpcore2.SyncBackend):
    """Connects as ever; what is read and written ends at the deadline."""

    def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:  # fmt: skip
        made = super().connect_tcp(host, port, _left(timeout, httpcore2.ConnectTimeout), local_address, socket_options)
        return _Stream(made)


class _Checked(_Punctual):
    """Resolves a name once, refuses it for where it leads, and dials what was resolved."""

    def __init__(self, meant: Collection[str]) -> None:
        self._meant = {host.lower().strip("[]") for host in meant}

    def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:  # fmt: skip
        failed: Exception | None = None
        for address in self._addresses(host, port):
            try:
                return super().connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failed = error
        raise failed or httpcore2.ConnectError(f"{host} has no address")

    def _addresses(self, host: str, port: int) -> list[str]:
        try:
            found = list(dict.fromkeys(str(each[4][0]) for each in resolve(host, port)))
        except OSError as error:
            raise httpcore2.ConnectError(f"{host}: {error}") from error
        for text in found:
            address = ipaddress.ip_address(text.partition("%")[0])
            why = fault_of(address)
            # One good address among bad ones makes a name no better.
            if why and (_never(address) or host.lower().strip("[]") not in self._meant):
                raise httpcore2.ConnectError(f"{host} leads to {text}, {why}: not contacted ([network] private_hosts)")
        return found


def resolve(host: str, port: int) -> list[Any]:
    """What the system knows of a name. Raises `OSError`."""
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)


class _Stream(httpcore2.NetworkStream):
    """A connection that nobody holds open beyond the deadline by dripping, not even within the head of an answer."""

    def __init__(self, stream: httpcore2.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        try:
            return self._stream.read(max_bytes, _left(timeout, httpcore2.ReadTimeout))
        except httpcore2.ReadTimeout:
            _left(timeout, httpcore2.ReadTimeout)
            raise

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(timeout, httpcore2.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        left = _left(timeout, httpcore2.ConnectTimeout)
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, left))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _left(timeout: float | None, late: type[Exception]) -> float | None:
    """What is left of a timeout in seconds; raises `late` when the deadline has passed."""
    left = _DEADLINE.get() - time.monotonic()
    if left <= 0:
        raise late(TOO_LONG)
    if left == float("inf"):
        return timeout
    return left if timeout is None else min(timeout, left)
