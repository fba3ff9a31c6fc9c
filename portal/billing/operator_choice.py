"""Which operator an administrator has chosen, and which charges stand in the way of choosing another."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import CheckConstraint, String, case, func, or_, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from portal import clock
from portal.billing.charges import OPEN, Charge
from portal.database import Base, UtcDateTime


class OperatorChoice(Base):
    """The one choice there is; `profile` is "" once it was taken back, so that `portal.toml` decides again."""

    __tablename__ = "operator_choices"
    __table_args__ = (CheckConstraint("id = 1", "only_one"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    profile: Mapped[str] = mapped_column(String(64))
    chosen_by: Mapped[str] = mapped_column(String(200))
    chosen_at: Mapped[datetime] = mapped_column(UtcDateTime)


PROFILE = select(OperatorChoice.profile).scalar_subquery()
"""What was chosen, as part of a question for something else."""


@dataclass(frozen=True)
class Standing:
    """Charges that are open, refunds and disputes among them, at one operator; in cents, VAT included."""

    operator: str
    count: int
    cents: int


def read(session: Session) -> OperatorChoice | None:
    """What was chosen, as this transaction sees it; None when nothing is."""
    asked = select(OperatorChoice).where(OperatorChoice.profile != "")
    return session.scalar(asked.execution_options(populate_existing=True))


def write(session: Session, profile: str, actor: str) -> None:
    """Keep a choice; the caller has the lock under which choices are made."""
    session.merge(OperatorChoice(id=1, profile=profile, chosen_by=actor, chosen_at=clock.now()))


def standing(session: Session, in_force: str) -> list[Standing]:
    """The open charges of each operator, the most first; one that was not sent to any counts for the one in force."""
    whose = case((Charge.operator == "", in_force), else_=Charge.operator).label("whose")
    query = select(whose, func.count(), func.sum(Charge.amount_cents)).where(Charge.state.in_(OPEN))
    rows = session.execute(query.group_by("whose").order_by(func.count().desc(), "whose"))
    return [Standing(*row) for row in rows]


def elsewhere(session: Session, identity: str) -> list[Standing]:
    """The open charges that an operator in force has never heard of, because another was asked to reserve them."""
    return [each for each in standing(session, identity) if each.operator != identity]


def remember(session: Session, identity: str) -> None:
    """Charges made before each noted its operator were the one's in force: note it before another is."""
    sent = or_(Charge.operator_ref != "", Charge.sent_at.is_not(None))
    noted = update(Charge).where(Charge.operator == "", sent).values(operator=identity)
    session.execute(noted.execution_options(synchronize_session=False))
