"""What this site says of a connector: the manifest it brings itself, and its settings."""

from __future__ import annotations

from collections.abc import Mapping

from connectors.manifest import Manifest, Source
from connectors.merchants.broken import ConnectorBroken


def adjusted(connector: str, manifest: Manifest, settings: Mapping[str, str]) -> Manifest:
    """A manifest with the settings of this site. Raises `ConnectorBroken` for one that it does not have."""
    unknown = sorted(settings.keys() - manifest.settings.keys())
    if unknown:
        may = ", ".join(sorted(manifest.settings)) or "-"
        raise ConnectorBroken(
            connector,
            {
                "fr": f"settings : {unknown[0]} n'existe pas ; il y a : {may}",
                "en": f"settings: there is no {unknown[0]}; there are: {may}",
            },
        )
    return manifest.model_copy(update={"settings": {**manifest.settings, **settings}})


def require_site(connector: str, site: Source | None) -> Source:
    """The manifest that a protocol needs. Raises `ConnectorBroken` when the site gives none."""
    if site is None:
        raise ConnectorBroken(
            connector,
            {
                "fr": "ce connecteur parle un protocole et ne dit pas qui vend : donnez manifest = « marchand.toml »",
                "en": "this connector speaks a protocol and does not say who sells: give manifest = “merchant.toml”",
            },
        )
    return site
