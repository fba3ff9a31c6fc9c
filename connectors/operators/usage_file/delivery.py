"""The files of a usage-file operator: closed, delivered, read back, listed, issued again.

A file is stored with its bytes and signature before it is put anywhere, so that whatever crashes, the same
bytes are put again under the same name. One process delivers and reads at a time (a lock on a file of the
spool's folder); another that comes meanwhile leaves it the work.
"""

from __future__ import annotations

import fcntl
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from connectors.contract import (
    AnswerFile,
    ChargeFile,
    ConnectorError,
    FileState,
    LineRejected,
    Problem,
    Rejected,
    Unavailable,
)
from connectors.operators.usage_file import answers, signature
from connectors.operators.usage_file.checks import problems
from connectors.operators.usage_file.closing import Closing, close_days
from connectors.operators.usage_file.format import ANSWER_NAME, repeat_name
from connectors.operators.usage_file.lines import stamp
from connectors.operators.usage_file.places import Place, WayTo
from connectors.operators.usage_file.spool import Spool, SpoolUnusable

LIST = """
SELECT files.*, (SELECT max(delivered_at) FROM issues WHERE issues.number = files.number) AS delivered_at,
    (SELECT max(repeat) FROM issues WHERE issues.number = files.number) AS repeats,
    (SELECT count(*) FROM issues WHERE issues.number = files.number AND delivered_at IS NULL) AS waiting,
    (SELECT count(*) FROM lines WHERE lines.file_number = files.number AND state = 'denied') AS rejected
FROM files
"""

UNFILED = "SELECT count(*) FROM lines WHERE file_number IS NULL AND state = 'captured'"


@dataclass(frozen=True)
class Terms:
    """What the contract with the operator fixes; keys are PEM files.

    `answer_days`: how long an answer may take before it is missed; 0 when the operator sends none.
    `answer_key`: the operator's public key; with it an answer counts only when its signature verifies.
    """

    account: str
    signing_key: Path
    answer_days: int = 0
    answer_key: Path | None = None


