"""`usage` and `operators`, and what `check` says of operators that take files."""

from __future__ import annotations

import json

import pytest

from demo.companies import COMPANIES
from tests.connectors.usage_reader import Reader, answer

SIREN = next(siren for siren in COMPANIES if not siren.endswith("7"))


@pytest.fixture
def filing(furnished, tmp_path):
    """A terminal of a company whose operator takes files; the key pair is made."""
    furnished.change('profile = "orange"', 'profile = "aol"\nadapter = "usage_file"\nusage_folder = "out"')
    (tmp_path / "out").mkdir()
    furnished.public = furnished.run("usage", "key").output
    return furnished


@pytest.fixture
def bought(filing, buyer, work, tmp_path):
    """One K-bis in the spool of that operator: bought through the pages of a portal that has it."""
    from portal import create_app, settings
    from portal.billing.worker import work_once
    from portal.installation import open_installation
    from tests.conftest import Visitor

    house = open_installation(settings.load(tmp_path / "portal.toml", {}))
    visitor = Visitor(create_app(installation=house))
    visitor.sign_in("chloe.lefevre")
    filing.number = visitor.confirm(visitor.ask_price("registre-kbis", siren=SIREN))
    while work_once(house.database, "test worker", house.handlers):
        pass
    house.close()
    return filing


def test_a_day_is_closed_listed_issued_again_and_answered(bought, tmp_path):
    assert bought.run("usage", "close").output == "Nothing waits for a file.\n"
    assert bought.run("usage", "list").output == "There is no file yet.\n"

    [made] = bought.json("usage", "close", "--today")
    assert (made["state"], made["number"], made["charges"]) == ("delivered", 1, 1)
    assert bought.json("usage", "list") == [made]
    assert "delivered again (re-issue 1)" in bought.run("usage", "reissue", "1").output

    reader = Reader(bought.public)
    assert len(reader.read_folder(tmp_path / "out")) == 1
    [line] = reader.billed.values()
    assert line["reference"] == bought.number

    assert bought.json("usage", "answers") == []
    answer(tmp_path / "out" / made["name"], [(1, line["key"], "LINE_CLOSED", "")])
    said = bought.run("usage", "answers", "--json")
    assert (said.exit_code, json.loads(said.stdout)[0]["problems"]) == (1, [])
    assert bought.number in said.stderr
    assert [charge["state"] for charge in bought.json("charges", "list")] == ["disputed"]
    assert bought.run("usage", "answers").exit_code == 0


def test_a_bad_answer_is_said_with_what_to_do(bought, tmp_path):
    [made] = bought.json("usage", "close", "--today")
    (tmp_path / "out" / made["name"].replace(".csv", ".ack.csv")).write_text("<html>")

    said = bought.run("usage", "answers")

    assert (said.exit_code, "cannot be read" in said.stderr, "under another name" in said.stderr) == (1, True, True)
    assert "cannot be read" in bought.run("usage", "answers").stdout


def test_a_place_that_is_away_is_named(bought, tmp_path):
    (tmp_path / "out").rename(tmp_path / "elsewhere")

    said = bought.run("usage", "close", "--today")

    assert (said.exit_code, str(tmp_path / "out") in said.stderr, "portal check" in said.stderr) == (1, True, True)


def test_a_file_that_is_not_there_cannot_be_issued_again(filing):
    said = filing.run("usage", "reissue", "7")

    assert (said.exit_code, "no file 7" in said.stderr) == (2, True)


@pytest.mark.parametrize("words", [("list",), ("close",), ("reissue", "1"), ("answers",), ("key",)])
def test_an_operator_that_is_told_at_once_has_no_files(words, furnished):
    said = furnished.run("usage", *words)

    assert (said.exit_code, "usage_file" in said.stderr) == (2, True)


def test_check_is_content_with_files_and_says_who_aol_is_today(filing):
    lines = [line["found"] for line in filing.json("check") if line["subject"] == "Operator"]

    assert lines == ["AOL is SFR today.", "files for SFR can be signed and delivered."]


def test_check_names_a_folder_and_a_key_that_are_missing(filing, tmp_path):
    (tmp_path / "out").rmdir()
    (tmp_path / "usage_key.pem").unlink()

    wrong = [line for line in filing.json("check", code=1) if not line["ok"]]

    assert ["portal usage key" in wrong[0]["remedy"], "usage_folder" in wrong[1]["remedy"]] == [True, True]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("profile", ["orange", "sfr", "free", "bouygues-telecom", "generic"])
def test_no_profile_pretends_to_be_live(profile, furnished, company):
    furnished.change('profile = "orange"', f'profile = "{profile}"')
    furnished.change(f'api_root = "{company.operator.url}"', 'api_root = ""')

    [wrong] = [line for line in furnished.json("check", code=1) if not line["ok"]]

    assert (wrong["subject"], "needs a contract" in wrong["found"]) == ("Operator", True)


def test_every_name_of_the_original_offer_can_be_chosen(terminal):
    rows = {row["profile"]: row["today"] for row in terminal.json("operators", "list")}

    assert rows == {
        "orange": "Orange", "sfr": "SFR", "club-internet": "SFR", "neuf-telecom": "SFR", "cegetel": "SFR", "aol": "SFR",
        "free": "Free", "tiscali": "Free", "alice": "Free", "bouygues-telecom": "Bouygues Telecom", "generic": "CAMARA",
    }  # fmt: skip
