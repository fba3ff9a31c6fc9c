"""The merchants of this site: each `[merchants.KEY]` of the configuration with its connector.

A connector that cannot be loaded never stops the portal: its offers are left alone and `check` names it.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from connectors.contract import ConnectorError, ContractBroken, MerchantConnector, NoUploads, Uploads
from connectors.http import Network
from connectors.merchants.registry import ConnectorBroken, LoadedMerchant, load_merchant
from connectors.waiting import Breaker
from portal import logs
from portal.outbox import merchant_lane
from portal.refusals import Refused
from portal.settings import MerchantSection, Settings

log = logs.get(__name__)

Answer = TypeVar("Answer")


@dataclass
class Merchants:
    """Loaded merchants by key, and what is wrong with those that could not be loaded."""

    loaded: dict[str, LoadedMerchant] = field(default_factory=dict)
    broken: dict[str, ConnectorBroken] = field(default_factory=dict)

    def connector(self, key: str) -> MerchantConnector:
        """The connector of a merchant.

        Raises:
            Refused: `merchant_gone`, when it was removed from the configuration or is broken.
        """
        return self.merchant(key).connector

    def merchant(self, key: str) -> LoadedMerchant:
        """A merchant's manifest and connector. Raises like `connector`."""
        if key not in self.loaded:
            raise Refused("merchant_gone", merchant=key)
        return self.loaded[key]


def load_merchants(
    settings: Settings,
    network: Network,
    breaker: Callable[[str], Breaker] | None = None,
    uploads: Uploads = NoUploads(),
) -> Merchants:
    """Load every configured merchant; `breaker` makes what a lane's exchanges ask and tell, `uploads` keeps files."""
    merchants = Merchants()
    for key, section in settings.merchants.items():
        secrets = {name: secret.get_secret_value() for name, secret in section.secrets.items()}
        way = dataclasses.replace(network, breaker=breaker(merchant_lane(key)) if breaker else None)
        manifest = settings.path(section.manifest) if section.manifest else None
        try:
            merchants.loaded[key] = load_merchant(
                _connector(settings, section), key, section.base_url, secrets, way, manifest, section.trust,
                uploads=uploads, settings=section.settings,
            )  # fmt: skip
        except ConnectorBroken as error:
            log.error("connector_broken", merchant=key, connector=section.connector, detail=str(error))
            merchants.broken[key] = error
    return merchants


def _connector(settings: Settings, section: MerchantSection) -> str:
    """What its connector is found by. Raises `ConnectorBroken` for a folder that holds what is the site's own."""
    place = settings.connector(section)
    if "/" in place and settings.folder.resolve().is_relative_to(place):
        raise ConnectorBroken(
            place,
            {
                "fr": "ce dossier contient portal.toml, que son code pourrait lire : donnez-lui un dossier à lui",
                "en": "this folder holds portal.toml, which its code could read: give it a folder of its own",
            },
        )
    return place


@contextmanager
def asking(merchant: str) -> Iterator[None]:
    """A block that asks a connector: whatever it raises besides `ConnectorError` becomes `ContractBroken`."""
    try:
        yield
    except ConnectorError:
        raise
    except Exception as error:
        log.exception("connector_raised", merchant=merchant)
        raise ContractBroken(f"{type(error).__name__}: {error}"[:500]) from error


def checked(answer: Answer) -> Answer:
    """What a connector gave, made again from its parts with every type checked as its contract says.

    Raises:
        ContractBroken: naming the first part that is not as the contract says.
    """
    if not dataclasses.is_dataclass(answer) or isinstance(answer, type):
        raise ContractBroken(f"not an answer of the contract: {answer!r}"[:300])
    try:
        parts = dataclasses.asdict(answer)
        # Half a sign, which some write into JSON, is text that nobody can store or show.
        json.dumps(parts, default=str, ensure_ascii=False).encode()
        made: Answer = _adapter(type(answer)).validate_python(parts)
    except (UnicodeEncodeError, TypeError, RecursionError) as error:
        raise ContractBroken(f"not text that can be kept: {type(error).__name__}") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise ContractBroken(f"{'.'.join(map(str, first['loc']))}: {first['msg']}"[:300]) from error
    return made


@cache
def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
