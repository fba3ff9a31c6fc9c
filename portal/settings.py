"""One typed `Settings` object from `portal.toml`, overridden by `PORTAL_SECTION__KEY` in the environment.

A key that does not exist is an error that names its line or its variable; a key ending in `_file`
beside a secret reads that secret from a file. Relative paths start at the folder of `portal.toml`.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AnyHttpUrl, BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from portal.money import parse_amount

DEFAULT_PATH = Path("instance/portal.toml")
SECRET_KEYS = ("bind_password", "client_secret")


@dataclass(frozen=True)
class Fault:
    """One thing wrong in the configuration: where it stands, and what is wrong there."""

    where: str
    what: str


class SettingsError(Exception):
    """The configuration cannot be used; `faults` has one entry for each thing to mend."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("; ".join(f"{fault.where}: {fault.what}" for fault in faults))
        self.faults = faults


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
            raise ValueError("no such time zone; write it like Europe/Paris")
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
            raise ValueError('deliveries are kept in a folder in this version: write "file:deliveries"')
        return value


class NetworkSection(Section):
    proxy: str = ""
    ca_file: str = ""


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
    nested: bool = True
    admin_groups: list[str] = []
    finance_groups: list[str] = []
    attributes: dict[str, str] = {}
    timeout: float = Field(default=5, gt=0, le=60)
    max_failures: int = Field(default=4, ge=1, le=50)


class OperatorSection(Section):
    profile: str = "orange"
    adapter: Literal["camara"] = "camara"
    api_root: str = ""
    token_url: str = ""
    client_id: str = ""
    client_secret: SecretStr = SecretStr("")
    line: str = ""
    when_unreachable: Literal["refuse"] = "refuse"
    offline_limit: str = "0.00"

    @field_validator("line")
    @classmethod
    def _e164(cls, value: str) -> str:
        if value and not re.fullmatch(r"\+[1-9][0-9]{4,14}", value):
            raise ValueError('write the company line in international form, like "+33123456789"')
        return value


class CheckoutSection(Section):
    ask_password_above: str = ""

    @field_validator("ask_password_above")
    @classmethod
    def _amount(cls, value: str) -> str:
        if value:
            parse_amount(value)
        return value

    @property
    def ask_password_above_cents(self) -> int | None:
        """Above this amount the password is asked again; None: never."""
        return parse_amount(self.ask_password_above) if self.ask_password_above else None


class MerchantSection(Section):
    connector: str
    base_url: str = ""
    secrets: dict[str, SecretStr] = {}


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
    checkout: CheckoutSection = CheckoutSection()
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
    except OSError as error:
        raise SettingsError([Fault(str(path), error.strerror or "unreadable")]) from error
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError([Fault(str(path), str(error))]) from error
    faults = _unknown_variables(environ)
    _read_secret_files(content, path.parent, (), faults, path.name, text)
    if "folder" in content:
        faults.append(Fault(_place(("folder",), path.name, text), "this key does not exist"))
    if faults:
        raise SettingsError(faults)
    try:
        return Settings(folder=path.parent, **content)
    except ValidationError as error:
        raise SettingsError([_fault(item, path.name, text, environ) for item in error.errors()]) from error


def _unknown_variables(environ: Mapping[str, str]) -> list[Fault]:
    faults = []
    for name in sorted(environ):
        if not name.startswith("PORTAL_") or name == "PORTAL_CONFIG":
            continue
        section, _, rest = name.removeprefix("PORTAL_").lower().partition("__")
        field = Settings.model_fields.get(section)
        keys = getattr(field.annotation, "model_fields", None) if field else {}
        if not rest or (keys is not None and rest.split("__")[0] not in keys):
            faults.append(Fault(name, "this variable is not a setting; names are PORTAL_SECTION__KEY"))
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
                faults.append(Fault(_place((*keys, key), file, text), f"{value}: {error.strerror}"))


def _fault(item: Any, file: str, text: str, environ: Mapping[str, str]) -> Fault:
    keys = tuple(str(part) for part in item["loc"])
    variable = "PORTAL_" + "__".join(keys).upper()
    where = variable if variable in environ else _place(keys, file, text)
    message = (
        "this key does not exist" if item["type"] == "extra_forbidden" else item["msg"].removeprefix("Value error, ")
    )
    return Fault(where, message)


def _place(keys: tuple[str, ...], file: str, text: str) -> str:
    """`portal.toml, line 12, [directory] urls`: TOML readers keep no lines, so the text is searched."""
    for depth in range(len(keys), 0, -1):
        line = _line_of(keys[:depth], text)
        if line:
            name = f"[{'.'.join(keys[:-1])}] {keys[-1]}" if len(keys) > 1 else f"[{keys[0]}]"
            return f"{file}, line {line}, {name}"
    return f"{file}, [{'.'.join(keys[:-1])}] {keys[-1]}" if len(keys) > 1 else f"{file}, [{keys[0]}]"


def _line_of(keys: tuple[str, ...], text: str) -> int | None:
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := re.match(r"\s*\[+\s*([^\]]+?)\s*\]+", line):
            table = tuple(part.strip().strip("\"'") for part in header[1].split("."))
            if table == keys:
                return number
        elif assignment := re.match(r"\s*([\w.\"'-]+)\s*=", line):
            key = tuple(part.strip("\"'") for part in assignment[1].split("."))
            if table + key == keys or (table + key == keys[:-1] and re.search(rf"\b{re.escape(keys[-1])}\b", line)):
                return number
    return None
