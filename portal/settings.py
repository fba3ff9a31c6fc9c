"""One typed `Settings` object from `portal.toml`, overridden by `PORTAL_SECTION__KEY` in the environment.

A key that does not exist is an error that names its line or its variable; a key ending in `_file`
beside a secret reads that secret from a file. Relative paths start at the folder of `portal.toml`.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AnyHttpUrl, BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from portal.billing.config import OperatorSection
from portal.mail.config import MailSection
from portal.money import parse_amount
from portal.settings_faults import Fault, SettingsError, fault_of, place
from portal.settings_values import is_address, require_amount, require_http

DEFAULT_PATH = Path("instance/portal.toml")
READ_EVERY_MIN = 60
SECRET_KEYS = ("bind_password", "client_secret", "password", "usage_sftp_password")


class Section(BaseModel):
    """A table of `portal.toml`: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PortalSection(Section):
    public_url: AnyHttpUrl = AnyHttpUrl("http://127.0.0.1:8000")
    company: str = "Acme SA"
    contact: str = ""
    locale: Literal["fr", "en"] = "fr"
    time_zone: str = "Europe/Paris"
    secret_key_file: str = "secret_key"  # noqa: S105 - a file name
    trusted_proxies: int = Field(default=0, ge=0, le=5)

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        if value not in available_timezones():
            raise PydanticCustomError("time_zone", "no such time zone")
        return value

    @property
    def zone(self) -> ZoneInfo:
        """The company's time zone."""
        return ZoneInfo(self.time_zone)

    @property
    def secure(self) -> bool:
        """Whether employees reach the portal by HTTPS."""
        return self.public_url.scheme == "https"


class DatabaseSection(Section):
    url: str = "sqlite:///portal.db"


class StorageSection(Section):
    url: str = "file:deliveries"

    @field_validator("url")
    @classmethod
    def _folder(cls, value: str) -> str:
        if not value.startswith("file:"):
            raise PydanticCustomError("storage", "not a folder")
        return value


class NetworkSection(Section):
    """The way out; `private_hosts` are names of merchants or the operator that lead into the company's own network."""

    proxy: str = ""
    ca_file: str = ""
    private_hosts: list[str] = []


class DirectorySection(Section):
    urls: list[str] = Field(min_length=1)
    preset: Literal["openldap", "active_directory", "freeipa", "lldap"] = "openldap"
    start_tls: bool = False
    ca_file: str = ""
    bind_dn: str = ""
    bind_password: SecretStr = SecretStr("")
    people_base: str
    login_attributes: list[str] = []
    people_filter: str = ""
    groups_base: str = ""
    groups_filter: str = ""
    nested: bool = True
    admin_groups: list[str] = []
    finance_groups: list[str] = []
    attributes: dict[str, str] = {}
    timeout: float = Field(default=5, gt=0, le=60)
    max_failures: int = Field(default=4, ge=1, le=50)
    when_down: Literal["browse", "nothing"] = "browse"

    @field_validator("urls")
    @classmethod
    def _addresses(cls, value: list[str]) -> list[str]:
        if not all(is_address(url, {"ldap", "ldaps"}) for url in value):
            raise PydanticCustomError("ldap_url", "not LDAP addresses")
        return value


class CheckoutSection(Section):
    ask_password_above: str = ""

    @field_validator("ask_password_above")
    @classmethod
    def _amount(cls, value: str) -> str:
        return require_amount(value) if value else value

    @property
    def ask_password_above_cents(self) -> int | None:
        """Above this amount the password is asked again; None: never."""
        return parse_amount(self.ask_password_above) if self.ask_password_above else None


class RequestsSection(Section):
    """Who decides when somebody asks to pass a ceiling; `group` (DN) may decide besides the manager, or instead of him."""

    decided_by: Literal["manager", "group"] = "manager"
    group: str = ""
    expire_after_days: int = Field(default=7, ge=1, le=90)


