"""The sites that the demonstration's merchants open for a time: one page each, for whoever has the ticket, until its end."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

from flask import Flask, render_template
from flask.typing import ResponseReturnValue

from connectors.terms import read_term
from demo.merchants_book import MerchantsBook
from demo.sales import Sale
from demo.shops import SHOPS, Content

FRANCE = ZoneInfo("Europe/Paris")


def opened(content: Content, sale: Sale, at: datetime, *, is_short: bool) -> Content:
    """What may be entered from now on until the sale's term ends; `is_short`: for half of it."""
    end = read_term(sale.term).end(at, FRANCE)
    until = at + (end - at) / 2 if is_short else end
    return dataclasses.replace(content, ticket=secrets.token_urlsafe(24), until=until)


def add_sites(app: Flask, book: MerchantsBook, now: Callable[[], datetime]) -> None:
    """Add the page of every merchant that sells entry; `now` is what their clocks say."""

    @app.get("/<name>/entry/<ticket>")
    def enter(name: str, ticket: str) -> ResponseReturnValue:
        order = next((item for item in book.orders() if item.content and item.content.ticket == ticket), None)
        if order is None or order.merchant != name or order.content is None or order.content.until is None:
            return render_template("entry.html", title="Lien inconnu", until=None, lines=()), 404
        shop, until = SHOPS[name], order.content.until
        title = next(sale.title[0] for sale in shop.sales if sale.id == order.offer)
        is_open = now() < until
        page = render_template(
            "entry.html", merchant=shop.name, title=title, what=order.what, until=until.astimezone(FRANCE),
            is_open=is_open, lines=order.content.lines if is_open else (),
        )  # fmt: skip
        return page, 200 if is_open else 403
