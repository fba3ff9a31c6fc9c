"""What sentences about rights need in the language of the page: names of merchants and offers, and scopes to choose."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal import sentences
from portal.catalog import offers
from portal.catalog.offers import OfferRow
from portal.rights.scopes import Scope
from portal.sentences import Names
from portal.web import installation, language


def names() -> Names:
    """What merchants and offers are called."""
    with installation().database.reading() as session:
        return Names(*offers.names(session, language()))


def category_of(session: Session, scope: Scope) -> str:
    """The category of the offer a scope names; "" for every other scope."""
    if scope.kind != "offer":
        return ""
    merchant, _, offer = scope.value.partition("/")
    found = session.scalar(select(OfferRow.category).where(OfferRow.merchant == merchant, OfferRow.offer == offer))
    return found or ""


def scope_choices(known: Names) -> dict[str, list[tuple[str, str]]]:
    """Every scope on sale as `(value, words)`, by heading; for a select."""
    with installation().database.reading() as session:
        categories = offers.categories(session)
        on_sale = session.execute(
            select(OfferRow.merchant, OfferRow.offer).where(OfferRow.removed_at.is_(None)).order_by(OfferRow.position)
        ).all()
    merchants = dict.fromkeys(row.merchant for row in on_sale)

    def choices(kind: str, values: list[str]) -> list[tuple[str, str]]:
        return [(f"{kind}:{value}", known.of(Scope(kind, value))) for value in values]

    return {
        sentences.scope(Scope("all"), known): [("all", sentences.scope(Scope("all"), known))],
        str(sentences.HEADINGS["category"]): choices("category", categories),
        str(sentences.HEADINGS["merchant"]): choices("merchant", list(merchants)),
        str(sentences.HEADINGS["offer"]): choices("offer", [f"{row.merchant}/{row.offer}" for row in on_sale]),
    }
