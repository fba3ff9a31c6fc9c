"""What the rules say when the answer is no: a code and its facts; `words.py` turns both into a sentence."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Reason:
    """Why something is or is not so: a stable code, and the facts its sentence needs."""

    code: str
    facts: dict[str, Any] = field(default_factory=dict)


class Refused(Exception):
    """A rule refused. Nothing was changed, nothing was charged."""

    def __init__(self, code: str, **facts: Any) -> None:
        super().__init__(code)
        self.reason = Reason(code, facts)
