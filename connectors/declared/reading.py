"""Read a merchant's answers by the paths of its manifest, into what the contract knows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from urllib.parse import urljoin

from connectors import intangible
from connectors.contract import (
    DELIVERED,
    Access,
    BookLine,
    ContractBroken,
    Data,
    Delivery,
    Document,
    Done,
    Licence,
    Link,
    NotDone,
    Outcome,
    Pending,
    Suggestion,
    Unknown,
    Words,
)
from connectors.declared.manifest import Amounts, ItemsRequest, OrderTable
from connectors.declared.paths import Place, find, need, text, words
from connectors.merchants.answers import whole

UNITS = {"decimal": 100, "cents": 1}
RATES = {"percent": 100, "fraction": 10_000, "basis_points": 1}
AMOUNTS = ("net", "vat", "gross")
ASK_AGAIN_S = 5


def price(content: Any, places: Mapping[str, Place], amounts: Amounts) -> dict[str, Any]:
    """A price as the fields of `Offer` and `Quote`; with the rate, net or gross is enough. Raises `ContractBroken`."""
    rate = whole(need(content, path(places, "vat_rate")), RATES[amounts.rate])
    given = {
        name: whole(need(content, path(places, name)), UNITS[amounts.unit]) for name in AMOUNTS if name in places
    }  # fmt: skip
    if "net" in given:
        given.setdefault(
            "vat", given["gross"] - given["net"] if "gross" in given else _share(given["net"], rate, 10_000)
        )
        given.setdefault("gross", given["net"] + given["vat"])
    else:
        given.setdefault("vat", _share(given["gross"], rate, 10_000 + rate))
        given.setdefault("net", given["gross"] - given["vat"])
    currency = text(content, path(places, "currency")) if "currency" in places else "EUR"
    return {"vat_rate_bp": rate, "currency": currency.upper(), **{f"{name}_cents": given[name] for name in AMOUNTS}}


def sold_as(content: Any, places: Mapping[str, Place]) -> dict[str, Any]:
    """What the price is for, as the fields of `Offer`; the ids of packs stand in one text. Raises `ContractBroken`."""
    said = {
        name: text(content, path(places, name)) for name in ("pricing", "term", "units", "packs") if name in places
    }  # fmt: skip
    return {
        "pricing": said.get("pricing") or "act", "term": said.get("term", ""),
        "units": whole(said.get("units") or 0, 1), "packs": tuple(said.get("packs", "").replace(",", " ").split()),
    }  # fmt: skip


def suggestion(item: Any, asked: ItemsRequest) -> Suggestion:
    """One completion."""
    places = asked.map
    detail = text(item, path(places, "detail")) if "detail" in places else ""
    return Suggestion(text(item, path(places, "value")), text(item, path(places, "label")), detail)


def book_line(item: Any, asked: ItemsRequest, amounts: Amounts, states: Mapping[str, str]) -> BookLine:
    """One line of the merchant's own book. Raises `ContractBroken`."""
    places = asked.map
    said = text(item, path(places, "state"))
    return BookLine(
        reference=text(item, path(places, "reference")), key=text(item, path(places, "key")),
        gross_cents=whole(need(item, path(places, "gross")), UNITS[amounts.unit]),
        currency=text(item, path(places, "currency")).upper() if "currency" in places else "EUR",
        state=DELIVERED if states.get(said) == "done" else said, at=instant(item, path(places, "at")),
    )  # fmt: skip


def _share(cents: int, part: int, whole_of: int) -> int:
    return int((Decimal(cents) * part / whole_of).quantize(Decimal(1), rounding=ROUND_HALF_UP))


def path(places: Mapping[str, Place], name: str) -> str:
    """The one path of a field that is no text in several languages. Raises `ContractBroken` when none was given."""
    place = places.get(name)
    if not isinstance(place, str):
        raise ContractBroken(f"the manifest gives no path for {name}")
    return place


