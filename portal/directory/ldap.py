"""The company directory over LDAP: the only file that imports ldap3.

Every method answers yes, no or unknown. When a server is down, slow or lies about its certificate the
next one is asked, within one time budget; when none answers, the answer is `Unknown` and grants nothing.
Passwords travel only over TLS, or to this machine. The traps named T1 … T18 are ldap3's.
"""

from __future__ import annotations

import contextlib
import ipaddress
import math
import socket
import ssl
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
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

from portal.directory.answers import Answer, Finding, No, Person, Unknown, Yes
from portal.directory.names import normalise
from portal.directory.presets import PRESETS

LONGEST_LOGIN, LONGEST_PASSWORD = 256, 1024
COOL_DOWN_S = 20
NAMES_AT_ONCE = 50
SUCCESS, NO_SUCH_OBJECT, SIZE_LIMIT, INVALID_CREDENTIALS = 0, 32, 4, 49
BROKEN_CONNECTION = (LDAPSessionTerminatedByServerError, LDAPSocketReceiveError, LDAPSocketSendError, LDAPSocketOpenError)


class DirectoryUnknown(Exception):
    """The directory could not answer; `reason` is as in `Unknown`."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason, self.detail = reason, detail


@dataclass(frozen=True)
class DirectoryConfig:
    """The `[directory]` section; empty values come from the preset. `timeout` (seconds) is the budget of one question."""

    urls: Sequence[str]
    preset: str = "openldap"
    start_tls: bool = False
    ca_file: str = ""
    bind_dn: str = ""
    bind_password: str = ""
    people_base: str = ""
    login_attributes: Sequence[str] = ()
    people_filter: str = ""
    groups_base: str = ""
    nested: bool = True
    attributes: Mapping[str, str] = field(default_factory=dict)
    timeout: float = 5


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


class LdapDirectory:
    """The directory of one site; safe to use from several threads (T12: one service connection each)."""

    def __init__(self, config: DirectoryConfig) -> None:
        preset = PRESETS[config.preset]
        self.config = config
        self._id_attribute = preset.id_attribute
        self._login_attributes = tuple(config.login_attributes) or preset.login_attributes
        self._people_filter = config.people_filter or preset.people_filter
        self._attributes = {**preset.attributes, **{key: value for key, value in config.attributes.items()}}
        self._local = threading.local()
        self._resting: dict[str, float] = {}
        self._preferred = config.urls[0] if config.urls else ""

    # --- What the portal asks ---------------------------------------------------------------------

    def sign_in(self, login: str, password: str) -> Answer:
        """Search as the service, then one bind as the person, on one server, on a connection thrown away."""
        refused = _unusable(login, password)
        if refused:
            return refused
        deadline = self._deadline()
        try:
            found = self._people(self._login_filter(login), deadline)
            if len(found) != 1:
                return No("ambiguous" if found else "unknown_person")
            if not self._bind_as(found[0]["dn"], password, deadline):
                return No("wrong_password")
            return self._with_groups(found[0], deadline)
        except DirectoryUnknown as error:
            return Unknown(error.reason, error.detail)

    def read(self, directory_id: str) -> Answer:
        """A person and his groups at this moment, by the stable id."""
        deadline = self._deadline()
        try:
            found = self._people(f"({self._id_attribute}={_id_filter(self._id_attribute, directory_id)})", deadline)
            return self._with_groups(found[0], deadline) if len(found) == 1 else No("ambiguous" if found else "gone")
        except DirectoryUnknown as error:
            return Unknown(error.reason, error.detail)

    def find_group(self, name_or_dn: str) -> list[str]:
        """DNs of the groups with a name, or the group with a DN. Raises `DirectoryUnknown`."""
        deadline = self._deadline()
        if "=" in name_or_dn:
            entries = self._search(name_or_dn, "(objectClass=*)", ldap3.BASE, ["1.1"], deadline)
        else:
            entries = self._search(self.config.groups_base, f"(cn={escape_filter_chars(name_or_dn)})", ldap3.SUBTREE, ["1.1"], deadline)
        return [entry["dn"] for entry in entries]

    def check(self) -> list[Finding]:
        """Each stage of a sign-in on each server, without anybody's password. Never raises."""
        findings: list[Finding] = []
        for url in self.config.urls:
            try:
                connection = self._service(url, self._deadline())
                findings.append(Finding(True, "server", {"url": url, **_certificate(connection)}))
                connection.unbind()
            except DirectoryUnknown as error:
                findings.append(Finding(False, error.reason, {"url": url, "detail": error.detail}))
        if any(item.ok for item in findings):
            person = f"({self._login_attributes[0]}=*)"
            findings.append(self._count("people", self.config.people_base, f"(&{self._people_filter}{person})"))
            if self.config.groups_base:
                findings.append(self._count("groups", self.config.groups_base, "(cn=*)"))
        return findings

    def close(self) -> None:
        """Close this thread's connection; the others end with their threads."""
        self._drop()

    # --- People and groups ------------------------------------------------------------------------

    def _login_filter(self, login: str) -> str:
        value = escape_filter_chars(login)
        tests = "".join(f"({name}={value})" for name in self._login_attributes)
        return f"(|{tests})" if len(self._login_attributes) > 1 else tests

    def _people(self, test: str, deadline: float) -> list[dict[str, Any]]:
        wanted = [self._id_attribute, *self._login_attributes, *filter(None, self._attributes.values())]
        return self._search(self.config.people_base, f"(&{self._people_filter}{test})", ldap3.SUBTREE, wanted, deadline)

    def _with_groups(self, entry: dict[str, Any], deadline: float) -> Yes:
        raw = {name.lower(): values for name, values in entry["raw_attributes"].items()}

        def first(name: str) -> str:
            values = raw.get(name.lower()) if name else None
            return values[0].decode(errors="replace") if values else ""

        identifier = _id_text(self._id_attribute, raw.get(self._id_attribute.lower()) or [])
        if not identifier:
            raise DirectoryUnknown("answer", f"{entry['dn']} has no {self._id_attribute} that we may read")
        login = first(self._login_attributes[0])
        person = Person(
            id=identifier, dn=entry["dn"], login=login,
            **{name: first(self._attributes.get(name, "")) for name in
               ("name", "mail", "department", "cost_centre", "manager", "language")},
        )  # fmt: skip
        return Yes(person, self._groups_of(entry["dn"], login, deadline))

    def _groups_of(self, dn: str, login: str, deadline: float) -> tuple[str, ...]:
        """The effective membership, level by level, each group visited once (so cycles end)."""
        if not self.config.groups_base:
            return ()
        test = _member_tests([dn]) + f"(memberUid={escape_filter_chars(login)})"
        seen: dict[str, str] = {}
        while test:
            entries = self._search(self.config.groups_base, f"(|{test})", ldap3.SUBTREE, ["1.1"], deadline)
            new = [entry["dn"] for entry in entries if normalise(entry["dn"]) not in seen]
            seen.update((normalise(name), name) for name in new)
            test = _member_tests(new[:NAMES_AT_ONCE]) if self.config.nested and len(new) <= NAMES_AT_ONCE else ""
            if self.config.nested and len(new) > NAMES_AT_ONCE:
                test = _member_tests(new)
        return tuple(sorted(seen.values()))

    # --- Connections ------------------------------------------------------------------------------

    def _deadline(self) -> float:
        return time.monotonic() + self.config.timeout

    def _search(self, base: str, test: str, scope: str, attributes: list[str], deadline: float) -> list[dict[str, Any]]:
        """One search on this thread's service connection; a connection gone stale is replaced once (T11)."""
        for attempt in (1, 2):
            connection = self._connected(deadline)
            try:
                return _entries(connection, base, test, scope, attributes)
            except BROKEN_CONNECTION as error:
                self._drop()
                if attempt == 2:
                    raise DirectoryUnknown("unreachable", str(error)) from error
            except LDAPInvalidFilterError as error:
                raise DirectoryUnknown("configuration", f"filter {test}") from error
            except (LDAPException, OSError) as error:
                self._drop()
                raise DirectoryUnknown("answer", f"{type(error).__name__}: {error}") from error
        raise AssertionError("two attempts were made")

    def _connected(self, deadline: float) -> ldap3.Connection:
        connection: ldap3.Connection | None = getattr(self._local, "connection", None)
        if connection is None or connection.closed:
            connection = self._first_answering(deadline)
            self._local.connection = connection
        return connection

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

    def _bind_as(self, dn: str, password: str, deadline: float) -> bool:
        """T8, T9, T12: one bind, never repeated, with the password's own bytes, on a connection of its own."""
        url = self._connected(deadline).directory_url
        connection = self._open(url, deadline, dn, password)
        try:
            bound = _bind(connection)
            if not bound and connection.result.get("result") != INVALID_CREDENTIALS:
                raise DirectoryUnknown("answer", f"bind: {connection.result.get('description', '')}")
            return bound and connection.authentication == ldap3.SIMPLE
        finally:
            _close(connection)

    def _open(self, url: str, deadline: float, dn: str, password: str) -> ldap3.Connection:
        parts = urlsplit(url)
        secure = parts.scheme == "ldaps"
        left = deadline - time.monotonic()
        if left <= 0:
            raise DirectoryUnknown("timeout", f"{url}: the time budget of {self.config.timeout} s is spent")
        if not secure and not self.config.start_tls and not _is_this_machine(parts.hostname or ""):
            raise DirectoryUnknown("configuration", f"{url}: use ldaps:// or start_tls, or passwords travel in clear")
        try:
            tls = _VerifyingTls(self.config.ca_file)
            server = ldap3.Server(
                parts.hostname, port=parts.port or (636 if secure else 389), use_ssl=secure, tls=tls,
                get_info=ldap3.NONE, connect_timeout=max(0.1, left), allowed_referral_hosts=[],
            )  # fmt: skip
            connection = ldap3.Connection(
                server, user=dn or None, password=password.encode() if dn else None, client_strategy=ldap3.SAFE_SYNC,
                auto_bind=ldap3.AUTO_BIND_NONE, auto_referrals=False, check_names=False, receive_timeout=math.ceil(left),
                authentication=ldap3.SIMPLE if dn else ldap3.ANONYMOUS,
            )  # fmt: skip
            connection.open(read_server_info=False)
            if connection.socket:
                connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.config.start_tls and not secure:
                connection.start_tls(read_server_info=False)
        except (LDAPException, OSError) as error:
            raise DirectoryUnknown(_reason_of(error, secure), f"{url}: {error}") from error
        return connection

    def _count(self, code: str, base: str, test: str) -> Finding:
        try:
            connection = self._connected(self._deadline())
            entries = connection.extend.standard.paged_search(
                base, test, ldap3.SUBTREE, ldap3.DEREF_NEVER, attributes=["1.1"], paged_size=500, generator=True
            )
            count = sum(1 for entry in entries if entry.get("type") == "searchResEntry")
        except DirectoryUnknown as error:
            return Finding(False, error.reason, {"detail": error.detail, "url": ""})
        except (LDAPException, OSError) as error:
            self._drop()
            return Finding(False, f"{code}_base", {"base": base, "detail": str(error)})
        return Finding(count > 0, code if count else f"{code}_base", {"base": base, "count": count, "filter": test, "detail": ""})

    def _drop(self) -> None:
        connection: ldap3.Connection | None = getattr(self._local, "connection", None)
        self._local.connection = None
        if connection is not None:
            _close(connection)


