"""A press article, found by its title, as a document; entry to the whole newspaper for a time. Signed in with HTTP Basic."""

from __future__ import annotations

import base64
from typing import ClassVar

from connectors.contract import Input
from connectors.merchants.rest import RestMerchant

ARTICLE = Input(
    name="article",
    label={"fr": "Article", "en": "Article"},
    type="article",
    help={
        "fr": "Quelques mots du titre, ou le numéro de l'article.",
        "en": "A few words of the title, or the article's number.",
    },
    suggest=True,
)


class Connector(RestMerchant):
    """The publisher's REST interface."""

    inputs: ClassVar = {"": (ARTICLE,), "pass-24h": (), "pass-7j": ()}

    def sign(self, *, fresh: bool = False) -> dict[str, str]:
        """HTTP Basic (RFC 7617)."""
        pair = f"{self.context.secrets['user']}:{self.context.secrets['password']}"
        return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}
