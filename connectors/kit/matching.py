"""Requests compared with fixtures, and answers filled in: `{key}` in a request is what stands there, wherever the answer says it."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from connectors.kit.story import ANYTHING, Exchange
from connectors.kit.uploads import Part, parts_of

NAMES = re.compile(r"\{(key|po|max|max_cents|any|base|soon|later|far|now|token|P[0-9YMWDTH]+)\}")

SPECIAL = ("none", "pending", "changed")
"""How a step's name ends that is answered by what has happened."""
ALIKE = 0.7


@dataclass(frozen=True)
class Asked:
    """A request as it came: `target` is its path with its query."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        """The path alone, as it was sent."""
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        """The query, decoded."""
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    @property
    def parts(self) -> Iterator[Part]:
        """The fields of a form with files."""
        return parts_of(self.headers.get("content-type", ""), self.body)

    @property
    def content(self) -> Any:
        """The body: JSON or a form, decoded, where a file is its name; text when it is neither."""
        if fields := list(self.parts):
            return {part.name: part.filename or part.body.decode("utf-8", "replace") for part in fields}
        text = self.body.decode("utf-8", "replace")
        if "form-urlencoded" in self.headers.get("content-type", ""):
            return dict(parse_qsl(text, keep_blank_values=True))
        try:
            return json.loads(text) if text else None
        except ValueError:
            return text


def fits(exchange: Exchange, asked: Asked, hidden: frozenset[str] = frozenset()) -> tuple[dict[str, str], str]:
    """What the names of a fixture stand for in a request, and where they differ ("" when nowhere).

    `hidden` are parameters of the query that sign in: no fixture holds them.
    """
    wanted, bound = exchange.request, dict[str, str]()
    if wanted.method != asked.method:
        return bound, f"method: {asked.method}, not {wanted.method}"
    query = {name: value for name, value in asked.query.items() if name not in hidden}
    headers = {name.lower(): value for name, value in wanted.headers.items()}
    parts = [
        ("path", wanted.path, asked.path),
        ("query", wanted.query, query),
        ("headers", headers, {name: asked.headers[name] for name in headers if name in asked.headers}),
        ("body", wanted.body, asked.content),
    ]
    for where, template, given in parts:
        if difference := _differs(template, given, bound, where):
            return bound, difference
    return bound, ""


def nearest(exchanges: Sequence[Exchange], asked: Asked, hidden: frozenset[str] = frozenset()) -> str:
    """Which fixture comes nearest to a request that none answers, and where it differs; "" when none is like it."""
    said = Counter([*_parts(asked.query), *_parts(asked.content), asked.method])
    ranked: list[tuple[bool, bool, int, float, str]] = []
    for exchange in exchanges:
        wanted = exchange.request
        there = not _differs(wanted.path, asked.path, {}, "path")
        alike = SequenceMatcher(None, wanted.path, asked.path).ratio()
        common = said & Counter([*_parts(wanted.query), *_parts(wanted.body), wanted.method])
        difference = f"{exchange.step}.json: {fits(exchange, asked, hidden)[1]}"
        if there or alike > ALIKE:
            ranked.append((there, not exchange.step.endswith(SPECIAL), common.total(), alike, difference))
    return f"; {max(ranked)[-1]}" if ranked else ""


def _parts(content: Any) -> Iterator[str]:
    """Names and values of a request; a value tells twice as much as its name."""
    for name, part in content.items() if isinstance(content, dict) else ():
        yield f"{name}:"
        yield from _parts(part)
    if isinstance(content, list):
        for part in content:
            yield from _parts(part)
    elif not isinstance(content, dict):
        yield from (str(content), str(content))


def _differs(template: Any, given: Any, bound: dict[str, str], where: str) -> str:
    if template == ANYTHING:
        return ""
    if isinstance(template, str) and NAMES.search(template):
        return "" if _binds(template, str(given), bound) else f"{where}: {given!r}, not {template!r}"
    if isinstance(template, dict) and isinstance(given, dict):
        for name in [*template, *given]:
            if name not in given or name not in template:
                return f"{where}.{name}: {'missing' if name not in given else 'not in the fixture'}"
            if difference := _differs(template[name], given[name], bound, f"{where}.{name}"):
                return difference
        return ""
    if isinstance(template, list) and isinstance(given, list) and len(template) == len(given):
        pairs = zip(template, given, strict=True)
        return next((d for i, (a, b) in enumerate(pairs) if (d := _differs(a, b, bound, f"{where}.{i}"))), "")
    return "" if template == given else f"{where}: {given!r}, not {template!r}{_scaled(template, given)}"


def _scaled(template: Any, given: Any) -> str:
    """The mistake that is made most with amounts."""
    numbers = [each for each in (template, given) if isinstance(each, int | float) and not isinstance(each, bool)]
    if len(numbers) == 2 and 0 not in numbers and max(numbers) == 100 * min(numbers):
        return " (a hundred times: is [amounts] unit right?)"
    return ""


def _binds(template: str, given: str, bound: dict[str, str]) -> bool:
    names: list[str] = []
    pattern = ""
    for index, part in enumerate(NAMES.split(template)):
        names += [part] if index % 2 else []
        pattern += "(.*)" if index % 2 else re.escape(part)
    found = re.fullmatch(pattern, given, re.DOTALL)
    if not found:
        return False
    for name, value in zip(names, found.groups(), strict=True):
        if name != "any" and bound.setdefault(name, value) != value:
            return False
    return True


def fill(content: Any, values: Mapping[str, str]) -> Any:
    """An answer with its names filled in; one that is a name and nothing else keeps a number a number."""
    if isinstance(content, dict):
        return {name: fill(part, values) for name, part in content.items()}
    if isinstance(content, list):
        return [fill(part, values) for part in content]
    if not isinstance(content, str):
        return content
    if content == "{max_cents}" and values.get("max_cents", "").isdecimal():
        return int(values["max_cents"])
    return NAMES.sub(lambda found: values.get(found[1], found[0]), content)
