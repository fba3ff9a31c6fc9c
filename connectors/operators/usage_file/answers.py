"""Take in the operator's answers: an acknowledged file is final, a rejected line is `denied`, a strange one is reported."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from dataclasses import asdict
from datetime import datetime

from connectors.contract import AnswerFile, ContractBroken, LineRejected, Problem
from connectors.operators.usage_file.format import CONTROL, FileAnswer, Rejection, read_answer
from connectors.operators.usage_file.lines import stamp
from connectors.operators.usage_file.places import MOST_BYTES

FINAL = ("accepted", "accepted_in_part")


def is_read(connection: sqlite3.Connection, name: str, size: int) -> bool:
    """Whether an answer of this name and size was read before: one that has grown is read again."""
    query = "SELECT 1 FROM answers WHERE name = ? AND size = ?"
    return connection.execute(query, (name, size)).fetchone() is not None


def take_in(connection: sqlite3.Connection, name: str, size: int, content: bytes, at: datetime) -> list[Problem]:
    """Record an answer and what it changes, in one transaction; what in it cannot be used is returned.

    Args:
        size: bytes it had when it was listed, by which it is known again.
    """
    found = _used(connection, name, content, at)
    connection.execute(
        "INSERT OR IGNORE INTO answers VALUES (?, ?, ?, ?, ?)",
        (
            name,
            size,
            hashlib.sha256(content).hexdigest(),
            stamp(at),
            json.dumps([asdict(item) for item in found]),
        ),
    )
    return found


def answers_read(connection: sqlite3.Connection) -> list[AnswerFile]:
    """Every answer that was read, oldest first."""
    rows = connection.execute("SELECT * FROM answers ORDER BY read_at, name").fetchall()
    return [
        AnswerFile(
            row["name"],
            datetime.fromisoformat(row["read_at"]),
            tuple(Problem(**item) for item in json.loads(row["problems"])),
        )
        for row in rows
    ]


def _used(connection: sqlite3.Connection, name: str, content: bytes, at: datetime) -> list[Problem]:
    if len(content) > MOST_BYTES:
        return [_problem(name, f"plus de {MOST_BYTES} octets", f"it is longer than {MOST_BYTES} bytes")]
    try:
        answer = read_answer(content)
    except ContractBroken as error:
        return [_problem(name, f"illisible : {error.detail}", f"it cannot be read: {error.detail}")]
    file = connection.execute("SELECT * FROM files WHERE number = ?", (answer.number,)).fetchone()
    series = connection.execute("SELECT series FROM about").fetchone()[0]
    if file is None or (answer.account, answer.series) != (file["account"], series):
        which = f"{answer.account} {answer.series} {answer.number}"
        return [_problem(name, f"ce fichier n'est pas de nous : {which}", f"that file is not ours: {which}")]
    if answer.sha256 != file["sha256"]:
        return [
            _problem(name, "l'empreinte n'est pas celle du fichier envoyé", "its hash is not that of the file we sent")
        ]
    return _apply(connection, file, answer, name, at)


def _apply(
    connection: sqlite3.Connection, file: sqlite3.Row, answer: FileAnswer, name: str, at: datetime
) -> list[Problem]:
    found = [_problem(name, french, english) for french, english in answer.faults]
    refusal = next((item for item in answer.rejections if item.position == 0), None)
    if file["verdict"] in FINAL:
        return found + _after_the_end(connection, file, answer, name)
    if refusal is not None:
        _decide(connection, file, "refused", at)
        what = f"{refusal.code} {refusal.text}".strip()
        return [*found, _problem(name, f"le fichier entier est refusé : {what}", f"the whole file is refused: {what}")]
    found += [_unknown_line(name, item) for item in answer.rejections if not _deny(connection, file["number"], item)]
    denied = {row["key"] for row in _denied(connection, file["number"])}
    found += [_taken_back(name, key) for key in sorted(denied - {item.key for item in answer.rejections})]
    # What could not be read may have refused a line: only an answer read to its end ends a file.
    if not found:
        _decide(connection, file, "accepted_in_part" if denied else "accepted", at)
    return found


def _after_the_end(connection: sqlite3.Connection, file: sqlite3.Row, answer: FileAnswer, name: str) -> list[Problem]:
    """A final file is final: what a later answer says otherwise is for people to settle."""
    denied = {row["key"] for row in _denied(connection, file["number"])}
    new = [item for item in answer.rejections if item.key not in denied]
    if not new:
        return []
    keys = ", ".join(item.key or "*" for item in new[:5])
    return [_problem(
        name, f"le fichier était déjà accepté, et des lignes en sont refusées après coup : {keys}",
        f"the file was accepted already, and lines of it are refused afterwards: {keys}",
    )]  # fmt: skip


def _deny(connection: sqlite3.Connection, number: int, item: Rejection) -> bool:
    changed = connection.execute(
        "UPDATE lines SET state = 'denied', code = CASE state WHEN 'denied' THEN code ELSE ? END,"
        " detail = CASE state WHEN 'denied' THEN detail ELSE ? END WHERE file_number = ? AND position = ? AND key = ?",
        (item.code, item.text, number, item.position, item.key),
    )
    return changed.rowcount == 1


def _decide(connection: sqlite3.Connection, file: sqlite3.Row, verdict: str, at: datetime) -> None:
    connection.execute(
        "UPDATE files SET verdict = ?, answered_at = ? WHERE number = ?", (verdict, stamp(at), file["number"])
    )


def _denied(connection: sqlite3.Connection, number: int) -> list[sqlite3.Row]:
    query = "SELECT key FROM lines WHERE file_number = ? AND state = 'denied'"
    return connection.execute(query, (number,)).fetchall()


def unsigned(name: str) -> Problem:
    """An answer that anybody may have written."""
    return _problem(
        name, "sa signature manque ou n'est pas celle de l'opérateur ; il n'est pas pris en compte",
        "its signature is missing or not the operator's; it is not taken into account",
    )  # fmt: skip


def rejected_lines(connection: sqlite3.Connection) -> list[LineRejected]:
    """Every line ever refused, by file and position."""
    rows = connection.execute(
        "SELECT lines.*, charges.key AS charge_key FROM lines LEFT JOIN lines AS charges ON charges.ref = lines.charge_ref"
        " WHERE lines.state = 'denied' ORDER BY lines.file_number, lines.position"
    ).fetchall()
    return [
        LineRejected(
            key=row["charge_key"] or row["key"], reference=row["reference"], file_number=row["file_number"],
            code=row["code"], detail=row["detail"], refund_key=row["key"] if row["charge_key"] else "",
        )
        for row in rows
    ]  # fmt: skip


def _taken_back(name: str, key: str) -> Problem:
    """The portal has told an administrator that the line is refused, and it may have been billed anew since."""
    return _problem(
        name, f"il accepte une ligne qu'une réponse précédente refusait : {key}",
        f"it accepts a line that an earlier answer refused: {key}",
    )  # fmt: skip


def _unknown_line(name: str, item: Rejection) -> Problem:
    which = f"{item.position} {item.key} {item.code}".strip()
    return _problem(
        name,
        f"il refuse une ligne que le fichier n'a pas : {which}",
        f"it refuses a line that the file does not have: {which}",
    )


def _problem(name: str, french: str, english: str) -> Problem:
    # What the other side writes is shown in a terminal.
    french, english = CONTROL.sub(" ", french)[:500], CONTROL.sub(" ", english)[:500]
    what = {"fr": f"{name} : {french}.", "en": f"{name}: {english}."}
    remedy = {
        "fr": "Demandez à l'opérateur une réponse corrigée, sous un autre nom.",
        "en": "Ask the operator for a corrected answer, under another name.",
    }
    return Problem(what, remedy)