def instant(content: Any, where: str) -> datetime:
    """A time in ISO 8601, or seconds since 1970, in UTC. Raises `ContractBroken` for anything else."""
    given = need(content, where)
    try:
        if isinstance(given, int) and not isinstance(given, bool):
            return datetime.fromtimestamp(given, UTC)
        at = datetime.fromisoformat(str(given))
    except (ValueError, OverflowError, OSError) as error:
        raise ContractBroken(f"no time at {where!r}: {error}") from error
    # A date alone, or a time without a zone, is nobody's hour: UTC, as most interfaces mean it.
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def outcome(item: Any, order: OrderTable, amounts: Amounts, agreed_cents: int | None, base_url: str) -> Outcome:
    """What an order says; one that is shipped after all is a person's to decide.

    Args:
        agreed_cents: the price that was confirmed, for a merchant that does not repeat it.

    Raises:
        ContractBroken: it cannot be read, which is a doubt about the order and never a no.
    """
    return intangible.bought(_standing(item, order, amounts, agreed_cents, base_url), item)


def _standing(item: Any, order: OrderTable, amounts: Amounts, agreed_cents: int | None, base_url: str) -> Outcome:
    said = text(item, order.state) if order.state else ""
    meaning = order.states.get(said) if order.state else "done"
    ref = text(item, order.ref) if order.ref else ""
    if meaning == "pending":
        return _pending(item, order, ref)
    if meaning == "not_done":
        return NotDone(said, words(item, order.words) if order.words else {})
    if meaning is None:
        return Unknown(f"the merchant says {said!r}")
    charged = _number(need(item, order.charged), UNITS[amounts.unit], "charged") if order.charged else agreed_cents
    if charged is None:
        raise ContractBroken("the answer does not say what was charged, and [order] charged gives no path")
    return Done(delivery(item, order, base_url), charged, ref)


def _pending(item: Any, order: OrderTable, ref: str) -> Outcome:
    if not ref:
        raise ContractBroken("an order that is pending has no reference to ask for it again")
    after = _number(find(item, order.after) or ASK_AGAIN_S, 1, "after") if order.after else ASK_AGAIN_S
    percent = find(item, order.percent) if order.percent else None
    stage: Words = words(item, order.stage) if order.stage else {}
    return Pending(ref, after, stage, None if percent is None else int(_number(percent, 100, "percent") / 100))


def _number(given: Any, factor: int, name: str) -> int:
    """A number of an order. Raises `ContractBroken`, naming the key that leads to it."""
    try:
        return whole(given, factor)
    except ContractBroken as error:
        raise ContractBroken(f"[order] {name}: {error.detail}") from error


def delivery(item: Any, order: OrderTable, base_url: str) -> Delivery:
    """What an order brings. Raises `ContractBroken`."""
    kind = text(item, order.delivery["kind"])
    make = DELIVERIES.get(kind)
    if make is None:
        raise ContractBroken(f"a delivery of kind {kind!r}")
    return make(item, order, base_url)


def _document(item: Any, order: OrderTable, base_url: str) -> Delivery:
    url = urljoin(base_url + "/", str(need(item, _place(order, "url"))))
    name = _optional(item, order, "filename") or url.rpartition("/")[2]
    return Document(
        _optional(item, order, "media_type") or "application/pdf", url, name, _optional(item, order, "sha256")
    )


def _link(item: Any, order: OrderTable, _base_url: str) -> Delivery:
    ends = order.delivery.get("expires_at", "")
    return Link(str(need(item, _place(order, "url"))), instant(item, ends) if ends and find(item, ends) else None)


def _data(item: Any, order: OrderTable, _base_url: str) -> Delivery:
    rows = tuple((row.label, text(item, row.value)) for row in order.rows if text(item, row.value))
    if not rows:
        raise ContractBroken("the answer holds none of [order] rows")
    return Data(rows)


def _licence(item: Any, order: OrderTable, _base_url: str) -> Delivery:
    ends = order.delivery.get("until", "")
    return Licence(
        str(need(item, _place(order, "key"))), whole(_optional(item, order, "units") or 0, 1),
        instant(item, ends) if ends and find(item, ends) else None,
    )  # fmt: skip


def _access(item: Any, order: OrderTable, _base_url: str) -> Delivery:
    return Access(str(need(item, _place(order, "url"))), instant(item, _place(order, "until")))


def _place(order: OrderTable, name: str) -> str:
    if name not in order.delivery:
        raise ContractBroken(f"the manifest gives no path for delivery.{name}")
    return order.delivery[name]


def _optional(item: Any, order: OrderTable, name: str) -> str:
    return text(item, order.delivery[name]) if name in order.delivery else ""


DELIVERIES: dict[str, Callable[[Any, OrderTable, str], Delivery]] = {
    "document": _document, "link": _link, "data": _data, "licence": _licence, "access": _access,
}  # fmt: skip
