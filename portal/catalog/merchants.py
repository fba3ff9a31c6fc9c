"""Merchants with their connectors, as whoever buys and synchronises asks them (`following.py` says which there are).

A connector that cannot be loaded never stops the portal: its offers are left alone and `check` names it.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError
from sqlalchemy.orm import Session

from connectors.contract import ConnectorError, ContractBroken, MerchantConnector
from connectors.merchants.registry import ConnectorBroken, LoadedMerchant
from portal import logs
from portal.refusals import Refused

log = logs.get(__name__)

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Known:
    """Merchants as one moment knows them: those that are loaded by their key, and what is wrong with the others."""

    loaded: Mapping[str, LoadedMerchant] = field(default_factory=dict)
    broken: Mapping[str, ConnectorBroken] = field(default_factory=dict)


class Merchants:
    """Loaded merchants by key, and what is wrong with those that could not be loaded."""

    def __init__(
        self, loaded: Mapping[str, LoadedMerchant] | None = None, broken: Mapping[str, ConnectorBroken] | None = None
    ) -> None:
        self._known = Known(loaded or {}, broken or {})

    def now(self, _session: Session | None = None) -> Known:
        """All of them at this moment, or at the one that a session sees."""
        return self._known

    @property
    def loaded(self) -> Mapping[str, LoadedMerchant]:
        """Those that can be asked."""
        return self.now().loaded

    @property
    def broken(self) -> Mapping[str, ConnectorBroken]:
        """Why the others cannot be."""
        return self.now().broken

    def connector(self, key: str) -> MerchantConnector:
        """The connector of a merchant.

        Raises:
            Refused: `merchant_gone`, when it was removed from the configuration, disconnected, or is broken.
        """
        return self.merchant(key).connector

    def merchant(self, key: str) -> LoadedMerchant:
        """A merchant's manifest and connector. Raises like `connector`."""
        found = self.loaded.get(key)
        if found is None:
            raise Refused("merchant_gone", merchant=key)
        return found

    def terms(self, _session: Session, key: str) -> dict[str, str]:
        """A merchant's terms of sale, as a quote shows them and an order keeps them."""
        return {}

    def was_read(self, key: str, merchant: LoadedMerchant) -> None:
        """A merchant's list was read, well or not: whatever is kept with it may be read as well."""


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
