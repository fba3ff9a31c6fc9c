"""The tables that describe a REST merchant in its `connector.toml`, checked as a whole before anything is sent."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from connectors.contract import Input
from connectors.declared.inputs import InputTable as InputTable
from connectors.declared.paths import Place
from connectors.declared.templates import TemplateError, names
from connectors.manifest import Manifest, Table

BUYER = frozenset({"buyer.company", "buyer.language", "buyer.cost_centre", "buyer.licence"})
ORDER = frozenset({"offer.id", "quote.ref", "key", "po", "max", "max_cents"})
MUST = {"lookup": "key", "status": "order"}
DELIVERY = {"document": ("url",), "link": ("url",), "licence": ("key",), "access": ("url", "until")}
KINDS = frozenset({"document", "link", "data", "licence", "access"})
OFFER_FIELDS = (
    {"id", "title", "summary", "category", "delivery", "vat_rate"},
    {"net", "vat", "gross", "currency", "delay", "keywords", "pricing", "term", "units", "packs"},
)
QUOTE_FIELDS = ({"vat_rate"}, {"net", "vat", "gross", "currency", "ref", "expires_at", "subject", "units"})
SUGGESTION_FIELDS = ({"value", "label"}, {"detail"})
BOOK_FIELDS = ({"reference", "key", "gross", "state", "at"}, {"currency"})
SIGNED_BY: Mapping[str, tuple[int, tuple[str, ...]]] = {
    "none": (0, ()), "header": (1, ()), "query": (1, ("parameter",)), "basic": (2, ()), "login_token": (1, ("path",)),
    "oauth2_client": (2, ("path",)),
}  # fmt: skip
"""How many secrets a way to sign in needs, and which keys of `[auth]`."""
ERRORS = re.compile(r"rejected|price_changed:[\w.-]*|not_found|wait")


class Request(Table):
    """What is sent: texts with `{names}`, each escaped for where it stands."""

    method: Literal["GET", "POST", "PUT", "PATCH"] = "GET"
    path: str = Field(pattern=r"^/[^?#]*$")
    query: dict[str, str] = Field(default_factory=dict)
    headers: dict[str, str] = Field(default_factory=dict)
    body: dict[str, Any] | None = None
    files: dict[str, str] = Field(default_factory=dict)
    """Inputs that are files, by the field of the form they are sent in; `body` is then the rest of that form."""
    at: str | None = None
    """Where the order stands in the answer, or in each item of a list; by default where `[order]` says."""
    errors: dict[str, str] = Field(default_factory=dict)
    """What a status means: `rejected`, `price_changed:PATH` to the new quote, `not_found` or `wait`."""

    @field_validator("errors")
    @classmethod
    def _known(cls, value: dict[str, str]) -> dict[str, str]:
        for status, meaning in value.items():
            if not re.fullmatch(r"[45]\d\d", status) or not ERRORS.fullmatch(meaning):
                raise ValueError(
                    f"{status} = {meaning!r}: write a status like 422 = “rejected”, “not_found”, “wait” or “price_changed:PATH”"
                )
        return value

    @model_validator(mode="after")
    def _is_a_form(self) -> Request:
        if self.files and any(not isinstance(value, str) for value in (self.body or {}).values()):
            raise ValueError("with files, body is a form: each of its values is one text")
        if self.files and self.method == "GET":
            raise ValueError("files are sent by POST or PUT: give the method")
        return self

    def wanted(self) -> Iterator[str]:
        """The names its texts want. Raises `TemplateError`."""
        yield from names([self.path, self.query, self.headers, self.body])


class Paging(Table):
    """How a long list goes on: `in` is the parameter of the query, `out` where the answer holds its next value."""

    kind: Literal["cursor", "page", "link"]
    into: str = Field("", alias="in")
    out: str = ""

    @model_validator(mode="after")
    def _complete(self) -> Paging:
        if (self.kind in {"cursor", "page"} and not self.into) or (self.kind in {"cursor", "link"} and not self.out):
            raise ValueError("a cursor needs in and out, a page needs in, a link needs out")
        return self


class ListRequest(Request):
    """`[list]`: the offers, asked for or, of a merchant that has no catalogue to ask, written down in `offers`."""

    path: str = Field("", pattern=r"^(/[^?#]*)?$")
    offers: list[dict[str, Any]] = Field(default_factory=list)
    items: str = ""
    paging: Paging | None = None
    map: dict[str, Place]

    @model_validator(mode="after")
    def _one_way(self) -> ListRequest:
        if bool(self.path) == bool(self.offers) or (self.offers and (self.items or self.paging)):
            raise ValueError("give path, where the offers are listed, or offers themselves: one of the two")
        return self


class QuoteRequest(Request):
    """`[quote]`; `valid_s` is how long a price binds that says no end of its own."""

    map: dict[str, Place]
    valid_s: int = Field(900, gt=0, le=3600)


class ItemsRequest(Request):
    """A request whose answer holds a list of what `map` or `[order]` reads."""

    items: str = ""
    key: str = ""
    """Of a look-up: where an order has the key it was made under, so that nobody else's is taken for it."""
    map: dict[str, Place] = Field(default_factory=dict)


