"""Texts that exist in several languages."""

from __future__ import annotations

from collections.abc import Mapping

LANGUAGES = ("fr", "en")


def in_language(words: Mapping[str, str], language: str) -> str:
    """A text in a language, in French when it has no other."""
    return words.get(language) or words.get("fr") or next(iter(words.values()), "")
