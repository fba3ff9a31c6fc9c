"""The offers of the demonstration merchants: what stands in their catalogues, at which price."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Sale:
    """One offer: its words, its price in cents and its VAT rate in percent (as text)."""

    id: str
    title: tuple[str, str]
    summary: tuple[str, str]
    net: int
    rate: str
    vat: int
    delivery: str = "document"
    delay: tuple[str, str] = ("immédiat", "at once")
    keywords: str = ""
    slow: bool = False
    pricing: str = "act"
    units: int = 0
    packs: tuple[str, ...] = ()
    term: str = ""


def price(sale: Sale, factor_percent: int = 100) -> dict[str, Any]:
    """A price as the merchants write it: decimal text."""
    net, vat = sale.net * factor_percent // 100, sale.vat * factor_percent // 100
    return {"net": text(net), "vat_rate": sale.rate, "vat": text(vat), "gross": text(net + vat), "currency": "EUR"}


def text(cents: int) -> str:
    """`2.94`."""
    return f"{cents // 100}.{cents % 100:02d}"


REGISTRE = (
    Sale(
        "kbis", ("Extrait K-bis", "K-bis extract"),
        ("La carte d'identité officielle d'une entreprise, en PDF.", "A company's official identity card, as a PDF."),
        294, "20", 59, keywords="kbis rcs immatriculation registre société",
    ),
    Sale(
        "statuts", ("Statuts d'une entreprise", "Articles of association"),
        ("Les derniers statuts déposés au greffe.", "The latest articles filed with the court registry."),
        588, "20", 118, keywords="greffe actes société",
    ),
    Sale(
        "comptes", ("Comptes annuels", "Annual accounts"),
        ("Bilan et compte de résultat du dernier exercice déposé.", "Balance sheet and profit of the last year filed."),
        640, "20", 128, keywords="bilan résultat exercice greffe",
    ),
    Sale(
        "beneficiaires", ("Bénéficiaires effectifs", "Beneficial owners"),
        ("Qui contrôle l'entreprise en dernier ressort.", "Who ultimately controls the company."),
        520, "20", 104, keywords="actionnaires conformité contrôle blanchiment",
    ),
    Sale(
        "non-faillite", ("Certificat de non-faillite", "Certificate of solvency"),
        ("Atteste qu'aucune procédure collective n'est ouverte.", "States that no insolvency procedure is open."),
        125, "20", 25, keywords="procédure collective redressement liquidation",
    ),
    Sale(
        "situation", ("Avis de situation", "Statement of registration"),
        ("Qu'une entreprise existe, et où. Gratuit.", "That a company exists, and where. Free."),
        0, "20", 0, keywords="gratuit existence adresse siège sirene",
    ),
)  # fmt: skip

LESECHOS = (
    Sale(
        "article", ("Article de presse économique", "Business press article"),
        ("Un article à l'unité, sans abonnement.", "A single article, without a subscription."),
        245, "2.1", 5, keywords="journal presse économie quotidien",
    ),
    Sale(
        "dossier", ("Dossier de presse sur un sujet", "Press file on a subject"),
        ("Tous les articles parus sur le sujet d'un article.", "Every article published on an article's subject."),
        980, "2.1", 21, keywords="journal presse revue archives",
    ),
    Sale(
        "pass-24h", ("Pass lecture 24 heures", "24-hour reading pass"),
        ("Tout le journal en ligne, pendant une journée.", "The whole newspaper online, for a day."),
        391, "2.1", 8, "access", keywords="journal presse accès abonnement économie", pricing="duration", term="PT24H",
    ),
    Sale(
        "pass-7j", ("Pass lecture 7 jours", "7-day reading pass"),
        ("Tout le journal en ligne, pendant une semaine.", "The whole newspaper online, for a week."),
        1263, "2.1", 27, "access", keywords="journal presse accès abonnement économie", pricing="duration", term="P7D",
    ),
)  # fmt: skip

QUIDONC = (
    Sale(
        "inverse", ("Annuaire inversé", "Reverse telephone look-up"),
        ("À qui est ce numéro ? Nom et adresse du titulaire.", "Whose number is it? Name and address of its holder."),
        75, "20", 15, "data", keywords="téléphone numéro annuaire pages qui", packs=("pack10",),
    ),
    Sale(
        "pack10", ("Pack de 10 recherches inversées", "Pack of 10 reverse look-ups"),
        ("Dix recherches payées d'avance, à utiliser une à une.", "Ten look-ups paid in advance, used one by one."),
        600, "20", 120, "licence", keywords="téléphone annuaire crédits lot", pricing="pack", units=10,
    ),
    Sale(
        "ligne", ("Vérification d'une ligne", "Line check"),
        ("Type de ligne et opérateur d'un numéro.", "Kind of line and operator of a number."),
        20, "20", 4, "data", keywords="téléphone mobile fixe opérateur portabilité",
    ),
)  # fmt: skip

COFACE = (
    Sale(
        "rapport", ("Rapport de crédit", "Credit report"),
        ("L'analyse financière complète d'un client ou d'un fournisseur.",
         "The whole financial analysis of a customer or supplier."),
        2900, "20", 580, delay=("quelques secondes", "some seconds"), keywords="solvabilité bilan risque", slow=True,
    ),
    Sale(
        "avis", ("Avis de crédit", "Credit opinion"),
        ("Une note et un encours conseillé, tout de suite.", "A score and an advised limit, at once."),
        950, "20", 190, "data", keywords="solvabilité note encours",
    ),
    Sale(
        "defaillance", ("Risque de défaillance", "Risk of default"),
        ("La probabilité de défaillance à douze mois.", "The probability of default within twelve months."),
        480, "20", 96, "data", keywords="solvabilité probabilité faillite",
    ),
    Sale(
        "veille-30j", ("Surveillance d'une entreprise, 30 jours", "Company monitoring, 30 days"),
        ("Chaque événement de l'entreprise dès qu'il survient.", "Every event of the company as it happens."),
        900, "20", 180, "access", keywords="surveillance veille alerte suivi client fournisseur",
        pricing="subscription", term="P30D",
    ),
    Sale(
        "veille-1an", ("Surveillance d'une entreprise, un an", "Company monitoring, one year"),
        ("Chaque événement de l'entreprise pendant un an.", "Every event of the company for a year."),
        6900, "20", 1380, "access", keywords="surveillance veille alerte suivi client fournisseur",
        pricing="subscription", term="P1Y",
    ),
)  # fmt: skip

NETPME = (
    Sale(
        "modele", ("Modèle de contrat ou de lettre", "Contract or letter template"),
        ("Rempli avec vos réponses, en Word ou en PDF.", "Filled in with your answers, as Word or PDF."),
        1490, "20", 298, keywords="contrat lettre bail embauche confidentialité",
    ),
    Sale(
        "rgpd", ("Annexe de protection des données", "Data protection addendum"),
        ("À joindre à un contrat avec un sous-traitant.", "To join to a contract with a processor."),
        990, "20", 198, keywords="contrat rgpd sous-traitant données personnelles",
    ),
    Sale(
        "reglement", ("Règlement intérieur", "Internal rules"),
        ("Le règlement d'une entreprise de cinquante salariés ou plus.", "The rules of a company of fifty employees or more."),
        2490, "20", 498, keywords="règlement salariés personnel embauche",
    ),
    Sale(
        "juriste", ("Permanence juridique, un mois", "Legal desk, one month"),
        ("Un juriste répond à vos questions, par téléphone et par écrit.", "A lawyer answers your questions, by telephone and in writing."),
        4900, "20", 980, "access", keywords="juriste avocat conseil question droit travail",
        pricing="subscription", term="P1M",
    ),
)  # fmt: skip
