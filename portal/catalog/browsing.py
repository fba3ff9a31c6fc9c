"""What one employee sees of the catalogue: offers he may browse, page by page, and whether he may buy each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, Select, and_, false, func, not_, or_, select
from sqlalchemy.orm import Session

from portal.catalog import facets, offers, search
from portal.catalog.facets import Counts, Kind
from portal.catalog.offers import OfferRow, within
from portal.rights.decision import Decision, Employee, decide
from portal.rights.rules import Rule, rules_for
from portal.rights.scopes import Wanted

PAGE = 60
LAST_PAGE = 500


@dataclass(frozen=True)
class Wish:
    """What was typed and chosen; pages count from 1."""

    text: str = ""
    category: str = ""
    merchant: str = ""
    delivery: str = ""
    page: int = 1


@dataclass(frozen=True)
class Card:
    """One offer as it stands in the catalogue."""

    offer: OfferRow
    buying: Decision


@dataclass(frozen=True)
class Shelf:
    """One page of what was wished for, and how many offers there are by category, merchant and delivery.

    `is_open` is false when no rule lets this employee see anything; each count is of what one would see by choosing that
    value, the other choices kept.
    """

    cards: list[Card]
    is_open: bool
    found: int = 0
    categories: dict[str, int] = field(default_factory=dict)
    merchants: dict[str, int] = field(default_factory=dict)
    deliveries: dict[str, int] = field(default_factory=dict)
    has_more: bool = False


def shelf(session: Session, employee: Employee, wish: Wish, closed: Collection[str] = ()) -> Shelf:
    """A page of the offers this employee may see that match what was typed, within what was chosen.

    Args:
        closed: merchants that sell nothing now, whose offers nobody is shown.
    """
    rules = rules_for(session, employee.group_keys)
    if not rules:
        return Shelf([], is_open=False)
    matched = search.matching(session, wish.text)
    counts = _counts_of_search(session, rules, matched) if matched is not None else _counts_of_all(session, rules)
    counts = facets.counted((kind, number) for kind, number in counts.items() if kind.merchant not in closed)
    first = (min(max(wish.page, 1), LAST_PAGE) - 1) * PAGE
    rows = list(session.scalars(_page(rules, matched, wish, closed).offset(first).limit(PAGE + 1)))
    return Shelf(
        [Card(row, decide(rules, "buy", row.wanted)) for row in rows[:PAGE]], is_open=True,
        found=sum(number for kind, number in counts.items() if _is_wished(kind, wish)),
        categories=_facet(counts, wish, "category"), merchants=_facet(counts, wish, "merchant"),
        deliveries=_facet(counts, wish, "delivery"), has_more=len(rows) > PAGE,
    )  # fmt: skip


def visible_offer(session: Session, employee: Employee, slug: str) -> OfferRow | None:
    """An offer on sale that this employee may see."""
    row = offers.find(session, slug)
    if row is None or not decide(rules_for(session, employee.group_keys), "browse", row.wanted).allowed:
        return None
    return row


def visible_by(rules: Iterable[Rule]) -> ColumnElement[bool]:
    """`decide(rules, "browse", …)` as a condition on offers."""
    speaking = [rule for rule in rules if rule.gives("browse")]
    allowed = [within(rule.scope) for rule in speaking if rule.effect == "allow"]
    denied = [within(rule.scope) for rule in speaking if rule.effect == "deny"]
    return and_(or_(false(), *allowed), not_(or_(false(), *denied)))


def _page(rules: list[Rule], matched: Select[int, int] | None, wish: Wish, closed: Collection[str]) -> Select[OfferRow]:
    query = select(OfferRow).where(OfferRow.removed_at.is_(None), visible_by(rules))
    query = query.where(OfferRow.merchant.not_in(closed)) if closed else query
    for column, chosen in (
        (OfferRow.category, wish.category),
        (OfferRow.merchant, wish.merchant),
        (OfferRow.delivery, wish.delivery),
    ):
        query = query.where(column == chosen) if chosen else query
    if matched is None:
        return query.order_by(OfferRow.position, OfferRow.id)
    found = matched.subquery()
    query = query.join(found, found.c.offer_id == OfferRow.id)
    return query.order_by(found.c.weight, OfferRow.position, OfferRow.id)


def _counts_of_search(session: Session, rules: list[Rule], matched: Select[int, int]) -> Counts:
    found = matched.subquery()
    by = (OfferRow.merchant, OfferRow.category, OfferRow.delivery)
    query = select(*by, func.count()).join(found, found.c.offer_id == OfferRow.id).where(OfferRow.removed_at.is_(None))
    rows = session.execute(query.where(visible_by(rules)).group_by(*by))
    return facets.counted((Kind(merchant, category, delivery), offers) for merchant, category, delivery, offers in rows)


def _counts_of_all(session: Session, rules: list[Rule]) -> Counts:
    """What was counted when the lists were read, corrected by the rules about single offers, which are few."""
    coarse = [rule for rule in rules if rule.scope.kind != "offer"]
    counts = facets.counted(
        (kind, offers) for kind, offers in facets.everything(session).items() if _sees(coarse, kind)
    )
    for scope in {rule.scope for rule in rules if rule.scope.kind == "offer"}:
        for row in offers.on_sale(session, scope):
            kind = Kind(row.merchant, row.category, row.delivery)
            counts[kind] += decide(rules, "browse", row.wanted).allowed - _sees(coarse, kind)
    return counts


def _sees(rules: list[Rule], kind: Kind) -> bool:
    return decide(rules, "browse", Wanted(kind.merchant, "", kind.category)).allowed


def _facet(counts: Counts, wish: Wish, by: str) -> dict[str, int]:
    found: Counter[str] = Counter()
    for kind, number in counts.items():
        if _is_wished(kind, wish, besides=by):
            found[getattr(kind, by)] += number
    chosen = {getattr(wish, by)} - {""}
    return {value: found[value] for value in sorted(chosen.union(found)) if found[value] or value in chosen}


def _is_wished(kind: Kind, wish: Wish, besides: str = "") -> bool:
    names = ("category", "merchant", "delivery")
    return all(name == besides or getattr(wish, name) in {"", getattr(kind, name)} for name in names)