class UsageFiles:
    """`ChargeFiles` over a spool and a place. Methods raise `ConnectorError` as the contract says."""

    def __init__(self, spool: Spool, way: WayTo, terms: Terms, zone: ZoneInfo, now: Callable[[], datetime]) -> None:
        self._spool, self._way, self._terms, self._zone, self._now = spool, way, terms, zone, now
        self._unsigned: set[tuple[str, int]] = set()

    def close(self, before: date) -> list[ChargeFile]:
        """Make the files of the company's days before a day."""
        key = signature.private_key(self._terms.signing_key)
        closing = Closing(self._terms.account, self._zone, key.sign)
        with self._writing() as connection:
            numbers = close_days(connection, closing, before, self._now())
            return [_file(connection, number) for number in numbers]

    def deliver(self) -> list[ChargeFile]:
        """Put every issue that is not there yet, oldest first; one that cannot be put keeps no other from it."""
        with self._alone() as alone:
            with self._reading() as connection:
                waiting = connection.execute(
                    "SELECT number, repeat, name FROM issues WHERE delivered_at IS NULL ORDER BY number, repeat"
                ).fetchall()
            if not alone or not waiting:
                return []
            failed: ConnectorError | None = None
            with self._way.opened() as place:
                for issue in waiting:
                    try:
                        self._put(place, issue)
                    except ConnectorError as error:
                        failed = failed or error
            if failed:
                raise failed
            with self._reading() as connection:
                return [_file(connection, number) for number in sorted({issue["number"] for issue in waiting})]

    def read_answers(self) -> list[Problem]:
        """Take in every answer that is new; one that cannot be had keeps no other from being read."""
        found: list[Problem] = []
        failed: ConnectorError | None = None
        with self._alone() as alone:
            if not alone or not self.listing():
                return []
            with self._way.opened() as place:
                for name, size in place.names():
                    if ANSWER_NAME.fullmatch(name):
                        try:
                            found += self._take_in(place, name, size)
                        except ConnectorError as error:
                            failed = failed or error
        if failed and not found:
            raise failed
        return found

    def answers(self) -> list[AnswerFile]:
        """Every answer that was read."""
        with self._reading() as connection:
            return answers.answers_read(connection)

    def rejected(self) -> list[LineRejected]:
        """Every line the operator ever refused."""
        with self._reading() as connection:
            return answers.rejected_lines(connection)

    def listing(self) -> list[ChargeFile]:
        """Every file, oldest first."""
        with self._reading() as connection:
            return [_as_file(row) for row in connection.execute(f"{LIST} ORDER BY number")]

    def reissue(self, number: int) -> ChargeFile:
        """Give a file another name and deliver that; when it is in nobody's hands yet, deliver it once more as it is."""
        with self._writing() as connection:
            row = connection.execute("SELECT * FROM files WHERE number = ?", (number,)).fetchone()
            if row is None:
                raise Rejected(f"there is no file {number}")
            _issue_again(connection, row)
        self.deliver()
        with self._reading() as connection:
            return _file(connection, number)

    def public_key(self) -> str:
        """The public key, as PEM; the pair is made when the file of [operator] usage_signing_key_file is missing."""
        path = self._terms.signing_key
        try:
            signature.make_key(path)
        except OSError as error:
            raise Unavailable(f"{path}: {error.strerror or error}") from error
        return signature.public_pem(path)

    def unfiled(self) -> int:
        """Lines of a day that has not been closed yet."""
        with self._reading() as connection:
            return int(connection.execute(UNFILED).fetchone()[0])

    def check(self) -> list[Problem]:
        """Try everything a file needs on its way; none is made."""
        return problems(self._spool, self._way, self._terms.signing_key, self._terms.answer_key, self._missed)

    def _missed(self) -> list[ChargeFile]:
        """Files the operator has refused, or should have answered by now."""
        late = self._now() - timedelta(days=self._terms.answer_days)
        return [
            file
            for file in self.listing()
            if file.state == "refused"
            or (self._terms.answer_days and file.state == "delivered" and (file.delivered_at or late) < late)
        ]

    def _put(self, place: Place, issue: sqlite3.Row) -> None:
        with self._reading() as connection:
            query = "SELECT content, signature FROM files WHERE number = ?"
            content, signed = connection.execute(query, (issue["number"],)).fetchone()
        # The signature first: who sees the file can verify it.
        place.put(f"{issue['name']}.sig", signed)
        place.put(issue["name"], content)
        with self._writing() as connection:
            connection.execute(
                "UPDATE issues SET delivered_at = ? WHERE number = ? AND repeat = ?",
                (stamp(self._now()), issue["number"], issue["repeat"]),
            )

    def _take_in(self, place: Place, name: str, size: int) -> list[Problem]:
        with self._reading() as connection:
            if answers.is_read(connection, name, size):
                return []
        content = place.read(name)
        if content is None:
            return []
        if self._terms.answer_key is not None:
            signed = place.read(f"{name}.sig")
            if signed is None or not signature.verifies(signature.public_key(self._terms.answer_key), signed, content):
                # Its signature may still come, so it is looked at again, but told once.
                told = (name, size) in self._unsigned
                self._unsigned.add((name, size))
                return [] if told else [answers.unsigned(name)]
        with self._writing() as connection:
            return answers.take_in(connection, name, size, content, self._now())

    @contextmanager
    def _alone(self) -> Iterator[bool]:
        """Whether nobody else is delivering or reading; the lock falls with the process."""
        with self._reading():
            pass
        path = self._spool.folder / "delivery.lock"
        try:
            guard = path.open("w")
        except OSError as error:
            raise Unavailable(f"{path}: {error.strerror or error}") from error
        with guard:
            try:
                fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            yield True

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        try:
            with self._spool.writing() as connection:
                yield connection
        except SpoolUnusable as error:
            raise Unavailable(error.detail) from error

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        try:
            with self._spool.reading() as connection:
                yield connection
        except SpoolUnusable as error:
            raise Unavailable(error.detail) from error


def _issue_again(connection: sqlite3.Connection, row: sqlite3.Row) -> None:
    number, last = row["number"], "SELECT * FROM issues WHERE number = ? ORDER BY repeat DESC LIMIT 1"
    issue = connection.execute(last, (number,)).fetchone()
    if issue["delivered_at"] is None:
        return
    repeat = issue["repeat"] + 1
    values = (number, repeat, repeat_name(row["name"], repeat))
    connection.execute("INSERT INTO issues (number, repeat, name) VALUES (?, ?, ?)", values)
    # A refused file is asked about anew; what the operator has accepted stays accepted.
    forget = "UPDATE files SET verdict = '', answered_at = NULL WHERE number = ? AND verdict = 'refused'"
    connection.execute(forget, (number,))


def _file(connection: sqlite3.Connection, number: int) -> ChargeFile:
    return _as_file(connection.execute(f"{LIST} WHERE number = ?", (number,)).fetchone())


def _as_file(row: sqlite3.Row) -> ChargeFile:
    state: FileState = "closed" if row["waiting"] else row["verdict"] or "delivered"
    return ChargeFile(
        number=row["number"], name=row["name"], day=date.fromisoformat(row["day"]), state=state,
        charges=row["charges"], refunds=row["refunds"], net_cents=row["net_cents"], currency=row["currency"],
        sha256=row["sha256"], closed_at=datetime.fromisoformat(row["closed_at"]),
        delivered_at=_moment(row["delivered_at"]), answered_at=_moment(row["answered_at"]),
        repeats=row["repeats"], rejected=row["rejected"],
    )  # fmt: skip


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
