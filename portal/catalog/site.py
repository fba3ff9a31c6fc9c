"""What administrators decide about the merchants of this site: connected here, paused, disconnected; and their terms as last read.

Who sells is read in the transaction that quotes or confirms, so that a pause holds in every process at once. What a
process has loaded follows `revision`, which rises with every merchant that is connected, changed or disconnected.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String, Text, delete, func, or_, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from portal import audit, breakers, clock
from portal.catalog import facets
from portal.catalog.facets import ShelfCount
from portal.catalog.offers import OfferRow
from portal.catalog.runs import RunRow
from portal.catalog.search import OfferWord
from portal.database import Base, UtcDateTime, beside_others, insert_missing, one_at_a_time
from portal.outbox import merchant_lane
from portal.refusals import Refused


class MerchantRow(Base):
    """One merchant as this site knows it; it is never deleted, so that its key stays its own.

    `connector` is "" for one that portal.toml names. `identity` is the id of the manifest it was last loaded with;
    `sealed` its secrets (`portal/sealing.py`), "" once it is disconnected. The terms are those of the last
    synchronisation.
    """

    __tablename__ = "merchants"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    revision: Mapped[int] = mapped_column(default=0)
    connector: Mapped[str] = mapped_column(String(64), default="")
    identity: Mapped[str] = mapped_column(String(64), default="")
    base_url: Mapped[str] = mapped_column(String(500), default="")
    manifest: Mapped[str] = mapped_column(Text, default="")
    sealed: Mapped[str] = mapped_column(Text, default="")
    connected_by: Mapped[str] = mapped_column(String(200), default="")
    connected_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    disconnected_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    paused_by: Mapped[str] = mapped_column(String(200), default="")
    paused_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    terms_url: Mapped[str] = mapped_column(String(500), default="")
    terms_version: Mapped[str] = mapped_column(String(100), default="")
    terms_sha256: Mapped[str] = mapped_column(String(64), default="")
    terms_read_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    @property
    def is_connected_here(self) -> bool:
        """Whether it was connected on a screen, or at a terminal, and still is."""
        return bool(self.connector) and self.disconnected_at is None


TEXTS = (
    "connector", "identity", "base_url", "manifest", "sealed", "connected_by", "paused_by", "terms_url", "terms_version",
    "terms_sha256",
)  # fmt: skip
REVISION = select(func.coalesce(func.max(MerchantRow.revision), 0))
PAUSED = select(MerchantRow.key).where(MerchantRow.paused_at.is_not(None))
LISTED = select(ShelfCount.merchant).distinct()


def rows(session: Session) -> dict[str, MerchantRow]:
    """Every merchant that this site has ever noted something of, by its key."""
    return {row.key: row for row in session.scalars(select(MerchantRow).order_by(MerchantRow.key))}


def row_of(session: Session, key: str) -> MerchantRow:
    """What is noted of one merchant, for the caller to change in its writing transaction; made when there is nothing."""
    nothing = dict.fromkeys(TEXTS, "")
    insert_missing(session, MerchantRow, {"key": key, "revision": 0, **nothing})
    return session.get_one(MerchantRow, key, with_for_update=True, populate_existing=True)


def raise_revision(session: Session, row: MerchantRow) -> None:
    """Every process loads this merchant anew before it next asks it. The caller holds `alone`."""
    row.revision = (session.scalar(REVISION) or 0) + 1


def alone(session: Session, key: str) -> None:
    """Until this transaction ends nobody else decides about a merchant, and nobody confirms a purchase of it."""
    one_at_a_time(session.connection(), "merchants")
    one_at_a_time(session.connection(), f"merchant {key}")


def require_on_sale(session: Session, key: str, name: str) -> None:
    """Make sure that a merchant sells until this transaction ends. Raises `Refused`: `merchant_paused`."""
    beside_others(session.connection(), f"merchant {key}")
    refuse_paused(session, key, name)


def refuse_paused(session: Session, key: str, name: str) -> None:
    """Raises `Refused`: `merchant_paused`, when an administrator has paused it."""
    if session.scalar(PAUSED.where(MerchantRow.key == key)) is not None:
        raise Refused("merchant_paused", merchant=name)


def pause(session: Session, actor: str, key: str) -> None:
    """Nothing of this merchant is sold from now on; what was bought goes on. Raises `Refused`: `choice_gone`."""
    alone(session, key)
    row = row_of(session, key)
    if row.paused_at is not None:
        raise Refused("choice_gone")
    row.paused_at, row.paused_by = clock.now(), actor
    audit.record(session, actor, "merchant_paused", key)


def resume(session: Session, actor: str, key: str) -> None:
    """It sells again. Raises `Refused`: `choice_gone`, when it is not paused."""
    alone(session, key)
    row = row_of(session, key)
    if row.paused_at is None:
        raise Refused("choice_gone")
    audit.record(session, actor, "merchant_resumed", key, before={"paused_by": row.paused_by})
    row.paused_at, row.paused_by = None, ""


def disconnect(session: Session, actor: str, key: str) -> None:
    """Forget how a merchant that was connected here is asked; its orders, receipts and documents stay.

    It is paused with it, so that a confirmation in any process finds it closed. Orders that are still open wait until it
    is connected again. Raises `Refused`: `choice_gone`, when it is not connected here.
    """
    alone(session, key)
    row = row_of(session, key)
    if not row.is_connected_here:
        raise Refused("choice_gone")
    told = {"connector": row.connector, "base_url": row.base_url}
    row.disconnected_at, row.sealed = clock.now(), ""
    row.paused_at, row.paused_by = clock.now(), actor
    raise_revision(session, row)
    withdraw(session, key)
    breakers.forget(session, merchant_lane(key))
    audit.record(session, actor, "merchant_disconnected", key, before=told)


def withdraw(session: Session, key: str) -> None:
    """Take everything of a merchant off the shelf, in the order in which lists are stored; a reading that goes on ends."""
    quiet = {"synchronize_session": False}
    ours = OfferRow.merchant == key
    there = or_(OfferRow.removed_at.is_(None), OfferRow.held_at.is_not(None))
    gone = update(OfferRow).where(ours, there).values(removed_at=clock.now(), held_at=None)
    session.execute(gone, execution_options=quiet)
    session.execute(
        delete(OfferWord).where(OfferWord.offer_id.in_(select(OfferRow.id).where(ours))), execution_options=quiet
    )
    facets.count(session, key)
    ended = update(RunRow).where(RunRow.merchant == key).values(cursor="", attempt=RunRow.attempt + 1)
    session.execute(ended, execution_options=quiet)
