"""Where a connector is put to the proof: loaded with secrets of no value, in front of a merchant made of its fixtures."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2

from connectors.contract import Buyer, ConnectorError, Context, MerchantConnector, Offer, Quote, Unavailable, Words
from connectors.http import GuardedClient, Timeouts
from connectors.kit.merchant import ReplayingMerchant
from connectors.kit.quiet import no_network
from connectors.kit.story import Fixtures, FixturesError, Purchase, read_fixtures
from connectors.kit.uploads import StoryUploads
from connectors.manifest import Manifest
from connectors.merchants.registry import ConnectorBroken, Made, end_code, read_connector, read_folder, require_code
from connectors.merchants.trust import Trust

PATIENT, HURRIED = Timeouts(5, 5, 5), Timeouts(1, 0.15, 0.3)
SMALL_BODY = 2_000_000
KEY, OTHER_KEY, PO_NUMBER = "kit-6f1d3c52-key", "kit-0b7e9a41-key", "G-KIT00-00001"
BUYER = Buyer("Acme SA", "fr", "CC-42")


class Failed(Exception):
    """A check that was not passed: what is wrong, and what to do."""

    def __init__(self, what: Words, remedy: Words) -> None:
        super().__init__(what["en"])
        self.what, self.remedy = what, remedy


class Skipped(Exception):
    """A check that cannot be made, and why."""

    def __init__(self, fr: str, en: str) -> None:
        super().__init__(en)
        self.why: Words = {"fr": fr, "en": en}


@dataclass(frozen=True)
class Said:
    """What a connector gave for one call: a value, or what it raised."""

    value: Any = None
    error: Exception | None = None

    @property
    def kind(self) -> str:
        """The name of what came."""
        return type(self.value if self.error is None else self.error).__name__

    @property
    def sure_it_was_not_sent(self) -> bool:
        """Whether it promises that nothing was done."""
        return isinstance(self.error, Unavailable)

    def __str__(self) -> str:
        if isinstance(self.error, ConnectorError):
            return f"{self.kind}: {self.error.detail}"
        return f"{self.kind}: {self.error}" if self.error else repr(self.value)


class WatchedClient(GuardedClient):
    """The product's own client, which remembers whom it was asked to contact."""

    def __init__(self, hosts: list[str], limits: Timeouts, max_body: int) -> None:
        super().__init__(hosts, timeouts=limits, max_body=max_body)
        self.contacted: list[str] = []

    @contextlib.contextmanager
    def hurried(self) -> Iterator[None]:
        """A block with limits of a fraction of a second, for what is found by waiting."""
        self._limit(HURRIED)
        try:
            yield
        finally:
            self._limit(PATIENT)

    def _limit(self, limits: Timeouts) -> None:
        self.timeouts = limits
        self._client.timeout = httpx2.Timeout(limits.read, connect=limits.connect)

    def _require_allowed(self, url: str) -> None:
        self.contacted.append(urlsplit(url).netloc)
        super()._require_allowed(url)


