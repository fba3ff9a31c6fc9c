"""An operator's reader of usage files, written from docs/usage-file.md alone; it imports nothing of the product."""

from __future__ import annotations

import csv
import hashlib
import io
import re
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import load_pem_public_key

NAME = re.compile(r"guichet-([0-9a-f]{8})-([0-9]{6,})-([0-9]{8})(-r[1-9][0-9]*)?\.csv")
AMOUNT = re.compile(r"-?[0-9]+\.[0-9]{2}")
MOMENT = "%Y-%m-%dT%H:%M:%SZ"


class Refused(Exception):
    """Nothing of a file may be billed."""


@dataclass
class Reader:
    """What the operator knows: what it has billed, and which files it has seen."""

    public_pem: str
    billed: dict[str, dict[str, str]] = field(default_factory=dict)
    seen: dict[tuple[str, str, int], str] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)

    @property
    def total(self) -> Decimal:
        """What the invoice shows: charges less refunds."""
        return sum((self._signed(line) for line in self.billed.values()), Decimal(0))

    def missing(self) -> set[int]:
        """Numbers that have not come though a later one has."""
        numbers = {number for _account, _series, number in self.seen}
        return set(range(1, max(numbers, default=0) + 1)) - numbers

    def read_folder(self, folder: Path) -> list[str]:
        """Take every file there is; the names that were new."""
        return [path.name for path in sorted(folder.iterdir()) if NAME.fullmatch(path.name) and self.read(path)]

    def read(self, path: Path) -> bool:
        """Bill a file; False when it was seen before. Raises `Refused`."""
        content = path.read_bytes()
        self._verify(content, path.with_name(path.name + ".sig").read_bytes())
        head, lines, tail = self._records(content)
        name = NAME.fullmatch(path.name)
        assert name
        if (name[1], int(name[2]), name[3]) != (head["series"], head["number"], head["day"].replace("-", "")):
            raise Refused("the name is not that of the content")
        self._add_up(head, lines, tail)
        identity = (head["account"], head["series"], head["number"])
        digest = hashlib.sha256(content).hexdigest()
        if identity in self.seen:
            if self.seen[identity] != digest:
                raise Refused("the number was seen with other bytes")
            return False
        for line in lines:
            self._bill(line)
        self.seen[identity] = digest
        return True

    def _verify(self, content: bytes, signature: bytes) -> None:
        if len(signature) != 64:
            raise Refused("no signature")
        try:
            load_pem_public_key(self.public_pem.encode()).verify(signature, content)  # type: ignore[union-attr, call-arg]
        except InvalidSignature as error:
            raise Refused("the signature is not the sender's") from error

    def _records(self, content: bytes):  # type: ignore[no-untyped-def]
        text = content.decode("utf-8")
        if text.startswith("\ufeff") or not text.endswith("\r\n") or re.search(r"[\x00-\x09\x0b\x0c\x0e-\x1f]", text):
            raise Refused("not as the page says")
        # A record is always one line.
        rows = [next(csv.reader(io.StringIO(line), strict=True)) for line in text.removesuffix("\r\n").split("\r\n")]
        if len(rows[0]) != 10 or rows[0][:3] != ["H", "guichet-usage", "1"] or [row[0] for row in rows].count("T") != 1:
            raise Refused("no first or last record")
        names = ("account", "series", "number", "day", "zone", "currency", "made")
        head = dict(zip(names, rows[0][3:], strict=True)) | {"number": int(rows[0][5])}
        date.fromisoformat(head["day"]), ZoneInfo(head["zone"]), datetime.strptime(head["made"], MOMENT)
        names = ("kind", "position", "key", "reference", "line", "amount", "vat", "currency", "at", "description",
                 "merchant", "merchant_id", "category", "product", "charge_key")  # fmt: skip
        return head, [dict(zip(names, row, strict=True)) for row in rows[1:-1]], rows[-1]

    def _add_up(self, head: dict[str, str], lines: list[dict[str, str]], tail: list[str]) -> None:
        expected = ["T"]
        for kind in ("C", "R"):
            chosen = [line for line in lines if line["kind"] == kind]
            sums = [sum((Decimal(line[name]) for line in chosen), Decimal("0.00")) for name in ("amount", "vat")]
            expected += [str(len(chosen)), *map(str, sums)]
        expected.append(str(sum((self._signed(line) for line in lines), Decimal("0.00"))))
        if tail != expected:
            raise Refused(f"the totals are {expected}, the file says {tail}")
        for position, line in enumerate(lines, start=1):
            good = (
                line["kind"] in {"C", "R"} and line["position"] == str(position) and line["currency"] == head["currency"]
                and AMOUNT.fullmatch(line["amount"]) and AMOUNT.fullmatch(line["vat"]) and Decimal(line["amount"]) > 0
                and re.fullmatch(r"\+[1-9][0-9]{4,14}", line["line"]) and 0 < len(line["key"]) <= 64
                and (line["kind"] == "R") == bool(line["charge_key"])
            )  # fmt: skip
            if not good:
                raise Refused(f"line {position} is not as the page says")
            at = datetime.strptime(line["at"] + "+0000", MOMENT + "%z")
            if at.astimezone(ZoneInfo(head["zone"])).date().isoformat() != head["day"]:
                raise Refused(f"line {position} is of another day")

    def _bill(self, line: dict[str, str]) -> None:
        if line["key"] in self.billed:
            raise Refused("a key was seen in another file")
        if line["kind"] == "R":
            charge = self.billed[line["charge_key"]]
            back = [item for item in (*self.billed.values(), line) if item["charge_key"] == charge["key"]]
            for name in ("amount", "vat"):
                if sum(Decimal(item[name]) for item in back) > Decimal(charge[name]):
                    raise Refused("more is given back than was charged")
        self.billed[line["key"]] = line

    def _signed(self, line: dict[str, str]) -> Decimal:
        return Decimal(line["amount"]) if line["kind"] == "C" else -Decimal(line["amount"])


def answer(path: Path, rejections: list[tuple[int, str, str, str]], *, name: str = "", last: bool = True) -> Path:
    """Write the operator's answer to a file beside it, as the page says."""
    content = path.read_bytes()
    head = next(csv.reader([content.decode().splitlines()[0]]))
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(["H", "guichet-usage-answer", "1", head[3], head[4], head[5],
                     hashlib.sha256(content).hexdigest(), "2026-11-26T04:12:00Z"])  # fmt: skip
    for rejection in rejections:
        writer.writerow(["J", *rejection])
    if last:
        writer.writerow(["T", len(rejections)])
    kind = "reject" if rejections else "ack"
    written = path.with_name(name or f"{path.name.removesuffix('.csv')}.{kind}.csv")
    hidden = written.with_name("." + written.name)
    hidden.write_bytes(text.getvalue().encode())
    return hidden.rename(written)
