"""What an exchange with the other side brought; the standard library alone, since it is read in connectors' own processes too."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from connectors.contract import ContractBroken
from connectors.waiting import seconds

HALF_A_SIGN = re.compile(rb"\\u[dD][89a-fA-F]")
"""A surrogate alone is text that nobody can store or show."""
MOST_PLACES = 100
"""Digits, before or behind the point; more are no amount, no count and no share of anything."""
MOST_VALUES = 2_000_000
"""Of one answer: three bytes of JSON make seventy of memory, and far fewer values fill a page that somebody meant."""


def fraction(text: str) -> Decimal:
    """A fraction as JSON writes it; one beyond measure is infinite, since to make a whole number of it takes hours."""
    value = Decimal(text)
    return value if len(text) <= MOST_PLACES and abs(value.adjusted()) <= MOST_PLACES else Decimal("Infinity")


@dataclass(frozen=True)
class Answer:
    """What the other side answered, whatever its status."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON, fractions as `Decimal`. Raises `ContractBroken` when it is not JSON, or more than can be meant."""
        if len(self.body) > MOST_VALUES and sum(map(self.body.count, (b",", b"[", b"{"))) > MOST_VALUES:
            raise ContractBroken(f"JSON of more than {MOST_VALUES} values: {self.summary}")
        try:
            content = json.loads(self.body, parse_float=fraction)
            if HALF_A_SIGN.search(self.body):
                json.dumps(content, default=str, ensure_ascii=False).encode()
            return content
        except (ValueError, RecursionError) as error:
            raise ContractBroken(f"not JSON: {self.summary}") from error

    @property
    def summary(self) -> str:
        """What a log may hold of it: what the other side says may be about a person."""
        return f"status {self.status}, {self.headers.get('content-type', 'no type')}, {len(self.body)} bytes"

    @property
    def retry_after_s(self) -> int | None:
        """The wait the other side asks for: it gives seconds, or the time it ends (RFC 9110, 10.2.3)."""
        return seconds(self.headers.get("retry-after", ""))


@dataclass(frozen=True)
class Download:
    """A document that was received whole: size in bytes, SHA-256 in hexadecimal."""

    media_type: str
    size: int
    sha256: str
