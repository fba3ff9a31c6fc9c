"""What a purchase at Pappers costs: credits are counted there, euros are the contract's, from `[prices]` of the manifest."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated, Any

from pydantic import Field, model_validator

from connectors.contract import QuoteLine
from connectors.declared.manifest import DeclaredManifest
from connectors.manifest import Table

Euros = Annotated[Decimal, Field(ge=0, decimal_places=2)]
WORDS = {
    "fr": ("Consultation de la fiche de l’entreprise", "Document"),
    "en": ("Look at the company’s record", "Document"),
}


class Prices(Table):
    """`[prices]`: euros before VAT for the look that finds a document, and for each document besides."""

    call: Euros
    documents: dict[str, Euros]
    vat_rate: Annotated[Decimal, Field(ge=0, le=100, decimal_places=2)]

    def lines(self, offer: str, language: str = "fr") -> tuple[QuoteLine, ...]:
        """What an offer is made of; what costs nothing is no line, unless nothing costs anything."""
        words = WORDS.get(language, WORDS["fr"])
        parts = [(said, net) for said, net in zip(words, (self.call, self.documents[offer]), strict=True) if net]
        return tuple(self._line(said, net) for said, net in parts or [(words[1], Decimal(0))])

    def total(self, offer: str) -> dict[str, Any]:
        """The price under the names of the manifest."""
        lines = self.lines(offer)
        net, vat = sum(line.net_cents for line in lines), sum(line.vat_cents for line in lines)
        cents = {"net": net, "vat": vat, "gross": net + vat}
        return {**{name: Decimal(amount) / 100 for name, amount in cents.items()}, "vat_rate": self.vat_rate}

    def _line(self, said: str, net: Decimal) -> QuoteLine:
        vat = (net * self.vat_rate).quantize(Decimal(1), rounding=ROUND_HALF_UP)
        return QuoteLine(said, int(net * 100), int(self.vat_rate * 100), int(vat))


class PappersManifest(DeclaredManifest):
    """The manifest with its prices."""

    prices: Prices

    @model_validator(mode="after")
    def _everything_has_a_price(self) -> PappersManifest:
        offers = {str(each.get("id")) for each in self.listing.offers}
        if offers != set(self.prices.documents):
            raise ValueError(
                f"[prices] documents gives a price to each of {', '.join(sorted(offers))}, and to no other"
            )
        return self
