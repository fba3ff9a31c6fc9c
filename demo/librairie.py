"""The demonstration's digital bookshop, which speaks OPDS 2.0."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from demo.opds_goods import BOOKS, MANIFEST, configuration
from demo.opds_library import FAULTS, Library


class Librairie:
    """The bookshop as one of the demonstration's partners."""

    name, faults = "librairie", FAULTS

    def __init__(self) -> None:
        self.library = Library()

    def start(self) -> None:
        """Serve in a thread."""
        self.library.start()

    def stop(self) -> None:
        """End the server."""
        self.library.stop()

    def break_(self, name: str) -> None:
        """Misbehave until told otherwise; "" mends it."""
        self.library.break_(name)

    def configuration(self) -> str:
        """Its part of `portal.toml`."""
        return configuration(self.library.url, f"{self.name}.toml", self.name)

    def files(self) -> Mapping[str, str]:
        """The manifest that was agreed with it."""
        return {f"{self.name}.toml": MANIFEST}

    def sold(self) -> list[Mapping[str, Any]]:
        """Its book, oldest first."""
        return [
            {"po_number": sold.po_number, "what": BOOKS[sold.book].title, "gross_cents": sold.gross_cents,
             "state": "delivered" if sold.ready else "preparing", "at": sold.at}
            for sold in self.library.book
        ]  # fmt: skip

    def kept(self) -> object:
        """Book, and what was refused for good."""
        with self.library.lock:
            return list(self.library.book), dict(self.library.refused)

    def recall(self, kept: Any) -> None:
        """Go on from what an earlier run has kept."""
        self.library.book, self.library.refused = list(kept[0]), dict(kept[1])
