"""How people write an article of law, how Légifrance searches for it, and how its answers become text."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, date, datetime
from html.parser import HTMLParser
from typing import Any

TIMES = r"(?:bis|ter|quater|quinquies|sexies|septies|octies|nonies|(?:un|duo|ter|quater|quin|sex|sept|octo|novo)?decies|vicies)"
"""What an article between two others is called by."""
NUMBER = re.compile(
    r"(?i)\b(?:art(?:icle)?s?\b\.?\s*)?(?P<number>(?:[LRDA]\s*\.?\s*\*{0,2}\s*)?\d+(?:er\b)?(?:-\d+)*"
    rf"(?:\s{TIMES}(?:-\d+)?\b)?(?:\s(?-i:[A-Z])\b)?)(?![\w-])"
)
LETTER = re.compile(r"(?i)^([LRDA])\s*\.?\s*(\*{0,2})\s*(?=\d)")
EDGES = re.compile(r"(?i)^[\s,;:.–—-]*(?:(?:du|des|de la|de l['’]|de|d['’])\s*)?|[\s,;:.–—-]+$")
SPACES = re.compile(r"[ \t\f\v]+")
BLOCKS = {"p", "br", "div", "li", "tr", "ul", "ol", "table", "blockquote"}
NO_END = 2999
"""The year in which what has no end ends at Légifrance."""


def parsed(typed: str) -> tuple[str, str]:
    """The number of an article as Légifrance writes it, and what was typed besides: "L1221-1" and "code du travail"."""
    found = NUMBER.search(typed)
    if not found:
        return "", EDGES.sub("", typed)
    rest = EDGES.sub("", f"{typed[: found.start()]} {typed[found.end() :]}")
    return normal(found["number"]), rest


def normal(number: str) -> str:
    """A number without the dots and spaces people put after its letter."""
    return LETTER.sub(lambda found: found[1].upper() + found[2], " ".join(number.split()))


def fields(typed: str) -> list[dict[str, Any]]:
    """What was typed as `champs` of `/search`: the number exactly, the rest as words of the text's title or, alone, of an article."""
    number, rest = parsed(typed)
    wanted = [("NUM_ARTICLE", "EXACTE", number)] if number else []
    if rest:
        wanted.append(("TITLE" if number else "ARTICLE", "TOUS_LES_MOTS_DANS_UN_CHAMP", rest))
    return [
        {"typeChamp": field, "criteres": [{"typeRecherche": how, "valeur": value, "operateur": "ET"}], "operateur": "ET"}
        for field, how, value in wanted
    ]  # fmt: skip


def folded(title: str) -> str:
    """A title as it is compared: without accents and case, and without what stands in brackets."""
    bare = unicodedata.normalize("NFKD", re.sub(r"\(.*?\)", " ", title).replace("’", "'"))
    return " ".join("".join(sign for sign in bare if not unicodedata.combining(sign)).casefold().split())


def plain(text: str) -> str:
    """The text of a piece of HTML, a line for each block."""
    reader = _Text()
    reader.feed(text)
    reader.close()
    # What keeps a sign of punctuation with its word stays.
    lines = (SPACES.sub(" ", line).strip() for line in "".join(reader.parts).splitlines())
    return "\n".join(line for line in lines if line)


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.unread = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.parts += ["\n"] if tag in BLOCKS else []
        self.unread = tag if tag in {"script", "style"} else self.unread

    def handle_endtag(self, tag: str) -> None:
        self.parts += ["\n"] if tag in BLOCKS else []
        self.unread = "" if tag == self.unread else self.unread

    def handle_data(self, data: str) -> None:
        self.parts += [] if self.unread else [data.replace("\n", " ").replace("\r", " ")]


def day(given: Any) -> str:
    """A date of Légifrance, milliseconds since 1970 or ISO 8601, as it is written here; "" for none, and for no end."""
    try:
        if isinstance(given, int) and not isinstance(given, bool):
            at = datetime.fromtimestamp(given / 1000, UTC).date()
        else:
            at = date.fromisoformat(str(given or "")[:10])
    except (ValueError, OverflowError, OSError):
        return ""
    return "" if at.year >= NO_END else at.strftime("%d/%m/%Y")
