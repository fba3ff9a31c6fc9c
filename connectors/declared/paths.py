"""Where in an answer something stands: `price.net`, `lines.0.text`, or `=constant` for what no answer holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.contract import ContractBroken, Words

CONSTANT = "="
Place = str | Mapping[str, str]
"""One path, or one for each language: `{fr = "nom", en = "name"}`."""


def find(content: Any, path: str) -> Any:
    """What stands at a path, None when nothing does; "" is the whole answer."""
    if path.startswith(CONSTANT):
        return path.removeprefix(CONSTANT)
    for step in path.split(".") if path else []:
        if isinstance(content, Mapping):
            content = content.get(step)
        elif isinstance(content, list) and step.isdecimal() and int(step) < len(content):
            content = content[int(step)]
        else:
            return None
    return content


def need(content: Any, path: str) -> Any:
    """What stands at a path. Raises `ContractBroken` when nothing does."""
    found = find(content, path)
    if found is None:
        raise ContractBroken(f"nothing at {path!r} in the answer")
    return found


def text(content: Any, path: str) -> str:
    """A text or a number at a path, "" when nothing is there. Raises `ContractBroken` for anything else."""
    found = find(content, path)
    if isinstance(found, bool) or not (found is None or isinstance(found, str | int) or hasattr(found, "is_finite")):
        raise ContractBroken(f"no text at {path!r} in the answer")
    return "" if found is None else str(found)


def words(content: Any, place: Place) -> Words:
    """A text in several languages; one path alone is taken for French, which everybody is shown for want of another."""
    places = {"fr": place} if isinstance(place, str) else place
    found = {language: text(content, path) for language, path in places.items()}
    return {language: said for language, said in found.items() if said}


def items(content: Any, path: str) -> list[Any]:
    """A list at a path. Raises `ContractBroken` for anything else."""
    found = find(content, path)
    if not isinstance(found, list):
        raise ContractBroken(f"no list at {path!r} in the answer")
    return found
