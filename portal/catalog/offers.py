"""Offers as the portal keeps them, and how they are found.

Prices here are indicative: what a purchase costs is the merchant's quote.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    CheckConstraint,
    ColumnElement,
    Index,
    String,
    Text,
    UniqueConstraint,
    and_,
    func,
    or_,
    select,
    true,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from connectors import contract
from portal.database import Base, UtcDateTime
from portal.languages import in_language
from portal.rights.ceilings import Price
from portal.rights.scopes import Scope, Wanted

EVERYTHING = Scope("all")

MOST_UNITS = 1_000_000
"""A pack of more is a mistake; every database has integers for so many."""


class OfferRow(Base):
    """One offer of one merchant, as its connector last listed it."""

    __tablename__ = "offers"
    __table_args__ = (
        UniqueConstraint("merchant", "offer"),
        Index("ix_offers_in_order", "removed_at", "position", "id"),
        CheckConstraint("net_cents + vat_cents = gross_cents", "price_adds_up"),
        CheckConstraint("gross_cents >= 0", "price_not_negative"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(String(200), unique=True)
    merchant: Mapped[str] = mapped_column(String(64), index=True)
    offer: Mapped[str] = mapped_column(String(128))
    merchant_name: Mapped[str] = mapped_column(String(200))
    sandbox: Mapped[bool]
    category: Mapped[str] = mapped_column(String(64), index=True)
    title: Mapped[dict[str, str]] = mapped_column(JSON)
    summary: Mapped[dict[str, str]] = mapped_column(JSON)
    delay: Mapped[dict[str, str]] = mapped_column(JSON)
    inputs: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    delivery: Mapped[str] = mapped_column(String(16))
    net_cents: Mapped[int]
    vat_rate_bp: Mapped[int]
    vat_cents: Mapped[int]
    gross_cents: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    pricing: Mapped[str] = mapped_column(String(16), default="act")
    term: Mapped[str] = mapped_column(String(16), default="")
    units: Mapped[int] = mapped_column(default=0)
    packs: Mapped[list[str]] = mapped_column(JSON, default=list)
    search_text: Mapped[str] = mapped_column(Text)
    """What it is found by: on the first line where it is named, on the second where it is described."""
    position: Mapped[int]
    run: Mapped[int] = mapped_column(default=0)
    """The synchronisation that last listed it."""
    synced_at: Mapped[datetime] = mapped_column(UtcDateTime)
    removed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    held_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """Since when it is not on sale for want of an administrator's word (`portal/catalog/consent.py`)."""

    @property
    def wanted(self) -> Wanted:
        """The offer as rights see it."""
        return Wanted(self.merchant, self.offer, self.category)

    @property
    def price(self) -> Price:
        """The indicative price as ceilings count it."""
        return Price(self.net_cents, self.gross_cents)

    @property
    def is_complete(self) -> bool:
        """Whether it can be priced before anything was typed: what is asked is optional, or begins with a choice made."""
        return all(item["choices"] or not item["required"] for item in self.inputs)

    @property
    def fields(self) -> list[contract.Input]:
        """The inputs the employee is asked for."""
        return [
            contract.Input(
                **{
                    **item,
                    "choices": tuple((value, words) for value, words in item["choices"]),
                    "accept": tuple(item.get("accept", ())),
                }
            )
            for item in self.inputs
        ]


def slug_of(merchant: str, offer: str) -> str:
    """An offer's address; dashes of the merchant's name are doubled, so that no two offers have the same."""
    return f"{merchant.replace('-', '--')}-{offer}"


def store(
    row: OfferRow | None,
    merchant: str,
    merchant_name: str,
    sandbox: bool,
    offer: contract.Offer,
    position: int,
    at: datetime,
) -> OfferRow:
    """A row holding what a connector listed."""
    row = row or OfferRow(merchant=merchant, offer=offer.id, slug=slug_of(merchant, offer.id))
    row.merchant_name, row.sandbox, row.position = merchant_name, sandbox, position
    row.category, row.delivery, row.currency = offer.category, offer.delivery, offer.currency
    row.title, row.summary, row.delay = dict(offer.title), dict(offer.summary), dict(offer.delay)
    row.inputs = [dataclasses.asdict(item) for item in offer.inputs]
    row.net_cents, row.vat_rate_bp = offer.net_cents, offer.vat_rate_bp
    row.vat_cents, row.gross_cents = offer.vat_cents, offer.gross_cents
    row.pricing, row.term, row.units, row.packs = offer.pricing, offer.term, offer.units, list(offer.packs)
    named = [*offer.title.values(), offer.keywords, offer.category, merchant_name]
    row.search_text = "\n".join(" ".join(" ".join(texts).split()) for texts in (named, offer.summary.values()))
    row.synced_at, row.removed_at = at, None
    return row


def on_sale(session: Session, scope: Scope = EVERYTHING, limit: int | None = None) -> list[OfferRow]:
    """What is on sale within a scope, in catalogue order."""
    query = select(OfferRow).where(OfferRow.removed_at.is_(None), within(scope))
    return list(session.scalars(query.order_by(OfferRow.position, OfferRow.id).limit(limit)))


def within(scope: Scope) -> ColumnElement[bool]:
    """`Scope.covers` as a condition on offers."""
    if scope.kind == "category":
        return OfferRow.category == scope.value
    if scope.kind == "merchant":
        return OfferRow.merchant == scope.value
    if scope.kind == "offer":
        merchant, _, offer = scope.value.partition("/")
        return and_(OfferRow.merchant == merchant, OfferRow.offer == offer)
    return true()


def categories(session: Session) -> list[str]:
    """The categories in which something is on sale."""
    query = select(OfferRow.category).where(OfferRow.removed_at.is_(None)).distinct().order_by(OfferRow.category)
    return list(session.scalars(query))


def names(session: Session, language: str) -> tuple[dict[str, str], dict[str, str]]:
    """What merchants are called, by their key, and offers, by `merchant/offer`; also those no longer on sale."""
    merchants, offers = {}, {}
    query = select(OfferRow.merchant, OfferRow.offer, OfferRow.merchant_name, OfferRow.title)
    for merchant, offer, merchant_name, title in session.execute(query):
        merchants[merchant] = merchant_name
        offers[f"{merchant}/{offer}"] = in_language(title, language)
    return merchants, offers


def merchant_names(session: Session, keys: Iterable[str]) -> dict[str, str]:
    """What these merchants are called, by their key."""
    first = select(func.min(OfferRow.id)).where(OfferRow.merchant.in_(list(keys))).group_by(OfferRow.merchant)
    rows = session.execute(select(OfferRow.merchant, OfferRow.merchant_name).where(OfferRow.id.in_(first)))
    return {row.merchant: row.merchant_name for row in rows}


def find(session: Session, slug: str) -> OfferRow | None:
    """An offer on sale, or on hold, by its address."""
    there = or_(OfferRow.removed_at.is_(None), OfferRow.held_at.is_not(None))
    return session.scalar(select(OfferRow).where(OfferRow.slug == slug, there))
