"""Operator profiles: one TOML file each. A name of the original offer chooses the profile of today's successor."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

PROFILES = Path(__file__).parent / "profiles"

Adapter = Literal["camara", "usage_file"]


class UnknownProfile(Exception):
    """No profile has this `name`; `known` lists those there are."""

    def __init__(self, name: str) -> None:
        self.name, self.known = name, profile_names()
        super().__init__(f"no operator profile {name!r}; there are: {', '.join(self.known)}")


class Table(BaseModel):
    """Unknown keys are refused, so that a typing error never passes for an option."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Defaults(Table):
    """What `portal.toml` may leave empty."""

    api_root: str = ""
    token_url: str = ""


class ProfileLimits(Table):
    """Amounts like `50.00`, VAT included; empty: no limit known."""

    largest: str = Field(default="", pattern=r"^(\d{1,7}\.\d{2})?$")
    month: str = Field(default="", pattern=r"^(\d{1,7}\.\d{2})?$")


class Profile(Table):
    """What is known of an operator without any contract.

    `key` is the name that chooses it today; `former` is the name of the original offer by which it was chosen (`AOL`), "" when by its own.
    """

    name: str
    adapter: Adapter
    former_names: dict[str, str] = {}
    defaults: Defaults = Defaults()
    limits: ProfileLimits = ProfileLimits()
    former: str = ""
    key: str = ""


def profile_names() -> list[str]:
    """Every name that may be chosen, those of the original offer too."""
    return sorted(name for path in PROFILES.glob("*.toml") for name in (path.stem, *_read(path).former_names))


def load_profile(name: str) -> Profile:
    """The profile of an operator's name, or of a name of the original offer. Raises `UnknownProfile`."""
    for path in sorted(PROFILES.glob("*.toml")):
        profile = _read(path)
        if name == path.stem:
            return profile
        if name in profile.former_names:
            return profile.model_copy(update={"former": profile.former_names[name]})
    raise UnknownProfile(name)


def _read(path: Path) -> Profile:
    profile = Profile.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    return profile.model_copy(update={"key": path.stem})
