"""A described merchant that has no catalogue, one that is only read, and the two places where code steps in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.contract import Buyer, Data, Done, NotFound, Rejected, Unknown
from connectors.http import Network
from connectors.kit import gold, prove
from connectors.kit.skeleton import make_skeleton
from connectors.merchants import reach, registry
from connectors.merchants.registry import ConnectorBroken, LoadedMerchant, load_merchant, read_folder
from tests.connectors.declared_shop import MANIFEST, Shop, folder_of

ACME = Buyer("Acme SA")
LIST = MANIFEST[MANIFEST.index("[list]") : MANIFEST.index("[suggest]")]
WRITTEN = """\
[list]
map = {id = "sku", title = {fr = "name"}, summary = "about", category = "=meteo", delivery = "=document", gross = "price", vat_rate = "=20"}
[[list.offers]]
sku = "rain"
name = "Pluie"
about = "Hauteur de pluie"
price = 360
[[list.offers]]
sku = "snow"
name = "Neige"
about = "Hauteur de neige"
price = "cher"

"""
CODE = '''\
"""What its manifest cannot say."""

from connectors.contract import Rejected
from connectors.declared.merchant import DeclaredMerchant


class Connector(DeclaredMerchant):
    """Towns are written in capitals; Ys has sunk."""

    def prepare(self, step, values):
        return {**values, "input.town": values["input.town"].upper()} if step == "quote" else values

    def read(self, step, content, values):
        if step == "quote" and content["town"] == "YS":
            raise Rejected("sunk", words={"fr": "Engloutie."}, field="town")
        return {"order": {**content["order"], "total": 1}} if step == "lookup" else content
'''


@pytest.fixture
def shop() -> Iterator[Shop]:
    made = Shop()
    made.server.start()
    yield made
    made.server.stop()


@pytest.fixture
def load(shop, tmp_path, monkeypatch):
    """Load the shop's connector by a manifest with changes, and perhaps code."""
    monkeypatch.setattr(registry, "FOLDER", tmp_path)

    def make(*changes: tuple[str, str], code: str = "") -> LoadedMerchant:
        text = MANIFEST
        for old, new in changes:
            assert old in text, old
            text = text.replace(old, new)
        folder = folder_of(tmp_path, text)
        if code:
            (folder / "connector.py").write_text(code, encoding="utf-8")
            monkeypatch.setattr(registry, "_locate", lambda _name: ("", folder))
        return load_merchant("meteo", "meteo", shop.server.url, {"api_key": "s3cret"}, Network())

    return make


def test_offers_that_are_written_down_are_asked_of_nobody(load, shop):
    seller = load((LIST, WRITTEN)).connector
    rain, snow = seller.list_offers()
    assert (rain.id, rain.net_cents, rain.gross_cents, rain.inputs[0].name) == ("rain", 300, 360, "town")
    # One that cannot be sold is named, and does not take the others with it.
    assert (snow.id, "not an amount" in snow.why) == ("snow", True)
    assert shop.seen == []


@pytest.mark.parametrize(("changes", "why"), [
    (((LIST, WRITTEN.replace("[list]\n", '[list]\npath = "/v2/products"\n')),), "one of the two"),
    (((LIST, WRITTEN.replace("[list]\n", '[list]\nitems = "data"\n')),), "one of the two"),
    ((('path = "/v2/products"\nquery = {size = "2"}', 'query = {size = "2"}'),), "one of the two"),
    ((("[orders]", '[check]\npath = "/v2/{key}"\n\n[orders]'),), "[check] {key} is not known there"),
])  # fmt: skip
def test_a_list_is_asked_for_or_written_down(changes, why, load):
    with pytest.raises(ConnectorBroken) as broken:
        load(*changes)
    assert why in broken.value.words["en"]


def test_check_asks_what_the_manifest_says(load, shop):
    changes = ((LIST, WRITTEN), ("[orders]", '[check]\npath = "/v2/ping"\n\n[orders]'))
    seller = load(*changes).connector
    assert "404" in seller.check()[0].what["en"]
    shop.answers["GET /v2/ping"] = (200, "pong")
    assert seller.check() == []
    shop.answers["GET /v2/ping"] = (401, {})
    assert "secrets" in seller.check()[0].remedy["en"]


def test_today_may_stand_in_every_request(load, shop):
    seller = load(("for = ", 'on = "{today}", for = ')).connector
    seller.quote("rain", {"town": "Brest"}, ACME)
    assert shop.bodies("/v2/products/rain/price")[0]["on"] == datetime.now(UTC).date().isoformat()