def _unusable(login: str, password: str) -> No | None:
    """T8, T10: what must never reach a directory."""
    if not login.strip() or not password:
        return No("empty")
    if len(login) > LONGEST_LOGIN or len(password) > LONGEST_PASSWORD:
        return No("bad_characters", "too long")
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in login + password):
        return No("bad_characters")
    return None


def _entries(
    connection: ldap3.Connection, base: str, test: str, scope: str, attributes: list[str]
) -> list[dict[str, Any]]:
    """T5, T6, T7: no alias and no referral is followed, and a cut list is not an answer."""
    _status, result, response, _request = connection.search(
        base, test, scope, ldap3.DEREF_NEVER, attributes=attributes
    )
    code = result["result"]
    if code == NO_SUCH_OBJECT and scope == ldap3.BASE:
        return []
    if code != SUCCESS:
        reason = "size_limit" if code == SIZE_LIMIT else "configuration" if code == NO_SUCH_OBJECT else "answer"
        raise DirectoryUnknown(reason, f"search under {base!r}: {result['description']} {result.get('message', '')}".strip())
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
    if "certificate" in text or "ssl" in text or "tls" in text and secure:
        return "tls"
    if isinstance(error, LDAPStartTLSError):
        return "start_tls"
    return "timeout" if "timed out" in text or "timeout" in text else "unreachable"