@dataclass
class Stage:
    """One connector, for the length of its proof; `fresh` begins every check.

    Args:
        name: what it is found by; "" for a folder that nobody has installed yet.
        trust: where its code runs.
    """

    folder: Path
    name: str = ""
    trust: Trust = "in_process"
    contacted: list[str] = field(default_factory=list)
    tried: list[str] = field(default_factory=list)
    output: io.StringIO = field(default_factory=io.StringIO)
    client: WatchedClient | None = None
    read_so_far: list[Made] = field(default_factory=list)
    stuck: bool = False
    """Whether something it was asked never ended, and may still be running."""

    def read(self) -> tuple[Manifest, Made]:
        """The manifest and what speaks for it; code of others is run to see whether it loads. Raises `ConnectorBroken`."""
        read = read_connector(self.name, trust=self.trust) if self.name else read_folder(self.folder, self.trust)
        self.read_so_far.append(read[1])
        require_code(*read)
        return read

    @cached_property
    def loaded(self) -> tuple[Manifest, Made]:
        """The manifest and what speaks for it. Raises `Skipped`; `manifest.valid` says why it does not load."""
        try:
            return self.read()
        except ConnectorBroken:
            raise Skipped(
                "le connecteur ne se charge pas (manifest.valid)", "the connector does not load (manifest.valid)"
            ) from None

    @property
    def manifest(self) -> Manifest:
        """The connector's manifest. Raises `Skipped`."""
        return self.loaded[0]

    @cached_property
    def fixtures(self) -> Fixtures:
        """The story and its exchanges. Raises `Skipped`; `fixtures.complete` says what is wrong."""
        try:
            return read_fixtures(self.folder)
        except FixturesError:
            raise Skipped(
                "sans exemples utilisables (fixtures.complete)", "no fixtures to use (fixtures.complete)"
            ) from None

    @property
    def is_asked_for_offers(self) -> bool:
        """Whether the merchant is asked for its list, which may stand in the manifest instead. Raises `Skipped`."""
        return not getattr(getattr(self.manifest, "listing", None), "offers", None)

    @cached_property
    def secrets(self) -> dict[str, str]:
        """Secrets of no value, which must be seen nowhere but at the merchant's."""
        return {name: f"canary-{secrets.token_hex(10)}" for name in self.manifest.auth.secrets}

    @cached_property
    def merchant(self) -> ReplayingMerchant:
        """The merchant made of the fixtures."""
        auth = self.manifest.auth
        hidden = frozenset({auth.parameter} if auth.kind == "query" else ())
        return ReplayingMerchant(self.fixtures, tuple(self.secrets.values()), hidden)

    @property
    def uploads(self) -> StoryUploads:
        """What the story's inputs of type file refer to."""
        return StoryUploads(self.folder / "fixtures")

    def fresh(self) -> None:
        """Forget what happened in an earlier check."""
        self.contacted, self.tried, self.output = [], [], io.StringIO()
        if "merchant" in self.__dict__:
            self.merchant.reset()

    def connector(self, *, also: str = "", max_body: int = 0) -> MerchantConnector:
        """A new connector before the merchant. Raises `Skipped`.

        Args:
            also: another host that it may contact.
            max_body: bytes accepted in one answer; the manifest's own limit when 0.
        """
        manifest, made = self.loaded
        hosts = [urlsplit(self.merchant.url).netloc, *([urlsplit(also).netloc] if also else [])]
        with _without_proxy():
            client = WatchedClient(hosts, PATIENT, max_body or manifest.network.max_body)
        if self.client:
            self.client.close()
        client.contacted, self.client = self.contacted, client
        content = manifest.model_dump(by_alias=True)
        return made(Context(manifest.id, self.merchant.url, self.secrets, client, content, self.uploads))

    def hurried(self) -> contextlib.AbstractContextManager[None]:
        """A block in which the last connector has no patience."""
        return self.client.hurried() if self.client else contextlib.nullcontext()

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """A block without network, in which everything printed and logged is kept in `output`."""
        handler = logging.StreamHandler(self.output)
        root = logging.getLogger()
        # As in the portal, the HTTP library says nothing: its lines would hold addresses.
        levels = {root: logging.DEBUG, **{logging.getLogger(name): logging.WARNING for name in ("httpx2", "httpcore2")}}
        before = {logger: logger.level for logger in levels}
        root.addHandler(handler)
        for logger, level in levels.items():
            logger.setLevel(level)
        try:
            with no_network() as tried, redirect_stdout(self.output), redirect_stderr(self.output):
                self.tried = tried
                yield
        finally:
            root.removeHandler(handler)
            for logger, level in before.items():
                logger.setLevel(level)

    def masked(self, text: str) -> str:
        """A text without the secrets in it."""
        for name, canary in self.secrets.items():
            text = text.replace(canary, f"‹{name}›")
        for token in self.merchant.tokens:
            text = text.replace(token, "‹token›")
        return text

    def close(self) -> None:
        """End the merchant."""
        if self.client:
            self.client.close()
        if "merchant" in self.__dict__:
            self.merchant.close()
        for made in self.read_so_far:
            end_code(made)


@contextlib.contextmanager
def _without_proxy() -> Iterator[None]:
    """The merchant stands on this machine, whatever proxy the environment names."""
    before = {name: os.environ.pop(name) for name in list(os.environ) if name.lower().endswith("_proxy")}
    try:
        yield
    finally:
        os.environ.update(before)


def attempt(call: Callable[[], Any]) -> Said:
    """Call a connector; whatever it raises is an answer."""
    try:
        return Said(call())
    except (Failed, Skipped):
        raise
    except Exception as error:
        return Said(error=error)


def quoted(connector: MerchantConnector, purchase: Purchase) -> Quote:
    """A quote as the core hands it back to `fulfil`: with what it was given for. Raises what the connector raises."""
    quote = connector.quote(purchase.offer, purchase.inputs, BUYER)
    return replace(quote, offer_id=purchase.offer, inputs=dict(purchase.inputs))


def listed(stage: Stage) -> list[Offer]:
    """The offers of a new connector. Raises what the connector raises."""
    return [item for item in stage.connector().list_offers() if isinstance(item, Offer)]


def order(connector: MerchantConnector, quote: Quote, key: str = KEY) -> Said:
    """Order what was quoted, at its price."""
    return attempt(lambda: connector.fulfil(quote, key, PO_NUMBER, quote.gross_cents))
