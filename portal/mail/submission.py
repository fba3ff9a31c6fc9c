"""Speaking to the company's mail server (RFC 6409): one mail, one connection, within one limit of time.

TLS is verified or nothing is said; a server that offers none gets neither password nor mail. When the server is down,
refuses the password or shows a wrong certificate, the answer says so, and for a while nobody asks it again: a worker
has more to do than to wait for mail.
"""

from __future__ import annotations

import contextlib
import re
import smtplib
import socket
import ssl
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property, lru_cache

from portal import clock
from portal.mail.config import MailSection

WHOLE_S = 50
"""For everything, so that the lease of the task (60 s) outlives it and nobody else sends the same mail meanwhile."""
ACCEPT_S = 40
"""For each answer once we are signed in: a server may look into a mail for long before it takes it."""
LEAVE_S = 1
REST = {"credentials": timedelta(minutes=5)} | dict.fromkeys(
    ("unreachable", "silent", "certificate", "tls", "no_tls", "turned_away"), timedelta(seconds=30)
)
"""How long the server is left alone. Each wrong password counts towards a lock-out, so that one waits longest."""
POSITIVE, CONTINUE, PERMANENT = 2, 334, 5


@dataclass(frozen=True)
class Taken:
    """The server has taken the mail upon itself."""

    answer: str


@dataclass(frozen=True)
class NotTaken:
    """It has not, or nobody knows. `answer` may name the recipient: it is kept, and never logged.

    `code`: unreachable, silent, cut, certificate, tls, no_tls, turned_away, credentials, no_sign_in, sender,
    recipient or content. `status`: the server's own numbers, like "550 5.1.1".
    """

    code: str
    final: bool = False
    status: str = ""
    answer: str = ""


Outcome = Taken | NotTaken


class _Failed(Exception):
    """The conversation cannot go on."""

    def __init__(self, outcome: NotTaken) -> None:
        super().__init__(outcome.code)
        self.outcome = outcome


