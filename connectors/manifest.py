"""The manifest of a merchant connector: `connector.toml`, checked before anything else is believed."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Literal, Protocol, get_args
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails
from stdnum.fr import siren as siren_number
from stdnum.fr import tva

from connectors.contract import CONTRACT_VERSION


class ManifestError(Exception):
    """A manifest that cannot be used; the message names the file, the key and what is wrong."""


class Source(Protocol):
    """Where a manifest is read from, a file for instance; its text as a string names it in messages."""

    def read_text(self, encoding: str) -> str:
        """All of it. Raises `OSError`."""


@dataclass(frozen=True)
class SiteText:
    """A manifest that stands in no file."""

    text: str

    def read_text(self, encoding: str) -> str:
        """All of it."""
        return self.text

    def __str__(self) -> str:
        return "connector.toml"


class Table(BaseModel):
    """A table of the manifest: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Merchant(Table):
    """Who sells, as shown before the purchase and on every receipt."""

    name: str = Field(min_length=1)
    siren: str = ""
    vat: str = ""
    country: str = Field("FR", pattern=r"^[A-Z]{2}$")
    terms_url: str = Field(pattern=r"^https://")
    terms_version: str = Field("", max_length=100)
    """The version of those terms, as the merchant names it; kept with each order."""
    privacy_url: str = Field(pattern=r"^https://")
    support: str = Field(min_length=3)
    intangible_only: Literal[True]

    @field_validator("siren")
    @classmethod
    def _siren(cls, value: str) -> str:
        if value and not siren_number.is_valid(value):
            raise ValueError("this SIREN fails its check")
        return value

    @model_validator(mode="after")
    def _same_company(self) -> Merchant:
        if self.country == "FR" and self.vat and (not tva.is_valid(self.vat) or self.vat[-9:] != self.siren):
            raise ValueError("the VAT number is not valid, or is not this SIREN's")
        return self


class NetworkTable(Table):
    """Where the connector may go; sizes in bytes, times in seconds."""

    base_url: str = Field(pattern=r"^https://")
    hosts: list[str] = Field(min_length=1)
    sandbox_hosts: list[str] = []
    """The merchant's own test system: contacted when `base_url` is set to one of them, and shown as a demonstration."""
    timeout: dict[Literal["connect", "read", "total"], float] = {}
    max_body: int = Field(20_000_000, gt=0, le=200_000_000)

    @model_validator(mode="after")
    def _may_go_there(self) -> NetworkTable:
        host = urlsplit(self.base_url).netloc
        if host not in self.hosts:
            raise ValueError(f"hosts must name {host}, where base_url is")
        return self


class Auth(Table):
    """How requests are signed in; `secret` names entries of the configuration, never values."""

    kind: Literal["none", "header", "query", "basic", "login_token", "oauth2_client"]
    header: str = ""
    prefix: str = ""
    parameter: str = ""
    path: str = ""
    token: str = "access_token"  # noqa: S105 - where the answer has it
    secrets: list[str] = []


class Capabilities(Table):
    """What the merchant can do. `idempotent = "none"` means that nothing is ever repeated automatically.

    `read` is for what costs nothing and orders nothing: an answer that is lost is asked for again.
    """

    lookup_by_key: bool = True
    idempotent: Literal["key", "client_reference", "read", "none"] = "none"
    asynchronous: bool = False
    suggest: bool = False
    days: int = Field(default=3, ge=1, le=60)
    """How long an order may be under way before an administrator looks at it."""


class Manifest(Table):
    """One `connector.toml`."""

    contract: Literal[1]
    id: str = Field(pattern=r"^[a-z0-9-]+$")
    version: str = Field(pattern=r"^\d+\.\d+\.\d+$")
    sandbox: bool = False
    merchant: Merchant
    network: NetworkTable
    auth: Auth
    capabilities: Capabilities = Capabilities()
    settings: dict[str, str] = {}
    """What a site may say instead, in its own `settings`: each with the value it has otherwise."""


def read_manifest(path: Source, kind: type[Manifest] = Manifest) -> Manifest:
    """Read and check a manifest; `kind` says which tables it may have.

    Raises:
        ManifestError: naming the file, the key and what to do.
    """
    try:
        return kind.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        faults = "; ".join(_fault(each, kind) for each in error.errors())
        raise ManifestError(f"{path}: {faults} (contract version {CONTRACT_VERSION})") from error
    except (OSError, ValueError) as error:
        raise ManifestError(f"{path}: {error}") from error


def tables_of(path: Source) -> dict[str, Any]:
    """What a manifest says before it is checked; nothing when it cannot be read."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def protocol_of(path: Source) -> str:
    """The protocol a manifest names, "" when it names none or cannot be read."""
    return str(tables_of(path).get("protocol", ""))


SHAPES = {
    r"^\d+\.\d+\.\d+$": "write three numbers, like 1.0.0",
    "^[a-z0-9-]+$": "write small letters, digits and dashes alone",
    "^https://": "write a whole address that begins with https://",
    "^/[^?#]*$": "write a path that begins with / and has neither host nor query: they go into base_url and query",
    "^(/[^?#]*)?$": "write a path that begins with / and has neither host nor query: they go into base_url and query",
    "^[a-z][a-z0-9_]{0,39}$": "write small letters, digits and _, and begin with a letter",
}
"""What a pattern wants, for whoever reads none."""


def _fault(found: ErrorDetails, kind: type[BaseModel]) -> str:
    """One thing that is wrong, by its key."""
    key = "".join(f" (no. {part + 1})" if isinstance(part, int) else f".{part}" for part in found["loc"]).lstrip(".")
    said = found["msg"].removeprefix("Value error, ")
    if found["type"] == "string_pattern_mismatch":
        wanted = str(found.get("ctx", {}).get("pattern", ""))
        said = f"{SHAPES.get(wanted, said)}, not “{str(found['input'])[:80]}”"
    if found["type"] == "missing":
        said = "it is missing"
    if found["type"] == "extra_forbidden":
        near = get_close_matches(str(found["loc"][-1]), _keys(kind), 1)
        said = f"there is no such key; do you mean {near[0]}?" if near else "there is no such key"
    return f"{key}: {said}" if key else said


def _keys(kind: type[BaseModel]) -> set[str]:
    """Every key that a manifest may have, in whatever table."""
    found: set[str] = set()
    for name, given in kind.model_fields.items():
        found.add(given.alias or name)
        for inner in (given.annotation, *get_args(given.annotation)):
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                found |= _keys(inner)
    return found
