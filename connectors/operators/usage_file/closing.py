"""Close the company's days: lines that wait become files, numbered without a gap and signed, in one transaction."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time
from itertools import groupby
from zoneinfo import ZoneInfo

from connectors.operators.usage_file.format import Head, Line, file_name, written
from connectors.operators.usage_file.lines import stamp


@dataclass(frozen=True)
class Closing:
    """What every file of this installation has in common."""

    account: str
    zone: ZoneInfo
    sign: Callable[[bytes], bytes]


def close_days(connection: sqlite3.Connection, closing: Closing, before: date, at: datetime) -> list[int]:
    """Make a file of each day before a day that has lines waiting, one for each currency; their numbers."""
    until = datetime.combine(before, time.min, closing.zone)
    waiting = connection.execute(
        "SELECT lines.*, charges.key AS charge_key FROM lines LEFT JOIN lines AS charges ON charges.ref = lines.charge_ref"
        " WHERE lines.file_number IS NULL AND lines.state = 'captured' AND lines.captured_at < ?"
        " ORDER BY lines.captured_at, lines.rowid",
        (stamp(until),),
    ).fetchall()
    numbers = []
    for (day, currency), rows in _by_day(waiting, closing.zone):
        numbers.append(_close(connection, closing, (day, currency), rows, at))
    return numbers


def _by_day(rows: list[sqlite3.Row], zone: ZoneInfo) -> Iterator[tuple[tuple[date, str], list[sqlite3.Row]]]:
    def of(row: sqlite3.Row) -> tuple[date, str]:
        return datetime.fromisoformat(row["captured_at"]).astimezone(zone).date(), row["currency"]

    for key, group in groupby(sorted(rows, key=of), of):
        yield key, list(group)


def _close(
    connection: sqlite3.Connection, closing: Closing, which: tuple[date, str], rows: list[sqlite3.Row], at: datetime
) -> int:
    day, currency = which
    series = connection.execute("SELECT series FROM about").fetchone()[0]
    number: int = connection.execute("SELECT coalesce(max(number), 0) + 1 FROM files").fetchone()[0]
    head = Head(closing.account, series, number, day, closing.zone.key, currency, at)
    content = written(head, [_line(row) for row in rows])
    charges = [row for row in rows if row["kind"] == "charge"]
    net = sum(row["amount_cents"] if row["kind"] == "charge" else -row["amount_cents"] for row in rows)
    connection.execute(
        "INSERT INTO files (number, account, day, currency, name, content, signature, sha256, charges, refunds, net_cents, closed_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (number, closing.account, day.isoformat(), currency, file_name(head), content, closing.sign(content),
         hashlib.sha256(content).hexdigest(), len(charges), len(rows) - len(charges), net, stamp(at)),
    )  # fmt: skip
    connection.execute("INSERT INTO issues (number, repeat, name) VALUES (?, 0, ?)", (number, file_name(head)))
    connection.executemany(
        "UPDATE lines SET file_number = ?, position = ? WHERE ref = ?",
        [(number, position, row["ref"]) for position, row in enumerate(rows, start=1)],
    )
    return number


def _line(row: sqlite3.Row) -> Line:
    return Line(
        kind=row["kind"], key=row["key"], reference=row["reference"], line=row["line"],
        amount_cents=row["amount_cents"], vat_cents=row["vat_cents"], currency=row["currency"],
        at=datetime.fromisoformat(row["captured_at"]), description=row["description"],
        merchant_name=row["merchant_name"], merchant_id=row["merchant_id"], category=row["category"],
        product_id=row["product_id"], charge_key=row["charge_key"] or "",
    )  # fmt: skip
