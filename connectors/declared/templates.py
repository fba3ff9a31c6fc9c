"""Templates of a manifest: text with `{names}`, filled and escaped for where it stands. No expressions, no loops."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

PRINTABLE = "".join(chr(code) for code in range(32, 127) if chr(code) != "%")
PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([A-Za-z_][A-Za-z0-9_.-]*)\}|[{}]")


class TemplateError(ValueError):
    """A template that can never be filled; the message says where and why."""


def names(template: Any) -> Iterator[str]:
    """Every name that a text, or a body of texts, wants. Raises `TemplateError` for a brace that stands alone."""
    if isinstance(template, Mapping):
        for part in template.values():
            yield from names(part)
    elif isinstance(template, list):
        for part in template:
            yield from names(part)
    elif isinstance(template, str):
        for found in PLACEHOLDER.finditer(template):
            if found[1]:
                yield found[1]
            elif len(found[0]) == 1:
                raise TemplateError(f"{template!r}: a brace of the text itself is written twice, {found[0] * 2}")


def in_path(template: str, values: Mapping[str, Any]) -> str:
    """A path: what is filled in can never add a segment, a query or a host, nor take a segment away."""
    return _fill(template, values, _segment)


def in_header(template: str, values: Mapping[str, Any]) -> str:
    """A header's value: what is filled in can never begin another header."""
    return _fill(template, values, lambda value: quote(_text(value), safe=PRINTABLE))


def in_text(template: str, values: Mapping[str, Any]) -> str:
    """A query's value, which is encoded when it is sent."""
    return _fill(template, values, _text)


def in_body(template: Any, values: Mapping[str, Any]) -> Any:
    """A JSON body; a text that is one name and nothing else takes that value as it is, a number as a number."""
    if isinstance(template, Mapping):
        return {name: in_body(part, values) for name, part in template.items()}
    if isinstance(template, list):
        return [in_body(part, values) for part in template]
    if not isinstance(template, str):
        return template
    whole = PLACEHOLDER.fullmatch(template)
    return values[whole[1]] if whole and whole[1] else in_text(template, values)


def _fill(template: str, values: Mapping[str, Any], escape: Callable[[Any], str]) -> str:
    def one(found: re.Match[str]) -> str:
        return escape(values[found[1]]) if found[1] else found[0][0]

    return PLACEHOLDER.sub(one, template)


def _segment(value: Any) -> str:
    text = _text(value)
    # Dots alone mean "here" and "one up", also when they are encoded.
    return quote(text, safe="") if text.strip(".") else text.replace(".", "_")


def _text(value: Any) -> str:
    return "" if value is None else str(value)
