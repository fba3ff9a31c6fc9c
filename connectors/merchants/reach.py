"""Where a merchant's connector may go, by its manifest and by what the site says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal
from urllib.parse import urlsplit

from connectors.addresses import is_private, is_this_machine
from connectors.http import Network
from connectors.manifest import Manifest
from connectors.merchants.broken import ConnectorBroken

Whom = Literal["merchant", "nobody", "test_system", "simulator"]
"""To whom one speaks: the merchant, nobody before there is a contract, its own test system, or what stands in for it here."""


def whom(manifest: Manifest, base_url: str) -> Whom:
    """To whom one speaks at an address, by a manifest as its author wrote it."""
    parts = urlsplit(base_url)
    if manifest.sandbox:
        return "nobody"
    if parts.netloc in manifest.network.hosts:
        return "merchant"
    if parts.netloc in manifest.network.sandbox_hosts:
        return "test_system"
    # Elsewhere there is a gateway of the company's or, on this machine, nobody but a simulator.
    return "simulator" if is_this_machine(parts.hostname or "") else "merchant"


def way_to(manifest: Manifest, base_url: str) -> tuple[list[str], bool]:
    """Which hosts are contacted when the interface is there, and whether what is sold there is a demonstration."""
    host = urlsplit(base_url).netloc
    known = next((hosts for hosts in (manifest.network.hosts, manifest.network.sandbox_hosts) if host in hosts), [host])
    return known, whom(manifest, base_url) != "merchant"


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
