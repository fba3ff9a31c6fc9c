"""Merchants as one sheet: who they are, whether they sell, how they answer, what they listed, and what was spent with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.orm import Session

from connectors.contract import Words
from connectors.kit.tiers import tier_of
from connectors.manifest import Manifest, SiteText
from connectors.merchants import registry
from connectors.merchants.reach import Whom
from connectors.merchants.registry import ConnectorBroken
from portal import breakers, clock
from portal.audit import AuditEntry
from portal.billing.charges import Charge
from portal.billing.ledger import LedgerLine
from portal.breakers import Standing
from portal.catalog import consent, facets, reports, site
from portal.catalog.following import SiteMerchants
from portal.catalog.offers import merchant_names
from portal.catalog.reports import ReportRow
from portal.catalog.runs import RunRow
from portal.catalog.site import MerchantRow
from portal.checkout.orders import OPEN_STATES, Order
from portal.outbox import merchant_lane
from portal.settings import Settings

State = Literal["on_sale", "held", "paused", "broken", "gone"]
HISTORY = 30


@dataclass(frozen=True)
class Figures:
    """What was bought of one merchant: orders that are still open, in dispute; cents on the invoice, refunds taken off."""

    open: int = 0
    disputed: int = 0
    month_cents: int = 0
    all_cents: int = 0


@dataclass(frozen=True)
class Sheet:
    """One merchant. `state` `held` is one that waits for an administrator's word (`portal/catalog/consent.py`), `gone`
    one that sold here and is not configured any more; `why` says what is broken.

    `tier` is the one that was proved here, "" for none, None when its connector was not proved as it is now. `is_here`
    tells one that was connected on a screen from one of `portal.toml`.
    """

    key: str
    name: str
    connector: str
    state: State
    is_here: bool
    manifest: Manifest | None = None
    why: Words = field(default_factory=dict)
    whom: Whom = "merchant"
    tier: str | None = None
    row: MerchantRow | None = None
    away: Standing | None = None
    report: ReportRow | None = None
    run: RunRow | None = None
    on_sale: int = 0
    figures: Figures = Figures()

    @property
    def is_reading(self) -> bool:
        """Whether its list is being read, or was interrupted and goes on with the next reading."""
        return self.run is not None and self.run.ended_at is None and not self.run.problem


@dataclass(frozen=True)
class Available:
    """A connector that could be connected; `manifest` is None for a protocol, whose merchants bring their own."""

    connector: str
    manifest: Manifest | None
    secrets: list[str]
    tier: str | None
    why: Words = field(default_factory=dict)
    remedy: Words = field(default_factory=dict)

    @property
    def whom(self) -> Whom:
        """To whom it speaks at the address of its manifest."""
        return "nobody" if self.manifest and self.manifest.sandbox else "merchant"


def sheets(session: Session, merchants: SiteMerchants, settings: Settings) -> list[Sheet]:
    """Every merchant of this site in the order of the catalogue, then those that sold here once."""
    known, noted = merchants.now(session), site.rows(session)
    here = {key: row.connector for key, row in noted.items() if row.is_connected_here}
    connectors = {key: section.connector for key, section in merchants.configured.items()}
    connectors |= {key: connector for key, connector in here.items() if key not in connectors}
    figures, told = _figures(session, settings.portal.zone), reports.all_of(session)
    shown: dict[str, int] = {}
    for kind, number in facets.everything(session).items():
        shown[kind.merchant] = shown.get(kind.merchant, 0) + number
    runs = {row.merchant: row for row in session.scalars(select(RunRow))}
    away = {each.lane: each for each in breakers.standing(session)}
    present = [key for key in connectors if key in known.loaded or key in known.broken]
    gone = sorted((figures.keys() | shown.keys() | noted.keys()) - set(present))
    names, held, found = merchant_names(session, [*present, *gone]), consent.merchants_on_hold(session), []
    for key in [*present, *gone]:
        row, loaded, broken = noted.get(key), known.loaded.get(key), known.broken.get(key)
        if key in gone and key not in figures and not (row and row.connector) and key not in shown:
            continue
        paused = row is not None and row.paused_at is not None
        selling: State = "paused" if paused else "held" if key in held else "on_sale"
        state: State = "gone" if key in gone else "broken" if broken else selling
        connector = connectors.get(key) or (row.connector if row else "")
        found.append(
            Sheet(
                key, loaded.manifest.merchant.name if loaded else names.get(key, key), connector, state,
                is_here=key not in merchants.configured and key in here, manifest=loaded.manifest if loaded else None,
                whom=loaded.whom if loaded else "merchant",
                why=broken.words if broken else {}, tier=_tier(settings, connector), row=row,
                away=away.get(merchant_lane(key)), report=told.get(key), run=runs.get(key), on_sale=shown.get(key, 0),
                figures=figures.get(key, Figures()),
            )
        )  # fmt: skip
    return found


def sheet_of(session: Session, merchants: SiteMerchants, settings: Settings, key: str) -> Sheet | None:
    """One merchant; None when this site has never heard of it."""
    return next((each for each in sheets(session, merchants, settings) if each.key == key), None)


def available(used: Iterable[Sheet], settings: Settings) -> list[Available]:
    """Connectors that nobody uses, and protocols, which many merchants may speak."""
    taken = {sheet.connector for sheet in used if sheet.state != "gone"} - registry.PROTOCOLS.keys()
    return [found for name in registry.names() if name not in taken and (found := available_as(name, settings))]


def available_as(name: str, settings: Settings, manifest: str = "") -> Available | None:
    """One connector as it could be connected; None when there is none of that name.

    Args:
        manifest: the text of one, for a protocol: which secrets it needs, only that may say.
    """
    if name not in registry.names():
        return None
    if name in registry.PROTOCOLS:
        return Available(name, None, _secrets_of(name, manifest), None)
    try:
        found, _made = registry.read_connector(name)
    except ConnectorBroken as error:
        return Available(name, None, [], None, error.words, error.remedy)
    return Available(name, found, list(found.auth.secrets), _tier(settings, name))


def _secrets_of(protocol: str, manifest: str) -> list[str]:
    auth = registry.PROTOCOLS[protocol][0].model_fields["auth"].default
    with suppress(ConnectorBroken):
        auth = registry.read_connector(protocol, SiteText(manifest))[0].auth
    return list(getattr(auth, "secrets", []))


def history(session: Session, key: str) -> list[AuditEntry]:
    """What was decided about a merchant, and changes of its terms, the newest first."""
    decided = AuditEntry.action.startswith("merchant_", autoescape=True) | (AuditEntry.action == "terms_changed")
    about = select(AuditEntry).where(AuditEntry.subject == key, decided)
    return list(session.scalars(about.order_by(AuditEntry.id.desc()).limit(HISTORY)))


def _tier(settings: Settings, connector: str) -> str | None:
    try:
        return tier_of(settings.folder, connector, registry.folder_of(connector))
    except ConnectorBroken:
        return None


def _figures(session: Session, zone: ZoneInfo) -> Mapping[str, Figures]:
    unpaid = (Order.state == "delivered") & (Charge.state == "voided")
    disputed = (Order.state == "disputed") | (Charge.state == "disputed") | unpaid
    counted = (
        select(Order.merchant, _sum(Order.state.in_(OPEN_STATES)), _sum(disputed))
        .join(Charge, Charge.order_number == Order.number).group_by(Order.merchant)
    )  # fmt: skip
    local = clock.now().astimezone(zone)
    begun = local.replace(day=1, hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)
    booked = (
        select(Charge.merchant_key, func.sum(_cents(begun)), func.sum(-LedgerLine.amount_cents))
        .join(LedgerLine, LedgerLine.order_number == Charge.order_number)
        .where(LedgerLine.account == "operator_payable").group_by(Charge.merchant_key)
    )  # fmt: skip
    spent = {key: (month or 0, whole or 0) for key, month, whole in session.execute(booked)}
    return {key: Figures(open, doubts, *spent.get(key, (0, 0))) for key, open, doubts in session.execute(counted)}


def _sum(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.sum(case((condition, 1), else_=0))


def _cents(since: datetime) -> ColumnElement[int]:
    return case((LedgerLine.at >= since, -LedgerLine.amount_cents), else_=0)
