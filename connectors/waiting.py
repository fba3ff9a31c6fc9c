"""How the other side is waited for: the wait it asks for itself, and what is known of whether it answers."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Protocol

LONGEST_DIGITS = 6


class Breaker(Protocol):
    """What is known, beyond this process, of whether the other side answers."""

    def before(self) -> None:
        """An exchange is about to begin. Raises `Unavailable` while the other side is known to be away."""

    def answered(self) -> None:
        """The other side answered, whatever it said."""

    def failed(self, detail: str, retry_after_s: int | None = None) -> None:
        """It did not answer, or is out of order (5xx), or asked for a wait (429; seconds)."""


def seconds(retry_after: str) -> int | None:
    """What a `Retry-After` asks for: seconds, or the time the wait ends (RFC 9110, 10.2.3); None when it says neither."""
    text = retry_after.strip()
    if text.isascii() and text.isdecimal():
        return int(text) if len(text) <= LONGEST_DIGITS else None
    try:
        at = parsedate_to_datetime(text)
        # HTTP dates are in GMT, whether they say so or not.
        left = (at if at.tzinfo else at.replace(tzinfo=UTC)) - datetime.now(UTC)
    except (ValueError, OverflowError):
        return None
    # A time that has passed asks for nothing.
    return min(math.ceil(left.total_seconds()), 10**LONGEST_DIGITS - 1) if left.total_seconds() > 0 else None
