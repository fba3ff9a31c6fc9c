"""Disputes: what nobody can decide automatically, with both sides' evidence and the choices that are safe now.

A choice is safe when it cannot charge twice, nor hide what was charged: what the operator last said decides,
so whoever is in doubt looks again first (`look`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from connectors.contract import NotFound, OperatorAdapter, OperatorOutcome, RefundOutcome, Refused
from portal import audit, breakers, clock, outbox
from portal import refusals as rules
from portal.billing import charges, refunding, refunds
from portal.billing.charges import Charge, ChargeEvent
from portal.billing.ledger import LedgerLine
from portal.billing.refunds import Refund
from portal.billing.reservation import evidence_of
from portal.billing.settlement import LIST_LAG
from portal.database import Database
from portal.rights import holds

Choice = Literal[
    "look", "capture_again", "void", "refund", "write_off", "consider_captured", "consider_voided",
    "consider_refunded", "consider_not_refunded", "refund_again",
]  # fmt: skip
"""`consider_…` take the operator's last word, or a person's knowledge, for settled; the others ask the operator."""


@dataclass(frozen=True)
class Evidence:
    """Everything kept of a charge: events with times and keys, refunds, and its lines of the ledger, oldest first."""

    charge: Charge
    events: list[ChargeEvent]
    refunds: list[Refund]
    lines: list[LedgerLine]


def evidence(session: Session, charge: Charge) -> Evidence:
    """What both sides said and did about a charge; no secret is ever part of it."""
    events = select(ChargeEvent).where(ChargeEvent.charge_id == charge.id).order_by(ChargeEvent.id)
    asked = select(Refund).where(Refund.charge_id == charge.id).order_by(Refund.id)
    lines = select(LedgerLine).where(LedgerLine.order_number == charge.order_number).order_by(LedgerLine.id)
    return Evidence(charge, *(list(session.scalars(query)) for query in (events, asked, lines)))


def open_disputes(session: Session) -> list[Charge]:
    """Every charge that waits for a person, the oldest first."""
    return list(session.scalars(select(Charge).where(Charge.state == "disputed").order_by(Charge.id)))


def last_word(session: Session, charge: Charge) -> dict[str, Any]:
    """What the operator last said of a charge, as it was noted; {} when it never said anything."""
    events = select(ChargeEvent.evidence).where(ChargeEvent.charge_id == charge.id).order_by(ChargeEvent.id.desc())
    return next((said for said in session.scalars(events) if "outcome" in said), {})


def certainly_not_charged(said: dict[str, Any]) -> bool:
    """Whether by the operator's last word nothing is, or can still come, on the invoice."""
    if said.get("outcome") == "OperatorCharge":
        return said["state"] in {"voided", "denied"}
    refused = said.get("outcome") == "Refused" and said["code"] != "credentials"
    # A line that the reader of a file of charges has refused is not billed.
    return refused or said.get("outcome") in {"NotFound", "LineRejected"}


def choices(session: Session, charge: Charge) -> list[Choice]:
    """What a person may safely decide on a charge as it stands now."""
    if charge.state == "captured":
        return ["refund"]
    delivered = charges.was_delivered(session, charge)
    if charge.state == "voided":
        return ["write_off"] if delivered else []
    if charge.state != "disputed":
        return []
    said = last_word(session, charge)
    if refunds.running(session, charge):
        return ["look", "refund_again", *_settled_refund(said)]
    if charge.captured_at:
        gone = certainly_not_charged(said) and not charge.refunded_cents
        return ["look", "consider_captured", "write_off"] if gone else ["look", "consider_captured"]
    if _is_charged(said, charge):
        return ["look", "consider_captured", *([] if delivered else ["refund"])]  # type: ignore[list-item]
    if not certainly_not_charged(said):
        return ["look", "capture_again" if delivered else "void"]
    return ["look", "capture_again", "write_off"] if delivered else ["look", "void", "consider_voided"]


