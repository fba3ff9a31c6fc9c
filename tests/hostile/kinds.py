"""The three kinds of connectors there are, each before a merchant on a real socket, on sale in one portal.

`rest` is code over `connectors/merchants/rest.py`, `declared` a manifest alone, `acp` a protocol.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from connectors.http import Network
from connectors.merchants import registry
from connectors.merchants.registry import load_merchant
from demo import acp_goods
from demo.acp_sessions import session_json
from demo.acp_shop import AcpShop
from tests.connectors.declared_shop import MANIFEST, Shop, folder_of
from tests.hostile.conftest import World
from tests.hostile.villain import changed, offer

KINDS = ("rest", "declared", "acp")
Alter = Callable[[dict[str, Any]], dict[str, Any]]


class Rest:
    """The villain itself."""

    slug = "louche-kbis"
    inputs: ClassVar[dict[str, str]] = {}

    def __init__(self, world: World) -> None:
        self.world = world

    def sells(self, alter: Alter) -> None:
        """One more thing in its catalogue."""
        self.world.villain.offers.append(alter(offer("thing")))

    def says(self, step: str, alter: Alter) -> None:
        """Alter what it answers to `quote` or `order`."""
        self.world.villain.does(step, lambda honest: changed(**alter(_content(honest())))(honest))

    @property
    def made(self) -> int:
        """How many orders it has made."""
        return len(self.world.villain.made)


def _content(answer: Any) -> dict[str, Any]:
    response = answer[0] if isinstance(answer, tuple) else answer
    found: dict[str, Any] = response.get_json()
    return found


class Declared:
    """The merchant of `tests/connectors/declared_shop.py`."""

    slug = "meteo-rain"
    inputs: ClassVar[dict[str, str]] = {"town": "Brest"}

    def __init__(self, shop: Shop) -> None:
        self.shop = shop

    def sells(self, alter: Alter) -> None:
        """One more thing in its catalogue."""
        thing = {"sku": "thing", "name": {"fr": "Chose", "en": "Thing"}, "about": "Chose", "price": 240, "vat": 20}
        rain = {"sku": "rain", "name": {"fr": "Pluie", "en": "Rain"}, "about": "Pluie", "price": 360, "vat": 20}
        self.shop.answers["GET /v2/products"] = (200, {"data": [rain, alter(thing)], "next": None})

    def says(self, step: str, alter: Alter) -> None:
        """Alter what it answers to `quote` or `order`."""
        if step == "quote":
            quoted = {"offer_ref": "q-rain", "price": 360, "vat": 20, "town": "Brest"}
            self.shop.answers["POST /v2/products/rain/price"] = (200, alter(quoted))
        else:
            order = {"id": "o-1", "status": "ready", "total": 360, "file": "/v2/files/o.pdf", "name": "releve.pdf"}
            self.shop.answers["POST /v2/orders"] = (201, {"order": alter(order)})

    @property
    def made(self) -> int:
        """How many orders it was sent."""
        return sum(method == "POST" and path == "/v2/orders" for method, path, *_rest in self.shop.seen)


class Acp:
    """The demonstration's ACP merchant."""

    slug = "normes-iso-9001"
    inputs: ClassVar[dict[str, str]] = {}

    def __init__(self, shop: AcpShop, patch: Any) -> None:
        self.shop, self.patch = shop, patch

    def sells(self, alter: Alter) -> None:
        """One more thing in its feed."""
        thing = acp_goods.product(acp_goods.GOODS["livre"], id="thing")
        thing["variants"] = [alter(dict(thing["variants"][0]))]
        self.shop.products = [acp_goods.product(acp_goods.GOODS["iso-9001"]), thing]

    def says(self, step: str, alter: Alter) -> None:
        """Alter the lines of its sessions, before (`quote`) or after (`order`) they are completed."""

        def altered(url: str, checkout: Any) -> dict[str, Any]:
            content = session_json(url, checkout)
            if (step == "order") == bool(checkout.order):
                content["line_items"] = [alter(dict(line)) for line in content["line_items"]]
            return content

        self.patch.setattr("demo.acp_shop.session_json", altered)

    @property
    def made(self) -> int:
        """How many orders it has made."""
        return len(self.shop.book)


Kind = Rest | Declared | Acp


@contextmanager
def kind(name: str, world: World, folder: Path, patch: Any) -> Iterator[Kind]:
    """One kind of connector, on sale."""
    if name == "rest":
        yield Rest(world)
        return
    loaded = world.house.merchants.loaded
    shop: Shop | AcpShop = Shop() if name == "declared" else AcpShop()
    shop.server.start()
    if isinstance(shop, Shop):
        patch.setattr(registry, "FOLDER", folder)
        folder_of(folder, MANIFEST)
        loaded["meteo"] = load_merchant("meteo", "meteo", shop.server.url, {"api_key": "s3cret"}, Network())
    else:
        (folder / "normes.toml").write_text(acp_goods.MANIFEST, encoding="utf-8")
        secrets = {"api_key": acp_goods.API_KEY}
        loaded["normes"] = load_merchant("acp", "normes", shop.url, secrets, Network(), folder / "normes.toml")
    try:
        world.list_again("meteo" if name == "declared" else "normes")
        yield Declared(shop) if isinstance(shop, Shop) else Acp(shop, patch)
    finally:
        loaded.pop("meteo", None)
        loaded.pop("normes", None)
        shop.server.stop()
