"""An administrator in a real browser: a right given in a few clicks, and no violation on his screens."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, expect

from demo import people
from demo.company import Company
from portal.directory.answers import Group
from portal.installation import Installation
from portal.rights.ceilings import Terms, add_ceiling, live_ceilings
from portal.rights.rules import all_rules
from portal.rights.scopes import Scope
from tests.browser.conftest import Desk, sit_down
from tests.browser.test_accessibility import look_at

MOST_CLICKS = 8


def test_accounting_may_buy_credit_reports_up_to_200_euros_a_month_each(desk: Desk, installation: Installation):
    page, clicks = desk.page, 0

    def click(target) -> None:
        nonlocal clicks
        clicks += 1
        target.click()

    page.goto(desk.address)
    page.get_by_label("Identifiant").fill("benoit.besson")
    page.get_by_label("Mot de passe").fill(people.PASSWORD)
    click(page.get_by_role("button", name="Se connecter"))
    click(page.get_by_role("link", name="Administration"))
    page.locator("#group_text").press_sequentially("compta")
    click(page.locator(".found button").first)
    expect(page.locator("form.confirm")).to_be_visible()
    page.locator("#scope").select_option("offer:coface/rapport")
    clicks += 2  # opening the list and choosing from it
    page.locator("#limit").fill("200")
    click(page.get_by_role("button", name="Voir ce que cela change"))
    expect(page.locator(".said").first).to_contain_text("Rapport de crédit")
    expect(page.locator(".effect")).to_contain_text("Aïcha Benali")
    click(page.get_by_role("button", name="Enregistrer"))
    expect(page.locator(".notice-good")).to_contain_text("Enregistré")

    assert clicks <= MOST_CLICKS
    assert desk.complaints == []
    with installation.database.reading() as session:
        assert ("comptabilite", "offer:coface/rapport") in [
            (rule.group.label, str(rule.scope)) for rule in all_rules(session)
        ]
        assert [(each.limit_cents, each.period, each.who) for each in live_ceilings(session)] == [
            (20000, "month", "each")
        ]


@pytest.mark.parametrize(("language", "scheme", "width"), [("fr-FR", "light", 1280), ("en-GB", "dark", 390)])
def test_no_violation_on_the_screens_of_an_administrator(
    chromium: Browser, address: str, company: Company, installation: Installation, language, scheme, width
):
    with installation.database.transaction() as session:
        add_ceiling(session, "t", Group(people.GROUP_ACHATS), Terms("each", Scope("all"), "month", 100))
        add_ceiling(session, "t", None, Terms("everyone", Scope("all"), "purchase", 10**6))
    options = {
        "locale": language,
        "color_scheme": scheme,
        "viewport": {"width": width, "height": 850},
        "bypass_csp": True,
    }
    desk, context = sit_down(chromium, address, company, installation, **options)
    page, found = desk.page, {}

    def sign_in(login: str) -> None:
        page.goto(address)
        page.locator(f"button[name=language][value={language[:2]}]").click()
        page.locator("#login").fill(login)
        page.locator("#password").fill(people.PASSWORD)
        page.locator("main button[type=submit]").click()
        page.wait_for_selector("#q")

    sign_in("chloe.lefevre")
    page.goto(address + "/offers/quidonc-inverse")
    page.locator("input[name=phone]").fill("01 42 68 53 00")
    page.locator("form.confirm button").click()
    page.locator(".order").wait_for()
    desk.wait_for_charges(1)
    page.goto(address + "/offers/coface-rapport")
    page.locator("input[name=siren]").fill("806569182")
    page.locator("input[name=words]").wait_for()
    look_at(page, "over the ceiling", found)
    page.locator("input[name=words]").fill("Martin")
    page.locator("form.confirm button").click()
    expect(page.locator(".quote")).to_contain_text("Martin")
    page.goto(address + "/requests")
    look_at(page, "my requests", found)
    page.locator(".person button").click()
    sign_in("benoit.besson")
    page.goto(address + "/requests")
    look_at(page, "to decide", found)
    page.goto(address + "/admin/rights")
    look_at(page, "who may buy", found)
    page.locator("#group_text").press_sequentially("ach")
    page.locator(".found button").first.wait_for()
    look_at(page, "the picker", found)
    page.locator(".found button").first.click()
    page.locator("form.confirm").wait_for()
    look_at(page, "the preview", found)
    for name in (
        "ceilings",
        "people?q=le",
        "journal",
        "rights/1/remove",
        "delegations",
        "rule-file",
        "directory?look=1",
        "purchases?charge=open",
        "purchases",
    ):
        page.goto(address + "/admin/" + name)
        look_at(page, name, found)
    page.locator("#purchases a").first.click()
    page.locator(".choices").wait_for()
    look_at(page, "a purchase", found)
    page.goto(address + "/admin/operator")
    page.locator("form.try button").click()
    page.locator("#tried .notice-good").wait_for()
    page.locator("input[value=aol]").check()
    page.locator(".profiles + button").click()
    page.locator("#prospect form").wait_for()
    look_at(page, "the operator", found)
    company.operator.fault = "down"
    page.locator("form.try button").click()
    page.locator("#tried .notice-error").wait_for()
    page.locator(".profiles + button").click()
    page.locator("#prospect .notice-error").wait_for()
    look_at(page, "the operator is away", found)
    company.operator.fault = None
    page.goto(address + "/admin/people?q=lef")
    page.locator(".people a").first.click()
    page.locator(".verdicts summary").first.click()
    look_at(page, "person", found)
    context.close()

    assert len(found) == 19
    assert {name: faults for name, faults in found.items() if faults} == {}


def test_each_group_of_a_delegation_is_offered_in_its_own_field(desk: Desk):
    page = desk.page
    desk.sign_in("benoit.besson")
    page.goto(desk.address + "/admin/delegations")
    page.locator("#delegates").press_sequentially("consult")
    expect(page.locator("#delegates-groups option")).to_have_count(1)
    page.locator("#target").press_sequentially("compta")
    expect(page.locator("#target-groups option")).to_have_attribute("value", f"cn=comptabilite,{people.GROUPS_BASE}")
    expect(page.locator("#delegates-groups option")).to_have_attribute("value", people.GROUP_CONSULTATION)
    assert desk.complaints == []


def test_the_same_without_javascript(plain_desk: Desk, installation: Installation):
    page = plain_desk.page
    plain_desk.sign_in("benoit.besson")
    page.goto(plain_desk.address + "/admin/rights")
    page.locator("#group_text").fill("compta")
    page.get_by_role("button", name="Voir ce que cela change").click()
    page.get_by_role("button", name=re.compile("comptabilite")).click()
    page.locator("#limit").fill("200")
    page.get_by_role("button", name="Voir ce que cela change").click()
    page.get_by_role("button", name="Enregistrer").click()
    expect(page.locator(".notice-good")).to_contain_text("Enregistré")
    page.get_by_role("button", name="Annuler").click()
    expect(page.locator(".notice")).to_contain_text("Annulé")

    with installation.database.reading() as session:
        assert live_ceilings(session) == []