class MailServer:
    """The server of one site; safe to use from several threads.

    Args:
        ca_files: added to the system's trust store.
    """

    def __init__(self, config: MailSection, ca_files: tuple[str, ...] = ()) -> None:
        self.config = config
        self._ca_files = ca_files
        self._resting: tuple[datetime, NotTaken] | None = None

    def submit(self, recipient: str, message: bytes) -> Outcome:
        """Hand one mail over; never raises for what a network or a server does."""
        resting = self._resting
        if resting and clock.now() < resting[0]:
            return resting[1]
        try:
            with self._signed_in() as client:
                return _handed_over(client, self.config.sender, recipient, message)
        except _Failed as failure:
            if failure.outcome.code in REST:
                self._resting = (clock.now() + REST[failure.outcome.code], failure.outcome)
            return failure.outcome

    def check(self) -> NotTaken | None:
        """Everything but a mail; None when all is well."""
        try:
            with self._signed_in() as client:
                _tried(client, self.config.sender)
        except _Failed as failure:
            return failure.outcome
        return None

    @contextmanager
    def _signed_in(self) -> Iterator[smtplib.SMTP]:
        started = time.monotonic()
        with _understood("greeting"):
            client = self._connected()
        left = max(0.0, WHOLE_S - (time.monotonic() - started))
        # A server that answers byte by byte outlasts every limit on one answer.
        end = threading.Timer(left, _cut, [client])
        end.daemon = True
        end.start()
        try:
            if self.config.security == "starttls":
                with _understood("starttls"):
                    client.starttls(context=self._context)
            with _understood("sign_in"):
                client.ehlo_or_helo_if_needed()
                if self.config.user:
                    _sign_in(client, self.config.user, self.config.password.get_secret_value())
            _limit(client, ACCEPT_S)
            yield client
        finally:
            end.cancel()
            _leave(client)

    def _connected(self) -> smtplib.SMTP:
        host, port, timeout = self.config.host, self.config.port, self.config.timeout
        if self.config.security == "tls":
            return smtplib.SMTP_SSL(host, port, _own_name(), timeout=timeout, context=self._context)
        return smtplib.SMTP(host, port, _own_name(), timeout=timeout)

    @cached_property
    def _context(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        for path in self._ca_files:
            context.load_verify_locations(path)
        return context


def _handed_over(client: smtplib.SMTP, sender: str, recipient: str, message: bytes) -> Taken:
    with _understood("sender"):
        size = [f"size={len(message)}"] if client.has_extn("size") else []
        _require_positive(client.mail(sender, size))
    with _understood("recipient"):
        _require_positive(client.rcpt(recipient))
    with _understood("content"):
        return Taken(_require_positive(client.data(message)))


def _tried(client: smtplib.SMTP, sender: str) -> None:
    """As far as the sender, and the recipient too, since many servers judge a sender only then."""
    with _understood("sender"):
        _require_positive(client.mail(sender))
        status, answer = client.rcpt(sender)
        # 5.7 is about who may send (RFC 3463); whether the sender's address receives anything is not asked.
        if re.match(rb"5\.7\.", answer):
            raise smtplib.SMTPResponseException(status, answer)
        _require_positive(client.rset())
        _require_positive(client.noop())


def _sign_in(client: smtplib.SMTP, user: str, password: str) -> None:
    """RFC 4616 in UTF-8, which `smtplib.login` cannot write, and one attempt where that one makes several."""
    offered = client.esmtp_features.get("auth", "").upper().split()
    if "PLAIN" in offered:
        answer = client.docmd("AUTH", f"PLAIN {_base64(f'{chr(0)}{user}{chr(0)}{password}')}")
    elif "LOGIN" in offered:
        answer = client.docmd("AUTH", f"LOGIN {_base64(user)}")
        if answer[0] == CONTINUE:
            answer = client.docmd(_base64(password))
    else:
        raise _Failed(NotTaken("no_sign_in"))
    _require_positive(answer)


def _base64(text: str) -> str:
    return b64encode(text.encode()).decode("ascii")


def _require_positive(answer: tuple[int, bytes]) -> str:
    status, words = answer
    if status // 100 != POSITIVE:
        raise smtplib.SMTPResponseException(status, words)
    return _readable(words)


STAGES = {"greeting": "turned_away", "starttls": "no_tls", "sign_in": "credentials"}
"""What an answer that is no yes means, where the stage has not already the name of it."""


@contextmanager
def _understood(stage: str) -> Iterator[None]:
    """Whatever goes wrong in this block becomes one of our codes."""
    try:
        yield
    except smtplib.SMTPResponseException as error:
        raise _Failed(_answered(STAGES.get(stage, stage), error)) from None
    except smtplib.SMTPNotSupportedError:
        raise _Failed(NotTaken("no_tls")) from None
    except smtplib.SMTPServerDisconnected as error:
        # It is raised while the socket's own error is handled.
        code = "silent" if isinstance(error.__context__, TimeoutError) else "cut"
        raise _Failed(NotTaken(code, answer=_readable(str(error)))) from None
    except ssl.SSLCertVerificationError as error:
        raise _Failed(NotTaken("certificate", answer=_readable(error.verify_message))) from None
    except ssl.SSLError as error:
        raise _Failed(NotTaken("tls", answer=_readable(error.reason or str(error)))) from None
    except TimeoutError:
        raise _Failed(NotTaken("silent")) from None
    except (OSError, UnicodeError) as error:
        detail = getattr(error, "strerror", None) or str(error)
        raise _Failed(NotTaken("unreachable", answer=_readable(detail))) from None


def _answered(code: str, error: smtplib.SMTPResponseException) -> NotTaken:
    answer = _readable(error.smtp_error)
    enhanced = re.match(r"[245]\.\d{1,3}\.\d{1,3}(?!\S)", answer)
    # Who we are and how we sign in is mended by an administrator; only the mail itself can be refused for good.
    final = code in {"recipient", "content"} and error.smtp_code // 100 == PERMANENT
    return NotTaken(code, final, f"{error.smtp_code} {enhanced[0]}" if enhanced else str(error.smtp_code), answer)


def _readable(words: bytes | str) -> str:
    text = words.decode("utf-8", "replace") if isinstance(words, bytes) else words
    return "".join(each if each.isprintable() else " " for each in text)[:400]


def _limit(client: smtplib.SMTP, seconds: float) -> None:
    if client.sock is not None:
        client.sock.settimeout(seconds)


def _cut(client: smtplib.SMTP) -> None:
    with contextlib.suppress(OSError, AttributeError):
        # Of the plain socket: that of TLS would first take away what the reading thread is using.
        socket.socket.shutdown(client.sock, socket.SHUT_RDWR)  # type: ignore[arg-type]


def _leave(client: smtplib.SMTP) -> None:
    with contextlib.suppress(smtplib.SMTPException, OSError):
        _limit(client, LEAVE_S)
        client.quit()
    client.close()


@lru_cache
def _own_name() -> str:
    """What we call ourselves; without a full name, the address (RFC 5321, section 4.1.4)."""
    name = socket.getfqdn()
    return name if "." in name else "[127.0.0.1]"
