"""What one employee sees of the catalogue: offers he may browse, and whether he may buy each."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from portal.catalog import offers
from portal.catalog.offers import OfferRow
from portal.rights.decision import Decision, Employee, decide
from portal.rights.rules import rules_for


@dataclass(frozen=True)
class Card:
    """One offer as it stands in the catalogue."""

    offer: OfferRow
    buying: Decision


@dataclass(frozen=True)
class Shelf:
    """What the home page shows; `is_open` is false when no rule lets this employee see anything."""

    cards: list[Card]
    categories: list[str]
    is_open: bool


def shelf(session: Session, employee: Employee, text: str = "", category: str = "") -> Shelf:
    """Offers this employee may see that match what was typed, within a category if one is chosen."""
    rules = rules_for(session, employee.group_keys)
    visible = [row for row in offers.search(session, text) if decide(rules, "browse", row.wanted).allowed]
    cards = [Card(row, decide(rules, "buy", row.wanted)) for row in visible if category in {"", row.category}]
    return Shelf(cards, sorted({row.category for row in visible} | ({category} if category else set())), bool(rules))


def visible_offer(session: Session, employee: Employee, slug: str) -> OfferRow | None:
    """An offer on sale that this employee may see."""
    row = offers.find(session, slug)
    if row is None or not decide(rules_for(session, employee.group_keys), "browse", row.wanted).allowed:
        return None
    return row
