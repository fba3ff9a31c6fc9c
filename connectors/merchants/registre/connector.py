"""Company register: K-bis extract, statutes, certificate, by SIREN. Signed in with an API key."""

from __future__ import annotations

from typing import ClassVar

from connectors.contract import Input
from connectors.merchants.rest import RestMerchant

SIREN = Input(
    name="siren",
    label={"fr": "SIREN ou nom de l'entreprise", "en": "SIREN or company name"},
    type="siren",
    help={"fr": "Neuf chiffres, ou quelques lettres du nom.", "en": "Nine digits, or a few letters of the name."},
    suggest=True,
)


class Connector(RestMerchant):
    """The register's REST interface."""

    inputs: ClassVar = {"": (SIREN,)}

    def sign(self, *, fresh: bool = False) -> dict[str, str]:
        """The key of the contract, in a header of its own."""
        return {"X-Api-Key": self.context.secrets["api_key"]}
