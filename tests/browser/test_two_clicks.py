"""The two clicks in a real browser, in place, and the same by whole pages without JavaScript."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from demo.companies import COMPANIES
from tests.browser.conftest import Desk

SIREN, COMPANY = next((siren, company) for siren, company in COMPANIES.items() if not siren.endswith("7"))


def test_two_clicks_bring_a_document_and_a_charge(desk: Desk):
    desk.sign_in()
    page = desk.page
    page.locator("#buy-registre-kbis").click()
    page.locator("#offer-registre-kbis input[name=siren]").fill(SIREN)
    page.get_by_role("button", name=re.compile("Confirmer")).click()

    expect(page.locator("#offer-registre-kbis, .order").first).to_contain_text("Livré")
    address = page.get_by_role("link", name="Ouvrir").get_attribute("href")
    assert page.request.get(desk.address + str(address)).body().startswith(b"%PDF-")
    desk.wait_for_charges(1)
    assert desk.charges() == ["succeeded"]
    assert page.url == desk.address + "/"
    assert desk.hosts == {desk.address.removeprefix("http://")}
    assert desk.complaints == []


def test_the_catalogue_narrows_as_one_types(desk: Desk):
    desk.sign_in()
    desk.page.get_by_role("searchbox").press_sequentially("numéro inversé")

    expect(desk.page.locator(".card")).to_have_count(1)
    expect(desk.page.locator(".card")).to_contain_text("QuiDonc")


def test_a_company_is_found_by_its_name(desk: Desk):
    desk.sign_in()
    desk.page.locator("#buy-registre-kbis").click()
    desk.page.locator("#offer-registre-kbis input[name=siren]").press_sequentially(COMPANY.name[:12])
    desk.page.locator(".found button").filter(has_text=COMPANY.name).first.click()
    desk.page.get_by_role("button", name=re.compile("Confirmer")).click()

    expect(desk.page.locator(".order")).to_contain_text(COMPANY.name)
    expect(desk.page.locator(".order")).to_contain_text("Livré")


def test_a_report_shows_its_progress_and_appears_by_itself(desk: Desk):
    desk.company.merchants.report_seconds = 6.0
    desk.sign_in()
    desk.page.locator("#buy-coface-rapport").click()
    desk.page.locator("#offer-coface-rapport input[name=siren]").fill(SIREN)
    desk.page.get_by_role("button", name=re.compile("Confirmer")).click()

    expect(desk.page.locator(".order progress")).to_be_visible()
    expect(desk.page.locator(".order")).to_contain_text("Livré")
    desk.wait_for_charges(1)


def test_data_is_shown_as_a_table(desk: Desk):
    desk.sign_in()
    desk.page.locator("#buy-quidonc-inverse").click()
    desk.page.locator("#offer-quidonc-inverse input[name=phone]").fill("01 42 68 53 00")
    desk.page.get_by_role("button", name=re.compile("Confirmer")).click()

    expect(desk.page.locator(".order table.data th").first).to_be_visible()


def test_the_same_by_whole_pages_without_javascript(plain_desk: Desk):
    plain_desk.sign_in()
    page = plain_desk.page
    page.locator("#buy-registre-kbis").click()
    page.locator("input[name=siren]").fill(SIREN)
    page.get_by_role("button", name="Voir le prix").click()
    page.get_by_role("button", name=re.compile("Confirmer")).click()

    expect(page.locator(".order")).to_contain_text("Livré")
    address = page.get_by_role("link", name="Ouvrir").get_attribute("href")
    assert page.request.get(plain_desk.address + str(address)).body().startswith(b"%PDF-")
    page.get_by_role("link", name="Reçu").click()
    expect(page.locator("h1")).to_contain_text("Reçu")
    plain_desk.wait_for_charges(1)
    assert plain_desk.charges() == ["succeeded"]


def test_without_javascript_a_report_appears_when_the_page_renews_itself(plain_desk: Desk):
    plain_desk.company.merchants.report_seconds = 6.0
    plain_desk.sign_in()
    page = plain_desk.page
    page.goto(plain_desk.address + "/offers/coface-rapport")
    page.locator("input[name=siren]").fill(SIREN)
    page.get_by_role("button", name="Voir le prix").click()
    page.get_by_role("button", name=re.compile("Confirmer")).click()

    expect(page.locator(".order progress")).to_be_visible()
    expect(page.locator(".order")).to_contain_text("Livré")


def test_the_back_button_after_a_purchase_buys_nothing_more(plain_desk: Desk):
    plain_desk.sign_in()
    page = plain_desk.page
    page.goto(plain_desk.address + "/offers/registre-kbis")
    page.locator("input[name=siren]").fill(SIREN)
    page.get_by_role("button", name="Voir le prix").click()
    page.get_by_role("button", name=re.compile("Confirmer")).click()
    page.wait_for_url("**/purchases/G-*")
    order = page.url
    page.go_back()

    expect(page).to_have_url(order)
    expect(page.get_by_role("button", name=re.compile("Confirmer"))).to_have_count(0)
    plain_desk.wait_for_charges(1)
    assert plain_desk.charges() == ["succeeded"]


def test_one_confirmation_in_two_tabs_makes_one_order(desk: Desk):
    desk.sign_in()
    for tab in (desk.page, desk.page.context.new_page()):
        tab.goto(desk.address + "/offers/registre-kbis")
        tab.locator("input[name=siren]").fill(SIREN)
        expect(tab.get_by_role("button", name=re.compile("Confirmer"))).to_be_visible()
    token = desk.page.locator("input[name=token]").get_attribute("value")
    other = desk.page.context.pages[1]
    other.evaluate("token => document.querySelector('input[name=token]').value = token", token)
    for tab in (desk.page, other):
        tab.get_by_role("button", name=re.compile("Confirmer")).click()
        expect(tab.locator(".order")).to_contain_text("Livré")

    desk.wait_for_charges(1)
    assert desk.charges() == ["succeeded"]


@pytest.mark.parametrize("slug", ["lesechos-pass-24h", "quidonc-pack10"])
def test_without_javascript_what_asks_nothing_takes_two_clicks_too(plain_desk: Desk, slug: str):
    plain_desk.sign_in()
    page = plain_desk.page
    page.locator(f"#buy-{slug}").click()
    expect(page.locator("button.see")).to_be_hidden()
    page.get_by_role("button", name=re.compile("Confirmer")).click()

    expect(page.locator(".order")).to_contain_text("Livré")
    plain_desk.wait_for_charges(1)
    assert plain_desk.charges() == ["succeeded"]


def test_with_javascript_nothing_else_stands_before_the_price(desk: Desk):
    desk.sign_in()
    desk.page.locator("#buy-lesechos-pass-24h").click()
    expect(desk.page.get_by_role("button", name=re.compile("Confirmer"))).to_be_focused()

    expect(desk.page.locator("button.see")).to_be_hidden()


def test_a_merchant_who_was_away_can_be_asked_again_at_the_same_place(desk: Desk):
    desk.company.merchants.set_fault("lesechos", "down")
    desk.sign_in()
    desk.page.locator("#buy-lesechos-pass-24h").click()
    expect(desk.page.locator(".notice-error")).to_contain_text("Les Échos")
    desk.company.merchants.set_fault("lesechos", None)
    desk.page.locator("button.see").click()

    expect(desk.page.get_by_role("button", name=re.compile("Confirmer"))).to_be_visible()


def test_a_search_says_how_many_there_are_and_a_name_that_nobody_has_is_said(desk: Desk):
    desk.sign_in()
    page = desk.page
    page.get_by_role("searchbox").press_sequentially("annuaire inversé")
    expect(page.locator("#found")).to_have_text(re.compile(r"^\d+ service"))
    page.goto(desk.address + "/offers/registre-kbis")
    page.locator("input[name=siren]").press_sequentially("zzzz")

    expect(page.locator(".quote")).to_contain_text("Aucun résultat sous ce nom")
