"""The operator's screen in a real browser: another operator chosen by the keyboard alone, and without JavaScript."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.conftest import Desk
from tests.browser.test_keyboard import tab_to


def test_another_operator_is_chosen_by_the_keyboard_alone(desk: Desk):
    page = desk.page
    desk.sign_in("benoit.besson")
    page.goto(desk.address + "/admin/operator")
    tab_to(page, "Essayer la connexion")
    page.keyboard.press("Enter")
    expect(page.locator("#tried")).to_contain_text("Orange répond")
    page.locator("input[name=profile]:checked").focus()
    page.keyboard.press("ArrowDown")
    tab_to(page, "Voir ce qu'il lui faut")
    page.keyboard.press("Enter")
    expect(page.locator("#prospect")).to_contain_text("Choisir Bouygues Telecom")
    tab_to(page, "Choisir Bouygues Telecom")
    page.keyboard.press("Enter")

    expect(page.locator(".notice-good")).to_contain_text("Bouygues Telecom est l'opérateur")
    assert desk.installation.operator.identity == "bouygues-telecom/camara"
    assert desk.complaints == []


def test_it_is_chosen_without_javascript(plain_desk: Desk):
    page = plain_desk.page
    plain_desk.sign_in("benoit.besson")
    page.goto(plain_desk.address + "/admin/operator")
    page.get_by_role("button", name="Essayer la connexion").click()
    expect(page.locator("#tried")).to_contain_text("Orange répond")
    page.get_by_label("Tiscali").check()
    page.get_by_role("button", name="Voir ce qu'il lui faut").click()
    expect(page.get_by_label("Tiscali")).to_be_checked()
    page.get_by_role("button", name="Choisir Free").click()

    expect(page.locator("#who")).to_have_text("Free")
    expect(page.locator(".notice-good")).to_contain_text("Free est l'opérateur")
