"""Quotes: the merchant's binding price, stored with its confirmation token before it is shown."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from connectors import contract, intangible
from connectors.merchants.registry import LoadedMerchant
from connectors.waiting import Full
from portal import audit, clock, logs
from portal.catalog import consent, site
from portal.catalog.merchants import Merchants, asking, checked
from portal.catalog.offers import MOST_UNITS, OfferRow
from portal.checkout import companies, uploads
from portal.checkout.inputs import InvalidInputs, clean_inputs
from portal.database import Base, Database, UtcDateTime
from portal.money import SumMismatch, check_sum
from portal.refusals import Reason, Refused
from portal.rights.ceilings import Price

log = logs.get(__name__)

LONGEST_VALIDITY = timedelta(hours=1)
CLOCKS_DIFFER = timedelta(minutes=10)
"""How far the clocks of two machines that serve the portal may be apart."""
LONGEST_REF = 200
CURRENCY = "EUR"
"""Operators put euros on a French invoice; another currency would need an exchange nobody has agreed to."""


class QuoteRow(Base):
    """A price shown to one employee; `token` is what the confirmation carries, once."""

    __tablename__ = "quotes"
    __table_args__ = (
        CheckConstraint("net_cents + vat_cents = gross_cents", "price_adds_up"),
        CheckConstraint("gross_cents >= 0", "price_not_negative"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    token: Mapped[str] = mapped_column(String(64), unique=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), index=True)
    offer_id: Mapped[int] = mapped_column(ForeignKey("offers.id"))
    inputs: Mapped[dict[str, str]] = mapped_column(JSON)
    ref: Mapped[str] = mapped_column(String(200))
    subject: Mapped[str] = mapped_column(String(300))
    net_cents: Mapped[int]
    vat_rate_bp: Mapped[int]
    vat_cents: Mapped[int]
    gross_cents: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    lines: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    units: Mapped[int] = mapped_column(default=0)
    pack_id: Mapped[int | None]
    """The pack whose units pay for it, in place of money."""
    pricing: Mapped[str] = mapped_column(String(16), default="act")
    term: Mapped[str] = mapped_column(String(16), default="")
    pack_units: Mapped[int] = mapped_column(default=0)
    """As the offer had them when the price was given: what is shown is what is agreed."""
    terms: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)
    """The terms of sale that are shown with this price, as `portal.catalog.terms` has them."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)

    offer: Mapped[OfferRow] = relationship()

    @property
    def is_expired(self) -> bool:
        """Whether the merchant is no longer bound by this price."""
        # Made in what is now the future, the clock was set back since, and how old it is nobody knows.
        return not self.created_at - CLOCKS_DIFFER <= clock.now() < self.expires_at

    @property
    def price(self) -> Price:
        """What ceilings count."""
        return Price(self.net_cents, self.gross_cents)

    def as_contract(self) -> contract.Quote:
        """The quote as the connector gave it, and what it was given for."""
        return contract.Quote(
            ref=self.ref, net_cents=self.net_cents, vat_rate_bp=self.vat_rate_bp, vat_cents=self.vat_cents,
            gross_cents=self.gross_cents, currency=self.currency, expires_at=self.expires_at, subject=self.subject,
            lines=tuple(contract.QuoteLine(**line) for line in self.lines), units=self.units,
            offer_id=self.offer.offer, inputs=dict(self.inputs),
        )  # fmt: skip


def ask_quote(
    database: Database,
    merchants: Merchants,
    account_id: int,
    offer: OfferRow,
    typed: Mapping[str, str],
    buyer: contract.Buyer,
    pack_id: int | None = None,
) -> QuoteRow:
    """Check the inputs, ask the merchant for its price and keep it with a new confirmation token.

    Args:
        pack_id: the pack that `buyer.licence` is of, whose units may pay.

    Raises:
        InvalidInputs: what was typed is wrong, or the merchant says that it designates nothing.
        Refused: `merchant_paused`, `merchant_gone`, `merchant_on_hold`, `offer_on_hold`, `merchant_busy`,
            `merchant_unavailable`, `merchant_broken` or `physical`; nothing was bought.
    """
    inputs = clean_inputs(offer.fields, typed)
    uploads.require_own(database, account_id, offer.fields, inputs)
    with database.reading() as session:
        merchant = require_sold(session, merchants, offer)
        shown = merchants.terms(session, offer.merchant)
    try:
        with merchant.first_click.waiting(), asking(offer.merchant):
            quote = merchant.connector.quote(offer.offer, inputs, buyer)
        check_quote(quote)
        require_pack(quote, pack_id)
        companies.require_same(inputs, offer.fields, quote.subject, merchant.manifest.merchant.siren)
    except contract.Physical as error:
        _tell_admins(database, account_id, offer, error.detail)
        raise Refused("physical", merchant=offer.merchant_name) from error
    except contract.Rejected as error:
        raise _rejection(error, offer) from error
    except Full as error:
        raise Refused("merchant_busy", merchant=offer.merchant_name) from error
    except (contract.Unavailable, contract.UnknownOutcome) as error:
        log.warning("quote_unavailable", merchant=offer.merchant, detail=str(error))
        raise Refused("merchant_unavailable", merchant=offer.merchant_name) from error
    except contract.ConnectorError as error:
        log.error("quote_refused", merchant=offer.merchant, error=type(error).__name__, detail=str(error))
        raise Refused("merchant_broken", merchant=offer.merchant_name) from error
    with database.transaction() as session:
        return keep_quote(session, account_id, offer.id, inputs, quote, pack_id, shown)


