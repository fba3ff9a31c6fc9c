"""Forty fictitious press articles, written for the demonstration."""

from __future__ import annotations

from dataclasses import dataclass

SUBJECTS = (
    "Les ports de la façade atlantique", "L'artisanat du cuir", "Le fret ferroviaire", "La filière laitière",
    "Les éditeurs de logiciels", "Le commerce de centre-ville", "L'hydrogène", "La construction en bois",
    "Les assureurs mutualistes", "Le textile du Nord",
)  # fmt: skip
ANGLES = (
    ("face à la hausse des taux", "Les trésoreries se tendent, les projets se trient."),
    ("cherchent des apprentis", "Les formations existent, les candidats manquent."),
    ("misent sur l'export", "Un carnet de commandes sur deux se remplit hors de France."),
    ("changent de modèle", "Moins de volume, plus de services : enquête sur un virage."),
)


@dataclass(frozen=True)
class Article:
    """One article."""

    id: str
    subject: str
    title: str
    standfirst: str
    date: str
    paragraphs: tuple[str, ...]


def _articles() -> dict[str, Article]:
    made = {}
    for index, (subject, (angle, standfirst)) in enumerate(
        (subject, angle) for angle in ANGLES for subject in SUBJECTS
    ):
        identifier = f"LE-2026-{index + 101}"
        paragraphs = (
            f"{subject} {angle} : c'est ce que montre une enquête imaginaire menée auprès de {120 + 7 * index} dirigeants.",
            "Les réponses divergent selon la taille des entreprises. Les plus petites attendent, les plus grandes avancent.",
            "Tous citent la même difficulté : prévoir à plus de six mois. Cet article est fictif et sert de démonstration.",
        )
        made[identifier] = Article(
            identifier,
            subject,
            f"{subject} {angle}",
            standfirst,
            f"{index % 27 + 1:02d}/{index % 11 + 1:02d}/2026",
            paragraphs,
        )
    return made


ARTICLES = _articles()
