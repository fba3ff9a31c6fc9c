"""What is sold for a time, in a real browser: by keyboard, without JavaScript, and without a violation of axe."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from playwright.sync_api import expect
from sqlalchemy import select

from demo.companies import COMPANIES
from portal.checkout.orders import Order
from tests.browser.conftest import Desk, sit_down
from tests.browser.test_accessibility import look_at
from tests.browser.test_keyboard import tab_to

SIREN = next(siren for siren in COMPANIES if not siren.endswith("7"))


def let_time_pass(desk: Desk, **span: float) -> None:
    """Every purchase was made earlier, and ends earlier, by so much."""
    with desk.installation.database.transaction() as session:
        for order in session.scalars(select(Order)):
            order.created_at -= timedelta(**span)
            order.ends_at = order.ends_at and order.ends_at - timedelta(**span)


def buy(desk: Desk, slug: str, **inputs: str) -> None:
    page = desk.page
    page.goto(f"{desk.address}/offers/{slug}")
    for name, value in inputs.items():
        page.locator(f"input[name={name}]").fill(value)
    page.locator("form.confirm button").click()
    expect(page.locator(".state-delivered")).to_be_visible()


def test_a_pass_is_bought_entered_and_renewed_with_the_keyboard_alone(desk: Desk):
    desk.sign_in()
    page = desk.page
    page.goto(f"{desk.address}/?q=pass")
    tab_to(page, "buy-lesechos-pass-24h")
    page.keyboard.press("Enter")
    page.wait_for_selector("form.confirm button.primary:focus")
    expect(page.locator("form.confirm")).to_contain_text("si vous confirmez maintenant")
    page.keyboard.press("Enter")
    page.wait_for_selector(".order h2:focus")

    tab_to(page, "Entrer chez Les Échos Démo SA")
    with page.context.expect_page() as opened:
        page.keyboard.press("Enter")
    expect(opened.value.locator("h1")).to_have_text("Pass lecture 24 heures")
    opened.value.close()

    let_time_pass(desk, hours=20)
    page.goto(f"{desk.address}/purchases")
    tab_to(page, "Renouveler")
    page.keyboard.press("Enter")
    page.wait_for_selector("form.confirm button.primary:focus")
    expect(page.locator(".notice-wait")).to_contain_text("Vous y avez déjà accès jusqu'au")
    page.keyboard.press("Enter")
    desk.wait_for_charges(2)
    assert desk.complaints == []


def test_a_subscription_is_renewed_without_javascript(plain_desk: Desk):
    plain_desk.sign_in()
    page = plain_desk.page
    page.goto(f"{plain_desk.address}/offers/coface-veille-30j")
    page.locator("input[name=siren]").fill(SIREN)
    page.get_by_role("button", name="Voir le prix").click()
    page.locator("form.confirm button").click()
    plain_desk.wait_for_charges(1)
    let_time_pass(plain_desk, days=31)

    page.goto(f"{plain_desk.address}/purchases")
    expect(page.locator(".run-over")).to_contain_text("Terminé le")
    expect(page.locator(".run-over").get_by_role("link", name=re.compile("Entrer"))).to_have_count(0)
    page.get_by_role("button", name=re.compile("Renouveler")).click()
    expect(page.locator("form.confirm")).to_contain_text("30 jours")
    page.locator("form.confirm button").click()
    plain_desk.wait_for_charges(2)


def test_a_key_is_copied_by_one_click(desk: Desk):
    desk.sign_in()
    buy(desk, "quidonc-inverse", phone="01 42 68 53 00")
    with desk.installation.database.transaction() as session:
        order = session.scalars(select(Order)).one()
        order.deliveries[0].kind, order.deliveries[0].content = "licence", {"kind": "licence", "key": "CLE-42"}
    desk.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    desk.page.goto(f"{desk.address}/purchases/{order.number}")

    desk.page.get_by_role("button", name="Copier").click()

    expect(desk.page.get_by_role("button", name="Copiée")).to_be_visible()
    assert desk.page.evaluate("navigator.clipboard.readText()") == "CLE-42"


@pytest.mark.parametrize(("language", "scheme", "width"), [("fr-FR", "light", 1280), ("en-GB", "dark", 390)])
def test_no_violation_where_something_lasts(chromium, address, company, installation, language, scheme, width):
    options = {"color_scheme": scheme, "viewport": {"width": width, "height": 850}, "bypass_csp": True}
    desk, context = sit_down(chromium, address, company, installation, **options)
    desk.sign_in()
    page, found = desk.page, {}
    page.locator(f"button[name=language][value={language[:2]}]").click()
    buy(desk, "coface-veille-30j", siren=SIREN)
    buy(desk, "lesechos-pass-24h")
    look_at(page, "access", found)
    let_time_pass(desk, days=25)
    page.goto(address + "/purchases")
    expect(page.locator(".run")).to_have_count(2)
    look_at(page, "running and ended", found)
    page.locator(".run button").first.click()
    expect(page.locator(".notice-wait")).to_be_visible()
    look_at(page, "renewing", found)
    page.goto(address + "/?q=pass")
    look_at(page, "cards", found)
    context.close()

    assert {name: faults for name, faults in found.items() if faults} == {}
