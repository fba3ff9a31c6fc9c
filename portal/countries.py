"""Countries by their ISO 3166-1 code, in the words of a language."""

from __future__ import annotations

import unicodedata
from functools import cache

from babel import Locale

NO_COUNTRY = {"EU", "EZ", "UN", "QO", "XA", "XB", "ZZ", "AC", "CP", "DG", "EA", "IC", "TA"}
"""Two-letter codes that CLDR names, and that ISO 3166-1 gives to no country: "IC" are the Canary Islands, which are Spain's."""


@cache
def codes() -> frozenset[str]:
    """Every code that has a name in both languages; Kosovo's, XK, is not of ISO but everybody's."""
    named = Locale("en").territories.keys() & Locale("fr").territories.keys()
    return frozenset(str(code) for code in named if len(code) == 2 and code.isalpha()) - NO_COUNTRY


@cache
def names(language: str) -> list[tuple[str, str]]:
    """Code and name of each, in the alphabetical order of the names."""
    named = Locale(language).territories
    return sorted(((code, str(named[code])) for code in codes()), key=lambda each: _plain(each[1]))


def _plain(name: str) -> str:
    return unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().casefold()
