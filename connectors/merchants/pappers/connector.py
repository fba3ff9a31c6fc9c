"""Statutes and annual accounts from Pappers (API v2, OpenAPI 2.20.0), which counts credits ("jetons").

Whoever looks at a company's record pays for the look, and for the download again, each time. So nothing is asked twice
by itself, and a record that came in part (206) is no answer: what it lacks may be the very document, or a newer one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any, ClassVar, cast
from urllib.parse import quote as escaped

from connectors.contract import Buyer, ContractBroken, NotDone, NotFound, Outcome, Quote, Rejected, Unknown, Words
from connectors.declared.manifest import DeclaredManifest, Request
from connectors.declared.merchant import DeclaredMerchant
from connectors.declared.paths import find, items, need, text
from connectors.http import Answer
from connectors.merchants.answers import success
from connectors.merchants.pappers.prices import PappersManifest

UNKNOWN = {
    "fr": "Pappers ne connaît pas cette entreprise. Cherchez-la par son nom.",
    "en": "Pappers does not know this company. Look for it by its name.",
}
EXHAUSTED = {
    "fr": "Les crédits de l’entreprise chez Pappers sont épuisés. Prévenez un administrateur.",
    "en": "The company has no credits left at Pappers. Tell an administrator.",
}
PARTIAL = {
    "fr": "La réponse de Pappers était incomplète. Rien n’est facturé ; recommencez dans quelques minutes.",
    "en": "The answer of Pappers was incomplete. Nothing is charged; try again in a few minutes.",
}
NO_STATUTES = {
    "fr": "Pappers n’a pas les statuts de cette entreprise. Rien n’est facturé.",
    "en": "Pappers has no articles of association of this company. Nothing is charged.",
}
NO_ACCOUNTS = {
    "fr": "Pappers n’a pas ces comptes en PDF. Rien n’est facturé.",
    "en": "Pappers does not have these accounts as a PDF. Nothing is charged.",
}
CONFIDENTIAL = {
    "fr": "L’entreprise a demandé que ces comptes restent confidentiels. Rien n’est facturé.",
    "en": "The company asked for these accounts to be kept confidential. Nothing is charged.",
}


class Connector(DeclaredMerchant):
    """Documents of companies."""

    manifest_kind: ClassVar[type[DeclaredManifest]] = PappersManifest
    site_manifest: ClassVar[bool] = True

    def quote(self, offer_id: str, inputs: Mapping[str, str], buyer: Buyer) -> Quote:
        """The contract's price for a company that exists, while there are credits left; they are noted in its reference."""
        counter, left = self._credits()
        if left <= 0:
            raise Rejected("no credits left", words=EXHAUSTED)
        given = super().quote(offer_id, inputs, buyer)
        return replace(given, ref=f"{offer_id}:{counter}", lines=self._prices.lines(offer_id, buyer.language))

    def lookup_sent(self, quote: Quote, key: str) -> Outcome | NotFound:
        """Nobody can say what became of one request: the counter is the whole contract's. A person decides by it."""
        before, (now, _left) = quote.ref.partition(":")[2], self._credits()
        return Unknown(
            f"credits used/left when the price was given: {before}, now: {now}; whatever else the contract is used for counts too",
            needs_admin=True,
        )

    def read(self, step: str, content: Any, values: Mapping[str, Any]) -> Any:
        """The offers with their prices, a price for what was typed, or the document in a company's record."""
        if step == "list":
            return [{**offer, "price": self._prices.total(str(offer["id"]))} for offer in content]
        if step == "quote":
            return {
                "subject": _subject(content, values["input.siren"]),
                "price": self._prices.total(values["offer.id"]),
            }
        return _document(content, values) if step == "fulfil" else content

    def _outcome(
        self, step: str, answer: Answer, asked: Request, values: Mapping[str, Any], agreed_cents: int | None
    ) -> Outcome:
        if answer.status == 206:
            return NotDone("partial", PARTIAL)
        return super()._outcome(step, answer, asked, values, agreed_cents)

    @property
    def _prices(self) -> Any:
        return cast(PappersManifest, self.manifest).prices

    def _credits(self) -> tuple[str, Decimal]:
        """The contract's counter as it is noted, and how many credits are left. Raises like a quote."""
        asked = self.manifest.check
        if asked is None:
            raise ContractBroken("the manifest has no [check]")
        content = success(self._send("check", asked, {}))
        names = ("jetons_abonnement", "jetons_abonnement_utilises", "jetons_pay_as_you_go_restants")
        plan, used, more = (_number(content, name) for name in names)
        return f"{used.normalize():f}/{more.normalize():f}", plan - used + more


def _number(content: Any, name: str) -> Decimal:
    given = need(content, name)
    if isinstance(given, bool) or not isinstance(given, int | Decimal) or not Decimal(given).is_finite():
        raise ContractBroken(f"no number at {name!r} in the answer")
    return Decimal(given)


def _subject(content: Any, siren: str) -> str:
    """Raises `Rejected` when the company is not known."""
    ours = [each for each in items(content, "resultats_siren") if find(each, "siren") == siren]
    if not ours:
        raise Rejected("no such company", words=UNKNOWN, field="siren")
    return f"{text(ours[0], 'nom_entreprise')} ({siren})"


def _document(content: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """Where the document that was ordered is, or that there is none. Raises `ContractBroken`."""
    siren = values["input.siren"]
    if text(content, "siren") != siren:
        raise ContractBroken("the record is another company's")
    if values["offer.id"] == "statuts":
        return _found(find(content, "derniers_statuts"), f"statuts-{siren}.pdf") or _none(NO_STATUTES)
    accounts = items(content, "comptes") if find(content, "comptes") is not None else []
    year = values["input.annee"]
    # A year that is asked for is that one and no other; otherwise the latest that anybody may read.
    wanted = [each for each in accounts if not year or text(each, "annee_cloture") == year]
    for each in sorted(wanted, key=lambda item: text(item, "date_cloture"), reverse=True):
        found = None if find(each, "confidentialite") is True else _found(each, f"comptes-{siren}.pdf")
        if found:
            return found
    hidden = any(find(each, "confidentialite") is True for each in wanted)
    return _none(CONFIDENTIAL if hidden else NO_ACCOUNTS)


def _found(entry: Any, filename: str) -> dict[str, Any] | None:
    """An entry of the record as a document; None when Pappers does not have it."""
    token = text(entry, "token")
    if find(entry, "disponible") is not True or not token:
        return None
    address = f"document/telechargement?token={escaped(token, safe='')}"
    return {"outcome": "found", "url": address, "filename": text(entry, "nom_fichier_pdf") or filename}


def _none(words: Words) -> dict[str, Any]:
    return {"outcome": "none", "words": words}
