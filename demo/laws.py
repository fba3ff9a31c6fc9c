"""Articles of codes that exist nowhere, for the demonstration's Légifrance; every text says so."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

NO_END = datetime(2999, 1, 1, tzinfo=UTC)
FICTION = "Texte fictif de démonstration."
CODES = {
    "LEGITEXT900000000001": "Code du travail (démonstration)",
    "LEGITEXT900000000002": "Code civil (démonstration)",
    "LEGITEXT900000000003": "Code de commerce (démonstration)",
}


@dataclass(frozen=True)
class Law:
    """One version of an article. `state` is Légifrance's word for it."""

    id: str
    code: str
    num: str
    section: str
    paragraphs: tuple[str, ...]
    since: datetime
    until: datetime = NO_END
    state: str = "VIGUEUR"
    nota: str = ""

    @property
    def title(self) -> str:
        """The title of its code."""
        return CODES[self.code]

    @property
    def html(self) -> str:
        """Its text as Légifrance marks it up."""
        return "".join(f"<p>{paragraph}</p>" for paragraph in (*self.paragraphs, FICTION))


def _law(
    number: int, code: int, num: str, section: str, *paragraphs: str, since: tuple[int, int, int], **more: object
) -> Law:
    given = {"since": datetime(*since, tzinfo=UTC), **more}
    return Law(f"LEGIARTI{900_000_000_000 + number}", f"LEGITEXT90000000000{code}", num, section, paragraphs, **given)  # type: ignore[arg-type]


LAWS = (
    _law(1, 1, "L1221-1", "Formation du contrat", "Le contrat de travail suit les règles ordinaires des contrats.", "Les parties choisissent la forme qu’elles adoptent&nbsp;; elle peut être numérique.", since=(2008, 5, 1)),
    _law(2, 1, "L1221-2", "Formation du contrat", "Le contrat sans terme est la forme <em>ordinaire</em> de la relation de travail.", since=(2012, 3, 24)),
    _law(3, 1, "L3121-1", "Durée du travail", "Est travaillé le temps durant lequel chacun est à la disposition de l’entreprise.", since=(2010, 1, 1), until=datetime(2016, 8, 10, tzinfo=UTC), state="MODIFIE"),
    _law(4, 1, "L3121-1", "Durée du travail", "Est travaillé le temps durant lequel chacun suit les directives de l’entreprise sans vaquer à ses affaires.", since=(2016, 8, 10)),
    _law(5, 2, "1103", "Force obligatoire", "Ce qui fut convenu dans les formes oblige ceux qui en convinrent.", since=(2016, 10, 1)),
    _law(6, 2, "1240", "Responsabilité", "Qui cause un dommage par sa faute le répare.", since=(2016, 10, 1)),
    _law(7, 2, "L123-4", "Dispositions communes", "Un numéro que deux codes emploient.", since=(2016, 10, 1)),
    _law(8, 3, "L123-4", "Comptabilité", "Tout commerçant tient des comptes.", since=(2000, 9, 21)),
    _law(9, 3, "L441-10", "Délais de paiement", "Les sommes dues sont réglées dans les trente jours.", since=(2019, 4, 26), until=datetime(2099, 1, 1, tzinfo=UTC), state="ABROGE_DIFF", nota="Abrogé à une date à venir."),
    _law(10, 3, "D450-1", "Enquêtes", "Les agents montrent leur carte.", since=(2015, 1, 1), until=datetime(2020, 1, 1, tzinfo=UTC), state="ABROGE"),
)  # fmt: skip
