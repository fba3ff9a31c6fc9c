"""How many offers are on sale by merchant, category and kind of delivery, counted when a list was read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import String, delete, func, insert, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from portal.catalog.offers import OfferRow
from portal.database import Base


class ShelfCount(Base):
    """So many offers of one kind."""

    __tablename__ = "shelf_counts"

    merchant: Mapped[str] = mapped_column(String(64), primary_key=True)
    category: Mapped[str] = mapped_column(String(64), primary_key=True)
    delivery: Mapped[str] = mapped_column(String(16), primary_key=True)
    offers: Mapped[int]


@dataclass(frozen=True)
class Kind:
    """What offers are counted by."""

    merchant: str
    category: str
    delivery: str


Counts = Counter[Kind]


def count(session: Session, merchant: str) -> None:
    """Count a merchant's offers on sale anew."""
    session.execute(delete(ShelfCount).where(ShelfCount.merchant == merchant))
    by = (OfferRow.merchant, OfferRow.category, OfferRow.delivery)
    found = select(*by, func.count()).where(OfferRow.merchant == merchant, OfferRow.removed_at.is_(None)).group_by(*by)
    session.execute(insert(ShelfCount).from_select(["merchant", "category", "delivery", "offers"], found))


def on_sale(session: Session, merchant: str) -> int:
    """How many offers a merchant has on sale."""
    return session.scalar(select(func.sum(ShelfCount.offers)).where(ShelfCount.merchant == merchant)) or 0


def everything(session: Session) -> Counts:
    """Every offer on sale."""
    return counted(
        (Kind(row.merchant, row.category, row.delivery), row.offers) for row in session.scalars(select(ShelfCount))
    )


def counted(rows: Iterable[tuple[Kind, int]]) -> Counts:
    """Counts by kind."""
    found: Counts = Counter()
    for kind, offers in rows:
        found[kind] += offers
    return found
