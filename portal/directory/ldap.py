"""One LDAP connection: the only file that imports ldap3, and with `messages.py` the one that closes its traps (T1 … T18).

A server that is down, silent or lies about its certificate ends in `Broken` or `DirectoryUnknown`, which say why.
Passwords travel only over TLS, or to this machine.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import ssl
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit

import ldap3
from ldap3.core.exceptions import LDAPException, LDAPStartTLSError
from ldap3.utils.conv import escape_filter_chars

from portal.directory.config import DirectoryConfig, DirectoryUnknown
from portal.directory.messages import (
    ENTRY,
    EXTENDED,
    RESULT_DONE,
    RESULT_ENTRY,
    Entry,
    Malformed,
    NotAFilter,
    Result,
    message_length,
    read_message,
    search_request,
)
from portal.directory.punctual import Punctual, left
from portal.directory.standing import PASSWORD_POLICY
from portal.directory.tls import Certificate, certificate

SUCCESS, TIME_LIMIT, SIZE_LIMIT, ADMIN_LIMIT, NO_SUCH_OBJECT, INVALID_DN = 0, 3, 4, 11, 32, 34
BUSY, UNAVAILABLE = 51, 52
REASONS = {
    TIME_LIMIT: "timeout", SIZE_LIMIT: "size_limit", ADMIN_LIMIT: "size_limit", NO_SUCH_OBJECT: "base",
    INVALID_DN: "base",
}  # fmt: skip
RANGE = ";range="


class Broken(Exception):
    """This connection, or its server, answers no more; another may. `reason` is as in `Unknown`."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail


@dataclass(frozen=True)
class Bound:
    """How a bind was answered: LDAP's result code, the server's words, the value of its password-policy control."""

    code: int
    message: str
    policy: bytes


def raw_values(entry: Entry, name: str) -> list[bytes]:
    """An attribute's values, however the server writes its name."""
    return entry.attributes.get(name.lower(), [])


def escape(value: str) -> str:
    """A value for a filter (RFC 4515, section 3). T15: a DN is a value too."""
    return str(escape_filter_chars(value))


class _Server(ldap3.Server):  # type: ignore[misc]
    """A server to which connecting may take what is left of the time, over all its addresses."""

    deadline = 0.0

    @property
    def connect_timeout(self) -> float:
        return left(self.deadline)

    @connect_timeout.setter
    def connect_timeout(self, _never_fixed: None) -> None:
        pass


class _VerifyingTls(ldap3.Tls):  # type: ignore[misc]
    """T1, T2, T3: certificates and names are verified by Python's own code, and nothing waits for Nagle."""

    def __init__(self, ca_file: str) -> None:
        super().__init__(validate=ssl.CERT_REQUIRED)
        self._context = ssl.create_default_context(cafile=ca_file or None)

    def wrap_socket(self, connection: ldap3.Connection, do_handshake: bool = False) -> None:
        """Called by ldap3 for LDAPS and, after the server agreed, for StartTLS."""
        plain = getattr(connection.socket, "connected", connection.socket)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        plain.settimeout(left(connection.server.deadline))
        secured = self._context.wrap_socket(
            plain, do_handshake_on_connect=do_handshake, server_hostname=connection.server.host
        )
        connection.socket = Punctual(secured, connection.server.deadline)


