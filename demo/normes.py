"""The demonstration's publisher of standards, which speaks ACP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from demo.acp_goods import GOODS, MANIFEST, configuration
from demo.acp_shop import FAULTS, AcpShop


class Normes:
    """The shop as one of the demonstration's partners."""

    name, faults = "normes", FAULTS

    def __init__(self) -> None:
        self.shop = AcpShop()

    def start(self) -> None:
        """Serve in a thread."""
        self.shop.start()

    def stop(self) -> None:
        """End the server."""
        self.shop.stop()

    def break_(self, name: str) -> None:
        """Misbehave until told otherwise; "" mends it."""
        self.shop.break_(name)

    def configuration(self) -> str:
        """Its part of `portal.toml`."""
        return configuration(self.shop.url, f"{self.name}.toml", self.name)

    def files(self) -> Mapping[str, str]:
        """The manifest that was agreed with it."""
        return {f"{self.name}.toml": MANIFEST}

    def sold(self) -> list[Mapping[str, Any]]:
        """Its book, oldest first."""
        return [
            {"po_number": sold.po_number, "what": GOODS[sold.offer].title, "gross_cents": sold.gross_cents,
             "state": "delivered", "at": sold.at}
            for sold in self.shop.book
        ]  # fmt: skip

    def kept(self) -> object:
        """Book and sessions."""
        with self.shop.lock:
            return list(self.shop.book), dict(self.shop.checkouts)

    def recall(self, kept: Any) -> None:
        """Go on from what an earlier run has kept."""
        self.shop.book, self.shop.checkouts = list(kept[0]), dict(kept[1])
