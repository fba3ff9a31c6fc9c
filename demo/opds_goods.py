"""What the demonstration's digital bookshop sells: forty fictitious books, standards and reviews, and its manifest."""

from __future__ import annotations

from dataclasses import dataclass

CLIENT_ID, CLIENT_SECRET = "acme", "secret-librairie"
MANIFEST = """\
contract = 1
protocol = "opds"
id = "librairie-demo"
version = "1.0.0"
sandbox = true

[merchant]
name = "Librairie Numérique Démo SAS"
siren = "498003177"
vat = "FR23498003177"
terms_url = "https://librairie.example/conditions"
privacy_url = "https://librairie.example/vie-privee"
support = "aide@librairie.example"
intangible_only = true

[network]
base_url = "https://librairie.example"
hosts = ["librairie.example"]

[auth]
kind = "oauth2_client"
secrets = ["client_id", "client_secret"]

[catalogue]
address = "/opds/catalogue"
publication = "/opds/publications/{id}"
vat_rate = 5.5
vat_rates = {normes = 20, presse = 2.1}
category = "livres"
categories = {NOR = "normes", "http://schema.org/PublicationIssue" = "presse"}

[purchase]
binds_s = 600
"""


@dataclass(frozen=True)
class Book:
    """One publication; prices in cents by format, VAT included; `trap` is why nobody should be offered it."""

    id: str
    title: str
    author: str
    subject: str
    about: str
    year: int
    pages: int
    prices: dict[str, int]
    language: str = "fr"
    free: bool = False
    trap: str = ""


AUTHORS = (
    "Camille Arnaud", "Hugo Bellanger", "Inès Carpentier", "Malik Diallo", "Léa Etchegaray", "Paul Fontanel", "Nora Guillou",
    "Ismaël Hadj", "Jeanne Imbert", "Théo Jacquemin",
)  # fmt: skip
BOOKS_BY_SUBJECT = {
    "Droit du travail": (
        "Le contrat de travail pas à pas", "Rompre sans se fâcher", "Le télétravail en vingt questions",
        "Élire le comité social", "Le temps de travail expliqué", "Les congés, tout compte fait",
    ),
    "Gestion": (
        "Lire un bilan en une heure", "La trésorerie des jours difficiles", "Fixer ses prix", "Le tableau de bord utile",
        "Négocier avec sa banque", "Reprendre une entreprise",
    ),
    "Commerce": (
        "Exporter pour la première fois", "La relance sans gêne", "Répondre à un appel d’offres", "Vendre à une administration",
        "Le contrat de distribution", "Une marque bien à soi",
    ),
    "Informatique": (
        "Les mots de passe, enfin", "Sauvegarder et restaurer", "Le registre des traitements", "Acheter un logiciel",
        "Sécurité : les dix gestes", "Des données propres",
    ),
}  # fmt: skip
STANDARDS = (
    "Qualité des archives numériques", "Ergonomie des postes assis", "Éclairage des bureaux", "Acoustique des plateaux ouverts",
    "Gestion des déchets de bureau", "Accessibilité des guichets", "Plans d’évacuation",
)  # fmt: skip
REVIEWS = ("La revue des achats", "Chantiers et matériaux", "L’actualité sociale")


def _books() -> list[Book]:
    made: list[Book] = []
    for subject, titles in BOOKS_BY_SUBJECT.items():
        for title in titles:
            number = len(made)
            cents = 990 + 250 * (number % 9)
            prices = ({"epub": cents, "pdf": cents}, {"epub": cents}, {"epub": cents, "pdf": cents + 400})[number % 3]
            about = f"<p>{subject}\u00a0: un guide <em>fictif</em>, écrit pour la démonstration.</p><ul><li>cas pratiques</li><li>modèles</li></ul>"
            author = AUTHORS[number % len(AUTHORS)]
            made.append(
                Book(f"livre-{number + 101}", title, author, subject, about, 2022 + number % 5, 96 + 8 * number, prices)
            )
    for number, title in enumerate(STANDARDS):
        about = "Texte fictif d’une norme, pour la démonstration."
        made.append(
            Book(f"norme-{9001 + number}", title, "", "NOR", about, 2026, 24 + number, {"pdf": 4900 + 600 * number})
        )
    for number, title in enumerate(REVIEWS):
        about = f"Numéro {12 + number} d’une revue fictive."
        made.append(Book(f"revue-{12 + number}", title, "", "REV", about, 2026, 32, {"pdf": 450 + 50 * number}))
    about = "Texte libre, offert à tous."
    made += [
        Book("libre-1", "Écrire clair", "Jeanne Imbert", "Gestion", about, 2024, 40, {"epub": 0, "pdf": 0}, free=True),
        Book(
            "libre-2", "Plain words at work", "Jeanne Imbert", "Gestion", about, 2024, 40, {"epub": 0}, "en", free=True
        ),
    ]
    traps = ("page", "locked", "paper", "dollars", "lent", "away", "spoken")
    made += [
        Book(f"autre-{trap}", f"À ne pas proposer : {trap}", "", "Gestion", "", 2026, 10, {"epub": 1500}, trap=trap)
        for trap in traps
    ]
    return made


BOOKS = {book.id: book for book in _books()}


def configuration(url: str, manifest: str = "librairie.toml", key: str = "librairie") -> str:
    """The `[merchants.KEY]` of a portal that buys here; `MANIFEST` stands in the file `manifest` beside it."""
    return (
        f'\n[merchants.{key}]\nconnector = "opds"\nbase_url = "{url}"\nmanifest = "{manifest}"\n'
        f'secrets = {{client_id = "{CLIENT_ID}", client_secret = "{CLIENT_SECRET}"}}\n'
    )
