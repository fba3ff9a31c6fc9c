"""Operators that bill from files: one round closes past days, delivers, reads answers and disputes what was refused.

Every step can be repeated at any time by any worker: the adapter keeps what is done. When the operator's
place cannot be reached the files wait, and each round tries again; nothing else stops for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from connectors.contract import ChargeFiles, ConnectorError, LineRejected
from portal import clock, logs
from portal.billing import charges
from portal.billing.charges import Charge, ChargeEvent
from portal.database import Database

log = logs.get(__name__)

ROUND_S = 300
"""How often a worker looks whether a day has ended or an answer has come."""
SETTLING = ("new", "reserved")


def go_round(database: Database, files: ChargeFiles, zone: ZoneInfo) -> None:
    """One round; a step that fails is logged, and the others are still done."""
    _attempt("usage_close_failed", lambda: _tell("usage_file_closed", files.close(clock.now().astimezone(zone).date())))
    _attempt("usage_delivery_failed", lambda: _tell("usage_file_delivered", files.deliver()))
    _attempt("usage_answers_failed", lambda: _read(files))
    _attempt("usage_rejections_failed", lambda: dispute_rejected(database, files))


def dispute_rejected(database: Database, files: ChargeFiles) -> list[LineRejected]:
    """Put every captured charge whose line the operator refused before an admin, once; those done now.

    A refused refund, or a charge that has moved on, keeps the refusal as a note.
    """
    with database.reading() as session:
        new = [line for line in files.rejected() if _is_new(session, _charge_of(session, line), line)]
    done = []
    for line in new:
        with database.transaction() as session:
            charge = session.scalar(select(Charge).where(Charge.order_number == line.reference).with_for_update())
            if charge is not None and _is_new(session, charge, line):
                _record(session, charge, line)
                done.append(line)
    return done


def _charge_of(session: Session, line: LineRejected) -> Charge | None:
    charge = session.scalar(select(Charge).where(Charge.order_number == line.reference))
    if charge is None:
        log.error("usage_line_of_nobody", order=line.reference, file=line.file_number)
    return charge


def _is_new(session: Session, charge: Charge | None, line: LineRejected) -> bool:
    """A charge still being settled meets the refusal by itself, when it looks the capture up."""
    return charge is not None and charge.state not in SETTLING and not _is_noted(session, charge, line)


def _record(session: Session, charge: Charge, line: LineRejected) -> None:
    evidence = {
        "outcome": "RefundLineRejected" if line.refund_key else "LineRejected",
        "line_key": line.refund_key or line.key, "file": line.file_number,
        "code": line.code, "detail": line.detail,
    }  # fmt: skip
    log.error("usage_line_rejected", order=charge.order_number, refund=bool(line.refund_key), **evidence)
    may_move = (charge.state, "doubted") in charges.MOVES and not line.refund_key and charge.key == line.key
    if charge.state == "captured" and may_move:
        charges.move(session, charge, "doubted", evidence)
    else:
        charges.note(session, charge, "line_rejected", evidence)


def _is_noted(session: Session, charge: Charge, line: LineRejected) -> bool:
    key = line.refund_key or line.key
    noted = session.scalars(
        select(ChargeEvent.evidence).where(
            ChargeEvent.charge_id == charge.id, ChargeEvent.event.in_(["doubted", "line_rejected"])
        )
    )
    return any(evidence.get("line_key") == key for evidence in noted)


def _read(files: ChargeFiles) -> None:
    for problem in files.read_answers():
        log.error("usage_answer_unusable", what=problem.what["en"])


def _tell(event: str, made: list[Any]) -> None:
    for file in made:
        log.info(event, number=file.number, name=file.name, charges=file.charges, cents=file.net_cents)


def _attempt(event: str, step: Callable[[], object]) -> None:
    try:
        step()
    except ConnectorError as error:
        log.error(event, detail=f"{type(error).__name__}: {error.detail}")
    except Exception:
        log.exception(event)
