"""The merchants' screens in a real browser: without violation, by the keyboard alone, and without JavaScript."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from demo import people
from demo.acp_goods import API_KEY, MANIFEST
from demo.acp_shop import AcpShop
from demo.company import Company
from portal.installation import Installation
from tests.browser.conftest import Desk, sit_down
from tests.browser.test_accessibility import look_at
from tests.browser.test_keyboard import tab_to


@pytest.fixture
def shop() -> Iterator[AcpShop]:
    """A merchant of a protocol, which can always be connected."""
    made = AcpShop()
    made.start()
    yield made
    made.stop()


@pytest.mark.parametrize(("language", "scheme", "width"), [("fr-FR", "light", 1280), ("en-GB", "dark", 390)])
def test_no_violation_on_the_screens_of_merchants(
    chromium: Browser, address: str, company: Company, installation: Installation, shop, language, scheme, width
):
    options = {
        "locale": language, "color_scheme": scheme, "viewport": {"width": width, "height": 850}, "bypass_csp": True,
    }  # fmt: skip
    desk, context = sit_down(chromium, address, company, installation, **options)
    page, found = desk.page, {}
    page.goto(address)
    page.locator(f"button[name=language][value={language[:2]}]").click()
    page.locator("#login").fill("benoit.besson")
    page.locator("#password").fill(people.PASSWORD)
    page.locator("main button[type=submit]").click()
    page.wait_for_selector("#q")
    page.goto(address + "/admin/merchants/connect/acp")
    look_at(page, "connect", found)
    page.locator("#key").fill("normes")
    page.locator("#manifest").fill(MANIFEST)
    page.locator("#base_url").fill(shop.url)
    page.locator("#secret-api_key").fill("wrong")
    page.locator(".connecting .primary").click()
    expect(page.locator(".found-wrong")).to_be_visible()
    look_at(page, "connect, refused", found)
    assert page.locator("#manifest").input_value().strip() == MANIFEST.strip()
    assert page.locator("#secret-api_key").input_value() == ""
    page.locator("#secret-api_key").fill(API_KEY)
    page.locator(".connecting .primary").click()
    expect(page.locator(".notice-good")).to_be_visible()
    look_at(page, "connected", found)
    page.locator("details summary").first.click()
    look_at(page, "connected, opened", found)
    page.locator("button[value=pause]").click()
    expect(page.locator("button[value=resume]")).to_be_visible()
    look_at(page, "paused", found)
    page.goto(address + "/admin/merchants/normes/credentials")
    look_at(page, "credentials", found)
    page.goto(address + "/admin/merchants")
    look_at(page, "merchants", found)
    context.close()

    assert len(found) == 7
    assert {name: faults for name, faults in found.items() if faults} == {}


def test_a_merchant_is_tested_and_paused_by_the_keyboard_alone(desk: Desk, installation: Installation):
    page = desk.page
    desk.sign_in("benoit.besson")
    page.goto(desk.address + "/admin/merchants")
    tab_to(page, "Registre Démo SAS")  # the table as a whole, which can be scrolled
    tab_to(page, "QuiDonc Démo SARL")
    page.keyboard.press("Enter")
    page.wait_for_url("**/quidonc")
    tab_to(page, "Essayer la connexion")
    page.keyboard.press("Enter")
    expect(page.locator("#tried")).to_contain_text("QuiDonc Démo SARL répond")
    tab_to(page, "Suspendre aussitôt")
    page.keyboard.press("Enter")
    expect(page.locator(".notice-good")).to_contain_text("Il ne vend plus rien")

    with installation.database.reading() as session:
        assert installation.merchants.closed(session) == {"quidonc"}
    assert desk.complaints == []


def test_one_is_connected_read_and_taken_away_without_javascript(plain_desk: Desk, shop):
    page = plain_desk.page
    plain_desk.sign_in("benoit.besson")
    page.goto(plain_desk.address + "/admin/merchants")
    page.locator("a[href$='/connect/acp']").click()
    page.locator("#key").fill("normes")
    page.locator("#manifest").fill(MANIFEST)
    page.locator("#base_url").fill(shop.url)
    page.locator("#secret-api_key").fill(API_KEY)
    page.get_by_role("button", name="Essayer et enregistrer").click()
    expect(page.locator(".notice-good")).to_contain_text("le marchand est raccordé")
    page.get_by_role("button", name="Essayer la connexion").click()
    expect(page.locator("#tried")).to_contain_text("Normes Démo SAS répond")
    page.get_by_role("button", name="Lire sa liste maintenant").click()
    expect(page.locator(".notice-good")).to_contain_text("Sa liste a été lue")
    page.locator("details summary", has_text="Retirer").click()
    page.get_by_role("button", name="Retirer Normes Démo SAS").click()
    expect(page.locator(".notice-good")).to_contain_text("Il est retiré")
