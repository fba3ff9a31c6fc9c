"""The catalogue: the home page, searched as one types."""

from __future__ import annotations

from flask import Blueprint, Flask, render_template, request
from flask.typing import ResponseReturnValue

from portal.catalog.browsing import shelf
from portal.installation import Installation
from portal.rights.decision import Employee
from portal.web import account, installation, wants_fragment

catalog = Blueprint("catalog", __name__)


def register(app: Flask, _installation: Installation) -> None:
    """Add the catalogue's pages."""
    app.register_blueprint(catalog)


@catalog.get("/")
def home() -> ResponseReturnValue:
    """Everything this employee may see; with `q` and `category`, a part of it."""
    text, category = request.args.get("q", "")[:200], request.args.get("category", "")[:64]
    person = account()
    with installation().database.reading() as session:
        found = shelf(session, Employee(person.id, person.group_keys), text, category)
    template = "catalog/_results.html" if wants_fragment() else "catalog/home.html"
    return render_template(template, shelf=found, text=text, category=category)
