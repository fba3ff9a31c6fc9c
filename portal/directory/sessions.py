"""Signed-in sessions, kept in the database so that signing out ends them wherever their cookie was copied."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta

from sqlalchemy import ForeignKey, String, select, update
from sqlalchemy.orm import Mapped, Session, joinedload, mapped_column, relationship

from portal import clock
from portal.database import Base, UtcDateTime
from portal.directory.accounts import Account

WORKING_DAY = timedelta(hours=10)
PROOF_LASTS = timedelta(minutes=10)
"""How long a password typed stands for the sensitive steps after it."""


class SignedSession(Base):
    """One browser in which a person is signed in. The cookie's token is stored only as its hash."""

    __tablename__ = "sessions"

    id: Mapped[int] = mapped_column(primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    proved_at: Mapped[datetime] = mapped_column(UtcDateTime)

    account: Mapped[Account] = relationship()


def open_session(session: Session, account: Account) -> str:
    """Sign a browser in for a working day; the returned token (43 characters) is for its cookie only."""
    token = secrets.token_urlsafe(32)
    started = clock.now()
    session.add(
        SignedSession(
            token_hash=_hash(token),
            account_id=account.id,
            created_at=started,
            expires_at=started + WORKING_DAY,
            proved_at=started,
        )
    )
    return token


def find_account(session: Session, token: str) -> Account | None:
    """Whose live session this is, if it is one."""
    found = session.scalar(
        select(SignedSession)
        .options(joinedload(SignedSession.account))
        .where(
            SignedSession.token_hash == _hash(token),
            SignedSession.ended_at.is_(None),
            SignedSession.expires_at > clock.now(),
        )
    )
    return found.account if found else None


def is_proved(session: Session, token: str) -> bool:
    """Whether the password was typed in this browser within the last ten minutes."""
    proved_at = session.scalar(select(SignedSession.proved_at).where(SignedSession.token_hash == _hash(token)))
    return proved_at is not None and abs(clock.now() - proved_at) < PROOF_LASTS


def prove(session: Session, token: str) -> None:
    """The password was typed again, and is right."""
    session.execute(update(SignedSession).where(SignedSession.token_hash == _hash(token)).values(proved_at=clock.now()))


def end_all(session: Session, account_id: int) -> None:
    """End every session of a person, in every browser."""
    session.execute(
        update(SignedSession)
        .where(SignedSession.account_id == account_id, SignedSession.ended_at.is_(None))
        .values(ended_at=clock.now())
    )


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
