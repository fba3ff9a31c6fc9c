"""The merchants of this site as one process has them: those of `portal.toml`, and those an administrator connected.

The first are loaded once. The others follow the database: whoever asks for a merchant reads `site.REVISION` first, and
what has changed since is loaded anew. A connector that nobody uses any more closes its connections by itself.
"""

from __future__ import annotations

import dataclasses
import json
import threading
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from connectors.contract import NoUploads, Uploads, Words
from connectors.http import Network
from connectors.manifest import SiteText
from connectors.merchants.registry import ConnectorBroken, LoadedMerchant, load_merchant
from connectors.waiting import Breaker
from portal import logs
from portal.catalog import site, terms
from portal.catalog.merchants import Known, Merchants
from portal.catalog.site import MerchantRow
from portal.database import Database
from portal.outbox import merchant_lane
from portal.sealing import Seal, Unreadable
from portal.settings import MerchantSection, Settings

log = logs.get(__name__)

SEALED_ELSEWHERE: Words = {
    "fr": "ses identifiants ne peuvent plus être lus, car la clé secrète du portail a changé : saisissez-les à nouveau",
    "en": "its credentials cannot be read any more, since the portal's secret key has changed: type them again",
}


@dataclass(frozen=True)
class Draft:
    """How a merchant is asked, as an administrator typed it; `manifest` is the text of one for a connector of a protocol."""

    key: str
    connector: str
    base_url: str = ""
    manifest: str = ""
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)


