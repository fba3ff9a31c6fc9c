"""axe finds no violation on the six main pages: both languages, light and dark, wide and narrow."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from demo.companies import COMPANIES
from demo.company import Company
from portal.installation import Installation
from tests.browser.conftest import sit_down

SIREN = next(siren for siren in COMPANIES if not siren.endswith("7"))


def violations(page: Page) -> list[str]:
    """Each as its rule and the element."""
    found = Axe().run(
        page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
    )
    return [f"{rule['id']}: {node['html'][:200]}" for rule in found.response["violations"] for node in rule["nodes"]]


def look_at(page: Page, name: str, found: dict[str, list[str]]) -> None:
    """Check one page, and that it does not scroll sideways."""
    page.wait_for_function("document.readyState === 'complete' && !document.querySelector('.htmx-request')")
    # Half way through an arrival a text is half transparent, and its contrast is nobody's.
    page.wait_for_function("document.getAnimations().every(one => one.playState !== 'running')")
    found[name] = violations(page)
    if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
        found[name].append("the page is wider than the window")


@pytest.mark.parametrize(("language", "scheme", "width"), [
    ("fr-FR", "light", 1280), ("fr-FR", "dark", 390), ("en-GB", "light", 390), ("en-GB", "dark", 1280),
])  # fmt: skip
def test_no_violation_on_the_main_pages(
    chromium: Browser, address: str, company: Company, installation: Installation, language, scheme, width
):
    # The policy of the page keeps foreign scripts out, axe included.
    options = {
        "locale": language,
        "color_scheme": scheme,
        "viewport": {"width": width, "height": 850},
        "bypass_csp": True,
    }
    desk, context = sit_down(chromium, address, company, installation, **options)
    page, found = desk.page, {}
    page.goto(address)
    page.locator(f"button[name=language][value={language[:2]}]").click()
    look_at(page, "sign-in", found)
    page.locator("#login").fill("loic.oneill")
    page.locator("#password").fill("wrong")
    page.locator("main button[type=submit]").click()
    look_at(page, "sign-in refused", found)
    page.locator("#login").fill("chloe.lefevre")
    page.locator("#password").fill("deux-clics")
    page.locator("main button[type=submit]").click()
    page.wait_for_selector("#q")
    look_at(page, "home", found)
    assert page.locator("html").get_attribute("lang") == language[:2]
    page.goto(address + "/offers/registre-kbis")
    look_at(page, "service", found)
    page.locator("input[name=siren]").fill("123456789")
    look_at(page, "service, wrong input", found)
    page.locator("input[name=siren]").fill(SIREN)
    expect(page.locator("form.confirm")).to_be_visible()
    look_at(page, "confirmation", found)
    page.locator("form.confirm button").click()
    expect(page.locator(".order a[href*=document]").first).to_be_visible()
    look_at(page, "delivery", found)
    page.goto(address + "/purchases")
    look_at(page, "my purchases", found)
    page.locator("a[href$=receipt]").first.click()
    look_at(page, "receipt", found)
    page.goto(address + "/offers/quidonc-pack10")
    page.locator("form.confirm button").click()
    expect(page.locator(".order meter")).to_be_visible()
    look_at(page, "a pack", found)
    page.goto(address + "/nowhere")
    look_at(page, "not found", found)
    context.close()

    assert len(found) == 11
    assert {name: faults for name, faults in found.items() if faults} == {}
