"""`catalog` and `connectors`: what is on sale, and what cannot be."""

from __future__ import annotations


def test_the_catalogue_is_read_and_listed(furnished):
    synced = furnished.run("catalog", "sync")

    listed = furnished.json("catalog", "list")
    assert synced.exit_code == 0
    assert "registre: 6 offers, 0 withdrawn, 0 refused" in synced.output
    assert {"offer": "registre-kbis", "scope": "offer:registre/kbis"}.items() <= listed[0].items()
    assert len(listed) == len({row["offer"] for row in listed}) == 22


def test_a_merchant_that_is_down_keeps_its_offers_and_stops_no_other(furnished, company):
    company.merchants.set_fault("registre", "down")

    synced = furnished.run("catalog", "sync")

    assert synced.exit_code == 1
    assert "registre: status 503" in synced.output
    assert "coface: 5 offers" in synced.output
    assert "registre-kbis" in {row["offer"] for row in furnished.json("catalog", "list")}


def test_one_merchant_can_be_read_alone_and_a_wrong_name_is_said(furnished):
    assert furnished.run("catalog", "sync", "coface").stdout == "coface: 5 offers, 0 withdrawn, 0 refused\n"
    assert furnished.run("catalog", "sync", "cofcae").exit_code == 2


def test_every_connector_is_listed_with_its_use(furnished):
    used = {row["connector"]: row["used_as"] for row in furnished.json("connectors", "list")}

    unused = dict.fromkeys(
        ("acp", "deepl", "entreprises", "legifrance", "opds", "pappers", "recommande", "signature"), ""
    )
    assert used == {**unused, **{name: name for name in ("coface", "lesechos", "netpme", "quidonc", "registre")}}


def test_help_has_a_whole_sentence_for_every_command(furnished):
    output = furnished.run("help").output

    lines = output.partition("Commands:")[2]
    for name in (
        "demo",
        "test",
        "serve",
        "worker",
        "check",
        "db upgrade",
        "catalog sync",
        "directory try",
        "rights allow",
    ):
        assert f"  {name} " in lines
    assert "..." not in lines
    assert "…" not in lines
    assert furnished.run().output == output
    assert furnished.run("nonsense").exit_code == 2


def test_the_lists_standing_is_told(furnished, company, installation):
    company.merchants.set_fault("registre", "down")
    assert furnished.run("catalog", "sync", "registre").exit_code == 1

    rows = {row["merchant"]: row for row in furnished.json("catalog", "status")}

    assert list(rows) == [*installation.merchants.loaded]
    down, fine = rows["registre"], rows["coface"]
    assert (down["offers"], down["problem"], down["failures"], down["state"]) == (6, "status 503", 1, "failing")
    assert (fine["offers"], fine["problem"], fine["failures"], fine["state"]) == (5, "", 0, "")
    assert down["next_at"] < fine["next_at"]
    assert "status 503" in furnished.run("catalog", "status").output


def test_changes_are_listed_agreed_to_and_refused(furnished, installation):
    furnished.run("catalog", "sync")
    furnished.change(f'127.0.0.1:{_port(furnished)}/coface"', f'localhost:{_port(furnished)}/coface"')

    synced = furnished.run("catalog", "sync", "coface")

    assert synced.exit_code == 1
    assert "coface: on hold until an administrator agrees" in synced.output
    [row] = furnished.json("catalog", "changes")
    assert (row["about"], row["offers"], row["differences"]) == ("coface", 5, {"hosts": [["127.0.0.1"], ["localhost"]]})
    assert {line["state"] for line in furnished.json("catalog", "status") if line["merchant"] == "coface"} == {
        "on_hold"
    }
    assert "1 changes wait for an administrator's word" in furnished.run("check").output
    assert "stay on hold" in furnished.run("catalog", "agree", row["change"], "--refuse").output
    assert furnished.json("catalog", "changes")[0]["refused_by"] == "command line"
    assert "5 offers are back on sale" in furnished.run("catalog", "agree", row["change"]).output
    assert furnished.json("catalog", "changes") == []
    again = furnished.run("catalog", "agree", row["change"])
    assert again.exit_code == 1
    assert "no longer there" in again.output
    assert furnished.run("catalog", "sync", "coface").exit_code == 0


def _port(furnished) -> str:
    return furnished.configuration.read_text(encoding="utf-8").partition('/coface"')[0].rpartition(":")[2]
