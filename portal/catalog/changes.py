"""What is on hold until an administrator agrees, and his word on it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, delete, func, select, update
from sqlalchemy.orm import Session

from portal import audit, clock, logs
from portal.catalog import consent, runs
from portal.catalog.consent import Difference, MerchantAgreement, OfferChange, differences
from portal.catalog.offers import OfferRow, merchant_names
from portal.refusals import Refused

log = logs.get(__name__)

EXAMPLES = 5


@dataclass(frozen=True)
class Change:
    """One change that waits for a word, or was refused; `change` names it and says nothing else.

    `offers` are on hold for it, `examples` the first of them. A merchant who is somebody else has `is_merchant`,
    and is on hold with all that he sells.
    """

    change: str
    merchant: str
    merchant_name: str
    is_merchant: bool
    differences: list[Difference]
    offers: int
    examples: list[OfferRow]
    seen_at: datetime
    refused_by: str

    @property
    def subject(self) -> str:
        """What the journal calls it."""
        only = f"/{self.examples[0].offer}" if not self.is_merchant and self.offers == 1 else ""
        return f"{self.merchant}{only}"


def listing(session: Session) -> list[Change]:
    """Everything on hold: what nobody has answered first, merchants before offers."""
    found = [*_of_merchants(session), *_of_offers(session)]
    return sorted(found, key=lambda each: (bool(each.refused_by), not each.is_merchant, each.merchant_name))


def waiting(session: Session) -> int:
    """How many changes nobody has answered."""
    merchants = select(MerchantAgreement.change).where(
        MerchantAgreement.change != "", MerchantAgreement.refused_by == ""
    )
    offers = _held(OfferChange.change).where(OfferChange.refused_by == "")
    return session.scalar(select(func.count()).select_from(merchants.union(offers).subquery())) or 0


def agree(session: Session, actor: str, change: str) -> Change:
    """From now on it is as it is seen now: back on sale. Raises `Refused`: `change_gone`."""
    found = _find(session, change)
    _record(session, actor, found, "change_agreed")
    if found.is_merchant:
        row = session.get_one(MerchantAgreement, found.merchant)
        if row.seen:
            row.agreed, row.agreed_by, row.agreed_at = row.seen, actor, clock.now()
        consent.settle(row)
        session.flush()
        consent.put_back(session, found.merchant)
        runs.plan(session, found.merchant, None)
        return found
    if found.merchant not in consent.merchants_on_hold(session):
        consent.put_back(session, found.merchant, change)
    session.execute(delete(OfferChange).where(OfferChange.change == change))
    return found


def refuse(session: Session, actor: str, change: str) -> Change:
    """It stays on hold, and waits for no word any more. Raises `Refused`: `change_gone`."""
    found = _find(session, change)
    _record(session, actor, found, "change_refused")
    table = MerchantAgreement if found.is_merchant else OfferChange
    session.execute(update(table).where(table.change == change).values(refused_by=actor))
    return found


def _find(session: Session, change: str) -> Change:
    for each in listing(session):
        if each.change == change:
            return each
    raise Refused("change_gone")


def _record(session: Session, actor: str, found: Change, action: str) -> None:
    before = {each.name: each.before for each in found.differences}
    after = {each.name: each.after for each in found.differences}
    audit.record(session, actor, action, found.subject, before=before, after={**after, "offers": found.offers})
    log.info(action, merchant=found.merchant, change=found.change, actor=actor)


def _of_merchants(session: Session) -> list[Change]:
    rows = session.scalars(select(MerchantAgreement).where(MerchantAgreement.change != "")).all()
    names = merchant_names(session, [row.merchant for row in rows])
    made = []
    for row in rows:
        held = select(OfferRow).where(OfferRow.merchant == row.merchant, OfferRow.held_at.is_not(None))
        count = session.scalar(select(func.count()).select_from(held.subquery())) or 0
        made.append(
            Change(
                row.change,
                row.merchant,
                names.get(row.merchant, str(row.agreed["name"])),
                True,
                differences(row.agreed, row.seen or {}),
                count,
                _first(session, held),
                row.seen_at or row.agreed_at,
                row.refused_by,
            )
        )
    return made


def _of_offers(session: Session) -> list[Change]:
    counted = _held(OfferChange.change, func.count(), func.min(OfferChange.offer_id)).group_by(OfferChange.change)
    made = []
    for name, count, first in session.execute(counted).all():
        row, offer = session.get_one(OfferChange, first), session.get_one(OfferRow, first)
        those = select(OfferChange.offer_id).where(OfferChange.change == name)
        examples = _first(session, select(OfferRow).where(OfferRow.id.in_(those), OfferRow.held_at.is_not(None)))
        made.append(
            Change(
                name,
                offer.merchant,
                offer.merchant_name,
                False,
                differences(row.agreed, row.seen),
                count,
                examples,
                row.seen_at,
                row.refused_by,
            )
        )
    return made


def _held(*columns: Any) -> Select[Any]:
    """Of every offer that is on hold for itself."""
    return (
        select(*columns).select_from(OfferChange).join(OfferRow, OfferRow.id == OfferChange.offer_id)
        .where(OfferRow.held_at.is_not(None))
    )  # fmt: skip


def _first(session: Session, offers: Select[OfferRow]) -> list[OfferRow]:
    return list(session.scalars(offers.order_by(OfferRow.position, OfferRow.id).limit(EXAMPLES)))
