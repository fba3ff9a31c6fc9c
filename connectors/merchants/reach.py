"""Where a merchant's connector may go, by its manifest and by what the site says."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from connectors.addresses import is_private, is_this_machine
from connectors.http import Network
from connectors.manifest import Manifest
from connectors.merchants.broken import ConnectorBroken


def way_to(manifest: Manifest, base_url: str) -> tuple[list[str], bool]:
    """Which hosts are contacted when the interface is there, and whether what is sold there is a demonstration."""
    host = urlsplit(base_url).netloc
    if host in manifest.network.hosts:
        return manifest.network.hosts, manifest.sandbox
    if host in manifest.network.sandbox_hosts:
        return manifest.network.sandbox_hosts, True
    # Elsewhere there is a gateway of the company's or, on this machine, nobody but a simulator.
    return [host], manifest.sandbox or is_this_machine(urlsplit(base_url).hostname or "")


def require_public(connector: str, hosts: Sequence[str], network: Network) -> None:
    """An author's word is no agreement of the company's: a private address is named by who configures the portal.

    Raises:
        ConnectorBroken: a host is in a private network, and nobody here has named it.
    """
    named = [host for host in (urlsplit(f"//{each}").hostname or "" for each in hosts) if is_private(host)]
    if missing := sorted(set(named) - {*network.private_hosts}):
        listed = ", ".join(missing)
        raise ConnectorBroken(
            connector,
            {
                "fr": f"son manifeste mène dans un réseau privé ({listed}) : nommez-le par base_url ou [network] private_hosts",
                "en": f"its manifest leads into a private network ({listed}): name it by base_url or [network] private_hosts",
            },
        )
