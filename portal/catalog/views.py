"""The catalogue: the home page, searched as one types."""

from __future__ import annotations

from flask import Blueprint, Flask, render_template, request
from flask.typing import ResponseReturnValue

from portal import words
from portal.catalog.browsing import Wish, shelf
from portal.catalog.offers import merchant_names
from portal.installation import Installation
from portal.rights.decision import Employee
from portal.web import account, installation, wants_fragment

catalog = Blueprint("catalog", __name__)


def register(app: Flask, _installation: Installation) -> None:
    """Add the catalogue's pages."""
    app.register_blueprint(catalog)


@catalog.get("/")
def home() -> ResponseReturnValue:
    """Everything this employee may see, a page at a time; with `q` and the choices, a part of it."""
    wish = Wish(
        text=_asked("q", 200), category=_asked("category", 64), merchant=_asked("merchant", 64),
        delivery=_asked("delivery", 16), page=request.args.get("page", 1, int),
    )  # fmt: skip
    person = account()
    house = installation()
    with house.database.reading() as session:
        closed = house.merchants.closed(session)
        found = shelf(session, Employee(person.id, person.group_keys), wish, closed)
        names = merchant_names(session, found.merchants)
    part = wants_fragment()
    return render_template(
        "catalog/_results.html" if part else "catalog/home.html", shelf=found, wish=wish, part=part,
        merchant_names=names, delivery_names=words.DELIVERY_KINDS,
    )  # fmt: skip


def _asked(name: str, longest: int) -> str:
    return request.args.get(name, "")[:longest]
