"""A merchant of a protocol: who it is, the site says, and the commands say what of that is wrong."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connectors.acp.manifest import AcpManifest
from connectors.acp.merchant import AcpMerchant
from connectors.merchants import registry
from connectors.merchants.registry import ConnectorBroken, read_connector
from demo.acp_goods import MANIFEST, configuration
from demo.acp_shop import AcpShop


@pytest.fixture
def shop() -> Iterator[AcpShop]:
    made = AcpShop()
    made.start()
    yield made
    made.stop()


@pytest.fixture
def selling(furnished, shop):
    """A terminal whose portal buys at that merchant too."""
    (furnished.configuration.parent / "normes.toml").write_text(MANIFEST, encoding="utf-8")
    text = furnished.configuration.read_text(encoding="utf-8")
    furnished.configuration.write_text(text + configuration(shop.url), encoding="utf-8")
    return furnished


def line(terminal, code: int = 0) -> dict[str, str]:
    """What the list says of the protocol."""
    return next(row for row in terminal.json("connectors", "list", code=code) if row["connector"] == "acp")


def test_it_is_listed_checked_and_synchronised(selling):
    assert line(selling) == {
        "connector": "acp",
        "used_as": "normes",
        "tier": "",
        "code": "none: data only",
        "wrong": "",
    }
    assert "Normes Démo SAS" in selling.run("check").output
    assert "normes: 5 offers, 0 withdrawn, 2 refused" in selling.run("catalog", "sync", "normes").output


def test_a_manifest_that_is_missing_wrong_or_nowhere_is_named(selling):
    selling.change('manifest = "normes.toml"\n', "")
    assert "manifest" in line(selling, code=1)["wrong"]
    selling.change('connector = "acp"\n', 'connector = "acp"\nmanifest = "none.toml"\n')
    assert "none.toml" in line(selling, code=1)["wrong"]
    selling.change('manifest = "none.toml"', 'manifest = "normes.toml"')
    path = selling.configuration.parent / "normes.toml"
    path.write_text(MANIFEST.replace('siren = "732829320"', 'siren = "732829321"'), encoding="utf-8")
    assert "SIREN" in line(selling, code=1)["wrong"]
    path.write_text(MANIFEST, encoding="utf-8")
    assert line(selling)["wrong"] == ""


def test_a_connector_of_one_merchant_takes_no_manifest_of_the_site(tmp_path):
    with pytest.raises(ConnectorBroken) as broken:
        read_connector("registre", tmp_path / "x.toml")
    assert "of its own" in broken.value.words["en"]


def test_a_folder_or_package_may_name_the_protocol_instead(tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "FOLDER", tmp_path)
    folder = tmp_path / "normes-demo"
    folder.mkdir()
    (folder / "connector.toml").write_text(MANIFEST, encoding="utf-8")
    manifest, made = read_connector("normes-demo")
    assert isinstance(manifest, AcpManifest)
    assert made is AcpMerchant
    (folder / "connector.py").write_text(
        "from connectors.acp.merchant import AcpMerchant\n\n\nclass Connector(AcpMerchant):\n    pass\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(registry, "_locate", lambda _name: ("normes-demo", folder))
    manifest, made = read_connector("normes-demo")
    assert isinstance(manifest, AcpManifest)
    assert issubclass(made, AcpMerchant)
    assert made is not AcpMerchant
