"""LDAP connections: the only file that imports ldap3, and the one that closes its traps (T1 … T18).

When a server is down, slow or lies about its certificate the next one is asked, within one deadline; when none
answers, `DirectoryUnknown` says why. Passwords travel only over TLS, or to this machine.
"""

from __future__ import annotations

import contextlib
import ipaddress
import math
import socket
import ssl
import time
from collections import deque
from collections.abc import Iterator
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

import ldap3
from ldap3.core.exceptions import (
    LDAPException,
    LDAPInvalidFilterError,
    LDAPSessionTerminatedByServerError,
    LDAPSocketOpenError,
    LDAPSocketReceiveError,
    LDAPSocketSendError,
    LDAPStartTLSError,
)
from ldap3.utils.conv import escape_filter_chars

from portal.directory.config import DirectoryConfig, DirectoryUnknown

COOL_DOWN_S = 20
MOST_IDLE = 8
PAGE = 500
SUCCESS, NO_SUCH_OBJECT, SIZE_LIMIT, INVALID_CREDENTIALS = 0, 32, 4, 49
BROKEN_CONNECTION = (
    LDAPSessionTerminatedByServerError,
    LDAPSocketReceiveError,
    LDAPSocketSendError,
    LDAPSocketOpenError,
)

Entry = dict[str, Any]
"""What ldap3 gives for one entry: `dn`, and `raw_attributes` as {name: [bytes]}."""


def raw_values(entry: Entry, name: str) -> list[bytes]:
    """An attribute's values, however the server writes its name."""
    lower = name.lower()
    return next((values for key, values in entry["raw_attributes"].items() if key.lower() == lower), [])


def escape(value: str) -> str:
    """A value for a filter (RFC 4515, section 3). T15: a DN is a value too."""
    return str(escape_filter_chars(value))


class _VerifyingTls(ldap3.Tls):  # type: ignore[misc]
    """T1, T2, T3: certificates and names are verified by Python's own code, and nothing waits for Nagle."""

    def __init__(self, ca_file: str) -> None:
        super().__init__(validate=ssl.CERT_REQUIRED)
        self._context = ssl.create_default_context(cafile=ca_file or None)

    def wrap_socket(self, connection: ldap3.Connection, do_handshake: bool = False) -> None:
        """Called by ldap3 for LDAPS and, after the server agreed, for StartTLS."""
        connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.socket = self._context.wrap_socket(
            connection.socket, do_handshake_on_connect=do_handshake, server_hostname=connection.server.host
        )


