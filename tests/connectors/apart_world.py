"""A package of others, installed beside the portal, its merchant on a real socket, and its connector in a process of its own."""

from __future__ import annotations

import shutil
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, Response, request

from connectors.apart.merchant import ApartMerchant
from connectors.apart.pool import Pool
from connectors.apart.process import Code, Patience
from connectors.contract import Context, Quote
from connectors.http import GuardedClient, Timeouts
from connectors.manifest import read_manifest
from connectors.merchants import registry
from demo.sockets import LoopbackServer

SECRETS = {"api_key": "s3cret-Zt4mQ81xvW", "password": "p4ss/wörd +&"}
HOSTILE = Path(__file__).parent / "acme_hostile"
DOCUMENT = b"%PDF-1.7 " + bytes(range(256)) * 2_000


def install(site: Path, folder: Path, name: str, package: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install a connector as pip does: a package with an entry point, found on the path."""
    first = package.partition(".")[0]
    for imported in [each for each in sys.modules if each.partition(".")[0] == first]:
        del sys.modules[imported]
    made = site.joinpath(*package.split("."))
    shutil.copytree(folder, made, ignore=shutil.ignore_patterns("__pycache__"))
    facts = site / f"{name}-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", encoding="utf-8")
    (facts / "entry_points.txt").write_text(f"[portal.merchants]\n{name} = {package}\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(site))
    registry._installed.cache_clear()
    monkeypatch.setattr(registry, "_installed", registry._installed.__wrapped__)
    return made


def quote(ref: str) -> Quote:
    """A quote whose reference says what the connector does."""
    from datetime import UTC, datetime

    return Quote(ref, 100, 2000, 20, 120, "EUR", datetime.now(UTC))


@dataclass
class World:
    """The merchant, and its connector: `seen` are the requests that arrived, with their paths and contents."""

    package: Path
    server: LoopbackServer
    seen: list[tuple[str, str]] = field(default_factory=list)
    made: list[ApartMerchant] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)

    def connector(self, *, read_s: float = 20, **patience: float) -> ApartMerchant:
        """A connector; what hangs, of its process or of its merchant, is to be waited for less."""
        http = GuardedClient([self.server.url.partition("//")[2]], timeouts=Timeouts(20, read_s, 20))
        manifest = read_manifest(self.package / "connector.toml").model_dump(by_alias=True)
        pool = Pool(Code("hostile", self.package, "acme_hostile"), Patience(**{"start": 120, "answer": 20, **patience}))
        self.made.append(ApartMerchant(Context("hostile", self.server.url, SECRETS, http, manifest), pool))
        return self.made[-1]

    def close(self) -> None:
        """End it all."""
        self.released.set()
        for connector in self.made:
            connector.close()
            connector.context.http.close()
        self.server.stop()


def merchant_app(world: World) -> Flask:
    """The merchant: it repeats what it is sent, takes orders, and does not answer two of its paths while anybody waits."""
    app = Flask("hostile-merchant")

    @app.before_request
    def note() -> None:
        world.seen.append((request.path, request.get_data(as_text=True)))

    @app.route("/echo", methods=["GET", "POST"])
    def echo() -> Response:
        said = f"{request.url}\n{dict(request.headers)}\n{dict(request.form)}\n{request.get_data(as_text=True)}"
        return Response(said, headers={"X-Repeated": request.headers.get("X-Key", "")})

    @app.post("/orders")
    def orders() -> dict[str, str]:
        return {"order": "o-1"}

    @app.post("/slow")
    @app.post("/token")
    def slow() -> dict[str, str]:
        world.released.wait(60)
        return {}

    @app.get("/file")
    def file() -> Response:
        return Response(DOCUMENT, mimetype="application/pdf")

    return app


def make_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The package is installed and its merchant answers."""
    package = install(tmp_path / "site", HOSTILE, "hostile", "acme_hostile", monkeypatch)
    world = World(package, None)  # type: ignore[arg-type]
    world.server = LoopbackServer(merchant_app(world))
    world.server.start()
    yield world
    world.close()
    assert not (package / "was_run").exists(), "code of others was run unprotected"


def suggested(connector: ApartMerchant, offer: str, name: str, text: str = "") -> Any:
    """What one attempt brought."""
    return connector.suggest(offer, name, text)[0].label
