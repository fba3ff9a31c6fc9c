"""A list of any length, made from the fixtures' own: the same items again and again, each under an id of its own."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

from connectors.kit.matching import Asked, fits
from connectors.kit.merchant import ReplayingMerchant

PAGE = 500
HERE = "~here~"


class CannotBeLong(Exception):
    """The fixtures' list does not show how it goes on."""


class LongList:
    """Answers what the fixtures answer to the list, `length` items long.

    One page of fixtures makes one long answer; with two, the value by which the second was asked for shows how
    pages follow: it stands in the first answer (a cursor, a link), or it is a page's number.
    """

    def __init__(self, merchant: ReplayingMerchant, ids: list[str], length: int) -> None:
        asked = [item.asked for item in merchant.received if item.step.startswith("list")]
        pages = [
            next(each for each in merchant.fixtures.of("list") if not fits(each, one, merchant.hidden)[1])
            for one in asked
        ]
        self._hidden, self._first = merchant.hidden, asked[0]
        self._shape: Any = json.loads(json.dumps(pages[0].answer.content).replace("{base}", merchant.url))
        self._place = _place_of_items(self._shape, set(ids))
        self._items: list[Any] = _at(self._shape, self._place)
        self._id = _name_of_id(self._items, set(ids))
        self._texts = [json.dumps({**item, self._id: HERE}, ensure_ascii=False) for item in self._items]
        self._parameter, self._value = _turn(asked, self._hidden) if len(asked) > 1 else ("", "")
        self._size = PAGE if self._parameter else length
        self.length = length
        if self._parameter and not self._numbered and self._value not in json.dumps(self._shape):
            raise CannotBeLong(f"{self._value!r}")

    @property
    def _numbered(self) -> bool:
        """Whether pages are asked for by their number, which no answer holds."""
        return self._value == "2" and self._parameter in self._first.query

    def answer(self, asked: Asked) -> bytes | None:
        """The JSON for a request for a page; None when it is for something else."""
        if asked.method != self._first.method or asked.path != self._first.path:
            return None
        number = self._number(asked)
        start = number * self._size
        items = ",".join(self._item(index) for index in range(start, min(start + self._size, self.length)))
        page = _with(copy.deepcopy(self._shape), self._place, [HERE])
        if self._parameter and not self._numbered:
            ends = start + self._size >= self.length
            page = _replaced(page, self._value, None if ends else f"{self._value}~{number + 1}", self._place)
        return json.dumps(page, ensure_ascii=False).replace(f'"{HERE}"', items).encode()

    def _number(self, asked: Asked) -> int:
        if not self._parameter:
            return 0
        given = asked.query.get(self._parameter, "")
        if self._numbered:
            return int(given or 1) - 1
        return int(given.rpartition("~")[2]) if "~" in given else 0

    def _item(self, index: int) -> str:
        which = index % len(self._items)
        return self._texts[which].replace(HERE, f"{self._items[which][self._id]}-{index}")


def _turn(asked: list[Asked], hidden: frozenset[str]) -> tuple[str, str]:
    first, second = asked[0].query, asked[1].query
    changed = [name for name, value in second.items() if name not in hidden and first.get(name) != value]
    if asked[0].path != asked[1].path or len(changed) != 1:
        raise CannotBeLong(f"{asked[0].target} → {asked[1].target}")
    return changed[0], second[changed[0]]


def _place_of_items(content: Any, ids: set[str], place: tuple[str | int, ...] = ()) -> tuple[str | int, ...]:
    """Where the list of offers stands in an answer."""
    offers = content if isinstance(content, list) and all(isinstance(item, dict) for item in content) else []
    if any(str(value) in ids for item in offers for value in item.values()):
        return place
    for name, part in content.items() if isinstance(content, Mapping) else []:
        try:
            return _place_of_items(part, ids, (*place, name))
        except CannotBeLong:
            continue
    raise CannotBeLong("no list of offers")


def _name_of_id(items: list[Any], ids: set[str]) -> str:
    names = [name for name in items[0] if all(str(item.get(name)) in ids for item in items)]
    if not names:
        raise CannotBeLong("no id")
    return str(names[0])


def _at(content: Any, place: tuple[str | int, ...]) -> Any:
    for step in place:
        content = content[step]
    return content


def _with(content: Any, place: tuple[str | int, ...], items: list[Any]) -> Any:
    if not place:
        return items
    _at(content, place[:-1])[place[-1]] = items
    return content


def _replaced(content: Any, value: str, new: str | None, leave: tuple[str | int, ...]) -> Any:
    """A page with its way on replaced wherever it stands outside the items, or taken out at the end."""
    if not isinstance(content, Mapping):
        return content
    made: dict[str, Any] = {}
    for name, part in content.items():
        if leave and name == leave[0]:
            made[name] = part if len(leave) == 1 else _replaced(part, value, new, leave[1:])
        elif isinstance(part, Mapping):
            made[name] = _replaced(part, value, new, ())
        elif (
            isinstance(part, str | int) and not isinstance(part, bool) and (str(part) == value or _is_link(part, value))
        ):
            made[name] = None if new is None else str(part).replace(value, new)
        else:
            made[name] = part
    return made


def _is_link(part: Any, value: str) -> bool:
    return isinstance(part, str) and "=" in part and part.rpartition("=")[2] == value
