"""The manifest of a merchant connector: `connector.toml`, checked before anything else is believed."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from stdnum.fr import siren as siren_number
from stdnum.fr import tva

from connectors.contract import CONTRACT_VERSION


class ManifestError(Exception):
    """A manifest that cannot be used; the message names the file, the key and what is wrong."""


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
    timeout: dict[Literal["connect", "read", "total"], float] = {}
    max_body: int = Field(20_000_000, gt=0, le=200_000_000)


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
    """What the merchant can do. `idempotent = "none"` means that nothing is ever repeated automatically."""

    lookup_by_key: bool = True
    idempotent: Literal["key", "client_reference", "none"] = "none"
    asynchronous: bool = False
    suggest: bool = False


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


def read_manifest(path: Path, kind: type[Manifest] = Manifest) -> Manifest:
    """Read and check a manifest; `kind` says which tables it may have.

    Raises:
        ManifestError: naming the file, the key and what to do.
    """
    try:
        return kind.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ManifestError(f"{path}: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ManifestError(f"{path}, {key}: {first['msg']} (contract version {CONTRACT_VERSION})") from error
