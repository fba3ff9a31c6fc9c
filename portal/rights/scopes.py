"""What a rule or a ceiling covers: everything, one category, one merchant or one offer."""

from __future__ import annotations

from dataclasses import dataclass

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
        return self.kind == "all" or self.value == {
            "category": wanted.category,
            "merchant": wanted.merchant,
            "offer": f"{wanted.merchant}/{wanted.offer}",
        }.get(self.kind)


@dataclass(frozen=True)
class Wanted:
    """The offer a decision is about: the merchant's key on this site, the offer's id, its category."""

    merchant: str
    offer: str
    category: str


def parse_scope(text: str) -> Scope:
    """A scope as it is written on the command line.

    Raises:
        ValueError: not one of the four forms.
    """
    kind, _, value = text.partition(":")
    if kind not in SCOPE_KINDS or bool(value) == (kind == "all") or (kind == "offer" and "/" not in value):
        raise ValueError(f"{text!r}: write all, category:NAME, merchant:KEY or offer:KEY/ID")
    return Scope(kind, value)