def test_code_steps_in_before_a_request_and_before_an_answer(load, shop):
    seller = load(code=CODE).connector
    quote = seller.quote("rain", {"town": "Brest"}, ACME)
    assert (quote.subject, shop.bodies("/v2/products/rain/price")[0]["town"]) == ("BREST", "BREST")
    shop.answers["POST /v2/products/rain/price"] = (200, {"town": "YS"})
    with pytest.raises(Rejected) as refused:
        seller.quote("rain", {"town": "Ys"}, ACME)
    assert refused.value.field == "town"
    ordered = replace(quote, offer_id="rain", inputs={"town": "Brest"})
    assert seller.fulfil(ordered, "key-1", "G-1", 360).charged_cents == 360
    assert seller.lookup("key-1").charged_cents == 1


def read_only(*, price: str = "=0", capability: str = "read") -> tuple[tuple[str, str], ...]:
    """The shop as one that is only read: nothing is ordered under a key."""
    lookup = MANIFEST[MANIFEST.index("[lookup]") : MANIFEST.index("[orders]")]
    order = MANIFEST[MANIFEST.index("[order]") : MANIFEST.index("[lookup]")]
    data = '[order]\nat = "towns.0"\ndelivery = {kind = "=data"}\nrows = [{label = {fr = "Département"}, value = "county"}]\n\n'
    fulfil = MANIFEST[MANIFEST.index("[fulfil]") : MANIFEST.index("[order]")]
    return (
        (LIST, WRITTEN.replace('delivery = "=document", gross = "price", vat_rate = "=20"', f'delivery = "=data", net = "{price}", vat_rate = "=0"')),
        ("lookup_by_key = true", "lookup_by_key = false"), ('idempotent = "key"', f'idempotent = "{capability}"'),
        (fulfil, '[fulfil]\npath = "/v2/towns"\nquery = {q = "{input.town}"}\n\n'), (order, data), (lookup, ""),
    )  # fmt: skip


def test_what_is_only_read_has_no_key_and_is_read_again(load):
    seller = load(*read_only()).connector
    quote = replace(seller.quote("rain", {"town": "br"}, ACME), offer_id="rain", inputs={"town": "br"})
    done = seller.fulfil(quote, "key-1", "G-1", 0)
    assert isinstance(done, Done)
    assert done.delivery == Data((({"fr": "Département"}, "Finistère"),))
    assert seller.lookup_sent(quote, "key-1") == NotFound()
    assert isinstance(load(*read_only(capability="none")).connector.lookup_sent(quote, "key-1"), Unknown)
    with pytest.raises(ConnectorBroken, match="never sends"):
        load(*read_only(capability="key"))


# --- The kit ------------------------------------------------------------------------------------------


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(gold, "MANY", 3_000)
    return make_skeleton("essai", tmp_path)


def edit(path: Path, *changes: tuple[str, str]) -> None:
    text = path.read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")


def failures(folder: Path) -> dict[str, str]:
    return {result.check.id: result.why["en"] for result in prove(folder, up_to="bronze").failed}


def test_only_what_is_free_may_be_called_a_read(made):
    edit(made / "connector.toml", ('idempotent = "key"', 'idempotent = "read"'))
    found = failures(made)
    assert set(found) == {"fulfil.key_sent"}
    assert found["fulfil.key_sent"] == "idempotent = “read” and a price of 360 cents"


def test_who_promises_a_key_may_not_leave_it_out(made):
    edit(
        made / "fixtures/story.toml",
        ('# [skip]\n# "price.changed"', '[skip]\n"fulfil.key_sent" = "it has no field for it"\n# "price.changed"'),
    )
    assert "promises a key" in failures(made)["fixtures.complete"]


def test_only_who_sells_nothing_under_vat_has_no_number(made):
    edit(made / "connector.toml", ("FR44732829320", ""))
    assert set(failures(made)) == {"manifest.identity"}


def test_a_host_of_the_manifest_is_never_a_demonstration_for_its_address(made):
    edit(made / "connector.toml", ("sandbox = true", "sandbox = false"))
    manifest = read_folder(made)[0]
    assert reach.way_to(manifest, "https://api.essai.example/v3") == (["api.essai.example"], False)
    assert reach.way_to(manifest, "https://elsewhere.example") == (["elsewhere.example"], False)
    assert reach.way_to(manifest, "http://[::1]:8080/x") == (["[::1]:8080"], True)


def test_a_demonstration_says_whether_a_contract_or_only_the_way_is_missing(made):
    at = [
        "https://api.essai.example/v3", "https://test.essai.example", "http://127.0.0.1:8080", "https://gateway.example",
    ]  # fmt: skip
    without_contract = read_folder(made)[0]
    assert {reach.whom(without_contract, each) for each in at} == {"nobody"}
    network = without_contract.network.model_copy(update={"sandbox_hosts": ["test.essai.example"]})
    real = without_contract.model_copy(update={"sandbox": False, "network": network})
    assert [reach.whom(real, each) for each in at] == ["merchant", "test_system", "simulator", "merchant"]
