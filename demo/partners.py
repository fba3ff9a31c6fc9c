"""The demonstration's merchants that speak a protocol of their own, each on a server of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from demo.deepl import DeepL
from demo.entreprises import Entreprises
from demo.legifrance import Legifrance
from demo.librairie import Librairie
from demo.normes import Normes
from demo.pappers import Pappers
from demo.recommande import Recommande
from demo.signature import Signature


@dataclass(frozen=True)
class Entry:
    """One line of a merchant's book, under the names the demonstration's page shows; the amount in cents, VAT included."""

    po_number: str
    merchant: str
    what: str
    gross_cents: int
    state: str
    at: datetime


class Partner(Protocol):
    """One merchant, running."""

    name: str
    """Its `[merchants.NAME]`."""
    faults: tuple[str, ...]
    """The ways in which it can misbehave."""

    def start(self) -> None:
        """Serve in a thread."""

    def stop(self) -> None:
        """End the server."""

    def break_(self, name: str) -> None:
        """Misbehave until told otherwise; "" mends it. Raises `ValueError` for a fault it does not know."""

    def configuration(self) -> str:
        """Its part of `portal.toml`."""

    def files(self) -> Mapping[str, str]:
        """What stands beside `portal.toml` for it: texts by their names."""

    def sold(self) -> list[Mapping[str, Any]]:
        """Its book, oldest first: the fields of `Entry` but the merchant."""

    def kept(self) -> object:
        """Everything it must remember from one run to the next."""

    def recall(self, kept: Any) -> None:
        """Go on from what an earlier run has kept."""


PARTNERS: tuple[Callable[[], Partner], ...] = (
    Normes,
    Pappers,
    Entreprises,
    Legifrance,
    DeepL,
    Signature,
    Recommande,
    Librairie,
)
"""All of them, in the order of the catalogue."""


def entries(partners: list[Partner]) -> list[Entry]:
    """What all of them have sold."""
    return [Entry(merchant=partner.name, **line) for partner in partners for line in partner.sold()]