def require_sold(session: Session, merchants: Merchants, offer: OfferRow) -> LoadedMerchant:
    """Who is asked for the price of an offer now.

    Raises:
        Refused: `merchant_gone`, `merchant_paused`, `merchant_on_hold` or `offer_on_hold`.
    """
    merchant = merchants.now(session).loaded.get(offer.merchant)
    if merchant is None:
        raise Refused("merchant_gone", merchant=offer.merchant_name)
    site.refuse_paused(session, offer.merchant, offer.merchant_name)
    consent.require(session, merchant, offer)
    return merchant


def unsold(session: Session, merchants: Merchants, offer: OfferRow) -> Reason | None:
    """Why nobody is asked for the price of an offer now; None when somebody is."""
    try:
        require_sold(session, merchants, offer)
    except Refused as refused:
        return refused.reason
    return None


def _tell_admins(database: Database, account_id: int, offer: OfferRow, why: str) -> None:
    log.error("physical_refused", merchant=offer.merchant, offer=offer.offer, detail=why)
    with database.transaction() as session:
        # One line a day tells as much as one for each click.
        said = {"merchant": offer.merchant, "why": why[:500]}
        if not audit.is_recent(session, "physical_refused", offer.slug, said, timedelta(days=1)):
            audit.record(session, f"account {account_id}", "physical_refused", offer.slug, after=said)


def check_quote(given: contract.Quote) -> None:
    """Check a quote's parts and add it up again, total and lines. Raises `ContractBroken`, `Physical`."""
    quote = checked(given)
    intangible.priced(quote)
    try:
        check_sum(quote.net_cents, quote.vat_rate_bp, quote.vat_cents, quote.gross_cents)
    except SumMismatch as error:
        raise contract.ContractBroken(str(error)) from error
    faults = {
        "the lines do not add up to the total": bool(quote.lines) and _sums(quote.lines) != _sums([quote]),
        f"prices are in {CURRENCY}, this one is in {quote.currency}": quote.currency != CURRENCY,
        "its end has no time zone": quote.expires_at.tzinfo is None,
        "units of a pack and money pay for it, or no unit": not 0 <= quote.units <= MOST_UNITS
        or (quote.units > 0 and quote.gross_cents > 0),
        "its reference is empty or too long": not 0 < len(quote.ref) <= LONGEST_REF,
    }
    for fault, found in faults.items():
        if found:
            raise contract.ContractBroken(fault)


def require_pack(quote: contract.Quote, pack_id: int | None) -> None:
    """Units are only ever taken from a pack of ours, and counted when they are. Raises `ContractBroken`."""
    if quote.units and pack_id is None:
        raise contract.ContractBroken("it is paid with units of a pack that nobody has named")
    if pack_id is not None and not quote.units and not quote.gross_cents:
        raise contract.ContractBroken("it costs nothing with a pack, and does not say how many units it takes")


def _sums(priced: Iterable[contract.Quote | contract.QuoteLine]) -> tuple[int, int]:
    items = list(priced)
    return sum(item.net_cents for item in items), sum(item.vat_cents for item in items)


def keep_quote(
    session: Session, account_id: int, offer_id: int, inputs: Mapping[str, str], quote: contract.Quote,
    pack_id: int | None = None, shown: Mapping[str, str] | None = None,
) -> QuoteRow:  # fmt: skip
    """Store a checked quote; its token has 256 random bits.

    Args:
        pack_id: the pack that pays for it, if one does.
        shown: the terms of sale that are shown with it.
    """
    at, offer = clock.now(), session.get_one(OfferRow, offer_id)
    row = QuoteRow(
        token=secrets.token_urlsafe(32), account_id=account_id, offer_id=offer_id, inputs=dict(inputs),
        ref=quote.ref, subject=quote.subject[:300], net_cents=quote.net_cents, vat_rate_bp=quote.vat_rate_bp,
        vat_cents=quote.vat_cents, gross_cents=quote.gross_cents, currency=quote.currency,
        lines=[vars(line) for line in quote.lines], units=quote.units, pack_id=pack_id if quote.units else None,
        terms=dict(shown or {}), created_at=at,
        # Compared before it is brought into UTC, where an end of the year 9999 may not exist.
        expires_at=max(min(quote.expires_at, at + LONGEST_VALIDITY), at - LONGEST_VALIDITY).astimezone(UTC),
        pricing=offer.pricing, term=offer.term, pack_units=offer.units,
    )  # fmt: skip
    session.add(row)
    session.flush()
    uploads.note_uses(session, row.id, inputs)
    return row


def find_quote(session: Session, token: str, account_id: int) -> QuoteRow | None:
    """An employee's own quote, by its token."""
    return session.scalar(select(QuoteRow).where(QuoteRow.token == token, QuoteRow.account_id == account_id))


def _rejection(error: contract.Rejected, offer: OfferRow) -> Exception:
    reason = Reason("merchant_words", {"words": dict(error.words)}) if error.words else Reason("input_unknown")
    names = [field.name for field in offer.fields]
    if error.field in names:
        return InvalidInputs({error.field: reason})
    if names and not error.words:
        return InvalidInputs({names[0]: reason})
    return Refused(reason.code, **reason.facts)
