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
