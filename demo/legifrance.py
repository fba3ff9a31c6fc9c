"""The demonstration's Légifrance behind PISTE (API 2.4.2) on a real socket: sign-in, `/search`, `/consult/getArticle`.

Shapes follow the published description and DILA's examples (17/09/2025); the laws are `demo.laws`, which exist nowhere.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

from flask import Flask, Response, jsonify, render_template, request
from flask.typing import ResponseReturnValue
from markupsafe import Markup

from demo.companies import fold
from demo.laws import FICTION, LAWS, Law
from demo.served import Served
from demo.sockets import LoopbackServer, cut_connection

CREDENTIALS = {"client_id": "acme-piste", "client_secret": "droit-demo"}
ROOT = "/dila/legifrance/lf-engine-app"
CONFIGURATION = """
[merchants.{name}]
connector = "legifrance"
base_url = "{url}{root}"
secrets = {{client_id = "{client_id}", client_secret = "{client_secret}"}}
settings = {{page = "{url}/codes/article_lc/"}}
"""
MERCHANT = "Légifrance de démonstration"
FAULTS = ("down", "busy", "garbage", "cut", "another_article", "gone", "empty", "loose")
TYPES = {"EXACTE", "TOUS_LES_MOTS_DANS_UN_CHAMP", "UN_DES_MOTS"}


class Legifrance(Served):
    """The open library as one of the demonstration's partners."""

    name, faults = "legifrance", FAULTS

    def __init__(self) -> None:
        self.server = LoopbackServer(_application(self))
        self.tokens: set[str] = set()
        self.signed_in = 0
        self.seen: list[tuple[str, Any]] = []
        self.fault = ""

    def configuration(self) -> str:
        """Its part of `portal.toml`."""
        return CONFIGURATION.format(name=self.name, url=self.server.url, root=ROOT, **CREDENTIALS)

    def files(self) -> Mapping[str, str]:
        """Nothing stands beside it."""
        return {}

    def sold(self) -> list[Mapping[str, Any]]:
        """It sells nothing and writes nothing down."""
        return []

    def kept(self) -> object:
        """Nothing."""
        return None

    def recall(self, kept: Any) -> None:
        """There is nothing to remember."""

    def expire(self) -> None:
        """What happens to tokens after an hour."""
        self.tokens.clear()


def _application(library: Legifrance) -> Flask:
    app = Flask("demo-legifrance", template_folder=str(Path(__file__).parent / "templates"))

    @app.post("/api/oauth/token")
    def sign_in() -> ResponseReturnValue:
        wanted = {"grant_type": "client_credentials", "scope": "openid", **CREDENTIALS}
        if request.form.to_dict() != wanted:
            return jsonify(error="invalid_client", error_description="Client authentication failed"), 400
        token = secrets.token_urlsafe(32)
        library.tokens.add(token)
        library.signed_in += 1
        return jsonify(access_token=token, token_type="Bearer", expires_in=3600, scope="openid")  # noqa: S106

    @app.get("/codes/article_lc/<ident>")
    def read(ident: str) -> ResponseReturnValue:
        found = next((law for law in LAWS if law.id == ident), None)
        title = f"Article {found.num} – {found.title}" if found else "Article inconnu"
        lines = [Markup(paragraph) for paragraph in (*found.paragraphs, FICTION)] if found else []  # noqa: S704 - ours
        page = render_template("entry.html", merchant=MERCHANT, title=title, what=found and found.section, lines=lines)
        return page, 200 if found else 404

    @app.before_request
    def receive() -> ResponseReturnValue | None:
        if not request.path.startswith(ROOT):
            return None
        library.seen.append((request.path.removeprefix(ROOT), request.get_json(silent=True)))
        if request.headers.get("Authorization", "").removeprefix("Bearer ") not in library.tokens:
            return jsonify(error="unauthorized"), 401
        return _broken(library)

    @app.get(f"{ROOT}/search/ping")
    def ping() -> ResponseReturnValue:
        return Response("pong", mimetype="text/plain")

    @app.post(f"{ROOT}/search")
    def search() -> ResponseReturnValue:
        asked = request.get_json()
        if wrong := _fault_of(asked):
            return jsonify(status=400, error="Bad Request", message=wrong), 400
        found = [] if library.fault == "empty" else _found(asked["recherche"], loosely=library.fault == "loose")
        return jsonify(
            executionTime=12, totalResultNumber=len(found), results=_results(found), typePagination="ARTICLE"
        )

    @app.post(f"{ROOT}/consult/getArticle")
    def consult() -> ResponseReturnValue:
        ident = (request.get_json() or {}).get("id")
        found = next((law for law in LAWS if law.id == ident), None)
        if library.fault == "another_article":
            found = next(law for law in LAWS if law.id != ident)
        article = None if found is None or library.fault == "gone" else _article(found)
        return jsonify(executionTime=3, dereferenced=False, article=article)

    return app