class Row(Table):
    """One line of a delivery of data."""

    label: dict[str, str]
    value: str


class OrderTable(Table):
    """How an order is read, wherever it stands: `states` turns the merchant's words into ours.

    Without `state` an order that was answered is done. A word that is not in `states` is a doubt.
    """

    at: str = ""
    state: str = ""
    states: dict[str, Literal["done", "pending", "not_done"]] = Field(default_factory=dict)
    ref: str = ""
    charged: str = ""
    after: str = ""
    percent: str = ""
    stage: Place = ""
    words: Place = ""
    delivery: dict[str, str]
    rows: list[Row] = Field(default_factory=list)

    @model_validator(mode="after")
    def _complete(self) -> OrderTable:
        if bool(self.state) != bool(self.states):
            raise ValueError("state says where the word stands and states what each word means: give both or neither")
        written = self.delivery.get("kind", "")
        kind = written.removeprefix("=")
        if not kind or (written.startswith("=") and kind not in KINDS) or kind in KINDS - {written[1:]}:
            raise ValueError('delivery needs a kind: "=document", "=link", "=data", "=licence" or "=access"')
        if kind == "data" and not self.rows:
            raise ValueError("a delivery of data needs [[order.rows]]")
        missing = [name for name in DELIVERY.get(kind, ()) if name not in self.delivery]
        if missing:
            raise ValueError(f"a delivery of kind {kind} needs a path for {missing[0]}")
        return self


class Amounts(Table):
    """How the merchant writes money and rates: `12.50` or `1250`, `20`, `0.2` or `2000`."""

    unit: Literal["decimal", "cents"] = "decimal"
    rate: Literal["percent", "fraction", "basis_points"] = "percent"


class Refusal(Table):
    """Where an answer that refuses says why, and which input is at fault."""

    words: Place = ""
    field: str = ""


