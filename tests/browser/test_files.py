"""A file in a real browser: chosen, kept while the rest changes, refused in words; by keyboard, and without JavaScript."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from playwright.sync_api import Browser, FilePayload, expect

from demo.deepl import DeepL
from tests.browser.conftest import sit_down
from tests.browser.test_accessibility import violations
from tests.checkout.files import CONTRACT, PROGRAM

PANEL = "#offer-deepl-document"


def payload(name: str, body: bytes) -> FilePayload:
    return {"name": name, "mimeType": "application/octet-stream", "buffer": body}


@pytest.fixture
def company(company) -> Iterator[object]:
    """The demonstration company, which has documents translated."""
    shop = DeepL(seconds=0)
    shop.start()
    plain = company.configuration
    company.configuration = lambda *args, **more: plain(*args, **more) + shop.configuration()
    yield company
    shop.stop()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_a_file_is_chosen_once_and_kept(chromium: Browser, address, company, installation, scheme, width):
    desk, context = sit_down(
        chromium, address, company, installation, color_scheme=scheme, viewport={"width": width, "height": 900}
    )
    with closing(context):
        page = desk.page
        desk.sign_in()
        page.locator("#buy-deepl-document").click()
        field = page.get_by_label("Document à traduire")
        expect(field).to_be_focused()
        field.set_input_files(payload("facture.docx", PROGRAM))
        expect(page.locator(f"{PANEL} .notice-error")).to_contain_text("n’est pas ce que dit son nom")
        assert violations(page) == []

        field.set_input_files(payload("contrat.docx", CONTRACT))
        expect(page.locator(f"{PANEL} .kept-name")).to_have_text("contrat.docx")
        expect(page.get_by_label("Changer de fichier")).to_be_focused()
        page.keyboard.press("Tab")
        expect(page.get_by_label("Vers quelle langue")).to_be_focused()
        page.get_by_label("Vers quelle langue").select_option("DE")
        expect(page.locator(f"{PANEL} .quote")).to_contain_text("contrat.docx → allemand")
        assert violations(page) == []

        page.get_by_role("button", name="Confirmer").click()
        expect(page.locator(".state-delivered")).to_be_visible()
        desk.wait_for_charges(1)
        assert len(list(installation.uploads.folder.iterdir())) == 1


def test_without_javascript_too(chromium: Browser, address, company, installation):
    desk, context = sit_down(chromium, address, company, installation, java_script_enabled=False)
    with closing(context):
        page = desk.page
        desk.sign_in()
        page.locator("#buy-deepl-document").click()
        page.get_by_label("Document à traduire").set_input_files(payload("facture.docx", PROGRAM))
        page.get_by_label("Vers quelle langue").select_option("IT")
        page.get_by_role("button", name="Voir le prix").click()
        expect(page.locator(".notice-error")).to_contain_text("n’est pas ce que dit son nom")
        expect(page.get_by_label("Vers quelle langue")).to_have_value("IT")

        page.get_by_label("Document à traduire").set_input_files(payload("contrat.docx", CONTRACT))
        page.get_by_role("button", name="Voir le prix").click()
        expect(page.locator(".kept-name")).to_have_text("contrat.docx")
        page.get_by_label("Vers quelle langue").select_option("DE")
        page.get_by_role("button", name="Voir le prix").click()
        expect(page.locator(".quote")).to_contain_text("contrat.docx → allemand")
        page.get_by_role("button", name="Confirmer").click()
        expect(page.locator(".state")).to_be_visible()
        desk.wait_for_charges(1)
