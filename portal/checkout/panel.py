"""The confirmation panel of the first click: inputs, the merchant's price, and what stands in the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from connectors.contract import Buyer, ConnectorError, Input, Suggestion, Upload
from portal import clock, logs
from portal.catalog.merchants import Merchants, asking, checked
from portal.catalog.offers import OfferRow
from portal.checkout import packs, requests, running, terms, uploads
from portal.checkout.inputs import InvalidInputs, clean_inputs
from portal.checkout.orders import Order
from portal.checkout.packs import Pack
from portal.checkout.quotes import QuoteRow, ask_quote, unsold
from portal.checkout.requests import PurchaseRequest
from portal.database import Database
from portal.refusals import Reason, Refused
from portal.rights.decision import Decision, Employee, explain

log = logs.get(__name__)

SHORTEST_SEARCH = 2
NOT_OF_THE_PACK = {
    "merchant_gone", "merchant_paused", "merchant_on_hold", "offer_on_hold", "merchant_busy", "merchant_unavailable",
}  # fmt: skip
"""Refusals for which a merchant would give no price without a pack either, or not now: nobody is to pay instead."""


@dataclass
class Panel:
    """What the panel shows now. `wrong` holds a reason by input name; `found` completions by input name.

    `ends_at` is the end of what is sold for a time if it is confirmed now, `already` what runs of the same until then.
    """

    offer: OfferRow
    decision: Decision
    typed: dict[str, str] = field(default_factory=dict)
    wrong: dict[str, Reason] = field(default_factory=dict)
    found: dict[str, list[Suggestion]] = field(default_factory=dict)
    nothing_found: bool = False
    """A name was looked up, and nothing is called so."""
    quote: QuoteRow | None = None
    refusal: Reason | None = None
    request: PurchaseRequest | None = None
    pays_each: bool = False
    """The employee would rather pay for this one than use a pack up."""
    pack: Pack | None = None
    """The pack that pays, or that could."""
    pack_refused: bool = False
    ends_at: datetime | None = None
    already: Order | None = None
    files: dict[str, Upload] = field(default_factory=dict)
    """What was given for inputs that are files, by input name; what is this person's and still kept."""
    changed: set[str] = field(default_factory=set)
    """Inputs that are files and have just been given or taken back."""

    @property
    def is_closed(self) -> bool:
        """Whether no price is asked now, whatever is typed: nothing is to be given for it either."""
        return self.refusal is not None or not self.decision.allowed

    @property
    def is_over(self) -> bool:
        """Whether a ceiling has no room for the price, and nobody has let it pass."""
        return bool(self.decision.full) and (self.request is None or self.request.standing != "allowed")

    @property
    def left_after_units(self) -> int:
        """What the pack will have left once this is bought."""
        return self.pack.left_units - self.quote.units if self.pack and self.quote else 0

    @property
    def left_after_cents(self) -> int | None:
        """What the tightest ceiling will have left once this is bought; None without a ceiling."""
        tightest = self.decision.tightest
        return tightest.left_cents - self.quote.gross_cents if tightest and self.quote else None


def price(
    panel: Panel, database: Database, merchants: Merchants, account_id: int, buyer: Buyer, *, asked: bool
) -> None:
    """Fill a panel from what was typed: completions, mistakes, or the merchant's quote.

    Args:
        asked: the employee asked for the price; while he is still typing, gaps are not mistakes.
    """
    searched = [
        item for item in panel.offer.fields if item.suggest and _is_search(item, panel.typed.get(item.name, ""))
    ]
    if searched and _is_held(panel, database, merchants):
        # Not even completions are asked of whoever is somebody else now.
        return
    for item in searched:
        found = _complete(merchants, panel.offer, item.name, panel.typed[item.name])
        panel.found[item.name] = found or []
        panel.nothing_found |= item.type == "siren" and found == []
    unresolved = {name for name, found in panel.found.items() if not _is_chosen(found, panel.typed[name])}
    if any(panel.found[name] for name in unresolved):
        panel.wrong = {name: Reason("input_choose") for name in unresolved if panel.found[name]}
        return
    panel.found = {}
    try:
        panel.quote = _ask(panel, database, merchants, account_id, buyer)
    except InvalidInputs as error:
        if not asked:
            panel.wrong = _not_gaps(error.reasons)
        else:
            panel.wrong = _by_name(error.reasons) if panel.nothing_found else error.reasons
    except Refused as error:
        panel.refusal = error.reason