class MerchantSection(Section):
    connector: str
    base_url: str = ""
    secrets: dict[str, SecretStr] = {}
    settings: dict[str, str] = {}
    """What the contract with this merchant says, where its connector leaves it open."""
    manifest: str = ""
    """A `connector.toml` of this site, relative to this file: who sells, for a connector that speaks a protocol, or
    the terms of the site's own contract, where a connector's README says so."""
    trust: Literal["", "own_process", "in_process"] = ""
    """How code runs that is not shipped: `own_process` or `in_process`; it is refused when neither is said."""
    read_every: int = Field(default=READ_EVERY_MIN, ge=1, le=10_080)
    """Minutes between two readings of its list by a worker."""

    @field_validator("base_url")
    @classmethod
    def _address(cls, value: str) -> str:
        return require_http(value)


class Settings(BaseSettings):
    """Everything that can be configured; `folder` is where relative paths start."""

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        env_prefix="PORTAL_",
        env_nested_delimiter="__",
        nested_model_default_partial_update=True,
    )

    folder: Path = Path()
    portal: PortalSection = PortalSection()
    database: DatabaseSection = DatabaseSection()
    storage: StorageSection = StorageSection()
    network: NetworkSection = NetworkSection()
    directory: DirectorySection
    operator: OperatorSection = OperatorSection()
    mail: MailSection = MailSection()
    checkout: CheckoutSection = CheckoutSection()
    requests: RequestsSection = RequestsSection()
    merchants: dict[str, MerchantSection] = {}

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource, dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:  # fmt: skip
        return env_settings, init_settings

    def path(self, value: str) -> Path:
        """A path of the configuration, made absolute from its folder."""
        return (self.folder / value).resolve()

    def connector(self, merchant: MerchantSection) -> str:
        """What a merchant's connector is found by: its name, or the whole path of a folder."""
        return str(self.path(merchant.connector)) if "/" in merchant.connector else merchant.connector

    @property
    def database_url(self) -> str:
        """The database's URL with an SQLite path made absolute."""
        prefix = "sqlite:///"
        url = self.database.url
        return prefix + str(self.path(url.removeprefix(prefix))) if url.startswith(prefix) else url


def load(path: Path | None = None, environ: Mapping[str, str] = os.environ) -> Settings:
    """Read and check the configuration.

    Raises:
        SettingsError: the file is missing or unreadable, or a key or variable is wrong; every fault is named.
    """
    path = (path or Path(environ.get("PORTAL_CONFIG") or DEFAULT_PATH)).absolute()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            [Fault(str(path), "unreadable", {"detail": getattr(error, "strerror", None) or error})]
        ) from error
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError([Fault(str(path), "not_toml", {"detail": error})]) from error
    faults = _unknown_variables(environ)
    _read_secret_files(content, path.parent, (), faults, path.name, text)
    if "folder" in content:
        faults.append(Fault(place(("folder",), path.name, text), "unknown_key"))
    if faults:
        raise SettingsError(faults)
    try:
        return Settings(folder=path.parent, **content)
    except ValidationError as error:
        raise SettingsError([fault_of(item, path.name, text, environ) for item in error.errors()]) from error


def _unknown_variables(environ: Mapping[str, str]) -> list[Fault]:
    faults = []
    for name in sorted(environ):
        if not name.startswith("PORTAL_") or name == "PORTAL_CONFIG":
            continue
        section, _, rest = name.removeprefix("PORTAL_").lower().partition("__")
        field = Settings.model_fields.get(section)
        keys = getattr(field.annotation, "model_fields", None) if field else {}
        if not rest or (keys is not None and rest.split("__")[0] not in keys):
            faults.append(Fault(name, "unknown_variable"))
    return faults


def _read_secret_files(
    table: dict[str, Any], folder: Path, keys: tuple[str, ...], faults: list[Fault], file: str, text: str
) -> None:
    for key, value in list(table.items()):
        stem = key.removesuffix("_file")
        if isinstance(value, dict):
            _read_secret_files(value, folder, (*keys, key), faults, file, text)
        elif stem != key and isinstance(value, str) and (stem in SECRET_KEYS or keys[-1:] == ("secrets",)):
            del table[key]
            try:
                table[stem] = (folder / value).read_text(encoding="utf-8").strip()
            except OSError as error:
                detail = {"detail": f"{value}: {error.strerror}"}
                faults.append(Fault(place((*keys, key), file, text), "unreadable", detail))
