"""The demonstration's company directory: LDAP v3 on asyncio (RFC 4511), one file for one protocol. Not for production.

It speaks on the ASN.1 types that ldap3 brings: simple bind, StartTLS, search with filters and paging,
and an access rule that never returns a password.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from typing import Any

from ldap3.protocol import rfc4511 as asn
from ldap3.protocol.rfc2696 import RealSearchControlValue
from pyasn1.codec.ber import decoder, encoder
from pyasn1.error import PyAsn1Error

from demo.certificates import ServerCertificate
from demo.directory_filters import matches, values
from demo.directory_requests import SEARCH_REQUEST, Control, Malformed, Search, Test, operation_of, read_search
from demo.directory_tree import BASE, Entry, Tree
from demo.sockets import hold

SUCCESS, PROTOCOL_ERROR, SIZE_LIMIT, UNAVAILABLE_CRITICAL, NO_SUCH_OBJECT = 0, 2, 4, 12, 32
INVALID_CREDENTIALS, INSUFFICIENT_ACCESS, UNWILLING = 49, 50, 53
START_TLS, WHO_AM_I, PAGING = "1.3.6.1.4.1.1466.20037", "1.3.6.1.4.1.4203.1.11.3", "1.2.840.113556.1.4.319"
LARGEST_MESSAGE, LARGEST_RESULT = 1_000_000, 500
OPERATIONAL = ("entryUUID", "entryDN", "memberOf")


class DirectoryServer:
    """A directory on a loopback port. `fault`: None, "down" (connections refused) or "hang" (never answers)."""

    def __init__(
        self, tree: Tree, *, host: str = "127.0.0.1", port: int = 0, certificate: ServerCertificate | None = None
    ) -> None:
        self.tree, self.host, self.port = tree, host, port
        self.context: ssl.SSLContext | None = None
        if certificate:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(certificate.cert_path, certificate.key_path)
        self._fault: str | None = None
        self._held: socket.socket | None = None
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.StreamWriter] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="demo directory", daemon=True)

    @property
    def url(self) -> str:
        """`ldap://127.0.0.1:PORT`."""
        return f"ldap://{self.host}:{self.port}"

    @property
    def fault(self) -> str | None:
        """What is broken now."""
        return self._fault

    @fault.setter
    def fault(self, name: str | None) -> None:
        if name not in {None, "down", "hang"}:
            raise ValueError(name)
        if name == "down":
            self._run(self._close())
            self._held = self._held or hold(self.host, self.port)
        elif self._fault == "down":
            self._run(self._listen())
            self._let_go()
        self._fault = name

    def start(self) -> None:
        """Listen; returns when the port is open."""
        self._thread.start()
        self._run(self._listen())

    def stop(self) -> None:
        """Close everything."""
        self._run(self._close())
        self._run(self._end_conversations())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._let_go()

    def _let_go(self) -> None:
        if self._held:
            self._held.close()
        self._held = None

    def _run(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        if self._server:
            self._server.close()
        for writer in list(self._clients):
            writer.transport.abort()
        self._server = None

    async def _end_conversations(self) -> None:
        conversations = asyncio.all_tasks() - {asyncio.current_task()}
        for conversation in conversations:
            conversation.cancel()
        await asyncio.gather(*conversations, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = writer.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._clients.add(writer)
        try:
            await Conversation(self, reader, writer).run()
        except (OSError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            self._clients.discard(writer)
            with contextlib.suppress(OSError):
                writer.close()


class Garbage(Exception):
    """Bytes that are no LDAP message."""


class Conversation:
    """One client's connection: who it is bound as, and one answer for each request."""

    def __init__(self, server: DirectoryServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.server, self.tree = server, server.tree
        self.reader, self.writer = reader, writer
        self.bound = ""
        self.encrypted = False

    async def run(self) -> None:
        """Answer until the client leaves or sends garbage."""
        while True:
            try:
                message = await self._read()
                if self.server.fault == "hang":
                    await asyncio.sleep(3600)
                if not await self._answer(message):
                    return
            except Garbage as error:
                self._send(
                    0, _result(asn.ExtendedResponse(), PROTOCOL_ERROR, str(error), name="1.3.6.1.4.1.1466.20036")
                )
                await self.writer.drain()
                return

    async def _read(self) -> bytes:
        head = await self.reader.readexactly(2)
        if head[0] != 0x30:
            raise Garbage("not an LDAP message")
        length = head[1]
        if length & 0x80:
            count = length & 0x7F
            if not 1 <= count <= 4:
                raise Garbage("length of a length")
            more = await self.reader.readexactly(count)
            head, length = head + more, int.from_bytes(more, "big")
        if length > LARGEST_MESSAGE:
            raise Garbage("message too large")
        return head + await self.reader.readexactly(length)

    async def _answer(self, raw: bytes) -> bool:
        try:
            if operation_of(raw) == SEARCH_REQUEST:
                self._search(read_search(raw))
                await self.writer.drain()
                return True
            message = decoder.decode(raw, asn1Spec=asn.LDAPMessage())[0]
        except (Malformed, PyAsn1Error, ValueError, IndexError, KeyError, TypeError, StopIteration) as error:
            raise Garbage("cannot be decoded") from error
        number, operation = int(message["messageID"]), message["protocolOp"]
        kind, request = operation.getName(), operation.getComponent()
        if kind == "unbindRequest":
            return False
        if kind == "bindRequest":
            self._send(number, self._bind(request))
        elif kind == "extendedReq":
            return await self._extended(number, request)
        elif kind == "compareRequest":
            self._send(number, _result(asn.CompareResponse(), INSUFFICIENT_ACCESS))
        elif kind != "abandonRequest":
            raise Garbage(f"{kind} is not supported")
        await self.writer.drain()
        return True

    def _bind(self, request: Any) -> Any:
        self.bound = ""
        name, proof = str(request["name"]), request["authentication"]
        if proof.getName() != "simple":
            return _result(asn.BindResponse(), 7, "only simple bind")
        password = bytes(proof.getComponent())
        if not name and not password:
            return _result(asn.BindResponse(), SUCCESS)
        if not password:
            return _result(asn.BindResponse(), UNWILLING, "unauthenticated bind")
        entry = self.tree.get(name)
        if entry is None or not entry.accepts(password):
            return _result(asn.BindResponse(), INVALID_CREDENTIALS)
        self.bound = entry.key
        return _result(asn.BindResponse(), SUCCESS)

    async def _extended(self, number: int, request: Any) -> bool:
        name = str(request["requestName"])
        if name == START_TLS and self.server.context and not self.encrypted:
            self._send(number, _result(asn.ExtendedResponse(), SUCCESS, name=START_TLS))
            await self.writer.drain()
            await self.writer.start_tls(self.server.context)
            self.encrypted = True
            return True
        if name == WHO_AM_I:
            entry = self.tree.get(self.bound)
            self._send(number, _result(asn.ExtendedResponse(), SUCCESS, value=f"dn:{entry.dn}" if entry else ""))
        else:
            self._send(number, _result(asn.ExtendedResponse(), PROTOCOL_ERROR, "not supported"))
        await self.writer.drain()
        return True

    def _search(self, search: Search) -> None:
        number, page = search.number, _paging(search.controls)
        if page == "unknown":
            return self._send(number, _result(asn.SearchResultDone(), UNAVAILABLE_CRITICAL))
        if not search.base and search.scope == 0:
            self._send_entry(number, "", _root(self.server), search.attributes or ["*"])
            return self._send(number, _result(asn.SearchResultDone(), SUCCESS))
        top = self.tree.get(search.base)
        if top is None or not self.bound:
            return self._send(number, _result(asn.SearchResultDone(), NO_SUCH_OBJECT, matched=BASE))
        found = self._found(top, search.scope, search.test)
        limit = min(search.size_limit or LARGEST_RESULT, LARGEST_RESULT)
        start, size = page if isinstance(page, tuple) else (0, limit)
        for entry in found[start : start + size]:
            content = {name: values(self.tree, entry, name) for name in [*entry.attributes, *OPERATIONAL]}
            self._send_entry(number, entry.dn, content, search.attributes)
        if isinstance(page, tuple):
            rest = str(start + size) if start + size < len(found) else ""
            return self._send(number, _result(asn.SearchResultDone(), SUCCESS), _cookie(len(found), rest))
        return self._send(number, _result(asn.SearchResultDone(), SIZE_LIMIT if len(found) > limit else SUCCESS))

    def _found(self, top: Entry, scope: int, test: Test) -> list[Entry]:
        def within(entry: Entry) -> bool:
            if scope == 0:
                return entry.key == top.key
            below = entry.key.endswith("," + top.key)
            if scope == 1:
                return below and entry.key.count(",") == top.key.count(",") + 1
            return below or entry.key == top.key

        all_seen = self.bound in self.tree.readers
        return [
            entry for entry in self.tree.entries()
            if within(entry) and (all_seen or entry.key == self.bound) and matches(self.tree, entry, test)
        ]  # fmt: skip

    def _send_entry(self, number: int, dn: str, content: dict[str, list[str]], wanted: list[str]) -> None:
        lower = {name.lower() for name in wanted}
        every = not wanted or "*" in wanted
        shown = {
            name: found for name, found in content.items()
            if found and (name.lower() in lower or (every and name not in OPERATIONAL) or ("+" in wanted and name in OPERATIONAL))
        }  # fmt: skip
        response = asn.SearchResultEntry()
        response["object"] = dn
        attributes = asn.PartialAttributeList()
        for position, (name, found) in enumerate(shown.items()):
            attribute, vals = asn.PartialAttribute(), asn.Vals()
            for index, value in enumerate(found):
                vals[index] = value.encode()
            attribute["type"], attribute["vals"] = name, vals
            attributes[position] = attribute
        response["attributes"] = attributes
        self._send(number, response)

    def _send(self, number: int, response: Any, control: Any = None) -> None:
        message = asn.LDAPMessage()
        message["messageID"] = asn.MessageID(number)
        operation = asn.ProtocolOp()
        operation.setComponentByType(response.getTagSet(), response)
        message["protocolOp"] = operation
        if control is not None:
            controls = asn.Controls()
            controls[0] = control
            message["controls"] = controls
        self.writer.write(encoder.encode(message))


def _result(
    response: Any, code: int, diagnostic: str = "", *, matched: str = "", name: str = "", value: str = ""
) -> Any:
    response["resultCode"] = asn.ResultCode(code)
    response["matchedDN"] = matched
    response["diagnosticMessage"] = diagnostic
    if name:
        response["responseName"] = asn.ResponseName(name)
    if value:
        response["responseValue"] = asn.ResponseValue(value.encode())
    return response


def _paging(controls: list[Control]) -> tuple[int, int] | str | None:
    """(start, size) of a paged search (RFC 2696), None without paging, "unknown" for a control we must refuse."""
    page = None
    for control in controls:
        if control.oid == PAGING:
            content = decoder.decode(control.value, asn1Spec=RealSearchControlValue())[0]
            cookie = bytes(content["cookie"]).decode() or "0"
            page = (int(cookie), int(content["size"]) or LARGEST_RESULT)
        elif control.critical:
            return "unknown"
    return page


def _cookie(total: int, rest: str) -> Any:
    content = RealSearchControlValue()
    content["size"], content["cookie"] = total, rest.encode()
    control = asn.Control()
    control["controlType"] = PAGING
    control["criticality"] = False
    control["controlValue"] = asn.ControlValue(encoder.encode(content))
    return control


def _root(server: DirectoryServer) -> dict[str, list[str]]:
    extensions = [WHO_AM_I, *([START_TLS] if server.context else [])]
    return {
        "objectClass": ["top"], "namingContexts": [BASE], "supportedLDAPVersion": ["3"], "supportedControl": [PAGING],
        "supportedExtension": extensions, "vendorName": ["Guichet demonstration"],
    }  # fmt: skip