def _ask(panel: Panel, database: Database, merchants: Merchants, account_id: int, buyer: Buyer) -> QuoteRow:
    """The quote: paid with a pack when there is one that suffices, with money when the merchant refuses the pack."""
    if not panel.pays_each:
        with database.reading() as session:
            panel.pack = packs.may_pay(session, account_id, panel.offer)
    if panel.pack is None:
        return ask_quote(database, merchants, account_id, panel.offer, panel.typed, buyer)
    pack, why = panel.pack, Reason("pack_used_up")
    try:
        paying = replace(buyer, licence=pack.key)
        quote = ask_quote(database, merchants, account_id, panel.offer, panel.typed, paying, pack.id)
        if quote.units <= pack.left_units:
            return quote
        panel.refusal = why
    except (InvalidInputs, Refused) as error:
        # A refusal without words may be of the pack or of what was typed: what is asked without the pack tells.
        if isinstance(error, Refused) and error.reason.code in NOT_OF_THE_PACK:
            raise
        why = error.reason if isinstance(error, Refused) else Reason("input_unknown")
    panel.pack = None
    without = ask_quote(database, merchants, account_id, panel.offer, panel.typed, buyer)
    log.warning("pack_refused", merchant=panel.offer.merchant, pack=pack.order_number, reason=why.code, facts=why.facts)
    panel.pack_refused = panel.refusal is None
    return without


def _is_held(panel: Panel, database: Database, merchants: Merchants) -> bool:
    with database.reading() as session:
        panel.refusal = unsold(session, merchants, panel.offer)
    return panel.refusal is not None


def weigh(panel: Panel, database: Database, employee: Employee, zone: ZoneInfo) -> None:
    """Hold the price against every ceiling, find what was asked or allowed when one is too small, and what runs already."""
    quote = panel.quote
    _find_files(panel, database, employee.account_id)
    if quote is None:
        return
    panel.ends_at = terms.promised_end(quote.term, clock.now(), zone)
    with database.reading() as session:
        panel.pack = session.get(Pack, quote.pack_id) if quote.pack_id else None
        panel.already = running.overlapping(session, quote) if quote.term else None
        panel.decision = explain(session, employee, panel.offer.wanted, zone, quote.price)
        if panel.decision.full:
            panel.request = requests.standing_request(session, quote, panel.decision)


def _find_files(panel: Panel, database: Database, account_id: int) -> None:
    with database.reading() as session:
        found = uploads.own(session, account_id, panel.offer.fields, panel.typed)
    panel.files = {name: row.as_contract() for name, row in found.items()}


def _is_search(item: Input, text: str) -> bool:
    if len(text.strip()) < SHORTEST_SEARCH:
        return False
    if item.type != "siren":
        return True
    # Digits are a SIREN being typed or mistyped; letters are a name to look up.
    return not text.replace(" ", "").replace(".", "").isdigit() and not _is_clean(item, text)


def _is_clean(item: Input, text: str) -> bool:
    try:
        clean_inputs([item], {item.name: text})
    except InvalidInputs:
        return False
    return True


def _is_chosen(found: list[Suggestion], text: str) -> bool:
    return any(suggestion.value == text.strip() for suggestion in found)


def _complete(merchants: Merchants, offer: OfferRow, name: str, text: str) -> list[Suggestion] | None:
    """What a text may mean, best first; None when the merchant does not say."""
    try:
        merchant = merchants.merchant(offer.merchant)
        with merchant.first_click.waiting(), asking(offer.merchant):
            found = merchant.connector.suggest(offer.offer, name, text.strip())[:10]
            return [checked(suggestion) for suggestion in found]
    except (ConnectorError, Refused) as error:
        # Without completions the employee can still type the value itself.
        log.warning("no_completions", merchant=offer.merchant, detail=str(error))
        return None


def _by_name(reasons: Mapping[str, Reason]) -> dict[str, Reason]:
    """Who typed a name that nobody has knows how many digits a SIREN has."""
    return {
        name: Reason("input_siren_name") if why.code == "input_siren_form" else why for name, why in reasons.items()
    }


def _not_gaps(reasons: Mapping[str, Reason]) -> dict[str, Reason]:
    unfinished = {"input_missing", "input_short", "input_siren_form", "input_phone", "input_date"}
    return {name: why for name, why in reasons.items() if why.code not in unfinished}