class LdapServers:
    """The servers of one site; safe to use from several threads (T12: a connection serves one of them at a time).

    Deadlines are moments of `time.monotonic()`. Every method raises `DirectoryUnknown`.
    """

    def __init__(self, config: DirectoryConfig) -> None:
        self.config = config
        self._idle: deque[ldap3.Connection] = deque()
        self._resting: dict[str, float] = {}

    def search(self, base: str, test: str, attributes: list[str], deadline: float, *, one: bool = False) -> list[Entry]:
        """Entries under `base` that pass `test`, or with `one` the entry `base` itself; a list that was cut is not an answer."""
        scope = ldap3.BASE if one else ldap3.SUBTREE
        try:
            return self._search(base, test, scope, attributes, deadline)
        except BROKEN_CONNECTION:
            # T11: what waited here has gone stale, and so may have its neighbours.
            self.close()
        try:
            return self._search(base, test, scope, attributes, deadline)
        except BROKEN_CONNECTION as error:
            raise DirectoryUnknown("unreachable", str(error)) from error

    def first(self, base: str, test: str, attributes: list[str], limit: int, deadline: float) -> list[Entry]:
        """At most `limit` entries under `base`, whichever come first: for lists people choose from."""
        found = []
        for entry in self.every(base, test, attributes, deadline, page=min(limit, PAGE)):
            found.append(entry)
            if len(found) == limit:
                break
        return found

    def every(
        self, base: str, test: str, attributes: list[str], deadline: float, *, page: int = PAGE
    ) -> Iterator[Entry]:
        """All entries under `base` that pass `test`, read by pages, so that no size limit cuts them."""
        try:
            with self._borrowed(deadline) as connection:
                entries = connection.extend.standard.paged_search(
                    base, test, ldap3.SUBTREE, ldap3.DEREF_NEVER, attributes=attributes, paged_size=page, generator=True
                )
                for entry in entries:
                    if time.monotonic() > deadline:
                        raise DirectoryUnknown("timeout", f"search under {base!r}: more than the time budget allows")
                    if entry.get("type") == "searchResEntry":
                        yield entry
        except (LDAPException, OSError) as error:
            raise DirectoryUnknown("answer", str(error)) from error

    def bind_as(self, dn: str, password: str, deadline: float) -> bool:
        """T8, T9, T12: one bind, never repeated, with the password's own bytes, on a connection of its own."""
        with self._borrowed(deadline) as service:
            url = service.directory_url
        connection = self._open(url, deadline, dn, password)
        try:
            bound = _bind(connection)
            if not bound and connection.result.get("result") != INVALID_CREDENTIALS:
                raise DirectoryUnknown("answer", f"bind: {connection.result.get('description', '')}")
            return bound and connection.authentication == ldap3.SIMPLE
        finally:
            _close(connection)

    def certificate(self, url: str, deadline: float) -> dict[str, str]:
        """Connects to one server as the service; what it showed: subject, issuer and end of its certificate."""
        connection = self._service(url, deadline)
        try:
            return _certificate(connection.socket)
        finally:
            _close(connection)

    def close(self) -> None:
        """Close the connections nobody is using."""
        while self._idle:
            with contextlib.suppress(IndexError):
                _close(self._idle.pop())

    def _search(self, base: str, test: str, scope: str, attributes: list[str], deadline: float) -> list[Entry]:
        try:
            with self._borrowed(deadline) as connection:
                return _entries(connection, base, test, scope, attributes)
        except BROKEN_CONNECTION:
            raise
        except LDAPInvalidFilterError as error:
            raise DirectoryUnknown("configuration", "people_filter or login_attributes make no valid filter") from error
        except (LDAPException, OSError) as error:
            raise DirectoryUnknown("answer", f"{type(error).__name__}: {error}") from error

    @contextlib.contextmanager
    def _borrowed(self, deadline: float) -> Iterator[ldap3.Connection]:
        """A service connection for one question; it is kept for the next unless it broke."""
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._first_answering(deadline)
        connection.socket.settimeout(max(0.1, deadline - time.monotonic()))
        healthy = True
        try:
            yield connection
        except (LDAPException, OSError):
            healthy = False
            raise
        finally:
            if healthy and len(self._idle) < MOST_IDLE:
                self._idle.append(connection)
            else:
                _close(connection)

    @cached_property
    def _tls(self) -> _VerifyingTls:
        try:
            return _VerifyingTls(self.config.ca_file)
        except OSError as error:
            raise DirectoryUnknown("tls", f"{self.config.ca_file}: {error}") from error

    def _first_answering(self, deadline: float) -> ldap3.Connection:
        """T13: our own failover; a server that failed rests for a while, unless all of them do."""
        awake = [url for url in self.config.urls if self._resting.get(url, 0) < time.monotonic()]
        problem = DirectoryUnknown("unreachable", "no server is configured")
        for url in awake or self.config.urls:
            try:
                return self._service(url, deadline)
            except DirectoryUnknown as error:
                problem = error
                self._resting[url] = time.monotonic() + COOL_DOWN_S
        raise problem

    def _service(self, url: str, deadline: float) -> ldap3.Connection:
        connection = self._open(url, deadline, self.config.bind_dn, self.config.bind_password)
        if self.config.bind_dn and not _bind(connection):
            _close(connection)
            raise DirectoryUnknown("service_account", f"{url}: {connection.result.get('description', '')}")
        connection.directory_url = url
        return connection

    def _open(self, url: str, deadline: float, dn: str, password: str) -> ldap3.Connection:
        parts = urlsplit(url)
        secure = parts.scheme == "ldaps"
        left = deadline - time.monotonic()
        if left <= 0:
            raise DirectoryUnknown("timeout", f"{url}: the time budget of {self.config.timeout} s is spent")
        if not secure and not self.config.start_tls and not _is_this_machine(parts.hostname or ""):
            raise DirectoryUnknown("configuration", f"{url}: use ldaps:// or start_tls, or passwords travel in clear")
        connection = None
        try:
            server = ldap3.Server(
                parts.hostname, port=parts.port or (636 if secure else 389), use_ssl=secure,
                tls=self._tls, get_info=ldap3.NONE, connect_timeout=max(0.1, left),
                allowed_referral_hosts=[],
            )  # fmt: skip
            connection = ldap3.Connection(
                server, user=dn or None, password=password.encode() if dn else None, client_strategy=ldap3.SAFE_SYNC,
                auto_bind=ldap3.AUTO_BIND_NONE, auto_referrals=False, check_names=False,
                receive_timeout=math.ceil(left), authentication=ldap3.SIMPLE if dn else ldap3.ANONYMOUS,
            )  # fmt: skip
            connection.open(read_server_info=False)
            connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.config.start_tls and not secure:
                connection.start_tls(read_server_info=False)
        except (LDAPException, OSError) as error:
            if connection is not None and connection.socket is not None:
                connection.socket.close()
            raise DirectoryUnknown(_reason_of(error, secure), f"{url}: {error}") from error
        return connection


