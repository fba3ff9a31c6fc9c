"""`connectors new`, `check`, `list` and `record`, as an author and an administrator run them."""

from __future__ import annotations

import json
import shutil

import pytest

from connectors.kit import gold
from connectors.merchants import registry


@pytest.fixture
def shorter(monkeypatch):
    """The long list is as long as a test is patient."""
    monkeypatch.setattr(gold, "MANY", 3_000)


def test_a_new_connector_is_made_and_proved(terminal, tmp_path, shorter):
    made = terminal.run("connectors", "new", "essai", "--folder", str(tmp_path))
    assert made.exit_code == 0
    assert str(tmp_path / "essai") in made.stdout

    proved = terminal.run("connectors", "check", str(tmp_path / "essai"), "--tier", "bronze")
    assert proved.exit_code == 0
    assert "✓ fulfil.same_key        The same key twice: the same request, the same order" in proved.stdout
    assert "essai: bronze (19 passed, 0 failed, 3 skipped)" in proved.stdout
    assert "→" not in proved.stdout
    assert "→ GET /products" in terminal.run("connectors", "check", str(tmp_path / "essai"), "--show").stdout
    assert terminal.run("connectors", "new", "essai", "--folder", str(tmp_path)).exit_code == 2


def test_what_is_wrong_is_said_with_what_was_exchanged_and_what_to_do(terminal, tmp_path, shorter):
    terminal.run("connectors", "new", "essai", "--folder", str(tmp_path))
    path = tmp_path / "essai" / "connector.toml"
    path.write_text(path.read_text(encoding="utf-8").replace('gross = "price", vat_rate = "vat", expires', 'net = "price", gross = "price", vat_rate = "vat", expires'), encoding="utf-8")  # fmt: skip

    said = terminal.run("connectors", "check", str(tmp_path / "essai"), "--tier", "bronze")
    assert said.exit_code == 1
    shown = said.stdout.partition("✗ quote.adds_up")[2].partition("✓ ")[0]
    assert "Correct [amounts] or [quote] map" in shown
    assert '→ POST /products/rain/price {"town":"Brest"}' in shown
    assert "← 200 " in shown
    assert "essai: no tier (" in said.stdout

    report = terminal.json("connectors", "check", str(tmp_path / "essai"), "--tier", "bronze", code=1)[0]
    assert (report["connector"], report["tier"], report["failed"]) == ("essai", "", 1)
    assert [check["id"] for check in report["checks"] if check["outcome"] == "failed"] == ["quote.adds_up"]


def test_all_that_is_shipped_is_proved_and_the_tier_is_listed(terminal):
    listed = {row["connector"]: row["tier"] for row in terminal.json("connectors", "list")}
    assert listed.pop("acp") == ""
    assert set(listed.values()) == {"not checked"}

    proved = terminal.run("connectors", "check", "--all")

    assert proved.exit_code == 0, proved.stdout
    for name in ("coface", "lesechos", "netpme", "quidonc", "registre"):
        assert f"{name}: gold (" in proved.stdout
    assert {row["tier"] for row in terminal.json("connectors", "list") if row["connector"] != "acp"} == {"gold"}


def test_nothing_to_prove_and_nobody_to_record(terminal):
    assert terminal.run("connectors", "check").exit_code == 2
    assert "there is no such connector" in terminal.run("connectors", "check", "regsitre").stderr
    assert terminal.run("connectors", "record", "regsitre", "--yes").exit_code == 2


def test_a_merchant_is_recorded_once_it_is_agreed(terminal, tmp_path, monkeypatch, company, shorter):
    folder = tmp_path / "registre"
    shutil.copytree(registry.folder_of("registre"), folder, ignore=shutil.ignore_patterns("*.json", "*.pdf", "__py*"))
    locate = registry._locate
    monkeypatch.setattr(registry, "_locate", lambda name: (locate(name)[0], folder))

    refused = terminal.run("connectors", "record", "registre", typed="n\n")
    assert refused.exit_code == 1
    assert not company.merchants.book.orders()

    recorded = terminal.run("connectors", "record", "registre", typed="y\n")
    assert recorded.exit_code == 0, recorded.stdout
    assert "names cannot be" in recorded.stdout
    assert len(company.merchants.book.orders()) == 1
    list_json = json.loads((folder / "fixtures" / "list.json").read_text(encoding="utf-8"))
    assert len(list_json["answer"]["json"]["offers"]) == 5
    report = terminal.json("connectors", "check", str(folder), code=1)[0]
    # No merchant changes its price because it is recorded: that exchange is written by hand.
    assert [check["id"] for check in report["checks"] if check["outcome"] == "failed"] == ["price.changed"]
