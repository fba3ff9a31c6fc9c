"""A stored mail as the bytes that travel (RFC 5322, RFC 2047): the same bytes however often it is sent."""

from __future__ import annotations

from email import policy
from email.charset import QP, Charset
from email.header import Header
from email.message import Message
from email.utils import format_datetime, quote

from portal.mail.messages import Mail

SENDER_NAME = "Guichet"
UTF8 = Charset("utf-8")
UTF8.body_encoding = QP
POLICY = policy.compat32.clone(linesep="\r\n", max_line_length=78)


def message_id(mail: Mail, sender: str) -> str:
    """A name for the mail that nobody else gives to another (RFC 5322, section 3.6.4)."""
    return f"<{mail.key}@{sender.rpartition('@')[2]}>"


def composed(mail: Mail, sender: str) -> bytes:
    """The whole message. Its date is that of its storing, so that a repeat is the same message.

    `Header` makes the encoded words, not `email.policy.SMTP`: in Python releases before 2025 that one may lose the
    quotes or the encoding of a long name when it folds it, so that a comma in it makes two recipients
    (https://github.com/python/cpython/issues/80222 and 121284).
    """
    message: Message[Header | str, Header | str] = Message(POLICY)
    message["From"] = _mailbox(SENDER_NAME, sender, "From")
    message["To"] = _mailbox(mail.to_name, mail.to_address, "To")
    message["Subject"] = _words(mail.subject, "Subject")
    message["Date"] = format_datetime(mail.created_at)
    message["Message-ID"] = mail.message_id
    message["Auto-Submitted"] = "auto-generated"
    message["Content-Language"] = mail.language
    message["MIME-Version"] = "1.0"
    message.set_payload(mail.text, UTF8)
    return message.as_bytes(policy=POLICY)


def _words(text: str, header: str) -> Header:
    return Header(text, None if _is_plain(text) else "utf-8", header_name=header)


def _mailbox(name: str, address: str, header: str) -> Header | str:
    if not name:
        return address
    if _is_plain(name):
        return f'"{quote(name)}" <{address}>'
    mailbox = Header(name, "utf-8", header_name=header)
    mailbox.append(f"<{address}>", "us-ascii")
    return mailbox


def _is_plain(text: str) -> bool:
    """ASCII that nobody would take for an encoded word."""
    return text.isascii() and "=?" not in text
