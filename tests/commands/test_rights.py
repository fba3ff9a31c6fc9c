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
    (("explain", "nobody", "registre-kbis"), "knows nobody by the login nobody"),
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


def test_a_scope_in_which_nothing_is_sold_is_said(bare):
    made = bare.run("rights", "allow", "achats", "--to", "buy", "--scope", "category:nope")

    assert (made.exit_code, "Nothing on sale lies within category:nope" in made.stderr) == (0, True)
    assert (
        "Nothing on sale"
        not in bare.run("rights", "allow", "achats", "--to", "buy", "--scope", "merchant:registre").stderr
    )


def test_explain_knows_people_who_never_signed_in_and_what_would_be(furnished):
    assert furnished.json("rights", "explain", "loic.oneill", "registre-kbis")[0]["allowed"] is False

    [supposed] = furnished.json("rights", "explain", "loic.oneill", "registre-kbis", "--also-in", "achats")

    assert supposed["allowed"] is True
    assert furnished.json("rights", "explain", "loic.oneill", "registre-kbis")[0]["allowed"] is False


def test_dates_are_the_companys_days(bare):
    bare.run("rights", "allow", "achats", "--to", "buy", "--from", "2026-12-01", "--until", "2026-12-31")
    [rule] = bare.json("rights", "list")
    assert (rule["starts_at"], rule["ends_at"]) == ("2026-11-30T23:00:00+00:00", "2026-12-31T23:00:00+00:00")

    refused = bare.run("rights", "allow", "achats", "--to", "buy", "--from", "2026-12-02", "--until", "2026-12-01")
    assert (refused.exit_code, "precedes" in refused.stderr or "before the first" in refused.stderr) == (2, True)
    assert bare.run("rights", "allow", "achats", "--to", "buy", "--from", "soon").exit_code == 2


def test_the_whole_set_goes_out_and_comes_back(furnished, tmp_path):
    file = tmp_path / "rules.toml"
    furnished.run("ceilings", "add", "20", "--group", "achats")
    furnished.run("delegations", "add", "informatique", "achats", "--scope", "category:presse")
    furnished.run("rights", "export", str(file))
    assert "Everything is as the file says already." in furnished.run("rights", "import", str(file)).output

    file.write_text(file.read_text().replace('limit = "20.00"', 'limit = "30.00"'))
    dry = furnished.run("rights", "import", str(file), "--dry-run")
    assert "→" in dry.output
    assert furnished.json("ceilings", "list")[0]["limit_cents"] == 2000
    furnished.run("rights", "import", str(file))
    assert furnished.json("ceilings", "list")[0]["limit_cents"] == 3000

    file.write_text(file.read_text().replace('period = "month"', 'period = "decade"').replace("30.00", "40.00"))
    refused = furnished.run("rights", "import", str(file))
    line = next(number for number, text in enumerate(file.read_text().splitlines(), 1) if "decade" in text)
    assert (refused.exit_code, f"rules.toml:{line}: " in refused.stderr) == (2, True)
    assert furnished.json("ceilings", "list")[0]["limit_cents"] == 3000


def test_a_change_is_undone_by_its_number_in_the_journal(furnished):
    furnished.run("rights", "deny", "achats", "--to", "buy")
    entry = [each for each in furnished.json("audit", "list") if each["action"] == "rule_added"][-1]
    assert "@" in entry["address"]

    assert furnished.run("rights", "undo", str(entry["id"])).exit_code == 0
    assert [rule["effect"] for rule in furnished.json("rights", "list")] == ["allow", "allow"]
    assert furnished.run("rights", "undo", str(entry["id"])).exit_code == 2
