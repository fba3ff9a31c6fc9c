"""Code that is not shipped runs when, and as, an administrator has said; it is found without a line of it being run."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import pytest

from connectors.apart import isolation, landlock
from connectors.apart.merchant import ApartMerchant
from connectors.contract import Document, Done
from connectors.http import Network
from connectors.kit import gold, prove
from connectors.kit.skeleton import make_skeleton
from connectors.kit.stage import Stage, order, quoted
from connectors.merchants import registry
from connectors.merchants.registry import ConnectorBroken, level_of, load_merchant, read_connector
from tests.connectors.apart_world import HOSTILE, SECRETS, install

GOOD = '''"""A connector of others, with one thing that no manifest can say, and help from its neighbour."""

from __future__ import annotations

from collections.abc import Iterator

from {package}.neighbour import IS_TEST

from connectors.contract import Listed
from connectors.declared.merchant import DeclaredMerchant


class Connector(DeclaredMerchant):
    def list_offers(self, state: str = "") -> Iterator[Listed]:
        return (offer for offer in super().list_offers(state) if not offer.id.startswith(IS_TEST))
'''


def make_good(place: Path, package: str) -> Path:
    """What `new` makes, with code of its own in a package."""
    folder = make_skeleton("essai", place)
    (folder / "connector.py").write_text(GOOD.format(package=package), encoding="utf-8")
    (folder / "neighbour.py").write_text('IS_TEST = "test-"\n', encoding="utf-8")
    (folder / "__init__.py").write_text("", encoding="utf-8")
    return folder


@pytest.fixture
def hostile(tmp_path, monkeypatch) -> Path:
    """The hostile package, installed."""
    package = install(tmp_path / "site", HOSTILE, "hostile", "acme_hostile", monkeypatch)
    yield package
    assert not (package / "was_run").exists(), "code of others was run unprotected"


def test_code_of_others_is_refused_until_an_administrator_says_how_it_runs(hostile: Path):
    assert "hostile" in registry.names()
    assert level_of("hostile") == "refused"
    with pytest.raises(ConnectorBroken) as refused:
        read_connector("hostile")
    assert "does not run without your consent" in refused.value.words["en"]
    assert 'trust = "own_process"' in refused.value.remedy["fr"]
    with pytest.raises(ConnectorBroken):
        load_merchant("hostile", "h", "", SECRETS, Network())


def test_enabled_it_is_read_without_being_run(hostile: Path):
    assert level_of("hostile", "own_process") == "own_process"
    loaded = load_merchant("hostile", "h", "", SECRETS, Network(), trust="own_process")
    assert isinstance(loaded.connector, ApartMerchant)
    assert loaded.manifest.merchant.name == "Hostile Démo SAS"
    assert loaded.connector.check() == []
    loaded.connector.close()


def test_within_the_portal_it_runs_only_by_that_word(tmp_path, monkeypatch):
    package = install(tmp_path / "site", HOSTILE, "hostile", "acme_hostile", monkeypatch)
    loaded = load_merchant("hostile", "h", "", SECRETS, Network(), trust="in_process")
    assert type(loaded.connector).__name__ == "Connector"
    # The trace by which the other tests would know.
    assert (package / "was_run").exists()


def test_what_is_shipped_or_has_no_code_needs_no_word(tmp_path, monkeypatch):
    assert level_of("registre") == "shipped"
    assert level_of("registre", "own_process") == "own_process"
    assert level_of("acp") == "declared"
    install(tmp_path / "site", make_skeleton("essai", tmp_path), "essai", "acme.shops.essai", monkeypatch)
    assert level_of("essai") == "declared"
    assert load_merchant("essai", "e", "", {"api_key": "s3cret"}, Network()).manifest.id == "essai"


@pytest.mark.parametrize(
    ("lacks", "named"), [("landlock", "Landlock"), ("machine", "seccomp (sparc)"), ("linux", "Linux")]
)
def test_a_machine_that_does_not_isolate_refuses_it_and_runs_nothing(hostile: Path, monkeypatch, lacks, named):
    if lacks == "landlock":
        monkeypatch.setattr(landlock, "CREATE_RULESET", 999)
    else:
        real = isolation.os.uname()
        changed = ("Linux", *real[1:4], "sparc") if lacks == "machine" else ("Darwin", *real[1:])
        monkeypatch.setattr(isolation.os, "uname", lambda: type(real)(changed))
    with pytest.raises(ConnectorBroken) as refused:
        read_connector("hostile", trust="own_process")
    assert named in refused.value.words["en"]
    assert "never run unprotected" in refused.value.remedy["en"]


@pytest.mark.parametrize(("code", "named"), [
    ("import nothing_of_that_name", "ModuleNotFoundError"), ("x = (", "SyntaxError"), ("Other = 1", "AttributeError"),
    ("raise SystemExit", "SystemExit"), ("import os\nos._exit(4)", "exit status 4"),
    ("import socket\nsocket.create_connection(('127.0.0.1', 9))", "PermissionError"),
    ("class Connector:\n    def __init__(self, context):\n        raise KeyError(context.key)", "cannot be made: KeyError"),
])  # fmt: skip
def test_code_that_does_not_load_is_named(hostile: Path, code, named):
    (hostile / "connector.py").write_text(code, encoding="utf-8")
    connector = load_merchant("hostile", "h", "", SECRETS, Network(), trust="own_process").connector
    (problem,) = connector.check()
    assert named in problem.what["fr"]
    connector.close()
    report = prove(hostile, "hostile", "bronze", "own_process")
    assert next(result for result in report.failed if result.check.id == "manifest.valid").why["en"].count(named)


@pytest.mark.parametrize("package", ["acme_essai", "acme.shops.essai", "essai"])
def test_a_good_package_passes_the_kit_through_its_process(package, tmp_path, monkeypatch):
    monkeypatch.setattr(gold, "MANY", 3_000)
    folder = make_good(tmp_path / "work", package)
    install(tmp_path / "site", folder, "essai", package, monkeypatch)
    report = prove(registry.folder_of("essai"), "essai", "gold", "own_process")
    assert [(result.check.id, result.why["en"]) for result in report.failed] == []
    assert report.tier == "gold"


def test_a_folder_of_the_site_needs_no_installation_and_no_name(tmp_path, monkeypatch):
    folder = make_good(tmp_path, "essai")
    stage = Stage(folder, trust="own_process")
    connector = stage.connector()
    assert isinstance(connector, ApartMerchant)
    made = order(connector, quoted(connector, stage.fixtures.story.buy)).value
    assert isinstance(made, Done)
    written = io.BytesIO()
    assert isinstance(made.delivery, Document)
    assert connector.fetch(made.delivery, written).size == len(written.getvalue()) > 0
    stage.close()
    assert level_of(str(folder)) == "refused"
    assert level_of(str(folder), "own_process") == "own_process"
    loaded = load_merchant(str(folder), "e", "", {"api_key": "s3cret"}, Network(), trust="own_process")
    assert loaded.connector.check()[0].what["en"].startswith("It does not answer")
    with pytest.raises(ConnectorBroken, match="there is no connector"):
        read_connector(str(tmp_path))


@pytest.mark.parametrize("name", ["coface", "lesechos", "registre"])
def test_what_is_shipped_can_run_apart_as_well(name, monkeypatch):
    monkeypatch.setattr(gold, "MANY", 3_000)
    report = prove(registry.folder_of(name), name, "gold", "own_process")
    assert [(result.check.id, result.why["en"]) for result in report.failed] == []
    assert report.tier == "gold"


def test_the_hostile_one_is_proved_without_harm(hostile: Path):
    shutil.copytree(make_skeleton("essai", hostile.parent / "work") / "fixtures", hostile / "fixtures")
    report = prove(hostile, "hostile", "bronze", "own_process")
    assert "code.stays_inside" in {result.check.id for result in report.failed}
    assert report.tier == ""
