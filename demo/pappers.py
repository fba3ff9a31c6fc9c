"""The demonstration's Pappers: API v2 (OpenAPI 2.20.0) on a real socket, with a counter of credits; the companies exist nowhere.

What a request costs in credits is published for some only: a record is one, and so is a download here.
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Mapping
from typing import Any

from flask import Flask, Response, jsonify, request
from flask.typing import ResponseReturnValue

from demo import documents
from demo.companies import COMPANIES, Company, search
from demo.served import Served
from demo.sockets import LoopbackServer, cut_connection

API_KEY = "cle-pappers"
CONFIGURATION = """
[merchants.{name}]
connector = "pappers"
base_url = "{url}/v2"
secrets = {{api_key = "{key}"}}
"""
FAULTS = (
    "partial",
    "down",
    "busy",
    "cut",
    "cut_before",
    "error500",
    "exhausted",
    "another_company",
    "no_document",
    "slow_document",
)
YEARS = (2025, 2024, 2023)


class Pappers(Served):
    """The publisher as one of the demonstration's partners: a plan of 10,000 credits, and what was asked of it."""

    name, faults = "pappers", FAULTS

    def __init__(self) -> None:
        self.server = LoopbackServer(_application(self))
        self.used, self.fault = 0, ""
        self.seen: list[str] = []
        self.lock = threading.Lock()

    def configuration(self) -> str:
        """Its part of `portal.toml`."""
        return CONFIGURATION.format(name=self.name, url=self.server.url, key=API_KEY)

    def files(self) -> Mapping[str, str]:
        """Nothing stands beside it."""
        return {}

    def sold(self) -> list[Mapping[str, Any]]:
        """It counts credits, and knows no order."""
        return []

    def kept(self) -> object:
        """The counter."""
        return self.used

    def recall(self, kept: Any) -> None:
        """Go on counting."""
        self.used = int(kept)

    def count(self) -> None:
        """One credit more."""
        with self.lock:
            self.used += 1

    def downloads(self) -> int:
        """How many documents were asked for."""
        return sum("/document/" in path for path in self.seen)


def _application(pappers: Pappers) -> Flask:
    app = Flask("demo-pappers")

    @app.before_request
    def receive() -> ResponseReturnValue | None:
        pappers.seen.append(request.full_path)
        given = request.headers.get("api-key") or request.args.get("api_token")
        # Completion is open to everybody, with or without a key.
        if given != API_KEY and request.path != "/v2/suggestions":
            return jsonify(statusCode=401, error="Unauthorized", message="Clé API incorrecte."), 401
        return _broken(pappers)

    @app.get("/v2/suggestions")
    def suggestions() -> ResponseReturnValue:
        words, most = request.args.get("q", ""), request.args.get("longueur", 10, int)
        targets: Mapping[str, Callable[[], list[Company]]] = {
            "nom_entreprise": lambda: search(words),
            "siren": lambda: [item for item in COMPANIES.values() if item.siren.startswith(words)],
        }
        wanted = request.args.get("cibles", "nom_entreprise").split(",")
        return jsonify(
            {
                f"resultats_{name}": [_short(item) for item in targets[name]()[:most]]
                for name in wanted
                if name in targets
            }
        )

    @app.get("/v2/entreprise")
    def record() -> ResponseReturnValue:
        found = COMPANIES.get(request.args.get("siren", ""))
        if found is None:
            return jsonify(statusCode=404, error="Not Found", message="Entreprise inexistante."), 404
        pappers.count()
        if pappers.fault == "cut":
            return cut_connection()
        if pappers.fault == "another_company":
            found = next(item for item in COMPANIES.values() if item != found)
        content = {
            **_short(found),
            "derniers_statuts": _statutes(found),
            "comptes": [_accounts(found, year) for year in YEARS],
        }
        if pappers.fault == "no_document":
            content |= {"derniers_statuts": None, "comptes": []}
        # One source is late: what it would have told is missing, and nothing says which.
        return (
            (jsonify({**content, "comptes": content["comptes"][1:]}), 206)
            if pappers.fault == "partial"
            else jsonify(content)
        )

    @app.get("/v2/document/telechargement")
    def download() -> ResponseReturnValue:
        kind, siren, year = (_decoded(request.args.get("token", "")) + "||").split("|")[:3]
        if siren not in COMPANIES or pappers.fault == "slow_document":
            status = 503 if siren in COMPANIES else 404
            return jsonify(statusCode=status, message="Document indisponible."), status
        pappers.count()
        return Response(_pdf(COMPANIES[siren], kind, year), mimetype="application/pdf")

    @app.get("/v2/document/statuts")
    def statutes() -> ResponseReturnValue:
        found = COMPANIES.get(request.args.get("siren", ""))
        if found is None or _statutes(found) is None:
            return jsonify(statusCode=404, message="Document indisponible."), 404
        pappers.count()
        return Response(_pdf(found, "statuts", ""), mimetype="application/pdf")

    @app.get("/v2/suivi-jetons")
    def counter() -> ResponseReturnValue:
        plan = pappers.used if pappers.fault == "exhausted" else 10_000
        return jsonify(jetons_abonnement=plan, jetons_abonnement_utilises=pappers.used, jetons_pay_as_you_go_restants=0)

    return app


