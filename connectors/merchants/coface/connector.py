"""Credit report (takes a while), credit opinion (at once) and monitoring, by SIREN. Signed in with OAuth2 client credentials."""

from __future__ import annotations

from typing import ClassVar

from connectors.contract import Input
from connectors.merchants.tokens import TokenMerchant

SIREN = Input(
    name="siren",
    label={"fr": "SIREN ou nom de l'entreprise", "en": "SIREN or company name"},
    type="siren",
    help={"fr": "Neuf chiffres, ou quelques lettres du nom.", "en": "Nine digits, or a few letters of the name."},
    suggest=True,
)


class Connector(TokenMerchant):
    """The credit insurer's REST interface."""

    inputs: ClassVar = {"": (SIREN,)}

    def ask_token(self) -> str:
        """Client credentials (RFC 6749, section 4.4), in the body."""
        form = {name: self.context.secrets[name] for name in ("client_id", "client_secret")}
        return self.exchange("/oauth/token", "access_token", form={"grant_type": "client_credentials", **form})
