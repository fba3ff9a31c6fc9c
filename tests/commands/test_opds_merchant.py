"""A publisher of OPDS in the commands: listed, checked, synchronised; and a folder that names the protocol."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connectors.merchants import registry
from connectors.merchants.registry import read_connector
from connectors.opds.manifest import OpdsManifest
from connectors.opds.merchant import OpdsMerchant
from demo.opds_goods import MANIFEST, configuration
from demo.opds_library import Library


@pytest.fixture
def library() -> Iterator[Library]:
    made = Library()
    made.start()
    yield made
    made.stop()


@pytest.fixture
def selling(furnished, library):
    """A terminal whose portal buys at that bookshop too."""
    (furnished.configuration.parent / "librairie.toml").write_text(MANIFEST, encoding="utf-8")
    text = furnished.configuration.read_text(encoding="utf-8")
    furnished.configuration.write_text(text + configuration(library.url), encoding="utf-8")
    return furnished


def line(terminal, code: int = 0) -> dict[str, str]:
    """What the list says of the protocol."""
    return next(row for row in terminal.json("connectors", "list", code=code) if row["connector"] == "opds")


def test_it_is_listed_checked_and_synchronised(selling):
    assert line(selling) == {
        "connector": "opds",
        "used_as": "librairie",
        "tier": "",
        "code": "none: data only",
        "wrong": "",
    }
    assert "Librairie Numérique Démo SAS" in selling.run("check").output
    said = selling.run("catalog", "sync", "librairie").output
    assert "librairie: 36 offers, 0 withdrawn, 6 refused" in said
    assert "by card" in said


def test_what_is_wrong_with_it_is_said_and_what_to_do(selling):
    selling.change('client_secret = "secret-librairie"', 'client_secret = "another"')
    checked = selling.run("check")
    said = checked.output
    assert checked.exit_code == 1
    assert "It refuses our credentials" in said
    assert "secrets" in said
    selling.change(', client_secret = "another"', "")
    assert "client_secret" in selling.run("check").output


def test_a_folder_or_package_may_name_the_protocol_instead(tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "FOLDER", tmp_path)
    folder = tmp_path / "librairie-demo"
    folder.mkdir()
    (folder / "connector.toml").write_text(MANIFEST, encoding="utf-8")
    manifest, made = read_connector("librairie-demo")
    assert isinstance(manifest, OpdsManifest)
    assert made is OpdsMerchant
