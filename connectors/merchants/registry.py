"""Find merchant connectors: folders beside this file, installed packages (`portal.merchants`), and protocols.

A protocol serves many merchants: who sells, its `connector.toml` says, which is the site's own file or stands where
any other connector's does, and names the protocol. A connector that cannot be loaded raises `ConnectorBroken` and never stops the others.
"""

from __future__ import annotations

import importlib
import importlib.resources
import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoints, entry_points
from pathlib import Path
from urllib.parse import urlsplit

from connectors.acp.manifest import AcpManifest
from connectors.acp.merchant import AcpMerchant
from connectors.contract import Context, MerchantConnector, Words
from connectors.declared.manifest import DeclaredManifest
from connectors.declared.merchant import DeclaredMerchant
from connectors.http import GuardedClient, Network, Timeouts
from connectors.manifest import Manifest, ManifestError, Source, protocol_of, read_manifest

FOLDER = Path(__file__).parent
ENTRY_POINT_GROUP = "portal.merchants"
Spoken = tuple[type[Manifest], type[MerchantConnector]]
DECLARED: Spoken = (DeclaredManifest, DeclaredMerchant)
PROTOCOLS: Mapping[str, Spoken] = {"acp": (AcpManifest, AcpMerchant)}
"""What speaks a protocol with whatever merchant a manifest describes."""


class ConnectorBroken(Exception):
    """This connector cannot be used; `words` say why, in every language."""

    def __init__(self, name: str, words: Words) -> None:
        super().__init__(f"{name}: {words['en']}")
        self.name = name
        self.words = words


@dataclass(frozen=True)
class LoadedMerchant:
    """A connector ready to be asked."""

    manifest: Manifest
    connector: MerchantConnector


def names() -> list[str]:
    """Every connector there is."""
    shipped = {path.parent.name for path in FOLDER.glob("*/connector.toml")}
    return sorted(shipped | {point.name for point in _installed()} | PROTOCOLS.keys())


def read_connector(connector: str, site: Source | None = None) -> tuple[Manifest, type[MerchantConnector]]:
    """A connector's manifest and what speaks for it, before anybody has configured it.

    Args:
        site: the site's own manifest, for a protocol; a connector of one merchant brings its own.

    Raises:
        ConnectorBroken: it does not exist, its manifest is wrong or nowhere, or its code does not load.
    """
    _require_one_manifest(connector, site)
    if site:
        return _read(connector, site, lambda: PROTOCOLS[connector])
    module, folder = _locate(connector)
    manifest, made = _read(connector, folder / "connector.toml", lambda: _kind_of(module, folder))
    if manifest.id != connector:
        raise ConnectorBroken(
            connector,
            {
                "fr": f"son manifeste dit id = « {manifest.id} » : donnez-lui le nom sous lequel il est trouvé",
                "en": f"its manifest says id = “{manifest.id}”: give it the name it is found by",
            },
        )
    return manifest, made


def folder_of(connector: str) -> Path:
    """Where a connector's manifest stands. Raises `ConnectorBroken` when there is no such connector, or two."""
    return _locate(connector)[1]


def read_folder(folder: Path) -> tuple[Manifest, type[MerchantConnector]]:
    """Like `read_connector`, for a folder that nobody has installed yet; whatever it is called. Raises `ConnectorBroken`."""
    return _read(folder.name, folder / "connector.toml", lambda: _kind_of("", folder))


def _read(connector: str, path: Source, kind_of: Callable[[], Spoken]) -> tuple[Manifest, type[MerchantConnector]]:
    try:
        kind, made = kind_of()
        return read_manifest(path, kind), made
    except ManifestError as error:
        raise ConnectorBroken(
            connector, {"fr": f"manifeste incorrect : {error}", "en": f"wrong manifest: {error}"}
        ) from error


def load_merchant(
    connector: str,
    key: str,
    base_url: str,
    secrets: Mapping[str, str],
    network: Network,
    site: Source | None = None,
) -> LoadedMerchant:
    """One merchant of the configuration with its connector.

    Args:
        key: the merchant's name on this site.
        base_url: replaces the manifest's; its host is then the only one contacted besides.
        site: the site's own manifest, for a protocol.

    Raises:
        ConnectorBroken: it does not exist, its manifest is wrong, its code does not load, or a secret is missing.
    """
    manifest, made = read_connector(connector, site)
    missing = [name for name in manifest.auth.secrets if not secrets.get(name)]
    if missing:
        listed = ", ".join(missing)
        raise ConnectorBroken(connector, {"fr": f"il manque secrets : {listed}", "en": f"missing secrets: {listed}"})
    base = (base_url or manifest.network.base_url).rstrip("/")
    hosts = [urlsplit(base).netloc] if base_url else manifest.network.hosts
    limits = Timeouts(**manifest.network.timeout)
    http = GuardedClient(hosts, network, limits, manifest.network.max_body)
    context = Context(
        key=key, base_url=base, secrets=dict(secrets), http=http, manifest=manifest.model_dump(by_alias=True)
    )
    return LoadedMerchant(manifest, made(context))


def _require_one_manifest(connector: str, site: Source | None) -> None:
    if connector in PROTOCOLS and site is None:
        raise ConnectorBroken(
            connector,
            {
                "fr": "ce connecteur parle un protocole et ne dit pas qui vend : donnez manifest = « marchand.toml »",
                "en": "this connector speaks a protocol and does not say who sells: give manifest = “merchant.toml”",
            },
        )
    if site and connector not in PROTOCOLS:
        raise ConnectorBroken(
            connector,
            {
                "fr": "ce connecteur a son propre manifeste : retirez la clé manifest",
                "en": "this connector has a manifest of its own: remove the key manifest",
            },
        )


def _kind_of(module: str, folder: Path) -> Spoken:
    """What its manifest may say and what speaks for it: its own code, a protocol, or the manifest alone."""
    if (folder / "connector.py").exists():
        made = _code_of(module, folder)
        return next((kind for kind, base in (DECLARED, *PROTOCOLS.values()) if issubclass(made, base)), Manifest), made
    return PROTOCOLS.get(protocol_of(folder / "connector.toml"), DECLARED)


def _code_of(module: str, folder: Path) -> type[MerchantConnector]:
    made: type[MerchantConnector]
    if module:
        made = importlib.import_module(f"{module}.connector").Connector
        return made
    spec = importlib.util.spec_from_file_location(f"loose_{folder.name.replace('-', '_')}", folder / "connector.py")
    if spec is None or spec.loader is None:
        raise ImportError(f"{folder / 'connector.py'} is no module")
    loose = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loose)
    made = loose.Connector
    return made


@cache
def _installed() -> EntryPoints:
    return entry_points(group=ENTRY_POINT_GROUP)


def _locate(connector: str) -> tuple[str, Path]:
    places = (
        {f"connectors.merchants.{connector}": FOLDER / connector}
        if (FOLDER / connector / "connector.toml").is_file()
        else {}
    )
    for point in _installed().select(name=connector):
        places[point.value] = Path(str(importlib.resources.files(point.value)))
    if not places:
        known = ", ".join(names())
        raise ConnectorBroken(
            connector,
            {
                "fr": f"ce connecteur n'existe pas ; il y a : {known}",
                "en": f"there is no such connector; there are: {known}",
            },
        )
    if len(places) > 1:
        listed = ", ".join(str(place) for place in places.values())
        raise ConnectorBroken(
            connector, {"fr": f"ce nom existe deux fois : {listed}", "en": f"this name exists twice: {listed}"}
        )
    return next(iter(places.items()))
