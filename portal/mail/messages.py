"""Mails: stored in the transaction that has something to say, sent by the outbox once it is committed."""

from __future__ import annotations

import secrets
import unicodedata
from datetime import datetime, timedelta

from sqlalchemy import CheckConstraint, Index, String, Text, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from portal import clock, outbox
from portal.database import Base, State, UtcDateTime
from portal.mail.addresses import Recipient, Unmailable, is_one_line

KIND = "mail"
LONGEST_SUBJECT = 200

MOVES = {
    ("waiting", "taken"): "sent",
    ("waiting", "refused"): "refused",
    ("waiting", "too_late"): "given_up",
    ("waiting", "switched_off"): "unsent",
}
"""Every state a mail can leave, by what happened. `unsent`: no server is configured, so nobody was asked."""
STATES = ("waiting", "sent", "refused", "given_up", "unsent")
UNDELIVERED = ("refused", "given_up")


class Mail(Base):
    """One message to one person; `reason` is what a server said last, and may name its recipient."""

    __tablename__ = "mails"
    __table_args__ = (
        CheckConstraint(f"state IN ({', '.join(map(repr, STATES))})", "state_known"),
        CheckConstraint("(state = 'waiting') = (ended_at IS NULL)", "ended_once"),
        Index("ix_mails_state", "state", "ended_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(64), unique=True)
    message_id: Mapped[str] = mapped_column(String(320), default="")
    to_name: Mapped[str] = mapped_column(String(256))
    to_address: Mapped[str] = mapped_column(String(254))
    subject: Mapped[str] = mapped_column(String(LONGEST_SUBJECT))
    text: Mapped[str] = mapped_column(Text)
    language: Mapped[str] = mapped_column(String(8))
    state: Mapped[str] = mapped_column(State, default="waiting")
    code: Mapped[str] = mapped_column(String(32), default="")
    reason: Mapped[str] = mapped_column(String(500), default="")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


def post(session: Session, to: Recipient, subject: str, text: str, language: str) -> Mail:
    """Store a mail and the wish to send it, within the caller's transaction: both are kept, or neither.

    Args:
        subject: one line; what is beyond 200 characters is cut.
        text: plain text, its lines of any length; control characters are left out.
        language: `fr` or `en`, that of subject and text.

    Raises:
        Unmailable: the subject has a line break or a control character.
    """
    if not is_one_line(subject):
        raise Unmailable("the subject has a line break or a control character")
    mail = Mail(
        key=secrets.token_hex(16), to_name=to.name[:256], to_address=to.address, subject=_cut(subject),
        text=_printable(text), language=language, created_at=clock.now(),
    )  # fmt: skip
    session.add(mail)
    outbox.enqueue(session, KIND, mail.key)
    return mail


def move(mail: Mail, event: str, code: str = "", reason: str = "") -> None:
    """Bring a mail to its end. Raises `KeyError` when it has ended already."""
    mail.state = MOVES[mail.state, event]
    mail.code, mail.reason, mail.ended_at = code, reason[:500], clock.now()
    if mail.state in {"sent", "unsent"}:
        # Nobody needs it here any more, and it may be about people.
        mail.text = ""


def by_key(session: Session, key: str) -> Mail:
    """The mail a task of the outbox is about."""
    return session.scalars(select(Mail).where(Mail.key == key)).one()


def recent(session: Session, limit: int = 100) -> list[Mail]:
    """The latest mails, newest first."""
    return list(session.scalars(select(Mail).order_by(Mail.id.desc()).limit(limit)))


def undelivered(session: Session, since: timedelta) -> int:
    """How many mails were refused or given up within this time."""
    ended = select(func.count()).where(Mail.state.in_(UNDELIVERED), Mail.ended_at > clock.now() - since)
    return session.scalar(ended) or 0


def _cut(subject: str) -> str:
    return subject if len(subject) <= LONGEST_SUBJECT else subject[: LONGEST_SUBJECT - 1] + "…"


def _printable(text: str) -> str:
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(each for each in lines if each in "\n\t" or unicodedata.category(each) not in {"Cc", "Cs"})
