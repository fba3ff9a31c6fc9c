"""What is said of a file that cannot be taken, and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from flask_babel import lazy_gettext

from connectors.files import KINDS
from portal.languages import in_language

REASONS = {
    "upload_empty": lazy_gettext("This file is empty. Choose another."),
    "upload_large": lazy_gettext(
        "This file is too large: %(most)s at most. Make it smaller, or give it in several parts."
    ),
    "upload_kind": lazy_gettext("This kind of file is not taken here. Give %(kinds)s."),
    "upload_mismatch": lazy_gettext(
        "The content of “%(filename)s” is not what its name says. Open it in the program that made it, save it again, and "
        "choose it again."
    ),
    "upload_macros": lazy_gettext(
        "“%(filename)s” contains macros, a script or a program, which are not taken here. Save it without them and choose "
        "it again."
    ),
    "upload_unreadable": lazy_gettext(
        "“%(filename)s” cannot be read. A text must be saved in UTF-8; any other file, once more by the program that made it."
    ),
    "upload_many": lazy_gettext(
        "You have given many files that are still kept. Finish what you are buying, or try again in an hour."
    ),
    "upload_failed": lazy_gettext(
        "The file could not be kept just now, and nothing was bought. Try again in a few minutes."
    ),
    "upload_gone": lazy_gettext("This file is not kept here any more. Choose it again."),
}


def facts(known: Mapping[str, Any], locale: str) -> dict[str, str]:
    """The kinds of files and the size in words."""
    return {"kinds": kinds(known.get("accept", ()), locale), "most": size(known.get("most_bytes", 0), locale)}


def kinds(accept: Iterable[str], locale: str) -> str:
    """Media types as people call them: `Word (.docx), PDF`."""
    return ", ".join(in_language(dict(KINDS[each].words), locale[:2]) for each in accept if each in KINDS)


def endings(accept: Iterable[str]) -> str:
    """How names of files of these media types end, for the browser's own choice: `.docx,.pdf`."""
    return ",".join(ending for each in accept if each in KINDS for ending in KINDS[each].endings)


def size(of: int, locale: str) -> str:
    """A number of bytes as people say it: `10 Mo`, `84 ko`."""
    french = locale.startswith("fr")
    many, unit = (
        (of / 1_000, "ko" if french else "kB") if of < 1_000_000 else (of / 1_000_000, "Mo" if french else "MB")
    )
    return f"{many:g}\N{NO-BREAK SPACE}{unit}".replace(".", "," if french else ".")
