"""How often a password may be tried: fewer times than the directory itself locks an account out.

Failures are counted in the database, by login and by address, so that all processes share the count.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import String, delete, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from portal import clock
from portal.database import Base, UtcDateTime
from portal.directory.accounts import fold_login

WINDOW = timedelta(minutes=15)
FAILURES_PER_ADDRESS = 40


class SignInFailure(Base):
    """One refused sign-in."""

    __tablename__ = "sign_in_failures"

    id: Mapped[int] = mapped_column(primary_key=True)
    login: Mapped[str] = mapped_column(String(256), index=True)
    address: Mapped[str] = mapped_column(String(64), index=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


def failures(session: Session, login: str, address: str) -> tuple[int, int]:
    """How many refusals lately, of this login and of this address."""
    at = clock.now()
    by_login, by_address = session.execute(
        select(
            func.count().filter(SignInFailure.login == fold_login(login)),
            func.count().filter(SignInFailure.address == address),
        ).where(SignInFailure.at > at - WINDOW, SignInFailure.at < at + WINDOW)
    ).one()
    return int(by_login), int(by_address)


def count_failure(session: Session, login: str, address: str) -> None:
    """Remember a refusal, and forget those too old to count."""
    session.execute(delete(SignInFailure).where(SignInFailure.at < clock.now() - 4 * WINDOW))
    session.add(SignInFailure(login=fold_login(login), address=address, at=clock.now()))


def forget_failures(session: Session, login: str) -> None:
    """A right password clears the count of its login."""
    session.execute(delete(SignInFailure).where(SignInFailure.login == fold_login(login)))