class Link:
    """An open connection to one server, for one question at a time; each question ends by its deadline."""

    def __init__(self, url: str, connection: ldap3.Connection) -> None:
        self.url, self._connection = url, connection
        self._received = bytearray()
        self.is_open = True

    @classmethod
    def open(cls, config: DirectoryConfig, url: str, dn: str, password: str, deadline: float) -> Link:
        """Connect, and start TLS where it is wanted; nobody is bound yet.

        Raises:
            DirectoryUnknown: the server cannot be reached like this.
        """
        parts = urlsplit(url)
        secure = parts.scheme == "ldaps"
        if deadline <= time.monotonic():
            raise DirectoryUnknown("timeout", f"{url}: the time budget of {config.timeout} s is spent")
        if not secure and not config.start_tls and not _is_this_machine(parts.hostname or ""):
            raise DirectoryUnknown("configuration", f"{url}: use ldaps:// or start_tls, or passwords travel in clear")
        server = _Server(
            parts.hostname, port=parts.port or (636 if secure else 389), use_ssl=secure, tls=_tls(config.ca_file),
            get_info=ldap3.NONE, allowed_referral_hosts=[],
        )  # fmt: skip
        server.deadline = deadline
        connection = ldap3.Connection(
            server, user=dn or None, password=password.encode() if dn else None, client_strategy=ldap3.SYNC,
            auto_bind=ldap3.AUTO_BIND_NONE, auto_referrals=False, check_names=False, return_empty_attributes=False,
            authentication=ldap3.SIMPLE if dn else ldap3.ANONYMOUS,
        )  # fmt: skip
        try:
            connection.open(read_server_info=False)
            if not secure:
                connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection.socket = Punctual(connection.socket, deadline)
            if config.start_tls and not secure:
                connection.start_tls(read_server_info=False)
        except (LDAPException, OSError, UnicodeError) as error:
            if connection.socket is not None:
                connection.socket.close()
            raise DirectoryUnknown(_reason_of(error), f"{url}: {error}") from error
        return cls(url, connection)

    def hurry(self, deadline: float) -> None:
        """What is asked next ends by then."""
        if self._connection.socket is not None:
            self._connection.socket.deadline = deadline

    def bind(self, *, with_policy: bool = False) -> Bound:
        """T8, T9: one simple bind, with the password's own bytes. Raises `Broken`."""
        controls = [(PASSWORD_POLICY, False, None)] if with_policy else None
        try:
            status = self._connection.bind(read_server_info=False, controls=controls)
        except (LDAPException, OSError) as error:
            raise Broken(_reason_of(error), f"{self.url}: bind: {error}") from error
        result = self._connection.result
        policy = (result.get("controls") or {}).get(PASSWORD_POLICY, {}).get("value") or b""
        code = int(result["result"])
        if code == SUCCESS and not (
            status and self._connection.bound and self._connection.authentication == ldap3.SIMPLE
        ):
            raise Broken("answer", f"{self.url}: bind: neither accepted nor refused")
        return Bound(code, f"{result['description']} {result['message']}".strip(), policy)

    def search(
        self, base: str, test: str, attributes: list[str], scope: int, page: int = 0, cookie: bytes = b"",
        *, cut_is_fine: bool = False,
    ) -> tuple[list[Entry], bytes]:  # fmt: skip
        """T5, T6, T7: no alias and no referral is followed, and a cut list is no answer unless that is fine.

        Returns:
            The entries, and where the next page of `page` entries begins, b"" after the last.

        Raises:
            Broken: nobody answers here any more.
            DirectoryUnknown: the server refuses the question.
        """
        try:
            entries, result = self._asked(base, test, attributes, scope, page, cookie)
            entries = [self._whole(entry) for entry in entries]
        except NotAFilter as error:
            raise DirectoryUnknown("configuration", f"{test!r} is no valid filter") from error
        except (OSError, Malformed) as error:
            raise Broken(_reason_of(error), f"{self.url}: {error}") from error
        said = f"search under {base!r}: result {result.code} {result.message}".strip()
        if result.code in {BUSY, UNAVAILABLE}:
            raise Broken("unreachable", f"{self.url}: {said}")
        if scope == ENTRY and result.code in {NO_SUCH_OBJECT, INVALID_DN}:
            return [], b""
        if result.code != SUCCESS and not (cut_is_fine and result.code in {SIZE_LIMIT, ADMIN_LIMIT}):
            raise DirectoryUnknown(REASONS.get(result.code, "answer"), said)
        return entries, result.cookie

    def _asked(
        self, base: str, test: str, attributes: list[str], scope: int, page: int, cookie: bytes
    ) -> tuple[list[Entry], Result]:
        number = self._connection.server.next_message_id()
        self._connection.socket.sendall(search_request(number, base, scope, test, attributes, page, cookie))
        entries = []
        while True:
            answered, kind, said = read_message(self._receive())
            if answered == 0 or kind == EXTENDED:
                raise Malformed("the server ended the session")
            if answered == number and kind == RESULT_ENTRY and isinstance(said, Entry):
                entries.append(said)
            elif answered == number and kind == RESULT_DONE and isinstance(said, Result):
                return entries, said

    def _receive(self) -> bytes:
        """The next whole message."""
        while not (length := message_length(self._received)) or len(self._received) < length:
            chunk = self._connection.socket.recv(65_536)
            if not chunk:
                raise Malformed("the server closed the connection")
            self._received += chunk
        message = bytes(self._received[:length])
        del self._received[:length]
        return message

    def _whole(self, entry: Entry) -> Entry:
        """Active Directory hands out long lists in ranges, each under a name of its own (MS-ADTS, 3.1.1.3.1.3.3)."""
        for ranged in [name for name in entry.attributes if RANGE in name]:
            name = ranged.partition(RANGE)[0]
            values = entry.attributes.pop(ranged)
            while not ranged.endswith("-*"):
                more = f"{name}{RANGE}{len(values)}-*"
                parts, _result = self._asked(entry.dn, "(objectClass=*)", [more], ENTRY, 0, b"")
                ranged = next((key for part in parts for key in part.attributes if key.startswith(name + RANGE)), "")
                if not ranged or not parts[0].attributes[ranged]:
                    raise Malformed(f"{entry.dn}: {name} ends before its last range")
                values += parts[0].attributes[ranged]
            entry.attributes[name] = values
        return entry

    def certificate(self) -> Certificate | None:
        """What the server showed of itself; None without TLS."""
        shown = getattr(self._connection.socket, "connected", None)
        return certificate(shown.getpeercert() or {}) if isinstance(shown, ssl.SSLSocket) else None

    def close(self) -> None:
        """Say good-bye; nothing is waited for, and nothing can be asked any more."""
        self.is_open = False
        connected = self._connection.socket
        with contextlib.suppress(LDAPException, OSError):
            self._connection.unbind()
        if connected is not None:
            connected.close()


def _tls(ca_file: str) -> _VerifyingTls:
    try:
        return _tls_of(ca_file, Path(ca_file).stat().st_mtime_ns if ca_file else 0)
    except OSError as error:
        raise DirectoryUnknown("ca_file", f"{ca_file}: {error.strerror or error}") from error


@lru_cache(maxsize=8)
def _tls_of(ca_file: str, _written_at: int) -> _VerifyingTls:
    """One for as long as its file is the same: a new authority needs no restart."""
    return _VerifyingTls(ca_file)


def _reason_of(error: Exception) -> str:
    """T18: the same trouble arrives under several names."""
    text = str(error).lower()
    if "timed out" in text or "timeout" in text:
        return "timeout"
    if "certificate" in text or "ssl" in text:
        return "tls"
    return "start_tls" if isinstance(error, LDAPStartTLSError) else "unreachable"


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
