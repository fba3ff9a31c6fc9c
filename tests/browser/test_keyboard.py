"""From the sign-in to the opened document with the keyboard alone, the focus always visible."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from demo import people
from demo.companies import COMPANIES
from tests.browser.conftest import Desk

SIREN = next(siren for siren in COMPANIES if not siren.endswith("7"))
FOCUS = """() => {
  const at = document.activeElement, style = getComputedStyle(at);
  const around = at.matches("input") ? getComputedStyle(at.parentElement) : style;
  const shown = [style, around].some(s => (s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2) || s.boxShadow !== "none");
  return [at.id || at.textContent.trim(), shown];
}"""


def tab_to(page: Page, wanted: str, key: str = "Tab", most: int = 60) -> None:
    """Press Tab until the focus is on the wanted id or words; each stop on the way must be seen."""
    for _ in range(most):
        page.keyboard.press(key)
        where, visible = page.evaluate(FOCUS)
        assert visible, f"the focus cannot be seen on {where!r}"
        if wanted in where:
            return
    raise AssertionError(f"the keyboard never reaches {wanted!r}")


def test_from_the_sign_in_to_the_opened_document(desk: Desk):
    page = desk.page
    page.goto(desk.address)
    page.keyboard.type("chloe.lefevre")
    tab_to(page, "password")
    page.keyboard.type(people.PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_selector("#buy-registre-kbis")

    tab_to(page, "buy-registre-kbis")
    page.keyboard.press("Space")
    page.wait_for_selector("input[name=siren]:focus")
    page.keyboard.type(SIREN)
    page.wait_for_selector("form.confirm")
    tab_to(page, "Confirmer")
    page.keyboard.press("Enter")
    expect(page.locator(".order")).to_contain_text("Livré")
    page.wait_for_function("document.activeElement.tagName === 'H2'")

    tab_to(page, "Ouvrir")
    with page.context.expect_page() as opened:
        page.keyboard.press("Enter")
    assert "/document" in opened.value.url
    assert page.request.get(opened.value.url).body().startswith(b"%PDF-")


def test_escape_closes_the_panel_and_the_focus_goes_back(desk: Desk):
    desk.sign_in()
    page = desk.page
    tab_to(page, "buy-registre-kbis")
    page.keyboard.press("Enter")
    page.wait_for_selector("input[name=siren]:focus")
    page.keyboard.press("Escape")

    page.wait_for_selector("#buy-registre-kbis:focus")


def test_a_slash_goes_to_the_search(desk: Desk):
    desk.sign_in()
    desk.page.keyboard.press("/")

    desk.page.wait_for_selector("#q:focus")
