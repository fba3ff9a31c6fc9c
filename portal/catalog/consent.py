"""What an administrator has agreed to: who sells, and how each offer is priced. What differs later waits for his word.

What is seen first is agreed: whoever configured the merchant has just looked at it. Afterwards a merchant who is
somebody else, or elsewhere, is on hold with all that he sells, and an offer that is priced in another way, or has
moved to where other rules hold, is on
hold alone: not on sale, no price asked, nothing confirmed. Orders that are open go on. An amount is not a way of
pricing, since every purchase shows its own on both clicks, but ten times as much is held for a slip.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, String, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from connectors.merchants.registry import LoadedMerchant
from portal import clock, logs
from portal.catalog import facets, runs
from portal.catalog.offers import OfferRow
from portal.database import Base, Database, UtcDateTime, insert_missing
from portal.refusals import Reason, Refused

log = logs.get(__name__)

SOLD_AS = ("currency", "vat_rate_bp", "delivery", "pricing", "term", "units", "category", "packs")
"""What of an offer is its way of pricing, and what rules, ceilings and packs know it by: names of `OfferRow`."""
A_SLIP = 10
"""A price so many times what was agreed is taken for cents written as euros, not for a new price."""
Agreed = dict[str, Any]


class MerchantAgreement(Base):
    """Who a merchant is, as agreed; `seen` is who he is now, while that is somebody else."""

    __tablename__ = "merchant_agreements"

    merchant: Mapped[str] = mapped_column(String(64), primary_key=True)
    agreed: Mapped[Agreed] = mapped_column(JSON)
    agreed_by: Mapped[str] = mapped_column(String(200), default="")
    agreed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    seen: Mapped[Agreed | None] = mapped_column(JSON(none_as_null=True))
    seen_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    change: Mapped[str] = mapped_column(String(16), default="", index=True)
    refused_by: Mapped[str] = mapped_column(String(200), default="")


class OfferChange(Base):
    """An offer that is not sold as was agreed; all that differ in the same have the same `change`."""

    __tablename__ = "offer_changes"

    offer_id: Mapped[int] = mapped_column(ForeignKey("offers.id"), primary_key=True)
    agreed: Mapped[Agreed] = mapped_column(JSON)
    seen: Mapped[Agreed] = mapped_column(JSON)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    change: Mapped[str] = mapped_column(String(16), index=True)
    refused_by: Mapped[str] = mapped_column(String(200), default="")


@dataclass(frozen=True)
class Difference:
    """One thing that is not as agreed."""

    name: str
    before: Any
    after: Any


def identity(merchant: LoadedMerchant) -> Agreed:
    """Who sells, from where, and on what terms."""
    manifest = merchant.manifest
    seller = manifest.merchant
    return {
        "connector": manifest.id, "name": seller.name, "siren": seller.siren, "vat": seller.vat,
        "country": seller.country, "terms_url": seller.terms_url, "hosts": sorted(map(_named, merchant.hosts)),
        "sandbox": manifest.sandbox,
    }  # fmt: skip


def sold_as(offer: OfferRow) -> Agreed:
    """How an offer is priced and known to rules, and its price in cents, VAT included."""
    # In whichever order a merchant names the packs today.
    return (
        {name: getattr(offer, name) for name in SOLD_AS}
        | {"packs": sorted(offer.packs)}
        | {"gross_cents": offer.gross_cents}
    )


def differences(agreed: Mapping[str, Any], seen: Mapping[str, Any]) -> list[Difference]:
    """What is not as agreed; what was not known then is agreed, and so is another price that is no slip."""
    return [
        Difference(name, agreed[name], value)
        for name, value in seen.items()
        if agreed.get(name) is not None and agreed[name] != value and _matters(name, agreed[name], value)
    ]


def _matters(name: str, before: Any, after: Any) -> bool:
    if name != "gross_cents":
        return True
    # What was free and costs something is another way of pricing, and the other way round.
    return not before or not after or after >= A_SLIP * before


def _named(host: str) -> str:
    """A host without its port where it is this machine, whose ports are anybody's."""
    name, _, port = host.rpartition(":")
    return name if name in {"127.0.0.1", "localhost"} and port.isdigit() else host


def change_of(merchant: str, differing: Iterable[Difference]) -> str:
    """The name of a change: the same for whatever differs in the same way, another as soon as it is another."""
    told = json.dumps([merchant, [[each.name, each.before, each.after] for each in differing]], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:12]


