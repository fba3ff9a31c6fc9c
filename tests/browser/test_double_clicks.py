"""Fifty double clicks on *Confirm*: fifty orders, fifty deliveries, fifty charges."""

from __future__ import annotations

import re

from playwright.sync_api import expect
from sqlalchemy import func, select

from portal.checkout.books import compare
from portal.checkout.orders import Order
from portal.checkout.verification import verify
from portal.installation import Installation
from tests.browser.conftest import Desk

TIMES = 50


def test_fifty_double_clicks_make_fifty_orders(desk: Desk, installation: Installation):
    desk.sign_in()
    for _ in range(TIMES):
        desk.page.goto(desk.address + "/offers/lesechos-article")
        desk.page.locator("input[name=article]").fill("LE-2026-101")
        button = desk.page.locator("form.confirm button.primary")
        expect(button).to_be_visible()
        button.dblclick(no_wait_after=True)
        expect(desk.page.locator(".order")).to_contain_text("Livré")
    desk.wait_for_charges(TIMES)

    with installation.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Order)) == TIMES
    assert len(desk.company.merchants.book.orders()) == TIMES
    assert desk.charges() == ["succeeded"] * TIMES
    assert compare(installation.means).differences == []
    assert verify(installation.database, installation.storage) == []


def test_double_clicks_without_javascript_buy_once_each(plain_desk: Desk, installation: Installation):
    plain_desk.sign_in()
    for _ in range(5):
        plain_desk.page.goto(plain_desk.address + "/offers/lesechos-article")
        plain_desk.page.locator("input[name=article]").fill("LE-2026-101")
        plain_desk.page.locator("button.see").click()
        plain_desk.page.locator("form.confirm button.primary").dblclick(no_wait_after=True)
        # The second click aborts the navigation of the first: where it ends is what counts.
        expect(plain_desk.page).to_have_url(re.compile("/purchases/G-"))
        expect(plain_desk.page.locator(".order")).to_be_visible()
    plain_desk.wait_for_charges(5)

    assert len(plain_desk.company.merchants.book.orders()) == 5
    assert compare(installation.means).differences == []
