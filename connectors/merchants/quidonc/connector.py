"""Reverse look-up: whose telephone number is this? Signed in with a token that lives one hour."""

from __future__ import annotations

import threading
from typing import ClassVar

from connectors.contract import AuthFailed, Context, Input
from connectors.merchants.rest import RestMerchant

PHONE = Input(
    name="phone",
    label={"fr": "Numéro de téléphone", "en": "Telephone number"},
    type="phone",
    help={"fr": "Par exemple 01 42 68 53 00.", "en": "For example 01 42 68 53 00."},
    personal=True,
)


class Connector(RestMerchant):
    """The directory publisher's REST interface."""

    inputs: ClassVar = {"": (PHONE,)}

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._lock = threading.Lock()
        self._token = ""

    def sign(self, *, fresh: bool = False) -> dict[str, str]:
        """`POST /auth` once, and again when the token is refused."""
        with self._lock:
            if fresh or not self._token:
                self._token = self._sign_in()
            return {"Authorization": f"Bearer {self._token}"}

    def _sign_in(self) -> str:
        credentials = {name: self.context.secrets[name] for name in ("user", "password")}
        answer = self.context.http.request("POST", f"{self.context.base_url}/auth", json=credentials)
        if answer.status != 200:
            raise AuthFailed(f"sign-in refused with status {answer.status}")
        return str(answer.json()["token"])
