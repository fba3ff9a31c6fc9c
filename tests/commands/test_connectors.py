"""`connectors new`, `check`, `list` and `record`, as an author and an administrator run them."""

from __future__ import annotations

import json
import shutil

import pytest
from sqlalchemy import text

from connectors.apart import landlock
from connectors.kit import gold
from connectors.merchants import registry
from demo.acp_goods import MANIFEST
from portal import clock
from portal.catalog import site
from tests.connectors.apart_world import HOSTILE, install
from tests.real.slapd import free_port


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
    assert "essai: bronze (20 passed, 0 failed, 3 skipped)" in proved.stdout
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


def test_what_fails_for_one_reason_is_explained_once(terminal, tmp_path):
    terminal.run("connectors", "new", "essai", "--folder", str(tmp_path))
    path = tmp_path / "essai" / "connector.toml"
    path.write_text(path.read_text(encoding="utf-8").replace('items = "data"', 'items = "datas"'), encoding="utf-8")
    said = terminal.run("connectors", "check", str(tmp_path / "essai"), "--tier", "bronze").stdout
    assert said.count("no list at 'datas' in the answer") == 1
    assert "✗ offers.unique" in said
    assert said.count("The same as under offers.valid.") > 3


def test_all_that_is_shipped_is_proved_and_the_tier_is_listed(terminal):
    listed = {row["connector"]: row["tier"] for row in terminal.json("connectors", "list")}
    assert [listed.pop(protocol) for protocol in registry.PROTOCOLS] == ["", ""]
    assert set(listed.values()) == {"not checked"}

    proved = terminal.run("connectors", "check", "--all")

    assert proved.exit_code == 0, proved.stdout
    for name in ("coface", "lesechos", "netpme", "quidonc", "registre"):
        assert f"{name}: gold (" in proved.stdout
    assert {
        row["tier"] for row in terminal.json("connectors", "list") if row["connector"] not in registry.PROTOCOLS
    } == {"gold"}


def test_nothing_to_prove_and_nobody_to_record(terminal):
    assert terminal.run("connectors", "check").exit_code == 2
    assert "there is no such connector" in terminal.run("connectors", "check", "regsitre").stderr
    assert terminal.run("connectors", "record", "regsitre", "--yes").exit_code == 2


def test_a_merchant_is_recorded_once_it_is_agreed(terminal, tmp_path, monkeypatch, company, shorter):
    folder = tmp_path / "registre"
    shutil.copytree(registry.folder_of("registre"), folder, ignore=shutil.ignore_patterns("*.json", "*.pdf", "__py*"))
    monkeypatch.setattr(registry, "_locate", lambda name: ("", folder))

    # Elsewhere than among what is shipped, its code is of others.
    assert 'Write trust = "own_process"' in terminal.run("connectors", "record", "registre", "--yes").stderr
    terminal.change('connector = "registre"', 'connector = "registre"\ntrust = "own_process"')

    refused = terminal.run("connectors", "record", "registre", typed="n\n")
    assert refused.exit_code == 1
    assert not company.merchants.book.orders()

    recorded = terminal.run("connectors", "record", "registre", typed="y\n")
    assert recorded.exit_code == 0, recorded.stdout
    assert "names cannot be" in recorded.stdout
    assert len(company.merchants.book.orders()) == 2, "what is bought, and what is free"
    list_json = json.loads((folder / "fixtures" / "list.json").read_text(encoding="utf-8"))
    assert len(list_json["answer"]["json"]["offers"]) == 6
    report = terminal.json("connectors", "check", str(folder), code=1)[0]
    # No merchant changes its price because it is recorded: that exchange is written by hand.
    assert [check["id"] for check in report["checks"] if check["outcome"] == "failed"] == ["price.changed"]


@pytest.fixture
def hostile(tmp_path, monkeypatch):
    """A package of others beside the portal, and a section of portal.toml that uses it."""
    yield install(tmp_path / "site", HOSTILE, "hostile", "acme_hostile", monkeypatch)
    assert not (tmp_path / "site" / "acme_hostile" / "was_run").exists(), "code of others was run unprotected"


USED = '[merchants.other]\nconnector = "hostile"\nsecrets = {api_key = "x-secret", password = "y-secret"}\n'


def test_code_of_others_is_listed_and_refused_until_it_is_enabled(furnished, hostile):
    def listed(code: int = 0) -> dict[str, str]:
        rows = furnished.json("connectors", "list", code=code)
        codes = {row["connector"]: row["code"] for row in rows}
        assert (codes["registre"], codes["acp"]) == ("shipped", "none: data only")
        return next(row for row in rows if row["connector"] == "hostile")

    assert (listed()["code"], listed()["wrong"]) == ("of others, not enabled", "")

    furnished.change("[merchants.", USED + "\n[merchants.")
    assert "does not run without your consent" in listed(1)["wrong"]
    (line,) = [line for line in furnished.json("check", code=1) if not line["ok"]]
    assert line["subject"] == "Merchant other"
    assert "does not run without your consent" in line["found"]
    assert 'Write trust = "own_process" in its section of portal.toml' in line["remedy"]

    furnished.change('connector = "hostile"', 'connector = "hostile"\ntrust = "own_process"')
    assert (listed()["code"], listed()["wrong"]) == ("in its own process", "")
    assert "Hostile Démo SAS answers." in furnished.run("check").stdout

    furnished.change('trust = "own_process"', 'trust = "yes"')
    refused = furnished.run("check")
    assert refused.exit_code == 2
    assert "merchants.other" in refused.output
    assert "own_process" in refused.output


