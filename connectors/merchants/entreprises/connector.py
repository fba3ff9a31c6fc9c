"""A company's identity card from recherche-entreprises.api.gouv.fr (OpenAPI 1.0.0, `/search`): open, free, no key.

The manifest says what is sent; this says which of the answers is the company, and turns codes into words.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from connectors.contract import Rejected, Suggestion
from connectors.declared.merchant import DeclaredMerchant
from connectors.declared.paths import find, items, text
from connectors.merchants.entreprises.forms import FORMS

SHORTEST = 3
"""Fewer letters are answered 400."""
MOST_OFFICERS = 10
STATES = {"A": "En activité / active", "C": "Cessée / closed"}
SOURCE = "Annuaire des Entreprises (DINUM), d’après l’Insee et l’INPI – Licence Ouverte 2.0"
UNKNOWN = {
    "fr": "L’annuaire ne montre aucune entreprise sous ce SIREN : elle n’existe pas, ou n’est pas diffusible. Cherchez-la par son nom.",
    "en": "The directory shows no company under this SIREN: there is none, or it is not public. Look for it by its name.",
}


class Connector(DeclaredMerchant):
    """The directory of companies."""

    def suggest(self, offer_id: str, input_name: str, text: str) -> list[Suggestion]:
        """Companies by their name, once there are letters enough."""
        return super().suggest(offer_id, input_name, text) if len(text.strip()) >= SHORTEST else []

    def read(self, step: str, content: Any, values: Mapping[str, Any]) -> Any:
        """The companies found or, of a search by SIREN, the one that has it."""
        if step == "suggest":
            return {"companies": [_described(each) for each in items(content, "results")]}
        if step not in {"quote", "fulfil"}:
            return content
        # By a SIREN the search is direct, but whose an answer is, the answer itself must say.
        ours = [each for each in items(content, "results") if find(each, "siren") == values["input.siren"]]
        if not ours and step == "quote":
            raise Rejected("no company has this SIREN", words=UNKNOWN, field="siren")
        return {"company": _described(ours[0]) if ours else {"outcome": "none", "words": UNKNOWN}}


def _described(company: Any) -> dict[str, Any]:
    """What is shown of a company, under the names of the manifest. Raises `ContractBroken`."""
    siren, name, town = text(company, "siren"), text(company, "nom_complet"), text(company, "siege.libelle_commune")
    form, state = text(company, "nature_juridique"), text(company, "etat_administratif")
    return {
        "outcome": "found", "siren": siren, "name": name, "detail": " · ".join(filter(None, (siren, town))),
        "subject": f"{name} ({siren})", "siret": text(company, "siege.siret"),
        "vat": ", ".join(str(each) for each in _list(company, "tva")),
        "form": FORMS.get(form, f"catégorie juridique {form}" if form else ""), "address": text(company, "siege.adresse"),
        "activity": text(company, "activite_principale"), "state": STATES.get(state, state),
        "founded": _day(text(company, "date_creation")), "closed": _day(text(company, "date_fermeture")),
        "officers": "\n".join(filter(None, map(_officer, _list(company, "dirigeants")[:MOST_OFFICERS]))),
        "updated": _day(text(company, "date_mise_a_jour")), "source": SOURCE,
    }  # fmt: skip


def _officer(person: Any) -> str:
    """Name and office: neither when somebody was born nor of which nationality they are."""
    name = " ".join(filter(None, (text(person, "prenoms"), text(person, "nom")))) or text(person, "denomination")
    return " – ".join(filter(None, (name, text(person, "qualite"))))


def _list(company: Any, path: str) -> list[Any]:
    return items(company, path) if find(company, path) is not None else []


def _day(given: str) -> str:
    """A date, or a time, as it is written here; what is neither stays as it came."""
    try:
        return date.fromisoformat(given[:10]).strftime("%d/%m/%Y")
    except ValueError:
        return given
