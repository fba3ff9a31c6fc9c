"""From the configuration to an operator: profiles are one TOML file each, adapters speak one protocol each."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from connectors.contract import OperatorAdapter
from connectors.http import GuardedClient, Network, Timeouts
from connectors.operators.camara import SCOPE, CamaraOperator
from connectors.operators.tokens import Tokens

PROFILES = Path(__file__).parent / "profiles"


class UnknownProfile(Exception):
    """No profile has this name; `known` lists those there are."""

    def __init__(self, name: str) -> None:
        self.known = profile_names()
        super().__init__(f"no operator profile {name!r}; there are: {', '.join(self.known)}")


@dataclass(frozen=True)
class OperatorConfig:
    """The `[operator]` section; what is empty comes from the profile."""

    profile: str
    adapter: str
    api_root: str
    token_url: str
    client_id: str
    client_secret: str
    line: str


def profile_names() -> list[str]:
    """Every profile there is."""
    return sorted(path.stem for path in PROFILES.glob("*.toml"))


def load_profile(name: str) -> dict[str, Any]:
    """One profile's content. Raises `UnknownProfile`."""
    if name not in profile_names():
        raise UnknownProfile(name)
    return tomllib.loads((PROFILES / f"{name}.toml").read_text(encoding="utf-8"))


def load_operator(config: OperatorConfig, network: Network) -> OperatorAdapter:
    """The operator of this site; nothing is connected yet. Raises `UnknownProfile`."""
    defaults = load_profile(config.profile).get("defaults", {})
    api_root = config.api_root or defaults.get("api_root", "")
    token_url = config.token_url or defaults.get("token_url", "")
    hosts = [urlsplit(url).netloc for url in (api_root, token_url) if url]
    http = GuardedClient(hosts, network, Timeouts(connect=5, read=10, total=15))
    tokens = Tokens(http, token_url, config.client_id, config.client_secret, SCOPE)
    return CamaraOperator(http, api_root, tokens, config.line)