def _member_tests(names: Sequence[str]) -> str:
    """T15: a DN is escaped too."""
    escaped = [escape_filter_chars(name) for name in names]
    return "".join(f"(member={name})(uniqueMember={name})" for name in escaped)


def _id_filter(attribute: str, identifier: str) -> str:
    if attribute.lower() == "objectguid":
        return "".join(f"\\{byte:02x}" for byte in uuid.UUID(identifier).bytes_le)
    return escape_filter_chars(identifier)


def _id_text(attribute: str, values: Sequence[bytes]) -> str:
    if not values:
        return ""
    if attribute.lower() == "objectguid" and len(values[0]) == 16:
        return str(uuid.UUID(bytes_le=values[0]))
    return values[0].decode(errors="replace").lower()


def _certificate(connection: ldap3.Connection) -> dict[str, str]:
    """What the server showed: subject, issuer and end of its certificate."""
    if not isinstance(connection.socket, ssl.SSLSocket):
        return {"subject": "", "issuer": "", "ends": ""}
    shown = connection.socket.getpeercert() or {}

    def name(key: str) -> str:
        return ", ".join(str(value) for part in shown.get(key, ()) for _key, value in part)  # type: ignore[union-attr, misc]

    return {"subject": name("subject"), "issuer": name("issuer"), "ends": str(shown.get("notAfter", ""))}


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