class DeclaredManifest(Manifest):
    """A `connector.toml` that is a whole connector."""

    input: list[InputTable] = Field(default_factory=list)
    amounts: Amounts = Amounts()
    refusal: Refusal = Refusal()
    listing: ListRequest = Field(alias="list")
    suggest: ItemsRequest | None = None
    quote: QuoteRequest
    order: OrderTable
    fulfil: Request
    lookup: ItemsRequest | None = None
    status: Request | None = None
    orders: ItemsRequest | None = None
    check: Request | None = None
    """Asked besides the catalogue when credentials are tried; nothing is bought by it."""

    @model_validator(mode="after")
    def _can_sign_in(self) -> DeclaredManifest:
        count, keys = SIGNED_BY[self.auth.kind]
        missing = [name for name in keys if not getattr(self.auth, name)]
        if missing:
            raise ValueError(f"[auth] {missing[0]} is missing: kind = “{self.auth.kind}” needs it")
        if len(self.auth.secrets) < count:
            given = ", ".join(self.auth.secrets) or "none"
            raise ValueError(f"[auth] secrets: kind = “{self.auth.kind}” needs {count}, and there is {given}")
        return self

    @model_validator(mode="after")
    def _names_are_known(self) -> DeclaredManifest:
        inputs = frozenset(name for each in self.input for name in each.names)
        known: Mapping[str, frozenset[str]] = {
            "list": frozenset(), "suggest": frozenset({"text", "offer.id"}), "quote": inputs | BUYER | {"offer.id"},
            "fulfil": inputs | ORDER, "lookup": frozenset({"key"}), "status": frozenset({"order"}),
            "orders": frozenset({"since", "since_date"}), "check": frozenset(),
        }  # fmt: skip
        for table, allowed in known.items():
            request: Request | None = getattr(self, "listing" if table == "list" else table)
            try:
                unknown = set(request.wanted()) - allowed - {"today"} if request else set()
            except TemplateError as error:
                raise ValueError(f"[{table}] {error}") from None
            if request and table in MUST and MUST[table] not in set(request.wanted()):
                raise ValueError(f"[{table}] never sends {{{MUST[table]}}}: the answer could be about any order")
            if unknown:
                may = ", ".join(f"{{{name}}}" for name in sorted(allowed)) or "nothing to fill in"
                raise ValueError(f"[{table}] {{{min(unknown)}}} is not known there; there is {may}")
        return self

    @model_validator(mode="after")
    def _files_are_inputs(self) -> DeclaredManifest:
        given = {f"{{input.{each.name}}}" for each in self.input if each.type == "file"}
        for table in ("listing", "suggest", "quote", "fulfil", "lookup", "status", "orders"):
            request: Request | None = getattr(self, table)
            may = given if table in {"quote", "fulfil"} else set()
            for name in request.files.values() if request else ():
                if name not in may:
                    raise ValueError(f"[{table}] files: {name!r} is no input of type file that can be sent there")
        return self

    @model_validator(mode="after")
    def _maps_are_whole(self) -> DeclaredManifest:
        _require(self.listing.map, "list", OFFER_FIELDS)
        _require(self.quote.map, "quote", QUOTE_FIELDS)
        for table, fields in (("suggest", SUGGESTION_FIELDS), ("orders", BOOK_FIELDS)):
            asked: ItemsRequest | None = getattr(self, table)
            if asked:
                _require(asked.map, table, fields)
        return self

    @model_validator(mode="after")
    def _doubts_can_be_resolved(self) -> DeclaredManifest:
        if self.capabilities.lookup_by_key != (self.lookup is not None):
            raise ValueError("capabilities.lookup_by_key and [lookup] go together: give both or neither")
        if (self.status is None) and "pending" in self.order.states.values():
            raise ValueError("[status] is missing: an order that is pending must be asked for again")
        if self.lookup and self.lookup.items and not self.lookup.key:
            raise ValueError("[lookup] key is missing: in a list, only its key tells whose an order is")
        if (self.lookup or self.status) and not self.order.charged:
            raise ValueError("[order] charged is missing: a look-up must say what was charged")
        if self.capabilities.idempotent not in {"none", "read"} and "key" not in set(self.fulfil.wanted()):
            raise ValueError(
                "[fulfil] never sends {key}, so a repeat could order twice: capabilities.idempotent is none"
            )
        return self

    def inputs_of(self, offer: str) -> tuple[Input, ...]:
        """What one offer asks for."""
        asked = [each for each in self.input if not each.offers or offer in each.offers]
        return tuple(
            each.as_contract(suggest=self.capabilities.suggest and index == 0) for index, each in enumerate(asked)
        )


def _require(places: Mapping[str, Place], table: str, fields: tuple[set[str], set[str]]) -> None:
    """Raises `ValueError` for a field that is missing, or that nobody reads."""
    needed, may = fields
    for name in sorted(set(places) - needed - may):
        raise ValueError(f"[{table}] map: {name} is no field; there are {', '.join(sorted(needed | may))}")
    for name in sorted(needed - set(places)):
        raise ValueError(f"[{table}] map: a path for {name} is missing")
    if "vat_rate" in needed and not {"net", "gross"} & set(places):
        raise ValueError(f"[{table}] map: a path for net or for gross is missing")
