"""Read a rule file: every fault is found and named with its line, and one fault is enough to refuse the file."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from portal.directory.answers import Group
from portal.money import parse_amount
from portal.rights.ceilings import PERIODS, WARN_PERCENT, WHO, Terms
from portal.rights.rulebook import CeilingLine, DelegationLine, Resolve, Rulebook, RuleLine
from portal.rights.rules import EFFECTS, RIGHTS
from portal.rights.scopes import Scope, parse_scope

KEYS = {
    "rules": {"effect", "group", "group_id", "right", "scope", "starts", "ends"},
    "ceilings": {
        "who", "group", "group_id", "limit", "currency", "period", "scope", "with_vat", "warn_percent",
    },
    "delegations": {"delegates", "delegates_id", "group", "group_id", "scope"},
}  # fmt: skip


@dataclass(frozen=True)
class LineFault:
    """What is wrong at one line (from 1); `code` is `not_toml`, `unknown_table`, `unknown_key`, `missing`, `choice`,
    `scope`, `amount`, `date`, `group`, `twice`, `themselves` or `everyone`."""

    line: int
    code: str
    facts: Mapping[str, object] = field(default_factory=dict)


class RulebookFaults(Exception):
    """The file cannot be used; nothing was applied."""

    def __init__(self, faults: list[LineFault]) -> None:
        super().__init__("; ".join(f"line {fault.line}: {fault.code}" for fault in faults))
        self.faults = faults


class _WrongKey(Exception):
    def __init__(self, key: str, code: str, **facts: object) -> None:
        super().__init__(code)
        self.key, self.code, self.facts = key, code, facts


class Groups(Protocol):
    """The part of the directory that a rule file asks."""

    def group(self, reference: Group) -> Group | None:
        """The group as it is now. Raises `DirectoryUnknown`."""


def resolver(directory: Groups) -> Resolve:
    """Each group of a file, asked of the directory once."""

    @cache
    def resolve(dn: str, identifier: str) -> Group | None:
        return directory.group(Group(dn, identifier))

    return resolve


def read(text: str, resolve: Resolve, zone: ZoneInfo) -> Rulebook:
    """The rulebook a file says.

    Raises:
        RulebookFaults: every line that is wrong.
    """
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"line (\d+)", str(error))
        line = int(found[1]) if found else text.count("\n") + 1
        raise RulebookFaults([LineFault(line, "not_toml", {"detail": error})]) from error
    book, faults = Rulebook(), []
    for name, tables in content.items():
        if name not in KEYS or not isinstance(tables, list) or not all(isinstance(one, dict) for one in tables):
            faults.append(LineFault(_line_of(text, name, 0, name), "unknown_table", {"name": name}))
            continue
        seen: list[object] = []
        for index, table in enumerate(tables):
            try:
                seen.append(_add(book, name, table, resolve, zone, seen))
            except _WrongKey as wrong:
                faults.append(LineFault(_line_of(text, name, index, wrong.key), wrong.code, wrong.facts))
    if faults:
        raise RulebookFaults(faults)
    return book


def _add(
    book: Rulebook, name: str, table: dict[str, Any], resolve: Resolve, zone: ZoneInfo, seen: list[object]
) -> object:
    for key in table:
        if key not in KEYS[name]:
            raise _WrongKey(key, "unknown_key", name=key, known=", ".join(sorted(KEYS[name])))
    line: RuleLine | CeilingLine | DelegationLine
    if name == "rules":
        line = _rule(table, resolve, zone)
        book.rules.append(line)
        said: object = line
    elif name == "ceilings":
        line = _ceiling(table, resolve)
        book.ceilings.append(line)
        terms = line.terms
        said = (terms.who, line.group, terms.scope, terms.period, terms.currency, terms.with_vat)
    else:
        line = DelegationLine(_group(table, "delegates", resolve), _group(table, "group", resolve), _scope(table))
        if line.delegates.key == line.target.key:
            raise _WrongKey("delegates", "themselves")
        book.delegations.append(line)
        said = line
    if said in seen:
        raise _WrongKey("", "twice")
    return said


def _rule(table: dict[str, Any], resolve: Resolve, zone: ZoneInfo) -> RuleLine:
    effect, right = _choice(table, "effect", EFFECTS), _choice(table, "right", RIGHTS)
    starts, ends = _instant(table, "starts", zone), _instant(table, "ends", zone, last=True)
    if starts and ends and starts >= ends:
        raise _WrongKey("ends", "date")
    return RuleLine(_group(table, "group", resolve), _scope(table), right, effect, starts, ends)


def _ceiling(table: dict[str, Any], resolve: Resolve) -> CeilingLine:
    who, period = _choice(table, "who", WHO), _choice(table, "period", PERIODS)
    if (who == "everyone") == ("group" in table):
        raise _WrongKey("who", "everyone")
    try:
        limit = parse_amount(str(_required(table, "limit")))
    except ValueError:
        raise _WrongKey("limit", "amount", value=table["limit"]) from None
    currency = _choice({"currency": "EUR", **table}, "currency", ("EUR",))
    with_vat = table.get("with_vat", True)
    if not isinstance(with_vat, bool):
        raise _WrongKey("with_vat", "choice", value=with_vat, known="true, false")
    warn = table.get("warn_percent", WARN_PERCENT)
    if not isinstance(warn, int) or isinstance(warn, bool) or not 0 <= warn <= 100:
        raise _WrongKey("warn_percent", "choice", value=warn, known="0 … 100")
    group = None if who == "everyone" else _group(table, "group", resolve)
    return CeilingLine(group, Terms(who, _scope(table), period, limit, currency, with_vat, warn))


def _required(table: dict[str, Any], key: str) -> Any:
    if key not in table:
        raise _WrongKey("", "missing", name=key)
    return table[key]


def _choice(table: dict[str, Any], key: str, known: tuple[str, ...]) -> str:
    value = _required(table, key)
    if value not in known:
        raise _WrongKey(key, "choice", value=value, known=", ".join(known))
    return str(value)


def _scope(table: dict[str, Any]) -> Scope:
    value = table.get("scope", "all")
    try:
        return parse_scope(value if isinstance(value, str) else "")
    except ValueError:
        raise _WrongKey("scope", "scope", value=value) from None


def _group(table: dict[str, Any], key: str, resolve: Resolve) -> Group:
    dn, identifier = _required(table, key), table.get(f"{key}_id", "")
    found = resolve(dn, identifier) if isinstance(dn, str) and isinstance(identifier, str) and dn else None
    if found is None:
        raise _WrongKey(key, "group", value=dn)
    return found


def _instant(table: dict[str, Any], key: str, zone: ZoneInfo, *, last: bool = False) -> datetime | None:
    value = table.get(key)
    if value is None:
        return None
    if isinstance(value, datetime):
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=zone).astimezone(UTC)
    if not isinstance(value, date):
        raise _WrongKey(key, "date")
    day = value + timedelta(days=1) if last else value
    return datetime.combine(day, time.min, zone).astimezone(UTC)


def _line_of(text: str, table: str, index: int, key: str) -> int:
    """The line of a key within the table's entry number `index`; the entry's own first line when the key is not there."""
    lines = text.splitlines()
    heads = [at for at, line in enumerate(lines) if re.match(rf"\s*\[\[?\s*[\"']?{re.escape(table)}[\"']?\s*\]", line)]
    if index >= len(heads):
        return next((at + 1 for at, line in enumerate(lines) if re.match(rf"\s*{re.escape(table)}\b", line)), 1)
    start = heads[index]
    for at in range(start + 1, len(lines)):
        if re.match(r"\s*\[", lines[at]):
            break
        if key and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=", lines[at]):
            return at + 1
    return start + 1