class SiteMerchants(Merchants):
    """Every merchant of this site; safe to use from several threads."""

    def __init__(
        self, settings: Settings, database: Database, network: Network, breaker: Callable[[str], Breaker], seal: Seal,
        uploads: Uploads = NoUploads(),
    ) -> None:  # fmt: skip
        self._settings, self._database, self._seal, self._uploads = settings, database, seal, uploads
        self._network, self._breaker = network, breaker
        self._lock = threading.Lock()
        self._revision = 0
        self._rows: dict[str, int] = {}
        super().__init__(*self._configured())
        self._of_file = self._known

    @property
    def configured(self) -> Mapping[str, MerchantSection]:
        """Those that `portal.toml` names, which nobody changes on a screen."""
        return self._settings.merchants

    def now(self, session: Session | None = None) -> Known:
        """All of them; what was last known while the database cannot tell."""
        try:
            if session is not None:
                return self._follow(session)
            with self._database.reading() as opened:
                return self._follow(opened)
        except SQLAlchemyError as error:
            if session is not None:
                raise
            log.warning("merchants_not_read", detail=str(getattr(error, "orig", error)))
            return self._known

    def closed(self, session: Session) -> frozenset[str]:
        """Merchants that have offers and sell nothing now: paused, or not of this site any more."""
        known = self.now(session)
        listed = {key for key in session.scalars(site.LISTED) if key not in known.loaded and key not in known.broken}
        return frozenset(listed.union(session.scalars(site.PAUSED)))

    def prepare(self, draft: Draft) -> LoadedMerchant:
        """A merchant to be tried out: nothing is noted of what it answers. Raises `ConnectorBroken`."""
        return _loaded(draft, self._network, self._uploads)

    def terms(self, session: Session, key: str) -> dict[str, str]:
        """As its manifest says, and as its page was when it was last read."""
        merchant = self.now(session).loaded.get(key)
        return terms.of(session, key, merchant) if merchant else {}

    def was_read(self, key: str, merchant: LoadedMerchant) -> None:
        """Its terms of sale are read as well."""
        terms.note(self._database, key, merchant)

    def secrets_of(self, row: MerchantRow) -> dict[str, str]:
        """The secrets of one that was connected here. Raises `Unreadable`."""
        return {name: str(value) for name, value in json.loads(self._seal.open(row.sealed, row.key)).items()}

    def sealed(self, draft: Draft) -> str:
        """The secrets as they are stored."""
        return self._seal.close(json.dumps(dict(draft.secrets)), draft.key)

    def _follow(self, session: Session) -> Known:
        revision = session.scalar(site.REVISION) or 0
        if revision == self._revision:
            return self._known
        with self._lock:
            # Whoever waited here, or sees an older moment, takes what another has loaded meanwhile.
            if revision > self._revision:
                self._read(session)
                self._revision = revision
            return self._known

    def _read(self, session: Session) -> None:
        connected = select(MerchantRow).where(MerchantRow.connector != "", MerchantRow.disconnected_at.is_(None))
        rows = {row.key: row for row in session.scalars(connected.order_by(MerchantRow.connected_at, MerchantRow.key))}
        loaded, broken = dict(self._of_file.loaded), dict(self._of_file.broken)
        for key, row in rows.items():
            if key in self.configured:
                log.warning("merchant_written_twice", merchant=key)
            elif self._rows.get(key) == row.revision and key in self._known.loaded:
                loaded[key] = self._known.loaded[key]
            else:
                self._load(row, loaded, broken)
        self._known = Known(loaded, broken)
        self._rows = {key: row.revision for key, row in rows.items()}

    def _load(self, row: MerchantRow, loaded: dict[str, LoadedMerchant], broken: dict[str, ConnectorBroken]) -> None:
        try:
            draft = Draft(row.key, row.connector, row.base_url, row.manifest, self.secrets_of(row))
            loaded[row.key] = _loaded(draft, self._watched(row.key), self._uploads)
        except Unreadable:
            broken[row.key] = ConnectorBroken(row.connector, SEALED_ELSEWHERE)
        except ConnectorBroken as error:
            broken[row.key] = error
        if row.key in broken:
            log.error("connector_broken", merchant=row.key, connector=row.connector, detail=str(broken[row.key]))

    def _configured(self) -> tuple[dict[str, LoadedMerchant], dict[str, ConnectorBroken]]:
        loaded: dict[str, LoadedMerchant] = {}
        broken: dict[str, ConnectorBroken] = {}
        for key, section in self.configured.items():
            secrets = {name: secret.get_secret_value() for name, secret in section.secrets.items()}
            manifest = self._settings.path(section.manifest) if section.manifest else None
            try:
                loaded[key] = load_merchant(
                    _connector(self._settings, section), key, section.base_url, secrets, self._watched(key), manifest,
                    section.trust, uploads=self._uploads, settings=section.settings,
                )  # fmt: skip
            except ConnectorBroken as error:
                log.error("connector_broken", merchant=key, connector=section.connector, detail=str(error))
                broken[key] = error
        return loaded, broken

    def _watched(self, key: str) -> Network:
        return dataclasses.replace(self._network, breaker=self._breaker(merchant_lane(key)))


def _connector(settings: Settings, section: MerchantSection) -> str:
    """What its connector is found by. Raises `ConnectorBroken` for a folder that holds what is the site's own."""
    place = settings.connector(section)
    if "/" in place and settings.folder.resolve().is_relative_to(place):
        raise ConnectorBroken(
            place,
            {
                "fr": "ce dossier contient portal.toml, que son code pourrait lire : donnez-lui un dossier à lui",
                "en": "this folder holds portal.toml, which its code could read: give it a folder of its own",
            },
        )
    return place


def _loaded(draft: Draft, network: Network, uploads: Uploads) -> LoadedMerchant:
    manifest = SiteText(draft.manifest) if draft.manifest else None
    try:
        made = load_merchant(
            draft.connector, draft.key, draft.base_url, draft.secrets, network, manifest, uploads=uploads
        )
    except ConnectorBroken:
        raise
    except Exception as error:
        # What an author's code raises must not take the other merchants with it.
        said = f"{type(error).__name__}: {error}"[:300]
        raise ConnectorBroken(
            draft.connector, {"fr": f"son code échoue : {said}", "en": f"its code fails: {said}"}
        ) from error
    # A list may be read for an hour with a connector that was replaced meanwhile.
    weakref.finalize(made.connector, made.connector.context.http.close).atexit = False
    return made
