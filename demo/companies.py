"""Sixty fictitious French companies, the same at every start; every SIREN passes its check."""

from __future__ import annotations

import random
import unicodedata
from dataclasses import dataclass

from stdnum import luhn

TRADES = (
    "Boulangerie", "Imprimerie", "Garage", "Menuiserie", "Transports", "Librairie", "Conserverie", "Atelier",
    "Laiterie", "Brasserie", "Maçonnerie", "Horlogerie",
)  # fmt: skip
NAMES = ("Dupré", "Lefèvre", "Garçon", "Noël", "Besson", "Île-de-Ré", "Chênevert", "Œuvrard", "Martin", "Ferré")
TOWNS = (
    ("Paris", "75011"), ("Lyon", "69003"), ("Nîmes", "30000"), ("Besançon", "25000"), ("Orléans", "45000"),
    ("Saint-Étienne", "42000"), ("Angoulême", "16000"), ("Sète", "34200"),
)  # fmt: skip
FORMS = (("SAS", 10_000), ("SARL", 5_000), ("SA", 250_000), ("EURL", 1_000))


@dataclass(frozen=True)
class Company:
    """One company of the demonstration register. `capital` is in euros."""

    siren: str
    name: str
    form: str
    capital: int
    town: str
    postcode: str
    founded: str
    score: int


def _companies() -> dict[str, Company]:
    dice = random.Random(20_261_123)  # noqa: S311 - the same companies at every start
    made: dict[str, Company] = {}
    while len(made) < 60:
        body = f"{dice.randrange(30_000_000, 90_000_000):08d}"
        siren = body + luhn.calc_check_digit(body)
        form, capital = dice.choice(FORMS)
        town, postcode = dice.choice(TOWNS)
        name = f"{dice.choice(TRADES)} {dice.choice(NAMES)}"
        if any(company.name == name for company in made.values()):
            continue
        founded = f"{dice.randrange(1, 28):02d}/{dice.randrange(1, 13):02d}/{dice.randrange(1965, 2024)}"
        made[siren] = Company(siren, name, form, capital, town, postcode, founded, dice.randrange(1, 11))
    return made


COMPANIES = _companies()


def search(text: str) -> list[Company]:
    """Companies whose name or town holds every word, accents and case folded."""
    words = fold(text).split()
    return [item for item in COMPANIES.values() if all(word in fold(f"{item.name} {item.town}") for word in words)][:8]


def fold(text: str) -> str:
    """No accents, no case."""
    bare = unicodedata.normalize("NFKD", text.replace("œ", "oe").replace("Œ", "OE"))
    return "".join(letter for letter in bare if not unicodedata.combining(letter)).casefold().replace("-", " ")
