"""The demonstration's open directory of companies: `/search` of recherche-entreprises.api.gouv.fr on a real socket.

Shapes and limits are those of its OpenAPI 1.0.0; the companies exist nowhere.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from typing import Any

from flask import Flask, Response, jsonify, request
from flask.typing import ResponseReturnValue

from demo.companies import COMPANIES, Company, search
from demo.served import Served
from demo.sockets import LoopbackServer, cut_connection

SECONDARY = ("siege", "dirigeants", "tva", "complements", "finances", "matching_etablissements")
CODES = {"SAS": "5710", "SARL": "5499", "SA": "5599", "EURL": "5498"}
ACTIVITIES = {
    "Boulangerie": "10.71C", "Imprimerie": "18.12Z", "Garage": "45.20A", "Menuiserie": "43.32A", "Transports": "49.41A",
    "Librairie": "47.61Z", "Conserverie": "10.39B", "Atelier": "25.62B", "Laiterie": "10.51A", "Brasserie": "11.05Z",
    "Maçonnerie": "43.99C", "Horlogerie": "26.52Z",
}  # fmt: skip
CONFIGURATION = """
[merchants.{name}]
connector = "entreprises"
base_url = "{url}"
"""
FAULTS = ("busy", "down", "garbage", "cut", "another_company", "gone")


class Entreprises(Served):
    """The directory as one of the demonstration's partners; `limit` is requests in a second, 0 for any number."""

    name, faults = "entreprises", FAULTS

    def __init__(self) -> None:
        self.server = LoopbackServer(_application(self))
        self.seen: list[str] = []
        self.limit, self.fault = 0, ""
        self._times: list[float] = []
        self._lock = threading.Lock()

    def configuration(self) -> str:
        """Its part of `portal.toml`."""
        return CONFIGURATION.format(name=self.name, url=self.server.url)

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

    def is_too_fast(self) -> bool:
        """Whether this request is one too many within a second."""
        with self._lock:
            now = time.monotonic()
            self._times = [at for at in self._times if now - at < 1] + [now]
            return bool(self.limit) and len(self._times) > self.limit


def _application(directory: Entreprises) -> Flask:
    app = Flask("demo-entreprises")

    @app.get("/search")
    def find() -> ResponseReturnValue:
        directory.seen.append(request.full_path)
        if directory.fault == "busy" or directory.is_too_fast():
            return jsonify(erreur="Trop de requêtes"), 429, {"Retry-After": "1"}
        if directory.fault == "down":
            return Response("<html>503</html>", 503)
        if directory.fault == "garbage":
            return Response("<html>Connectez-vous</html>", mimetype="text/html")
        if directory.fault == "cut":
            return cut_connection()
        return _answer(directory)

    return app


def _answer(directory: Entreprises) -> ResponseReturnValue:
    words = request.args.get("q", "")
    if len(words.strip()) < 3:
        return jsonify(erreur="3 caractères minimum pour les termes de la requête"), 400
    per_page = request.args.get("per_page", 10, int)
    if not 1 <= per_page <= 25:
        return jsonify(erreur="Veuillez indiquer un paramètre `per_page` entre `1` et `25`."), 400
    known = COMPANIES.get(words)
    found = ([known] if known else []) if words.isdecimal() and len(words) == 9 else search(words)
    if directory.fault == "another_company":
        found = [next(item for item in COMPANIES.values() if item not in found)]
    if directory.fault == "gone":
        found = []
    content = {
        "results": [_visible(result(item)) for item in found[:per_page]], "total_results": len(found), "page": 1,
        "per_page": per_page, "total_pages": -(-len(found) // per_page),
    }  # fmt: skip
    return Response(json.dumps(content, ensure_ascii=False), mimetype="application/json")


def _visible(company: dict[str, Any]) -> dict[str, Any]:
    """Without the secondary fields that a minimal answer leaves out."""
    if request.args.get("minimal") != "true":
        return company
    wanted = request.args.get("include", "").split(",")
    return {name: value for name, value in company.items() if name not in SECONDARY or name in wanted}


def result(company: Company) -> dict[str, Any]:
    """One company as the directory describes it."""
    founded = "-".join(reversed(company.founded.split("/")))
    closed = company.siren.endswith("3")
    activity = ACTIVITIES[company.name.split()[0]]
    key = (12 + 3 * (int(company.siren) % 97)) % 97
    first, last = ("Camille", "Dominique", "Claude")[int(company.siren) % 3], company.name.split(maxsplit=1)[1]
    return {
        "siren": company.siren, "nom_complet": company.name.upper(), "nom_raison_sociale": company.name.upper(), "sigle": None,
        "nombre_etablissements": 1, "nombre_etablissements_ouverts": int(not closed), "activite_principale": activity,
        "categorie_entreprise": "PME", "date_creation": founded, "date_fermeture": "2025-06-30" if closed else None,
        "date_mise_a_jour": "2026-09-21T03:34:50", "etat_administratif": "C" if closed else "A",
        "nature_juridique": CODES[company.form], "statut_diffusion": "O",
        "siege": {
            "activite_principale": activity, "adresse": f"12 RUE DES EXEMPLES {company.postcode} {company.town.upper()}",
            "code_postal": company.postcode, "commune": company.postcode, "est_siege": True,
            "etat_administratif": "F" if closed else "A", "libelle_commune": company.town.upper(), "siret": f"{company.siren}00012",
        },
        "dirigeants": [
            {"nom": last.upper(), "prenoms": first, "annee_de_naissance": "1964", "date_de_naissance": "1964-09",
             "qualite": "Gérant" if company.form in {"SARL", "EURL"} else "Président", "nationalite": "Française",
             "type_dirigeant": "personne physique"},
            {"siren": "732829320", "denomination": "AUDIT DE DÉMONSTRATION", "qualite": "Commissaire aux comptes titulaire",
             "type_dirigeant": "personne morale"},
        ],
        "tva": [f"FR{key:02d}{company.siren}"], "matching_etablissements": [], "finances": {}, "complements": {"est_association": False},
    }  # fmt: skip
