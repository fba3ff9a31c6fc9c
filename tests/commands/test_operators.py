"""`operators`: which one is in force, and choosing another from a terminal."""

from __future__ import annotations

import pytest

from demo.companies import COMPANIES

SIREN = next(siren for siren in COMPANIES if not siren.endswith("7"))


def in_force(terminal) -> list[str]:
    return [row["profile"] for row in terminal.json("operators", "list") if row["in_force"]]


def test_what_is_chosen_is_marked_until_it_is_taken_back(furnished, installation):
    assert in_force(furnished) == ["orange"]
    assert furnished.run("operators", "choose", "club-internet").output == "SFR is the operator from now on.\n"
    assert in_force(furnished) == ["club-internet"]
    assert installation.operator.identity == "sfr/camara"
    [entry] = furnished.json("audit", "list", "--action", "operator_chosen")
    assert (entry["actor"], entry["subject"]) == ("command line", "club-internet")
    assert furnished.run("operators", "choose", "--back").exit_code == 0
    assert in_force(furnished) == ["orange"]


@pytest.mark.parametrize("words", [(), ("orange", "--back")])
def test_one_thing_is_asked_for(words, furnished):
    assert furnished.run("operators", "choose", *words).exit_code == 2


def test_a_name_nobody_has_is_answered_with_those_there_are(furnished):
    said = furnished.run("operators", "choose", "minitel")

    assert (said.exit_code, "bouygues-telecom" in said.stderr) == (2, True)


def test_what_is_missing_is_said_and_only_anyway_passes(furnished, company):
    furnished.change(f'api_root = "{company.operator.url}"', 'api_root = ""')
    said = furnished.run("operators", "choose", "free")
    assert (said.exit_code, "needs a contract" in said.stderr, in_force(furnished)) == (1, True, ["orange"])

    assert furnished.run("operators", "choose", "free", "--anyway").exit_code == 0
    assert in_force(furnished) == ["free"]


def test_files_without_a_place_to_go_are_refused(furnished):
    furnished.change('profile = "orange"', 'profile = "orange"\nadapter = "usage_file"')
    said = furnished.run("operators", "choose", "free")

    assert (said.exit_code, "usage_folder" in said.stderr, in_force(furnished)) == (1, True, ["orange"])


def test_the_environment_wins(furnished):
    said = furnished.run("operators", "choose", "free", PORTAL_OPERATOR__PROFILE="sfr")

    assert (said.exit_code, "PORTAL_OPERATOR__PROFILE" in said.stderr) == (1, True)


def test_each_in_turn_without_a_restart_and_all_books_agree(furnished, buyer, company, work):
    for name in ("aol", "tiscali", "bouygues-telecom"):
        assert furnished.run("operators", "choose", name).exit_code == 0
        number = buyer.confirm(buyer.ask_price("registre-kbis", siren=SIREN))
        assert furnished.run("operators", "choose", "generic").exit_code == 1
        work()
        assert company.operator.book.charges()[-1].reference == number

    assert [line.state for line in company.operator.book.charges()] == ["succeeded"] * 3
    assert furnished.json("verify", "--books")["breaches"] == []


def test_books_of_an_operator_that_is_left_are_counted_and_not_compared(furnished, buyer, company, work):
    buyer.confirm(buyer.ask_price("registre-kbis", siren=SIREN))
    work()
    assert furnished.run("operators", "choose", "free").exit_code == 0
    company.operator.book.kept()[0].clear()

    said = furnished.json("verify", "--books")
    assert (said["breaches"], said["elsewhere"]) == ([], {"orange/camara": 1})
    assert "1 charges of Orange" in furnished.run("verify", "--books").output


def test_check_says_who_was_chosen_and_what_a_change_by_hand_left_behind(furnished, buyer, work):
    buyer.confirm(buyer.ask_price("registre-kbis", siren=SIREN))
    furnished.change('profile = "orange"', 'profile = "free"')
    [wrong] = [line for line in furnished.json("check", code=1) if not line["ok"]]
    assert (wrong["subject"], "still open at Orange" in wrong["found"]) == ("Operator", True)

    assert furnished.run("operators", "choose", "orange").exit_code == 0
    work()
    assert "orange was chosen by an administrator" in furnished.run("check").output
