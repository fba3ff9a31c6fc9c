"""Words of a publication as plain text: language maps, contributors, and descriptions with their HTML taken off."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html.parser import HTMLParser
from typing import Any

from connectors.contract import Words

LONGEST = 1500
SPACE = re.compile(r"[ \t\r\n\f\v]+")
"""What may be folded; a space that does not break is there for a reason."""
TAG = re.compile(r"<[^>]*>?")
SILENT = {"script", "style", "template", "noscript"}
APART = {"p", "br", "li", "div", "h1", "h2", "h3", "h4", "tr", "ul", "ol"}


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:
        """What is not text begins, or a word ends."""
        self._silent += tag in SILENT
        if tag in APART:
            self.said.append(" · " if tag == "li" else " ")

    def handle_endtag(self, tag: str) -> None:
        """What is not text ends, or a word does."""
        if tag in SILENT and self._silent:
            self._silent -= 1
        if tag in APART:
            self.said.append(" ")

    def handle_data(self, data: str) -> None:
        """Text."""
        if not self._silent:
            self.said.append(data)


def _read(text: str) -> str:
    reader = _Reader()
    try:
        reader.feed(text)
        reader.close()
    except AssertionError:
        # How Python's parser ends at a declaration that is none, like `<![x[`.
        return TAG.sub(" ", text)
    return "".join(reader.said)


def plain(text: Any, longest: int = LONGEST) -> str:
    """Text without its HTML and its superfluous space, cut at a word."""
    if not isinstance(text, str):
        return ""
    # Far more than is shown: what comes after is never read.
    text = text[: 20 * LONGEST]
    words = SPACE.sub(" ", _read(text) if "<" in text or "&" in text else text).strip(" ·")
    return words if len(words) <= longest else words[:longest].rpartition(" ")[0] + "…"


def words(given: Any, language: str, longest: int = 300) -> Words:
    """A text or a language map as words in French and English, what there is standing for what there is not; or empty."""
    texts: dict[str, str] = {}
    for tag, text in given.items() if isinstance(given, dict) else [(language, given)]:
        if said := plain(text, longest):
            texts.setdefault(str(tag).partition("-")[0].lower(), said)
    if not texts:
        return {}
    first = next(iter(texts.values()))
    french = texts.get("fr") or texts.get("en") or first
    return {"fr": french, "en": texts.get("en") or french}


def people(given: Any, most: int = 3) -> list[str]:
    """Names of contributors or subjects, which are a text, an object with a name, or a list of these."""
    listed = given if isinstance(given, list) else [given]
    names = [words(each.get("name") if isinstance(each, dict) else each, "fr", 120).get("fr", "") for each in listed]
    return [name for name in names if name][:most]


def subjects(metadata: Mapping[str, Any]) -> list[str]:
    """What a publication is about, by code and by name, as a manifest may name them."""
    given = metadata.get("subject")
    said: list[str] = []
    for each in given if isinstance(given, list) else [given]:
        if isinstance(each, dict):
            said.append(str(each.get("code") or ""))
            name = each.get("name")
            said += [str(text) for text in name.values()] if isinstance(name, dict) else [str(name or "")]
        else:
            said.append(str(each or ""))
    return [text for text in said if text]