def test_a_machine_that_does_not_isolate_is_named_by_check(furnished, hostile, monkeypatch):
    monkeypatch.setattr(landlock, "CREATE_RULESET", 999)
    furnished.change("[merchants.", USED.replace("\n", '\ntrust = "own_process"\n', 1) + "\n[merchants.")
    (line,) = [line for line in furnished.json("check", code=1) if not line["ok"]]
    assert line["found"] == "its code cannot run apart: this machine lacks Landlock (Linux 5.13, lsm=landlock)"
    assert "never run unprotected" in line["remedy"]


def test_code_that_is_not_shipped_is_proved_in_its_own_process(terminal, hostile, tmp_path):
    proved = terminal.run("connectors", "check", "hostile", "--tier", "bronze")
    assert proved.exit_code == 1
    assert "✓ manifest.valid" in proved.stdout
    assert "fixtures" in proved.stdout
    elsewhere = tmp_path / "copied"
    shutil.copytree(hostile, elsewhere)
    assert "✗ fixtures.complete" in terminal.run("connectors", "check", str(elsewhere), "--tier", "bronze").stdout


def test_a_folder_of_the_site_is_a_connector_that_is_not_the_sites_own(furnished, tmp_path):
    made = tmp_path / "shops" / "essai"
    furnished.run("connectors", "new", "essai", "--folder", str(made.parent))
    furnished.change(
        "[merchants.", '[merchants.own]\nconnector = "./shops/essai"\nsecrets = {api_key = "x-secret"}\n\n[merchants.'
    )
    (row,) = [row for row in furnished.json("connectors", "list") if row["used_as"] == "own"]
    assert (row["connector"], row["code"], row["wrong"]) == (str(made), "none: data only", "")

    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    furnished.change('"./shops/essai"', '"./"')
    (line,) = [line for line in furnished.json("check", code=1) if not line["ok"]]
    assert "this folder holds portal.toml" in line["found"]


def users(terminal) -> dict[str, str]:
    """Who uses each connector, as `list` tells; and it has nothing else to tell."""
    said = terminal.run("connectors", "list", "--json")
    assert (said.exit_code, said.stderr) == (0, ""), said.output
    return {row["connector"]: row["used_as"] for row in json.loads(said.stdout)}


def on_screen(installation, key: str, **values) -> None:
    with installation.database.transaction() as session:
        row = site.row_of(session, key)
        for name, value in values.items():
            setattr(row, name, value)
        site.raise_revision(session, row)


def test_users_are_those_of_the_file_and_those_connected_on_a_screen(furnished, installation):
    assert (users(furnished)["registre"], users(furnished)["acp"]) == ("registre", "")
    on_screen(installation, "autre", connector="registre")
    on_screen(installation, "normes", connector="acp", manifest=MANIFEST)
    # Noted of, but connected nowhere; and one of the file, which wins.
    on_screen(installation, "parti", connector="registre", disconnected_at=clock.now())
    on_screen(installation, "netpme", connector="coface")

    assert {name: who for name, who in users(furnished).items() if name in {"registre", "acp", "coface", "netpme"}} == {
        "registre": "registre, autre", "acp": "normes", "coface": "coface", "netpme": "netpme",
    }  # fmt: skip

    on_screen(installation, "normes", manifest=MANIFEST.replace("contract = 1", "contract = 9"))
    wrong = {row["connector"]: row["wrong"] for row in furnished.json("connectors", "list", code=1)}
    assert "contract" in wrong["acp"]
    assert wrong["registre"] == ""


def test_without_a_database_only_the_file_is_told_of_and_none_is_made(terminal):
    assert users(terminal)["registre"] == "registre"
    assert list(terminal.configuration.parent.glob("portal.db*")) == []


def test_a_database_that_cannot_tell_is_said_beside_the_list_and_spoils_nothing(furnished, installation):
    on_screen(installation, "autre", connector="registre")
    with installation.database.transaction() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '0011'"))
    older = furnished.run("connectors", "list", "--json")
    furnished.change("sqlite:///portal.db", f"postgresql+psycopg://nobody:secret@127.0.0.1:{free_port()}/none")
    away = furnished.run("connectors", "list", "--json")

    for said, why in ((older, "not of this version"), (away, "refused")):
        assert said.exit_code == 0
        assert {row["connector"]: row["used_as"] for row in json.loads(said.stdout)}["registre"] == "registre"
        assert said.stderr.startswith("Merchants connected on the screen are not named here")
        assert why in said.stderr
        assert "secret" not in said.stderr
