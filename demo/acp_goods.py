"""What the demonstration's ACP merchant sells, its feed, and the manifest that was agreed with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

API_KEY = "cle-normes"
MANIFEST = """\
contract = 1
protocol = "acp"
id = "normes-demo"
version = "1.0.0"
sandbox = true

[merchant]
name = "Normes Démo SAS"
siren = "732829320"
vat = "FR44732829320"
terms_url = "https://normes.example/conditions"
privacy_url = "https://normes.example/vie-privee"
support = "aide@normes.example"
intangible_only = true

[network]
base_url = "https://normes.example"
hosts = ["normes.example"]

[feed]
address = "/feeds/fr/products.jsonl"
prices = "gross"
vat_rate = 20
vat_rates = {livre = 5.5}
category = "normes"
categories = {"Logiciels > Sécurité" = "logiciels"}

[payment]
terms = "net_30"
buyer_email = "achats@acme.example"

[delivery]
kind = "document"
offers = {antivirus = "licence", consultation = "access", livre = "link"}

[terms]
consultation = {pricing = "duration", term = "PT24H"}

[[input]]
name = "siren"
label = {fr = "SIREN", en = "SIREN"}
type = "siren"
offers = ["conformite"]
"""


@dataclass(frozen=True)
class Good:
    """One thing on sale: net price and VAT in cents, the rate as a fraction, and what it brings."""

    id: str
    title: str
    about: str
    net: int
    vat: int
    rate: float
    brings: str
    category: str = "Normes > Qualité"


GOODS = {
    good.id: good
    for good in (
        Good("iso-9001", "Norme qualité, édition 2026", "Le texte de la norme, en PDF.", 9800, 1960, 0.2, "document"),
        Good(
            "conformite", "Attestation de conformité", "L’état de conformité d’une entreprise, par son SIREN.",
            1500, 300, 0.2, "document",
        ),
        Good(
            "antivirus", "Antivirus, un poste", "Une clé de licence, valable un an.", 2450, 490, 0.2, "licence",
            "Logiciels > Sécurité",
        ),
        Good("consultation", "Consultation 24 h", "Toutes les normes à l’écran, un jour.", 1200, 240, 0.2, "access"),
        Good("livre", "Le guide de l’audit", "Un livre numérique, lu chez l’éditeur.", 2000, 110, 0.055, "link"),
    )
}  # fmt: skip


def configuration(url: str, manifest: str = "normes.toml", key: str = "normes") -> str:
    """The `[merchants.KEY]` of a portal that buys here; `MANIFEST` stands in the file `manifest` beside it."""
    return (
        f'\n[merchants.{key}]\nconnector = "acp"\nbase_url = "{url}"\n'
        f'manifest = "{manifest}"\nsecrets = {{api_key = "{API_KEY}"}}\n'
    )


def product(good: Good, gross: int | None = None, **variant: Any) -> dict[str, Any]:
    """A product of the feed with its one variant; prices hold VAT."""
    made = {
        "id": good.id, "title": good.title, "price": {"amount": gross or good.net + good.vat, "currency": "EUR"},
        "availability": {"available": True, "status": "in_stock"},
        "categories": [{"value": good.category, "taxonomy": "merchant"}],
    }  # fmt: skip
    return {
        "id": f"p-{good.id}", "title": good.title, "description": {"plain": good.about}, "variants": [{**made, **variant}]
    }  # fmt: skip


def feed() -> list[Mapping[str, Any]]:
    """Everything on sale, and three variants that nobody should be offered."""
    sold_out = product(GOODS["iso-9001"], id="iso-9001-1994", availability={"available": False})
    heavy = product(
        GOODS["iso-9001"],
        id="iso-9001-papier",
        unit_price={
            "amount": 11760, "currency": "EUR", "measure": {"value": 1, "unit": "kg"},
            "reference": {"value": 1, "unit": "kg"},
        },
    )  # fmt: skip
    dollars = product(GOODS["iso-9001"], id="iso-9001-us", price={"amount": 11900, "currency": "USD"})
    return [*(product(good) for good in GOODS.values()), sold_out, heavy, dollars]
