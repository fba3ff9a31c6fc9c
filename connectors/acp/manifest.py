"""What the protocol does not say of a merchant: who it is, where its feed lies, and what was agreed with it."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from pydantic import Field, field_validator

from connectors.contract import Input, Pricing
from connectors.declared.manifest import InputTable
from connectors.manifest import Auth, Capabilities, Manifest, Table
from connectors.terms import read_term

Kind = Literal["document", "link", "licence", "access"]
Percent = Decimal
BEARER = Auth(kind="header", header="Authorization", prefix="Bearer ", secrets=["api_key"])


class FeedTable(Table):
    """The catalogue: the address of a feed, and what no feed says of its offers.

    `prices` says whether the feed's prices hold VAT, whose rate (percent) it never gives. `categories` turns the
    feed's own categories into ours.
    """

    address: str = Field(pattern=r"^(/|https://)")
    language: str = Field("fr", pattern=r"^[a-z]{2}$")
    prices: Literal["gross", "net"] = "gross"
    vat_rate: Percent = Field(ge=0, le=100)
    vat_rates: dict[str, Percent] = Field(default_factory=dict)
    category: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")
    categories: dict[str, str] = Field(default_factory=dict)


class PaymentTable(Table):
    """How the merchant is paid: against a purchase order, at these terms; `buyer_email` is an address of the company's."""

    terms: Literal["immediate", "net_15", "net_30", "net_60", "net_90"] = "net_30"
    buyer_email: str = ""


class DeliveryTable(Table):
    """What offers bring: one kind, and those of another kind by their id. `media_type` is that of documents."""

    kind: Kind
    media_type: str = "application/pdf"
    offers: dict[str, Kind] = Field(default_factory=dict)


class TermTable(Table):
    """What is sold for a time, and for how long (ISO 8601): what the protocol has no word for."""

    pricing: Literal["duration", "subscription"] = "duration"
    term: str

    @field_validator("term")
    @classmethod
    def _bounded(cls, value: str) -> str:
        read_term(value)
        return value


class AcpManifest(Manifest):
    """A `connector.toml` whose merchant speaks the protocol: always signed in with a bearer key."""

    protocol: Literal["acp"]
    auth: Auth = BEARER
    capabilities: Capabilities = Capabilities(idempotent="key", asynchronous=True)
    feed: FeedTable
    payment: PaymentTable = PaymentTable()
    delivery: DeliveryTable
    input: list[InputTable] = Field(default_factory=list)
    terms: dict[str, TermTable] = Field(default_factory=dict)
    """By offer."""

    @field_validator("auth")
    @classmethod
    def _as_the_protocol_says(cls, value: Auth) -> Auth:
        if value != BEARER:
            raise ValueError("the protocol fixes how requests are signed in: leave this table out")
        return value

    @field_validator("input")
    @classmethod
    def _can_be_said(cls, value: list[InputTable]) -> list[InputTable]:
        if any(each.type == "file" for each in value):
            raise ValueError("the protocol has no field for a file: ask for something else")
        return value

    def inputs_of(self, offer: str) -> tuple[Input, ...]:
        """What one offer asks for, as agreed with the merchant."""
        return tuple(each.as_contract(suggest=False) for each in self.input if not each.offers or offer in each.offers)

    def kind_of(self, offer: str) -> Kind:
        """What one offer brings."""
        return self.delivery.offers.get(offer, self.delivery.kind)

    def sold_as(self, offer: str) -> tuple[Pricing, str]:
        """What one offer's price is for, and for how long."""
        found = self.terms.get(offer)
        return (found.pricing, found.term) if found else ("act", "")

    def vat_rate_bp(self, offer: str) -> int:
        """The rate agreed for one offer, in basis points."""
        return int(self.feed.vat_rates.get(offer, self.feed.vat_rate) * 100)
