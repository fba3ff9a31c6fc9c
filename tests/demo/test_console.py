"""The demonstration's own page shows the other books and breaks things, and leaves this machine for nothing."""

from __future__ import annotations

import re

import httpx2
import pytest

from demo.companies import COMPANIES
from demo.company import start_company
from demo.pappers import Pappers
from demo.partners import PARTNERS
from portal.mail.addresses import Recipient
from portal.mail.messages import post

SIREN = next(siren for siren in COMPANIES if not siren.endswith("7"))


@pytest.fixture
def console(company):
    with httpx2.Client(base_url=company.console.url, follow_redirects=True) as client:
        yield client


def test_the_other_books_are_shown(console, buyer, work):
    number = buyer.confirm(buyer.ask_price("registre-kbis", siren=SIREN))
    assert number in console.get("/").text
    assert "reserved" in console.get("/books").text

    work()

    page = console.get("/books").text
    assert page.count(number) == 2
    assert "succeeded" in page
    assert "3,53 €" in page
    assert "chloe.lefevre" in console.get("/").text


def test_breaking_and_mending_the_others(console, company):
    console.post("/operator", data={"fault": "down"})
    console.post("/merchant/registre", data={"fault": "slow"})
    console.post("/directory", data={"down": "1"})
    assert (company.operator.fault, company.merchants.fault("registre"), company.directory.fault) == (
        "down",
        "slow",
        "down",
    )

    console.post("/operator", data={"fault": ""})
    console.post("/merchant/registre", data={"fault": ""})
    console.post("/directory", data={"up": "1"})
    assert (company.operator.fault, company.merchants.fault("registre"), company.directory.fault) == (None, "", None)


def test_the_mailbox_is_shown_as_text_and_can_be_broken(console, company, installation, work, later):
    with installation.database.transaction() as session:
        post(
            session,
            Recipient("zoe@acme.example", "<b>Zoé</b>"),
            "Une <i>demande</i>",
            "Un <script>\net deux lignes",
            "fr",
        )
    console.post("/mail", data={"fault": "down"})
    work()
    assert "Rien encore" in console.get("/books").text
    console.post("/mail", data={"fault": ""})
    later(minutes=1)
    work()

    page = console.get("/books").text
    for words in ("&lt;b&gt;Zoé&lt;/b&gt;", "Une &lt;i&gt;demande&lt;/i&gt;", "Un &lt;script&gt;\net deux lignes"):
        assert words in page
    assert "<script>" not in page


def test_a_person_is_taken_from_a_group_and_put_back(console, company):
    def members():
        return next(group for group in company.directory.tree.groups() if group.name == "achats").members

    before = members()
    page = console.post("/groups/achats", data={"remove": "chloe.lefevre"}).text
    assert len(members()) == len(before) - 1
    assert page
    console.post("/groups/achats", data={"add": "chloe.lefevre"})
    assert sorted(members()) == sorted(before)


def test_the_page_names_no_other_host(console):
    hosts = set(re.findall(r'(?:src|href|action)="https?://([^/"]+)', console.get("/").text))

    assert hosts == set()


def test_the_weather_of_everything_can_be_changed(console, company):
    page = console.post("/weather", data={"rate": "0.1", "seed": "3"}).text
    assert '<option value="0.1" selected>' in page
    for _ in range(200):
        company.operator.faults.draw("prepare")
        company.merchants.faults.draw("order")
    assert company.operator.faults.befallen
    assert company.merchants.faults.befallen

    console.post("/weather", data={"rate": "0"})
    company.operator.faults.befallen.clear()
    for _ in range(200):
        company.operator.faults.draw("prepare")
    assert not company.operator.faults.befallen


def test_a_merchant_with_a_server_of_its_own_can_be_broken_and_mended(tmp_path):
    running = start_company(tmp_path, partners=[Pappers])
    with httpx2.Client(base_url=running.console.url, follow_redirects=True) as client:
        client.post("/partner/pappers", data={"fault": "down"})
        assert running.partners[0].fault == "down"
        client.post("/partner/pappers", data={"fault": ""})
        assert running.partners[0].fault == ""
        assert client.post("/partner/pappers", data={"fault": "nonsense"}).status_code == 404
        assert client.post("/partner/nobody", data={"fault": ""}).status_code == 404
    running.stop()


@pytest.mark.parametrize("made", PARTNERS)
def test_every_partner_knows_its_faults(made):
    partner = made()
    partner.start()
    for fault in partner.faults:
        partner.break_(fault)
    with pytest.raises(ValueError, match="nonsense"):
        partner.break_("nonsense")
    partner.stop()
