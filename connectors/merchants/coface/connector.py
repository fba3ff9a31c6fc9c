"""Credit report (takes a while) and credit opinion (at once), by SIREN. Signed in with OAuth2 client credentials."""

from __future__ import annotations

import threading
from typing import ClassVar

from connectors.contract import AuthFailed, Context, Input
from connectors.merchants.rest import RestMerchant

SIREN = Input(
    name="siren",
    label={"fr": "SIREN ou nom de l'entreprise", "en": "SIREN or company name"},
    type="siren",
    help={"fr": "Neuf chiffres, ou quelques lettres du nom.", "en": "Nine digits, or a few letters of the name."},
    suggest=True,
)


class Connector(RestMerchant):
    """The credit insurer's REST interface."""

    inputs: ClassVar = {"": (SIREN,)}

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._lock = threading.Lock()
        self._token = ""

    def sign(self, *, fresh: bool = False) -> dict[str, str]:
        """A client-credentials token (RFC 6749, section 4.4), asked for again when it is refused."""
        with self._lock:
            if fresh or not self._token:
                self._token = self._ask_token()
            return {"Authorization": f"Bearer {self._token}"}

    def _ask_token(self) -> str:
        secrets = self.context.secrets
        form = {
            "grant_type": "client_credentials",
            "client_id": secrets["client_id"],
            "client_secret": secrets["client_secret"],
        }
        answer = self.context.http.request("POST", f"{self.context.base_url}/oauth/token", form=form)
        if answer.status != 200:
            raise AuthFailed(f"token refused with status {answer.status}")
        return str(answer.json()["access_token"])