def _settled_refund(said: dict[str, Any]) -> list[Choice]:
    """What the operator's last word on a refund lets a person take for settled; both when it answers and cannot tell."""
    outcome, state = said.get("outcome"), said.get("state")
    done: list[Choice] = ["consider_refunded"]
    not_done: list[Choice] = ["consider_not_refunded"]
    if outcome == "OperatorRefund":
        return done if state == "done" else not_done if state == "denied" else []
    if outcome == "Unknown":
        return [*done, *not_done]
    return not_done if outcome == "NotFound" else []


@breakers.asking_anyway()
def look(
    database: Database, operator: OperatorAdapter, order_number: str
) -> OperatorOutcome | RefundOutcome | NotFound:
    """Ask the operator what it has of a charge, or of the refund in doubt; its answer is noted and nothing changed."""
    with database.reading() as session:
        charge = charges.of_order(session, order_number)
        wanted = refunds.running(session, charge)
        sent_at = charges.last_sent(session, charge) or charge.created_at
    found: OperatorOutcome | RefundOutcome | NotFound
    if wanted:
        sent_at = wanted.sent_at or wanted.asked_at
        found = operator.find_refund(charge.operator_ref, wanted.key)
    else:
        found = operator.status(charge.operator_ref) if charge.operator_ref else NotFound()
        if isinstance(found, NotFound) or (isinstance(found, Refused) and found.code == "expired"):
            found = operator.find(charge.key, charge.sent_at or charge.created_at)
    if isinstance(found, NotFound) and clock.now() - sent_at <= LIST_LAG:
        # It may still come to show in the list: that is no word to decide upon.
        return found
    with database.transaction() as session:
        charges.note(session, charges.of_order(session, order_number), "looked_up", evidence_of(found))
    return found


def decide(session: Session, actor: str, charge: Charge, choice: Choice, reason: str) -> None:
    """Carry out one of `choices` on a dispute; a write-off, and a refund of what stands, have functions of their own.

    Args:
        actor: who decides, as the journal names him; the caller has made sure that he may.
        charge: as `charges.locked` gives it, so that nobody else decides at the same moment.

    Raises:
        Refused: `reason_missing`, or `choice_gone` when the choice is not safe (any more); nothing was changed.
    """
    reason = " ".join(reason.split())[: refunds.LONGEST_REASON]
    if not reason:
        raise rules.Refused("reason_missing")
    if charge.state != "disputed" or choice not in choices(session, charge) or choice in {"look", "write_off"}:
        raise rules.Refused("choice_gone")
    said = {"by": actor, "reason": reason}
    audit.record(session, actor, f"dispute_{choice}", charge.order_number, after=said)
    if refunds.running(session, charge):
        return _decide_refund(session, actor, charge, choice, said)
    if charge.captured_at:
        return charges.move(session, charge, "kept", said)
    if choice == "capture_again":
        charges.move(session, charge, "capture_again" if charge.operator_ref else "reserve_again", said)
        return charges.want_capture(session, charge.order_number)
    if choice == "void":
        charges.move(session, charge, "void_again", said)
        return charges.want_void(session, charge.order_number)
    if choice == "consider_voided":
        return charges.move(session, charge, "voided", said)
    charges.move(session, charge, "captured", said)
    holds.capture_holds(session, charge.order_number)
    if choice == "refund":
        refunds.ask(session, actor, charge, None, reason)
    return None


def _decide_refund(session: Session, actor: str, charge: Charge, choice: Choice, said: dict[str, Any]) -> None:
    wanted = refunds.running(session, charge)
    if wanted is None:
        raise rules.Refused("choice_gone")
    wanted.state = "asked"
    charges.move(session, charge, "refund_again", said)
    if choice == "consider_refunded":
        refunding.confirm(session, charge, wanted, said, actor)
    elif choice == "consider_not_refunded":
        refunding.deny(session, charge, wanted, said, actor)
    else:
        outbox.enqueue(session, "refund", charge.order_number)


def _is_charged(said: dict[str, Any], charge: Charge) -> bool:
    theirs = (said.get("outcome"), said.get("state"), said.get("amount_cents"))
    return theirs == ("OperatorCharge", "captured", str(charge.amount_cents))
