"""What sentences about rights need in the language of the page: names of merchants and offers, and scopes to choose."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session
from wtforms.fields.choices import SelectChoice

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


def scope_choices(known: Names) -> list[SelectChoice]:
    """Every scope on sale, under its heading, for a select."""
    with installation().database.reading() as session:
        categories = offers.categories(session)
        on_sale = session.execute(
            select(OfferRow.merchant, OfferRow.offer).where(OfferRow.removed_at.is_(None)).order_by(OfferRow.position)
        ).all()
    values = {
        "category": categories,
        "merchant": list(dict.fromkeys(row.merchant for row in on_sale)),
        "offer": [f"{row.merchant}/{row.offer}" for row in on_sale],
    }
    everything = SelectChoice("all", sentences.scope(Scope("all"), known))
    return [everything] + [
        SelectChoice(f"{kind}:{value}", known.of(Scope(kind, value)), optgroup=str(sentences.HEADINGS[kind]))
        for kind, each in values.items()
        for value in each
    ]
