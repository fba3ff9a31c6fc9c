"""A merchant's outcome as it is kept with the order, and read back after any restart."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from connectors import contract

DELIVERIES: dict[str, type[Any]] = {
    "document": contract.Document,
    "link": contract.Link,
    "data": contract.Data,
    "licence": contract.Licence,
    "access": contract.Access,
}
MOST_DATA, ROW = 300_000, 100
"""Characters of a table that a page can still be asked to show, and what a row takes whatever it says."""

ENDS = ("expires_at", "until")
FIRST_YEAR = 1
"""How machines write that nobody thought of an end; in another time zone it may be before every calendar."""


def to_json(done: contract.Done) -> dict[str, Any]:
    """A finished outcome as JSON; times are ISO 8601 in UTC."""
    content = dataclasses.asdict(done)
    for name, value in content["delivery"].items():
        if isinstance(value, datetime):
            content["delivery"][name] = value.isoformat()
    return content


def from_json(content: dict[str, Any]) -> contract.Done:
    """The finished outcome that was stored."""
    delivery = dict(content["delivery"])
    kind = DELIVERIES[delivery["kind"]]
    for name in ENDS:
        if delivery.get(name):
            delivery[name] = datetime.fromisoformat(delivery[name])
    if kind is contract.Data:
        delivery["rows"] = tuple((words, value) for words, value in delivery["rows"])
    return contract.Done(kind(**delivery), content["charged_cents"], content["order_ref"])


def holds_units(done: contract.Done, units: int) -> bool:
    """Whether what was delivered is the pack of so many units that was bought; a licence that counts none is taken at that word."""
    return isinstance(done.delivery, contract.Licence) and done.delivery.units in {0, units}


def licence_of(content: dict[str, Any]) -> contract.Licence:
    """The licence that was stored. Raises `ContractBroken` when it is none."""
    delivery = from_json(content).delivery
    if not isinstance(delivery, contract.Licence):
        raise contract.ContractBroken(f"a pack that came as {delivery.kind}")
    return delivery


def _size(data: contract.Data) -> int:
    """About how many characters its table takes on a page."""
    return sum(ROW + len(value) + max(map(len, words.values()), default=0) for words, value in data.rows)


def require_usable(done: contract.Done) -> None:
    """Whether an employee can do anything with what was delivered. Raises `ContractBroken`."""
    delivery = done.delivery
    if isinstance(delivery, contract.Data) and not delivery.rows:
        raise contract.ContractBroken("the delivery is empty")
    if isinstance(delivery, contract.Data) and _size(delivery) > MOST_DATA:
        raise contract.ContractBroken(
            f"data of {len(delivery.rows)} rows is more than a page: it is a document's to bring"
        )
    if isinstance(delivery, contract.Licence) and not delivery.key.strip():
        raise contract.ContractBroken("the delivery has no key")
    if isinstance(delivery, contract.Licence) and delivery.until and delivery.until.tzinfo is None:
        raise contract.ContractBroken("the end of the licence has no time zone")
    if isinstance(delivery, contract.Link | contract.Access) and not is_a_page(delivery.url):
        raise contract.ContractBroken(f"the delivery leads nowhere: {delivery.url[:100]!r}")
    for name in ENDS:
        until = getattr(delivery, name, None)
        if until is not None and until.tzinfo is None:
            raise contract.ContractBroken(f"the end of the delivery has no time zone: {until}")
        if until is not None and until.year == FIRST_YEAR:
            raise contract.ContractBroken(f"the end of the delivery is none: {until}")


def is_a_page(url: str) -> bool:
    """Whether an address is a page that an employee may be led to, and is the one that it looks like."""
    url = url.strip()
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    # As a reader takes it: before an @ anything may be called a host, and browsers read a backslash as a slash.
    if "@" in parts.netloc or "\\" in url or not url.isprintable() or " " in parts.netloc:
        return False
    here = parts.hostname in {"127.0.0.1", "localhost", "::1"}
    return bool(parts.hostname) and (parts.scheme == "https" or (parts.scheme == "http" and here))


def evidence_of(outcome: contract.Outcome | contract.NotFound) -> dict[str, Any]:
    """What is kept of an outcome in the order's history."""
    content: dict[str, Any] = {"outcome": type(outcome).__name__}
    if isinstance(outcome, contract.Done):
        content |= {"charged_cents": outcome.charged_cents, "ref": outcome.order_ref, "kind": outcome.delivery.kind}
    elif isinstance(outcome, contract.Pending):
        content |= {"ref": outcome.order_ref, "stage": dict(outcome.stage)}
    elif isinstance(outcome, contract.NotDone):
        content |= {"code": outcome.code}
    elif isinstance(outcome, contract.Unknown):
        content |= {"detail": outcome.detail[:500]}
    return content
