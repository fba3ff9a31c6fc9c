"""Rules and ceilings from the command line, by the directory's own groups."""

from __future__ import annotations

import pytest

from demo import people


@pytest.fixture
def bare(furnished):
    """Without the demonstration's rules."""
    for rule in furnished.json("rights", "list"):
        furnished.run("rights", "remove", str(rule["id"]))
    return furnished


def test_a_rule_is_made_by_a_groups_name_listed_and_removed(bare):
    made = bare.run("rights", "allow", "achats", "--to", "buy", "--scope", "merchant:registre")

    [rule] = bare.json("rights", "list")
    assert made.exit_code == 0
    assert (rule["group"], rule["right"], rule["effect"]) == (people.GROUP_ACHATS, "buy", "allow")
    assert rule["scope"] == "merchant:registre"
    assert bare.run("rights", "remove", str(rule["id"])).exit_code == 0
    assert "nobody may buy" in bare.run("rights", "list").output
    assert bare.run("rights", "remove", str(rule["id"])).exit_code == 2


def test_a_group_may_be_given_by_its_whole_name(bare):
    assert bare.run("rights", "deny", people.GROUP_ACHATS, "--to", "browse").exit_code == 0
    assert bare.json("rights", "list")[0]["effect"] == "deny"


@pytest.mark.parametrize(("words", "sentence"), [
    (("allow", "nobody-here", "--to", "buy"), "No group of the directory is named nobody-here"),
    (("allow", "cn=nobody,ou=groupes,dc=acme,dc=example", "--to", "buy"), "No group"),
    (("allow", "achats", "--to", "sell"), "'sell' is not one of"),
    (("allow", "achats"), "--to"),
    (("allow", "achats", "--to", "buy", "--scope", "everything"), "everything"),
    (("allow", "achats", "--to", "buy", "--scope", "merchant:"), "merchant:"),
    (("allow", "ach*", "--to", "buy"), "No group"),
    (("remove", "99"), "no rule 99"),
    (("explain", "chloe.lefevre", "no-such-offer"), "no offer no-such-offer"),
    (("explain", "nobody", "registre-kbis"), "never signed in"),
])  # fmt: skip
def test_what_cannot_be_done_is_said_and_changes_nothing(words, sentence, bare):
    result = bare.run("rights", *words)

    assert (result.exit_code, sentence in result.stderr) == (2, True), result.output
    assert bare.json("rights", "list") == []


def test_a_directory_that_is_down_changes_nothing(bare, company):
    company.directory.fault = "down"

    result = bare.run("rights", "allow", "achats", "--to", "buy")

    assert (result.exit_code, "nothing was changed" in result.stderr) == (1, True)


def test_explain_names_the_rule_that_decided(furnished, buyer):
    [answer] = furnished.json("rights", "explain", "CHLOE.lefevre", "registre-kbis")
    assert (answer["allowed"], answer["rules"][0]["group"]) == (True, people.GROUP_ACHATS)

    furnished.run("rights", "deny", "achats", "--to", "buy", "--scope", "offer:registre/kbis")

    [answer] = furnished.json("rights", "explain", "chloe.lefevre", "registre-kbis")
    assert answer["allowed"] is False
    assert "is closed to the group" in answer["why"]


def test_explain_asks_the_directory_and_not_its_own_memory(furnished, buyer, company):
    company.directory.tree.remove_member("achats", "chloe.lefevre")

    [answer] = furnished.json("rights", "explain", "chloe.lefevre", "registre-kbis")

    assert answer["allowed"] is False
    assert people.GROUP_ACHATS not in answer["groups"]


def test_a_ceiling_is_made_shown_and_ended(furnished):
    made = furnished.run("ceilings", "add", "20,50", "--group", "achats", "--who", "each", "--period", "week")

    [ceiling] = furnished.json("ceilings", "list")
    assert made.exit_code == 0
    assert (ceiling["limit_cents"], ceiling["period"], ceiling["who"]) == (2050, "week", "each")
    assert furnished.run("ceilings", "end", str(ceiling["id"])).exit_code == 0
    assert furnished.json("ceilings", "list") == []
    assert furnished.run("ceilings", "end", str(ceiling["id"])).exit_code == 2


@pytest.mark.parametrize("words", [
    ("much", "--group", "achats"), ("20.001", "--group", "achats"), ("-5", "--group", "achats"), ("20",),
    ("20", "--who", "everyone", "--group", "achats"), ("20", "--group", "nobody"),
])  # fmt: skip
def test_a_ceiling_that_makes_no_sense_is_refused(words, furnished):
    result = furnished.run("ceilings", "add", *words)

    assert result.exit_code == 2, result.output
    assert furnished.json("ceilings", "list") == []
