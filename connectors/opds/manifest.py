"""What OPDS does not say of a publisher: who it is, its VAT, where one publication is read again, and what was agreed."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Literal
from urllib.parse import quote as escaped
from urllib.parse import unquote

from pydantic import Field, field_validator, model_validator

from connectors.manifest import Auth, Capabilities, Manifest, Table

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
KEPT = re.compile(r"[A-Za-z0-9.-]")
ESCAPES = re.compile(r"(?:_[0-9A-F]{2})+")
SEGMENT = ":@!$&'()*+,;=~"
"""What stands unescaped in a segment of a path (RFC 3986, 3.3)."""
SECRETS = {"none": 0, "basic": 2, "oauth2_client": 2}
HEADER = r"^[A-Za-z][A-Za-z0-9-]{1,40}$"
NONE = Auth(kind="none")


class CatalogueTable(Table):
    """Where the catalogue begins, where one publication stands, and what no feed says of it.

    `publication` is the address of `self` links, with `{id}` in place of what tells them apart. Prices hold VAT, whose
    rate (percent) the feed never gives; `vat_rates` has others by category of ours. `categories` turns subjects, by code or name,
    and types (`@type`) into ours. `subscription` is how long the price of a `subscribe` link is for, as an ISO 8601
    duration; without it none is sold.
    """

    address: str = Field(pattern=r"^(/|https://)")
    publication: str = Field(pattern=r"^(/|https://)[^{}]*\{id\}[^{}]*$")
    language: str = Field("fr", pattern=r"^[a-z]{2}$")
    vat_rate: Decimal = Field(ge=0, le=100)
    vat_rates: dict[str, Decimal] = Field(default_factory=dict)
    category: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")
    categories: dict[str, str] = Field(default_factory=dict)
    subscription: str = Field("", pattern=r"^(P(\d+[YMWD])+|PT\d+H)?$")


class PurchaseTable(Table):
    """That buying by a reference was agreed, and how; without this table only what is free is listed.

    The three names are headers: our reference, our order number, and the most that may be charged (`12.50 EUR`). `binds_s` is how long
    a price that was read is kept, in seconds. `shelf` replaces the address that the feeds or the authentication document give.
    """

    reference: str = Field("Client-Reference", pattern=HEADER)
    order: str = Field("Client-Order", pattern=HEADER)
    maximum: str = Field("Maximum-Price", pattern=HEADER)
    binds_s: int = Field(600, ge=60, le=3600)
    shelf: str = Field("", pattern=r"^(/.*|https://.*)?$")


class OpdsManifest(Manifest):
    """A `connector.toml` whose publisher speaks OPDS 2.0."""

    protocol: Literal["opds"]
    auth: Auth = NONE
    capabilities: Capabilities = Capabilities(idempotent="client_reference", asynchronous=True)
    catalogue: CatalogueTable
    purchase: PurchaseTable | None = None

    @field_validator("auth")
    @classmethod
    def _as_opds_signs_in(cls, value: Auth) -> Auth:
        if value.kind not in SECRETS:
            raise ValueError('OPDS signs in by "none", "basic" or "oauth2_client"')
        if len(value.secrets) != SECRETS[value.kind]:
            raise ValueError(
                f'"{value.kind}" needs {SECRETS[value.kind]} secrets, in this order: who, and the password'
            )
        return value

    @model_validator(mode="after")
    def _can_be_bought(self) -> OpdsManifest:
        if self.purchase and self.auth.kind == "none":
            raise ValueError("nobody sells to whoever does not sign in: give [auth], or leave [purchase] out")
        if self.capabilities.idempotent != "client_reference":
            raise ValueError("[purchase] is the promise that a reference buys once: leave [capabilities] out")
        return self

    def vat_rate_bp(self, category: str) -> int:
        """The rate agreed for a category of ours, in basis points."""
        return int(self.catalogue.vat_rates.get(category, self.catalogue.vat_rate) * 100)


def name_in(template: str, url: str) -> str:
    """The offer that a `self` link is of: what stands in place of `{id}`, made of the signs an offer's id may have.

    "" when the address is none of that template, or when what is there is too long for an id.
    """
    before, _, after = template.partition("{id}")
    found = re.fullmatch(f"{re.escape(before)}([^/?#&]+){re.escape(after)}", url)
    raw = unquote(found[1]) if found else ""
    if "/" in raw or not raw.isprintable():
        return ""
    made = "".join(sign if KEPT.fullmatch(sign) else "".join(f"_{byte:02X}" for byte in sign.encode()) for sign in raw)
    return made if NAME.fullmatch(made) else ""


def address_of(template: str, name: str) -> str:
    """The `self` link of an offer; "" for what `name_in` never makes."""
    try:
        raw = ESCAPES.sub(lambda found: bytes.fromhex(found[0].replace("_", "")).decode(), name)
    except ValueError:
        return ""
    url = template.replace("{id}", escaped(raw, safe=SEGMENT))
    return url if name and name_in(template, url) == name else ""
