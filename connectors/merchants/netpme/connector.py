"""A contract or letter from a template and a few answers, as DOCX or PDF; a legal desk by the month. Signed in with a token header."""

from __future__ import annotations

from typing import ClassVar

from connectors.contract import Input
from connectors.merchants.rest import RestMerchant

INPUTS = (
    Input(
        name="template",
        label={"fr": "Modèle", "en": "Template"},
        type="choice",
        choices=(
            ("nda", {"fr": "Accord de confidentialité", "en": "Non-disclosure agreement"}),
            ("service", {"fr": "Contrat de prestation de services", "en": "Service contract"}),
            ("cdi", {"fr": "Contrat de travail à durée indéterminée", "en": "Permanent employment contract"}),
            ("lease", {"fr": "Bail commercial", "en": "Commercial lease"}),
            ("reminder", {"fr": "Lettre de relance", "en": "Payment reminder"}),
            ("notice", {"fr": "Mise en demeure", "en": "Formal notice"}),
        ),
    ),
    Input(name="party", label={"fr": "Autre partie", "en": "Other party"}, minimum=2, maximum=120),
    Input(name="city", label={"fr": "Fait à", "en": "Signed at"}, minimum=2, maximum=80),
    Input(
        name="format",
        label={"fr": "Format", "en": "Format"},
        type="choice",
        choices=(("docx", {"fr": "Word (DOCX)", "en": "Word (DOCX)"}), ("pdf", {"fr": "PDF", "en": "PDF"})),
    ),
)


class Connector(RestMerchant):
    """The publisher's REST interface."""

    # Only the template on offer itself is a choice of several.
    inputs: ClassVar = {"": INPUTS[1:], "modele": INPUTS, "juriste": ()}

    def sign(self, *, fresh: bool = False) -> dict[str, str]:
        """The contract's token."""
        return {"Authorization": f"Token {self.context.secrets['token']}"}
