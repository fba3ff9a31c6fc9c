"""`merchants`: what the screen says and does, from a terminal."""

from __future__ import annotations

import pytest

from demo.companies import COMPANIES

SIREN = next(siren for siren in COMPANIES if not siren.endswith("7"))


def row(terminal, key: str) -> dict[str, object]:
    return next(row for row in terminal.json("merchants", "list") if row["merchant"] == key)


def strike_out(terminal, company, key: str, secrets: str) -> None:
    """A merchant is taken out of `portal.toml`."""
    url = company.merchants.url
    terminal.change(f'\n[merchants.{key}]\nconnector = "{key}"\nbase_url = "{url}/{key}"\nsecrets = {secrets}\n', "\n")


@pytest.fixture
def without_netpme(furnished, company):
    strike_out(furnished, company, "netpme", '{token = "jeton-netpme"}')
    return furnished


def test_the_list_says_how_each_stands(furnished, buyer, work):
    buyer.confirm(buyer.ask_price("registre-kbis", siren=SIREN))
    work()
    found = row(furnished, "registre")

    assert (found["state"], found["configured"], found["sandbox"], found["version"]) == (
        "on_sale",
        "portal.toml",
        True,
        "1.0.0",
    )
    assert (found["offers"], found["refused"], found["disputed"], found["open"]) == (6, 0, 0, 0)
    assert (found["month_cents"], found["all_cents"]) == (353, 353)
    assert "Registre" in furnished.run("merchants", "list").output


def test_paused_and_resumed_at_once_where_the_portal_runs(furnished, buyer, installation):
    assert furnished.run("merchants", "pause", "registre").output == "registre sells nothing any more.\n"
    assert buyer.ask_price("registre-kbis", siren=SIREN) == ""
    assert row(furnished, "registre")["state"] == "paused"
    assert "registre-kbis" not in {each["offer"] for each in furnished.json("catalog", "list")}
    again = furnished.run("merchants", "pause", "registre")
    assert (again.exit_code, again.stderr != "") == (2, True)
    assert furnished.run("merchants", "resume", "registre").exit_code == 0
    assert buyer.ask_price("registre-kbis", siren=SIREN) != ""
    actions = [entry["action"] for entry in furnished.json("audit", "list") if entry["subject"] == "registre"]
    assert sorted(actions) == ["merchant_paused", "merchant_resumed", "terms_first_read"]


def test_a_name_nobody_has_is_answered_with_those_there_are(furnished):
    said = furnished.run("merchants", "pause", "minitel")

    assert (said.exit_code, "quidonc" in said.stderr) == (2, True)


def test_connected_after_a_test_and_disconnected(without_netpme, company):
    words = ("merchants", "connect", "netpme", "--base-url", f"{company.merchants.url}/netpme")
    refused = without_netpme.run(*words, typed="wrong\n")
    assert (refused.exit_code, "refuses our credentials" in refused.stderr) == (1, True)
    assert row(without_netpme, "netpme")["state"] == "gone"
    done = without_netpme.run(*words, typed="jeton-netpme\n")
    assert (done.exit_code, "netpme is connected" in done.output, "jeton" in done.output) == (0, True, False)
    assert (row(without_netpme, "netpme")["configured"], row(without_netpme, "netpme")["state"]) == ("here", "on_sale")
    assert "netPME" in without_netpme.run("check").output
    assert without_netpme.run(*words, typed="jeton-netpme\n").exit_code == 2
    assert without_netpme.run("merchants", "disconnect", "netpme").exit_code == 0
    assert row(without_netpme, "netpme")["state"] == "gone"


def test_check_says_of_orders_that_wait_for_a_merchant_that_is_gone(furnished, buyer, company):
    company.merchants.fault_once("registre", "cut_reply")
    buyer.confirm(buyer.ask_price("registre-kbis", siren=SIREN))
    strike_out(furnished, company, "registre", '{api_key = "cle-registre"}')
    said = furnished.run("check")

    assert said.exit_code == 1
    assert "1 orders wait for it, and it is not connected any more" in said.output


def test_a_connector_nobody_has(furnished):
    assert furnished.run("merchants", "connect", "minitel").exit_code == 2