def _broken(library: Legifrance) -> ResponseReturnValue | None:
    if library.fault == "down":
        return Response("<html>503</html>", 503)
    if library.fault == "busy":
        return jsonify(error="too many requests"), 429, {"Retry-After": "2"}
    if library.fault == "garbage":
        return Response("<html>Connectez-vous</html>", mimetype="text/html")
    return cut_connection() if library.fault == "cut" else None


def _fault_of(asked: Any) -> str:
    """What is wrong with a search, "" when nothing is: the description requires these fields."""
    if not isinstance(asked, dict) or asked.get("fond") != "CODE_DATE":
        return "fond"
    search = asked.get("recherche") or {}
    missing = [
        name
        for name in ("champs", "operateur", "pageNumber", "pageSize", "sort", "typePagination")
        if name not in search
    ]
    if missing:
        return missing[0]
    for field in search["champs"]:
        if any(each.get("typeRecherche") not in TYPES or not each.get("valeur") for each in field["criteres"]):
            return "criteres"
    return ""


def _found(search: Mapping[str, Any], *, loosely: bool) -> list[Law]:
    at = next(each["singleDate"] for each in search["filtres"] if each["facette"] == "DATE_VERSION")
    now = datetime.combine(date.fromisoformat(at), time(), UTC)
    in_force = [law for law in LAWS if law.since <= now < law.until]
    return [
        law
        for law in in_force
        if all(_fits(law, field) for field in search["champs"] if not (loosely and field["typeChamp"] == "TITLE"))
    ][: search["pageSize"]]


def _fits(law: Law, field: Mapping[str, Any]) -> bool:
    where = {"NUM_ARTICLE": law.num, "TITLE": law.title, "ARTICLE": " ".join(law.paragraphs)}[field["typeChamp"]]
    said = fold(where)
    return all(
        said == fold(each["valeur"])
        if each["typeRecherche"] == "EXACTE"
        else all(word in said for word in fold(each["valeur"]).split())
        for each in field["criteres"]
    )


def _results(found: list[Law]) -> list[dict[str, Any]]:
    """One result for each code, its articles as extracts."""
    codes = list(dict.fromkeys(law.code for law in found))
    return [
        {
            "titles": [{"id": f"{code}_01-01-2026", "cid": code, "title": next(law.title for law in found if law.code == code)}],
            "nature": "CODE", "origin": "LEGI", "etat": "VIGUEUR",
            "sections": [
                {"id": f"LEGISCTA{law.id[8:]}", "title": law.section, "extracts": [
                    {"id": law.id, "num": law.num, "type": "articles", "legalStatus": law.state, "values": [law.paragraphs[0]],
                     "dateDebut": law.since.isoformat(timespec="milliseconds"), "dateFin": law.until.isoformat(timespec="milliseconds")},
                ]}
                for law in found if law.code == code
            ],
        }
        for code in codes
    ]  # fmt: skip


def _article(law: Law) -> dict[str, Any]:
    milliseconds = [int(at.timestamp() * 1000) for at in (law.since, law.until)]
    return {
        "id": law.id, "cid": law.id, "num": law.num, "type": "AUTONOME", "nature": "Article", "origine": "LEGI", "etat": law.state,
        "texte": " ".join(law.paragraphs), "texteHtml": law.html, "nota": law.nota, "notaHtml": f"<p>{law.nota}</p>" if law.nota else "",
        "dateDebut": milliseconds[0], "dateFin": milliseconds[1], "sectionParentTitre": law.section,
        "textTitles": [{"id": law.code, "cid": law.code, "titre": law.title, "titreLong": law.title, "etat": "VIGUEUR", "nature": "CODE"}],
        "articleVersions": [],
    }  # fmt: skip
