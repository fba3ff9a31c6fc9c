"""What one employee sees of the catalogue: offers he may browse, page by page, and whether he may buy each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, false, func, not_, null, or_, select, union_all
from sqlalchemy.orm import Session

from portal.catalog import facets, offers, search
from portal.catalog.facets import Counts, Kind
from portal.catalog.offers import OfferRow, within
from portal.rights.decision import Decision, Employee, decide
from portal.rights.rules import Rule, rules_for
from portal.rights.scopes import Wanted

PAGE = 60
LAST_PAGE = 500
CHOICES = ("category", "merchant", "delivery")


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
    first = (min(max(wish.page, 1), LAST_PAGE) - 1) * PAGE
    if matched is not None:
        counts, rows = _searched(session, rules, matched, wish, first, closed)
    else:
        counts, rows = _counts_of_all(session, rules), list(session.scalars(_page(rules, wish, first, closed)))
    counts = facets.counted((kind, number) for kind, number in counts.items() if kind.merchant not in closed)
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


def _page(rules: list[Rule], wish: Wish, first: int, closed: Collection[str]) -> Select[OfferRow]:
    query = select(OfferRow).where(OfferRow.removed_at.is_(None), visible_by(rules), *_chosen(OfferRow, wish, closed))
    return query.order_by(OfferRow.position, OfferRow.id).offset(first).limit(PAGE + 1)


def _chosen(offers: Any, wish: Wish, closed: Collection[str]) -> list[ColumnElement[bool]]:
    """What was chosen of merchants that sell now, as conditions on offers or on what holds their columns."""
    chosen = [getattr(offers, name) == getattr(wish, name) for name in CHOICES if getattr(wish, name)]
    return [*chosen, offers.merchant.not_in(closed)] if closed else chosen


def _searched(
    session: Session, rules: list[Rule], matched: Select[int, int], wish: Wish, first: int, closed: Collection[str]
) -> tuple[Counts, list[OfferRow]]:
    """Counts and page of a search by one statement: what it costs is the finding, so things are found once."""
    hits = matched.subquery()
    by = (OfferRow.merchant, OfferRow.category, OfferRow.delivery)
    found = (
        select(OfferRow.id, OfferRow.position, hits.c.weight, *by).join(hits, hits.c.offer_id == OfferRow.id)
        .where(OfferRow.removed_at.is_(None), visible_by(rules)).cte("found")
    )  # fmt: skip
    kinds = [found.c[column.key] for column in by]
    order = (found.c.weight, found.c.position, found.c.id)
    page = (
        select(*order).where(*_chosen(found.c, wish, closed)).order_by(*order).offset(first).limit(PAGE + 1).subquery()
    )
    counted = select(*kinds, func.count().label("offers"), null(), null(), null()).group_by(*kinds)
    shown = select(null(), null(), null(), null(), page.c.weight, page.c.position, page.c.id)
    counts, places = [], []
    for merchant, category, delivery, offers_of_kind, *place in session.execute(union_all(counted, shown)):
        if merchant is None:
            places.append(tuple(place))
        else:
            counts.append((Kind(merchant, category, delivery), offers_of_kind))
    numbers = [place[-1] for place in sorted(places)]
    rows = {row.id: row for row in session.scalars(select(OfferRow).where(OfferRow.id.in_(numbers)))}
    return facets.counted(counts), [rows[number] for number in numbers]


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
    return all(name == besides or getattr(wish, name) in {"", getattr(kind, name)} for name in CHOICES)