def notice(database: Database, key: str, merchant: LoadedMerchant) -> bool:
    """Compare a merchant with what was agreed, and put what he sells on hold or back on sale; whether he is on hold."""
    found = identity(merchant)
    with database.reading() as session:
        known = session.get(MerchantAgreement, key)
    if known and (known.seen or known.agreed) == found:
        return known.seen is not None
    with database.transaction() as session:
        first = {"agreed": found, "agreed_by": "", "agreed_at": clock.now(), "change": "", "refused_by": ""}
        insert_missing(session, MerchantAgreement, {"merchant": key, **first})
        row = session.get_one(MerchantAgreement, key, with_for_update=True)
        differing = differences(row.agreed, found)
        if not differing:
            if row.seen:
                put_back(session, key)
            row.agreed = found
            settle(row)
            return False
        row.seen, row.seen_at, row.refused_by = found, clock.now(), ""
        row.change = change_of(key, differing)
        # In the order in which lists are stored; another process may still read his as he was.
        put_aside(session, key)
        runs.overtake(session, key)
    log.warning("merchant_on_hold", merchant=key, changed=[each.name for each in differing])
    return True


def settle(row: MerchantAgreement) -> None:
    """Nothing differs any more."""
    row.seen, row.seen_at, row.change, row.refused_by = None, None, "", ""


def forget(session: Session, key: str) -> None:
    """An administrator connects a merchant anew, and so agrees to who he is: what is seen next is agreed."""
    row = session.get(MerchantAgreement, key)
    if row:
        session.delete(row)
        session.flush()
        put_back(session, key)


def merchants_on_hold(session: Session) -> set[str]:
    """The merchants who are not who they were."""
    return set(session.scalars(select(MerchantAgreement.merchant).where(MerchantAgreement.change != "")))


def require(session: Session, merchant: LoadedMerchant, offer: OfferRow) -> None:
    """What is about to be priced or bought is as agreed.

    Raises:
        Refused: `merchant_on_hold` or `offer_on_hold`.
    """
    row = session.get(MerchantAgreement, offer.merchant)
    # A process that loaded another manifest than the worker knows it by itself.
    if row and differences(row.agreed, identity(merchant)):
        raise Refused("merchant_on_hold", merchant=offer.merchant_name)
    why = obstacle(session, offer)
    if why:
        raise Refused(why.code, **why.facts)


def obstacle(session: Session, offer: OfferRow) -> Reason | None:
    """Why an offer is on hold, as far as the database knows; None when it is not."""
    if not session.scalar(select(OfferRow.held_at).where(OfferRow.id == offer.id)):
        return None
    of_offer = session.get(OfferChange, offer.id) and offer.merchant not in merchants_on_hold(session)
    return Reason("offer_on_hold" if of_offer else "merchant_on_hold", {"merchant": offer.merchant_name})


class Weighing:
    """One part of a list, held against what was agreed of its offers."""

    def __init__(self, session: Session, merchant: str, known: Iterable[OfferRow]) -> None:
        self._session, self._merchant = session, merchant
        rows = {row.id: row for row in known}
        found = session.scalars(select(OfferChange).where(OfferChange.offer_id.in_(rows)))
        self._changes = {change.offer_id: change for change in found}
        # Those of before anything was agreed to are agreed as they are listed next.
        self._agreed = {number: sold_as(row) for number, row in rows.items() if row.run}
        self._agreed |= {number: change.agreed for number, change in self._changes.items()}
        self._is_somebody_else = merchant in merchants_on_hold(session)
        self.held = 0

    def weigh(self, row: OfferRow, at: datetime) -> None:
        """Hold an offer that is stored as it is listed now, or put it on sale."""
        agreed, change = self._agreed.get(row.id), self._changes.get(row.id)
        seen = sold_as(row)
        differing = differences(agreed, seen) if agreed else []
        if not differing or agreed is None:
            row.held_at = (row.held_at or at) if self._is_somebody_else else None
            row.removed_at = row.held_at
            if change:
                self._session.delete(change)
            return
        self.held += 1
        name = change_of(self._merchant, differing)
        row.removed_at = row.held_at = row.held_at or at
        if change is None:
            self._session.add(
                OfferChange(offer_id=row.id, agreed=agreed, seen=seen, seen_at=at, change=name, refused_by="")
            )
        else:
            change.seen = seen
            if change.change != name:
                change.change, change.seen_at, change.refused_by = name, at, ""


def put_aside(session: Session, merchant: str) -> None:
    """Put everything a merchant sells on hold."""
    at = clock.now()
    session.execute(
        update(OfferRow).where(OfferRow.merchant == merchant, OfferRow.removed_at.is_(None))
        .values(held_at=at, removed_at=at)
    )  # fmt: skip
    facets.count(session, merchant)


def put_back(session: Session, merchant: str, change: str = "") -> None:
    """Put on sale what is on hold for its merchant's sake, or for a change."""
    differing = select(OfferChange.offer_id)
    which = OfferRow.id.in_(differing.where(OfferChange.change == change)) if change else OfferRow.id.not_in(differing)
    session.execute(
        update(OfferRow).where(OfferRow.merchant == merchant, OfferRow.held_at.is_not(None), which)
        .values(held_at=None, removed_at=None)
    )  # fmt: skip
    facets.count(session, merchant)
