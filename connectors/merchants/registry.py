"""Find merchant connectors: folders beside this file or of the site, packages (`portal.merchants`), and protocols.

Code that is not shipped is others': no line of it runs before the site says how (`connectors/merchants/trust.py`).

A protocol serves many merchants: who sells, its `connector.toml` says, which is the site's own file or stands where
any other connector's does, and names the protocol. A connector that cannot be loaded raises `ConnectorBroken` and never stops the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from importlib.metadata import EntryPoints, entry_points
from pathlib import Path
from urllib.parse import urlsplit

from connectors.acp.manifest import AcpManifest
from connectors.acp.merchant import AcpMerchant
from connectors.apart.merchant import ApartMerchant
from connectors.apart.pool import Pool
from connectors.apart.process import Code
from connectors.contract import Context, MerchantConnector, NoUploads, Uploads
from connectors.declared.manifest import DeclaredManifest
from connectors.declared.merchant import DeclaredMerchant
from connectors.http import GuardedClient, Network, Timeouts
from connectors.manifest import Manifest, ManifestError, Source, protocol_of, read_manifest, tables_of
from connectors.merchants.broken import ConnectorBroken as ConnectorBroken
from connectors.merchants.code import code_of
from connectors.merchants.packages import folder_of_package
from connectors.merchants.reach import Whom, require_public, way_to, whom
from connectors.merchants.site import adjusted, require_site
from connectors.merchants.trust import Level, Trust, require
from connectors.opds.manifest import OpdsManifest
from connectors.opds.merchant import OpdsMerchant
from connectors.waiting import Seats

FOLDER = Path(__file__).parent
ENTRY_POINT_GROUP = "portal.merchants"
Made = Callable[[Context], MerchantConnector]
Spoken = tuple[type[Manifest], Made]
DECLARED: tuple[type[Manifest], type[MerchantConnector]] = (DeclaredManifest, DeclaredMerchant)
PROTOCOLS: Mapping[str, tuple[type[Manifest], type[MerchantConnector]]] = {
    "acp": (AcpManifest, AcpMerchant), "opds": (OpdsManifest, OpdsMerchant),
}  # fmt: skip
"""What speaks a protocol with whatever merchant a manifest describes."""


@dataclass(frozen=True)
class LoadedMerchant:
    """A connector ready to be asked; `hosts` are the only ones it is asked at, `whom` who answers there.

    A web process waits for it from its seats: for what a first click asks, and for what a second click brings.
    """

    manifest: Manifest
    connector: MerchantConnector
    hosts: tuple[str, ...] = ()
    whom: Whom = "merchant"
    first_click: Seats = field(default_factory=Seats, compare=False)
    second_click: Seats = field(default_factory=Seats, compare=False)


def names() -> list[str]:
    """Every connector there is by a name."""
    shipped = {path.parent.name for path in FOLDER.glob("*/connector.toml")}
    return sorted(shipped | {point.name for point in _installed()} | PROTOCOLS.keys())


def read_connector(connector: str, site: Source | None = None, trust: Trust = "") -> tuple[Manifest, Made]:
    """A connector's manifest and what speaks for it, before anybody has configured it.

    Args:
        site: the site's own manifest, for a protocol, or where a contract's own terms stand in it; any other
            connector of one merchant brings its own.
        trust: how code of others runs; "" refuses it.

    Raises:
        ConnectorBroken: it does not exist, its manifest is wrong or nowhere, or its code does not load or may not run.
    """
    if connector in PROTOCOLS:
        return _read(connector, require_site(connector, site), lambda: PROTOCOLS[connector])
    module, folder = _locate(connector)
    kind = partial(_kind_of, connector, module, folder, trust)
    spoken = kind() if site else None
    if spoken and not getattr(spoken[1], "site_manifest", False):
        raise ConnectorBroken(
            connector,
            {
                "fr": "ce connecteur a son propre manifeste : retirez la clé manifest",
                "en": "this connector has a manifest of its own: remove the key manifest",
            },
        )
    manifest, made = _read(connector, site or folder / "connector.toml", lambda: spoken or kind())
    if manifest.id != connector and "/" not in connector:
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


def require_code(manifest: Manifest, made: Made) -> None:
    """Run code that lives apart as far as it takes to load it. Raises `ConnectorBroken` when it does not."""
    if not isinstance(made, partial):
        return
    http = GuardedClient(manifest.network.hosts)
    words = dict.fromkeys(manifest.auth.secrets, "")
    merchant = made(Context(manifest.id, manifest.network.base_url, words, http, manifest.model_dump(by_alias=True)))
    fault = merchant.fault()
    http.close()
    if fault:
        raise ConnectorBroken(manifest.id, fault.what, fault.remedy)


def end_code(made: Made) -> None:
    """End the processes of code that lives apart; asked again, it starts others."""
    if isinstance(made, partial):
        made.keywords["pool"].close()


def level_of(connector: str, trust: Trust = "") -> Level:
    """Whose code speaks for a merchant, and where it runs. Raises `ConnectorBroken` when there is no such connector."""
    if connector in PROTOCOLS:
        return "declared"
    folder = _locate(connector)[1]
    if not (folder / "connector.py").exists():
        return "declared"
    if is_shipped(folder):
        return "own_process" if trust == "own_process" else "shipped"
    return trust or "refused"


def is_shipped(folder: Path) -> bool:
    """Whether a connector came with the product, and was read by whoever made it."""
    return folder.resolve().parent == FOLDER.resolve()


def read_folder(folder: Path, trust: Trust = "in_process") -> tuple[Manifest, Made]:
    """Like `read_connector`, for a folder that nobody has installed yet; whatever it is called. Raises `ConnectorBroken`."""
    return _read(folder.name, folder / "connector.toml", lambda: _kind_of(folder.name, "", folder, trust))


def _read(connector: str, path: Source, kind_of: Callable[[], Spoken]) -> tuple[Manifest, Made]:
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
    trust: Trust = "",
    *,
    uploads: Uploads = NoUploads(),
    settings: Mapping[str, str] = {},
) -> LoadedMerchant:
    """One merchant of the configuration with its connector.

    Args:
        key: the merchant's name on this site.
        base_url: replaces the manifest's; a host that the manifest does not name is then the only one contacted.
        site: the site's own manifest, as for `read_connector`.
        trust: how code of others runs; "" refuses it.
        uploads: where the files are that inputs refer to.
        settings: replace those of the manifest.

    Raises:
        ConnectorBroken: it does not exist, its manifest is wrong, its code does not load or may not run, a secret is
            missing, or it has no such setting.
    """
    manifest, made = read_connector(connector, site, trust)
    manifest = adjusted(connector, manifest, settings)
    missing = [name for name in manifest.auth.secrets if not secrets.get(name)]
    if missing:
        listed = ", ".join(missing)
        raise ConnectorBroken(connector, {"fr": f"il manque secrets : {listed}", "en": f"missing secrets: {listed}"})
    base = (base_url or manifest.network.base_url).rstrip("/")
    hosts, sandbox = way_to(manifest, base)
    spoken_to = whom(manifest, base)
    manifest = manifest.model_copy(update={"sandbox": sandbox})
    require_public(connector, [host for host in hosts if not base_url or host != urlsplit(base).netloc], network)
    limits = Timeouts(**manifest.network.timeout)
    http = GuardedClient(hosts, network, limits, manifest.network.max_body)
    context = Context(
        key=key, base_url=base, secrets=dict(secrets), http=http, manifest=manifest.model_dump(by_alias=True),
        uploads=uploads,
    )  # fmt: skip
    return LoadedMerchant(manifest, made(context), tuple(hosts), spoken_to)


def _kind_of(connector: str, module: str, folder: Path, trust: Trust) -> Spoken:
    """What its manifest may say and what speaks for it: its own code, a protocol, or the manifest alone."""
    if (folder / "connector.py").exists():
        apart = _is_apart(connector, folder, trust)
        if apart:
            return _described_in(folder), partial(ApartMerchant, pool=Pool(Code(connector, folder, module)))
        made = code_of(module, folder)
        if issubclass(made, DeclaredMerchant):
            return made.manifest_kind, made
        return next((kind for kind, base in PROTOCOLS.values() if issubclass(made, base)), Manifest), made
    return PROTOCOLS.get(protocol_of(folder / "connector.toml"), DECLARED)


def _is_apart(connector: str, folder: Path, trust: Trust) -> bool:
    """Whether its code runs in a process of its own. Raises `ConnectorBroken` when it may not run, or not so."""
    words = require(trust, connector, shipped=is_shipped(folder))
    if words:
        raise ConnectorBroken(connector, *words)
    return trust == "own_process"


def _described_in(folder: Path) -> type[Manifest]:
    """What a manifest may say whose code is not read here: its own tables tell."""
    path = folder / "connector.toml"
    if protocol_of(path) in PROTOCOLS:
        return PROTOCOLS[protocol_of(path)][0]
    return DeclaredManifest if "list" in tables_of(path) else Manifest


@cache
def _installed() -> EntryPoints:
    return entry_points(group=ENTRY_POINT_GROUP)


def _locate(connector: str) -> tuple[str, Path]:
    if "/" in connector:
        return "", _folder_of_site(Path(connector))
    places = (
        {f"connectors.merchants.{connector}": FOLDER / connector}
        if (FOLDER / connector / "connector.toml").is_file()
        else {}
    )
    for point in _installed().select(name=connector):
        places[point.value] = folder_of_package(point.value)
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


def _folder_of_site(folder: Path) -> Path:
    if (folder / "connector.toml").is_file():
        return folder
    raise ConnectorBroken(
        str(folder),
        {"fr": "il n'y a pas de connector.toml dans ce dossier", "en": "there is no connector.toml in this folder"},
    )
