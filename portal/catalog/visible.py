"""The words of a page as whoever reads it sees them, without what a server changes at each reading: its scripts, tokens and comments.

Written for comparing, not for showing. Each byte is looked at a fixed number of times, whatever a merchant sends.
"""

from __future__ import annotations

import html
import re

HTML = {"text/html", "application/xhtml+xml"}
SILENT = {"script", "style", "template", "noscript", "title"}
WITHIN_A_LINE = {
    "a", "abbr", "b", "bdi", "bdo", "cite", "code", "em", "font", "i", "mark", "q", "s", "small", "span", "strong", "sub",
    "sup", "time", "u", "wbr",
}  # fmt: skip
"""Elements that begin no new word."""
NAME = re.compile(r"</?([a-zA-Z][a-zA-Z0-9-]{0,30})")


def words_of(body: bytes, media_type: str) -> str:
    """The words of an HTML page, space folded; "" for what is none, or shows nothing before its scripts have run."""
    if media_type.partition(";")[0].strip().lower() not in HTML:
        return ""
    try:
        page = body.decode()
    except UnicodeDecodeError:
        # Whatever it is written in: here every byte is a sign of its own, so that no change goes unseen.
        page = body.decode("latin-1")
    return " ".join(html.unescape("".join(_texts(page))).split())


def _texts(page: str) -> list[str]:
    lower, found, at = page.lower(), [], 0
    while (start := page.find("<", at)) >= 0:
        found.append(page[at:start])
        name = NAME.match(lower, start)
        if page.startswith("<!--", start):
            at = _after(page, "-->", start + 4)
        elif name or page.startswith(("<!", "<?"), start):
            at = _after(page, ">", start)
            tag = name[1] if name else ""
            if tag in SILENT and lower[start + 1] != "/":
                end = lower.find(f"</{tag}", at)
                at = end if end >= 0 else len(page)
            if tag not in WITHIN_A_LINE:
                found.append(" ")
        else:
            found.append("<")
            at = start + 1
    return [*found, page[at:]]


def _after(page: str, mark: str, start: int) -> int:
    end = page.find(mark, start)
    return end + len(mark) if end >= 0 else len(page)
