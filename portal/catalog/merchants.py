"""The merchants of this site: each `[merchants.KEY]` of the configuration with its connector.

A connector that cannot be loaded never stops the portal: its offers are left alone and `check` names it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from connectors.contract import MerchantConnector
from connectors.http import Network
from connectors.merchants.registry import ConnectorBroken, LoadedMerchant, load_merchant
from portal import logs
from portal.refusals import Refused
from portal.settings import Settings

log = logs.get(__name__)


@dataclass
class Merchants:
    """Loaded merchants by key, and what is wrong with those that could not be loaded."""

    loaded: dict[str, LoadedMerchant] = field(default_factory=dict)
    broken: dict[str, ConnectorBroken] = field(default_factory=dict)

    def connector(self, key: str) -> MerchantConnector:
        """The connector of a merchant.

        Raises:
            Refused: `merchant_gone`, when it was removed from the configuration or is broken.
        """
        return self.merchant(key).connector

    def merchant(self, key: str) -> LoadedMerchant:
        """A merchant's manifest and connector. Raises like `connector`."""
        if key not in self.loaded:
            raise Refused("merchant_gone", merchant=key)
        return self.loaded[key]


def load_merchants(settings: Settings, network: Network) -> Merchants:
    """Load every configured merchant."""
    merchants = Merchants()
    for key, section in settings.merchants.items():
        secrets = {name: secret.get_secret_value() for name, secret in section.secrets.items()}
        try:
            merchants.loaded[key] = load_merchant(section.connector, key, section.base_url, secrets, network)
        except ConnectorBroken as error:
            log.error("connector_broken", merchant=key, connector=section.connector, detail=str(error))
            merchants.broken[key] = error
    return merchants
