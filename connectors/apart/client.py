"""The guarded HTTP client as a connector's own process has it: every request is asked of the portal, which signs it in.

In that process it stands for `connectors.http`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

from connectors.apart import wire
from connectors.exchange import Answer, Download

__all__ = ["Answer", "Download", "Elsewhere", "GuardedClient"]
PIECE = 1 << 16
Ask = Callable[[Mapping[str, Any], bytes, BinaryIO | None], Any]
"""Sends a message with the bytes behind it, and gives what is answered; bytes behind the answer go into the file."""


class Elsewhere:
    """The file a document is written into. It is the portal's: here are neither its name nor what it holds."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def write(self, content: bytes) -> int:
        """Hand bytes over."""
        view = memoryview(content).cast("B")
        for start in range(0, len(view), PIECE):
            self._ask({"ask": "write"}, bytes(view[start : start + PIECE]), None)
        return len(view)

    def flush(self) -> None:
        """Everything is handed over already."""


class GuardedClient:
    """Like the client of `connectors.http`, through the portal."""

    def __init__(self, ask: Ask, limits: Mapping[str, Any]) -> None:
        self._ask = ask
        self.hosts = set(limits["hosts"])
        self.max_body = int(limits["max_body"])

    def request(
        self,
        method: str,
        url: str,
        *,
        json: Any = None,
        form: Mapping[str, str] | None = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One exchange; raises like the portal's own client."""
        content = {"json": json, "form": form, "params": params, "headers": headers}
        given = {name: wire.encode(each) for name, each in content.items() if each is not None}
        answer: Answer = self._ask({"ask": "request", "method": str(method), "url": str(url), **given}, b"", None)
        return answer

    def download(self, url: str, into: BinaryIO | Elsewhere, *, headers: Mapping[str, str] | None = None) -> Download:
        """A document, into the portal's file or one made here; raises like the portal's own client."""
        given = {"headers": wire.encode(headers)} if headers else {}
        here = None if isinstance(into, Elsewhere) else into
        made: Download = self._ask({"ask": "download", "url": str(url), "here": here is not None, **given}, b"", here)
        return made

    def close(self) -> None:
        """Nothing is held here."""
