"""Reverse look-up: whose telephone number is this? Signed in with a token that lives one hour."""

from __future__ import annotations

from typing import ClassVar

from connectors.contract import Input
from connectors.merchants.tokens import TokenMerchant

PHONE = Input(
    name="phone",
    label={"fr": "Numéro de téléphone", "en": "Telephone number"},
    type="phone",
    help={"fr": "Par exemple 01 42 68 53 00.", "en": "For example 01 42 68 53 00."},
    personal=True,
)


class Connector(TokenMerchant):
    """The directory publisher's REST interface."""

    inputs: ClassVar = {"": (PHONE,), "pack10": ()}

    def ask_token(self) -> str:
        """`POST /auth` with the contract's user and password."""
        return self.exchange("/auth", "token", json={name: self.context.secrets[name] for name in ("user", "password")})