def _entries(
    connection: ldap3.Connection, base: str, test: str, scope: str, attributes: list[str]
) -> list[dict[str, Any]]:
    """T5, T6, T7: no alias and no referral is followed, and a cut list is not an answer."""
    _status, result, response, _request = connection.search(base, test, scope, ldap3.DEREF_NEVER, attributes=attributes)
    code = result["result"]
    if code == NO_SUCH_OBJECT and scope == ldap3.BASE:
        return []
    if code != SUCCESS:
        reason = "size_limit" if code == SIZE_LIMIT else "configuration" if code == NO_SUCH_OBJECT else "answer"
        raise DirectoryUnknown(
            reason, f"search under {base!r}: {result['description']} {result.get('message', '')}".strip()
        )
    return [entry for entry in response or [] if entry["type"] == "searchResEntry"]


def _bind(connection: ldap3.Connection) -> bool:
    try:
        status, result, _response, _request = connection.bind(read_server_info=False)
    except (LDAPException, OSError) as error:
        raise DirectoryUnknown(_reason_of(error, False), f"bind: {error}") from error
    connection.last_result = result
    return bool(status) and bool(connection.bound)


def _close(connection: ldap3.Connection) -> None:
    with contextlib.suppress(LDAPException, OSError):
        connection.unbind()


def _reason_of(error: Exception, secure: bool) -> str:
    """T18: the same trouble arrives under several names."""
    text = str(error).lower()
    if "certificate" in text or "ssl" in text or ("tls" in text and secure):
        return "tls"
    if isinstance(error, LDAPStartTLSError):
        return "start_tls"
    return "timeout" if "timed out" in text or "timeout" in text else "unreachable"


def _certificate(connected: socket.socket) -> dict[str, str]:
    if not isinstance(connected, ssl.SSLSocket):
        return {"subject": "", "issuer": "", "ends": ""}
    shown = connected.getpeercert() or {}

    def name(key: str) -> str:
        parts: Any = shown.get(key, ())
        return ", ".join(str(value) for part in parts for _key, value in part)

    return {"subject": name("subject"), "issuer": name("issuer"), "ends": str(shown.get("notAfter", ""))}


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
