"""The demonstration's mail server: SMTP by aiosmtpd with StartTLS and AUTH; it keeps what it takes and passes nothing on."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
import threading
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, cast
from weakref import WeakSet

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from demo.certificates import ServerCertificate
from demo.sockets import hold

FAULTS = (None, "down", "busy", "refuse", "sender", "cut_reply", "hang")

# It would tell a terminal about each connection that a fault cuts.
logging.getLogger("mail.log").setLevel(logging.CRITICAL)


@dataclass(frozen=True)
class Letter:
    """One mail as it was taken: `recipient` is what the envelope said, the rest stands in the mail."""

    at: datetime
    sender: str
    recipient: str
    content: bytes

    @property
    def message(self) -> EmailMessage:
        """The mail, parsed."""
        return cast(EmailMessage, message_from_bytes(self.content, policy=policy.default))

    @property
    def to(self) -> str:
        """The people it is for, as a reader sees them."""
        return str(self.message["To"])

    @property
    def subject(self) -> str:
        """Its subject, decoded."""
        return str(self.message["Subject"])

    @property
    def text(self) -> str:
        """What it says, lines ended by a newline."""
        return str(self.message.get_content()).replace("\r\n", "\n")


class MailboxServer:
    """A mail server on a loopback port, with one sign-in.

    `fault`: None, "down" (connections refused), "busy" (451: later), "refuse" (550: no such mailbox), "sender" (553:
    not with this sender), "cut_reply" (takes a mail and closes without a word) or "hang" (takes it and never answers).
    """

    def __init__(
        self, user: str, password: str, *, certificate: ServerCertificate | None, implicit: bool = False, port: int = 0
    ) -> None:
        self.user, self.password, self.implicit, self.port = user, password, implicit, port
        self.host = "127.0.0.1"
        self.sign_ins: list[bool] = []
        self._context: ssl.SSLContext | None = None
        if certificate:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(certificate.cert_path, certificate.key_path)
        self._letters: list[Letter] = []
        self._fault: str | None = None
        self._held: socket.socket | None = None
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._conversations: WeakSet[SMTP] = WeakSet()
        self._thread = threading.Thread(target=self._loop.run_forever, name="demo mailbox", daemon=True)

    @property
    def fault(self) -> str | None:
        """What is broken now."""
        return self._fault

    @fault.setter
    def fault(self, name: str | None) -> None:
        if name not in FAULTS:
            raise ValueError(name)
        if name == "down":
            self._run(self._close())
            self._held = self._held or hold(self.host, self.port)
        elif self._fault == "down":
            self._run(self._listen())
            self._let_go()
        self._fault = name

    def letters(self) -> list[Letter]:
        """Everything taken, oldest first."""
        return list(self._letters)

    def start(self) -> None:
        """Listen; returns when the port is open."""
        self._thread.start()
        self._run(self._listen())

    def stop(self) -> None:
        """Close everything."""
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._let_go()

    def _let_go(self) -> None:
        if self._held:
            self._held.close()
        self._held = None

    # aiosmtpd calls these by their names.

    async def handle_MAIL(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Whether we take mail from this sender."""
        if self._fault == "sender":
            return f"553 5.7.1 <{address}>: Sender address rejected: not owned by user {self.user}"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 Ok"

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Whether we take mail for this recipient."""
        if self._fault == "busy":
            return f"451 4.7.1 <{address}>: Greylisted, please try again later"
        if self._fault == "refuse":
            return f"550 5.1.1 <{address}>: Recipient address rejected: User unknown"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Ok"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Keep a mail."""
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        for recipient in envelope.rcpt_tos:
            self._letters.append(Letter(datetime.now(UTC), envelope.mail_from or "", recipient, content))
        if self._fault == "cut_reply" and server.transport:
            server.transport.abort()
        if self._fault == "hang":
            await asyncio.sleep(3600)
        return "250 2.0.0 Ok: kept"

    def _authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, proof: Any
    ) -> AuthResult:
        expected = LoginPassword(self.user.encode(), self.password.encode())
        self.sign_ins.append(proof == expected)
        return AuthResult(success=proof == expected, handled=False)

    def _conversation(self) -> SMTP:
        negotiated = self._context is not None and not self.implicit
        conversation = SMTP(
            self, hostname="mail.acme.example", ident="Acme", loop=self._loop, authenticator=self._authenticate,
            tls_context=self._context if negotiated else None, require_starttls=negotiated, auth_require_tls=negotiated,
            # aiosmtpd calls it unsafe to require a sign-in where it does not see the encryption itself.
            auth_required=bool(self.user) and negotiated,
        )  # fmt: skip
        self._conversations.add(conversation)
        return conversation

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    async def _listen(self) -> None:
        context = self._context if self.implicit else None
        self._server = await self._loop.create_server(self._conversation, self.host, self.port, ssl=context)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        if self._server:
            self._server.close()
        self._server = None
        for conversation in list(self._conversations):
            with contextlib.suppress(AttributeError):
                conversation.transport.abort()
        running = asyncio.all_tasks() - {asyncio.current_task()}
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