def _broken(pappers: Pappers) -> ResponseReturnValue | None:
    if pappers.fault == "down":
        return jsonify(statusCode=503, message="Service momentanément indisponible."), 503
    if request.path != "/v2/entreprise":
        return None
    if pappers.fault == "busy":
        return jsonify(statusCode=429, message="Trop de requêtes."), 429, {"Retry-After": "2"}
    if pappers.fault == "error500":
        return jsonify(statusCode=500, message="Erreur interne."), 500
    return cut_connection() if pappers.fault == "cut_before" else None


def _short(company: Company) -> dict[str, Any]:
    """A company as completion and records describe it."""
    siege = {
        "ville": company.town.upper(),
        "code_postal": company.postcode,
        "pays": "France",
        "siret": f"{company.siren}00012",
    }
    return {
        "siren": company.siren, "nom_entreprise": company.name.upper(), "denomination": company.name.upper(),
        "mention": f"<em>{company.name.upper()}</em>", "forme_juridique": company.form, "siege": siege,
        "entreprise_cessee": False, "diffusable": True,
    }  # fmt: skip


def _statutes(company: Company) -> dict[str, Any] | None:
    if company.siren.endswith("1"):
        return None
    return {
        "date_depot": "2024-03-12", "date_depot_formate": "12/03/2024", "disponible": True, "type": "Statuts mis à jour",
        "nom_fichier_pdf": f"STATUTS-{company.siren}.pdf", "token": _encoded(f"statuts|{company.siren}"),
    }  # fmt: skip


def _accounts(company: Company, year: int) -> dict[str, Any]:
    hidden = company.form == "EURL" and year == max(YEARS)
    return {
        "date_depot": f"{year + 1}-06-20", "date_depot_formate": f"20/06/{year + 1}", "date_cloture": f"{year}-12-31",
        "annee_cloture": year, "confidentialite": hidden, "confidentialite_compte_de_resultat": False, "disponible": not hidden,
        "nom_fichier_pdf": None if hidden else f"COMPTES-{company.siren}-{year}.pdf",
        "token": None if hidden else _encoded(f"comptes|{company.siren}|{year}"), "disponible_xlsx": False,
    }  # fmt: skip


def _pdf(company: Company, kind: str, year: str) -> bytes:
    title = f"Comptes annuels {year}" if kind == "comptes" else "Statuts"
    rows = [("Dénomination", company.name), ("SIREN", company.siren), ("Forme juridique", company.form),
            ("Siège", f"{company.postcode} {company.town}")]  # fmt: skip
    rows += (
        [("Capitaux propres", f"{company.capital * 3} euros"), ("Résultat", f"{company.capital} euros")] if year else []
    )
    return documents.pdf(title, ["Document fictif : aucune de ces entreprises n’existe."], rows)


def _encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


def _decoded(token: str) -> str:
    try:
        return base64.urlsafe_b64decode(token.encode()).decode()
    except ValueError:
        return ""
