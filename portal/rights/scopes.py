"""What a rule or a ceiling covers: everything, one category, one merchant or one offer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, String, and_, bindparam, or_
from sqlalchemy.orm import InstrumentedAttribute

SCOPE_KINDS = ("all", "category", "merchant", "offer")


@dataclass(frozen=True)
class Scope:
    """`all`, `category:presse`, `merchant:kbis` or `offer:kbis/extrait`."""

    kind: str
    value: str = ""

    def __str__(self) -> str:
        return f"{self.kind}:{self.value}" if self.value else self.kind

    def covers(self, wanted: Wanted) -> bool:
        """Whether an offer lies within this scope."""
        return self.kind == "all" or self.value == wanted.values.get(self.kind)

    def contains(self, other: Scope, category: str = "") -> bool:
        """Whether everything another scope covers lies within this one.

        Args:
            category: that of the offer, when `other` is one.
        """
        if self.kind == "all" or self == other:
            return True
        if other.kind != "offer":
            return False
        return self.value == (other.value.partition("/")[0] if self.kind == "merchant" else category) != ""


@dataclass(frozen=True)
class Wanted:
    """The offer a decision is about: the merchant's key on this site, the offer's id, its category."""

    merchant: str
    offer: str
    category: str

    @property
    def values(self) -> dict[str, str]:
        """What a scope of each kind must say to cover this offer."""
        return {"category": self.category, "merchant": self.merchant, "offer": f"{self.merchant}/{self.offer}"}


def covering(kind: InstrumentedAttribute[str], value: InstrumentedAttribute[str]) -> ColumnElement[Any]:
    """`Scope.covers` as a condition on two columns; its parameters are `Wanted.values`."""
    named = (and_(kind == each, value == bindparam(each, type_=String)) for each in SCOPE_KINDS if each != "all")
    return or_(kind == "all", *named)


def parse_scope(text: str) -> Scope:
    """A scope as it is written on the command line.

    Raises:
        ValueError: not one of the four forms.
    """
    kind, _, value = text.partition(":")
    if kind not in SCOPE_KINDS or bool(value) == (kind == "all") or (kind == "offer" and "/" not in value):
        raise ValueError(f"{text!r}: write all, category:NAME, merchant:KEY or offer:KEY/ID")
    return Scope(kind, value)
