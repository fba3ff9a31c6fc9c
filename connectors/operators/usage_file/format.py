"""The bytes of a usage file and of the operator's answer to one.

Source: docs/usage-file.md, which says it for whoever writes the other side; nothing here may know more.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal

from connectors.contract import ContractBroken

FORMAT, ANSWER_FORMAT, VERSION = "guichet-usage", "guichet-usage-answer", "1"
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
FORMULA = ("=", "+", "-", "@")
ANSWER_NAME = re.compile(r"guichet-([0-9a-f]{8})-[A-Za-z0-9._-]{1,100}\.(ack|reject)\.csv")
NUMBER = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True)
class Line:
    """One line of a file: a charge, or the refund of one (then `charge_key` is the charge's). Amounts in cents."""

    kind: str
    key: str
    reference: str
    line: str
    amount_cents: int
    vat_cents: int
    currency: str
    at: datetime
    description: str
    merchant_name: str
    merchant_id: str
    category: str
    product_id: str
    charge_key: str = ""


@dataclass(frozen=True)
class Head:
    """What a file says of itself; `series` and `number` name it for ever."""

    account: str
    series: str
    number: int
    day: date
    zone: str
    currency: str
    closed_at: datetime


@dataclass(frozen=True)
class Rejection:
    """A line the operator will not bill; `position` 0 is the whole file."""

    position: int
    key: str
    code: str
    text: str


@dataclass(frozen=True)
class FileAnswer:
    """The operator's answer to one file, as far as it could be read.

    `faults` names what could not be read, in French and in English.
    """

    account: str
    series: str
    number: int
    sha256: str
    rejections: tuple[Rejection, ...]
    faults: tuple[tuple[str, str], ...]


def file_name(head: Head) -> str:
    """`guichet-<series>-<number>-<day>.csv`."""
    return f"guichet-{head.series}-{head.number:06d}-{head.day:%Y%m%d}.csv"


def repeat_name(name: str, repeat: int) -> str:
    """The name of a file that is issued again for the n-th time."""
    return f"{name.removesuffix('.csv')}-r{repeat}.csv"


def written(head: Head, lines: Sequence[Line]) -> bytes:
    """A whole file: RFC 4180, UTF-8, one record a line."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([
        "H", FORMAT, VERSION, head.account, head.series, head.number, head.day.isoformat(), head.zone,
        head.currency, moment(head.closed_at),
    ])  # fmt: skip
    for position, line in enumerate(lines, start=1):
        writer.writerow(_record(position, line))
    charges = [line for line in lines if line.kind == "charge"]
    refunds = [line for line in lines if line.kind == "refund"]
    writer.writerow(["T", *_totals(charges), *_totals(refunds), amount(_sum(charges) - _sum(refunds))])
    return text.getvalue().encode()


def _record(position: int, line: Line) -> list[str]:
    texts = (line.description, line.merchant_name, line.merchant_id, line.category, line.product_id)
    return [
        "C" if line.kind == "charge" else "R", str(position), line.key, line.reference, line.line,
        amount(line.amount_cents), amount(line.vat_cents), line.currency, moment(line.at),
        *map(plain, texts), line.charge_key,
    ]  # fmt: skip


def _totals(lines: Sequence[Line]) -> list[str]:
    return [str(len(lines)), amount(_sum(lines)), amount(sum(line.vat_cents for line in lines))]


def _sum(lines: Sequence[Line]) -> int:
    return sum(line.amount_cents for line in lines)


def amount(cents: int) -> str:
    """`4.24`: a point, two decimals, a minus sign when negative."""
    return f"{Decimal(cents).scaleb(-2):.2f}"


def moment(at: datetime) -> str:
    """`2026-11-25T17:03:22Z`."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def plain(text: str) -> str:
    """One line without control characters, which no spreadsheet takes for a formula."""
    text = CONTROL.sub(" ", text).strip()
    return f" {text}" if text.startswith(FORMULA) else text


def read_answer(content: bytes) -> FileAnswer:
    """Read what can be read; a row that cannot is a fault, and the others stand. Raises `ContractBroken`."""
    # A record is a line, so that one broken record never takes the next ones with it.
    rows = [_row(line) for line in content.removeprefix(b"\xef\xbb\xbf").splitlines() if line.strip()]
    head = rows[0] if rows else []
    if len(head) != 8 or head[:3] != ["H", ANSWER_FORMAT, VERSION] or not NUMBER.fullmatch(head[5]):
        raise ContractBroken("its first line is not that of an answer")
    last = len(rows) - 1 if rows[-1][:1] == ["T"] else len(rows)
    rejections, faults = [], []
    for number, row in enumerate(rows[1:last], start=2):
        if len(row) == 5 and row[0] == "J" and NUMBER.fullmatch(row[1]):
            rejections.append(Rejection(int(row[1]), row[2], plain(row[3])[:64], plain(row[4])[:500]))
        else:
            faults.append((f"la ligne {number} est illisible", f"line {number} cannot be read"))
    if last == len(rows) or rows[-1] != ["T", str(last - 1)]:
        faults.append((
            "la dernière ligne manque ou ne compte pas les autres : il est peut-être incomplet",
            "its last line is missing or does not count the others: it may be incomplete",
        ))  # fmt: skip
    return FileAnswer(head[3], head[4], int(head[5]), head[6], tuple(rejections), tuple(faults))


def _row(line: bytes) -> list[str]:
    try:
        return next(csv.reader([line.decode()], strict=True))
    except (UnicodeDecodeError, csv.Error):
        return []
