"""How long a pattern may look for a match: an author's, held against what an employee types, by one thread for all."""

from __future__ import annotations

import importlib
import re
from functools import lru_cache
from math import inf, prod
from typing import Any

LONGEST_PATTERN = 200
LONGEST_TYPED = 500
"""What a form gives of one input at most."""
MOST_WAYS = 10**10
"""What a choice of two counts for is squared, and places of any length meet no place twice: far fewer ways are ever tried."""
# What the compiler itself reads patterns with: no name that is promised, and a test fails if it goes.
_parse = importlib.import_module("re._parser").parse
REPEATS = {"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"}


@lru_cache(maxsize=1000)
def fault(pattern: str, maximum: int = LONGEST_TYPED) -> str:
    """Why a pattern cannot be used on texts of so many signs at most; "" when it can."""
    if len(pattern) > LONGEST_PATTERN:
        return f"it is longer than {LONGEST_PATTERN} signs"
    try:
        re.compile(pattern)
        ways = _of_all(_parse(pattern), min(maximum, LONGEST_TYPED))
    except (re.error, OverflowError, RecursionError) as error:
        return f"this pattern cannot be used: {error}"
    if ways == inf:
        return "this pattern repeats what repeats already, which can take for ever: write it without"
    if ways > MOST_WAYS:
        return "this pattern has so many parts of any length that it can take for ever: write it with fewer, or give a smaller maximum"
    return ""


def _of_all(parts: Any, most: int) -> float:
    """In how many ways a text of so many signs can be taken apart by a sequence; never fewer than there are."""
    return prod((_of_one(str(kind), given, most) for kind, given in parts), start=1.0)


def _of_one(kind: str, given: Any, most: int) -> float:
    if kind in REPEATS:
        least, many, inner = given[0], int(given[1]), _of_all(given[2], most)
        if least == many:
            return inner ** min(many, most) if many else 1
        if many == 1:
            return (1 + inner) ** 2
        return inf if inner > 1 else min(many, most) - least + 1
    if kind == "BRANCH":
        return float(sum(_of_all(each, most) for each in given[1]) ** 2)
    if kind == "SUBPATTERN":
        return _of_all(given[3], most)
    if kind in {"ASSERT", "ASSERT_NOT"}:
        return _of_all(given[1], most)
    if kind == "ATOMIC_GROUP":
        return _of_all(given, most)
    if kind == "GROUPREF_EXISTS":
        return _of_all(given[1], most) + (_of_all(given[2], most) if given[2] else 1)
    return 1
