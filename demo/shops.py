"""What each demonstration merchant sells: its offers, what it makes of inputs, and what it delivers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from demo import documents
from demo.articles import ARTICLES
from demo.companies import COMPANIES, Company, fold, search
from demo.documents import DOCX, PDF

Inputs = Mapping[str, str]


class Refusal(Exception):
    """The merchant refuses these inputs, in words."""

    def __init__(self, code: str, field_name: str, french: str, english: str) -> None:
        super().__init__(code)
        self.error = {"code": code, "field": field_name, "fr": french, "en": english}


@dataclass(frozen=True)
class Content:
    """What is delivered: a document's bytes, or rows of data."""

    media_type: str = ""
    filename: str = ""
    body: bytes = b""
    rows: tuple[tuple[str, str, str], ...] = ()


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


@dataclass(frozen=True)
class Shop:
    """One merchant: how its clients sign in, what it sells, and how it makes it."""

    name: str
    category: str
    sales: tuple[Sale, ...]
    subject: Callable[[Sale, Inputs], str]
    make: Callable[[Sale, Inputs], Content | None]
    suggest: Callable[[str], list[dict[str, str]]] = lambda _text: []
    credentials: Mapping[str, str] = field(default_factory=dict)


def _company(inputs: Inputs) -> Company:
    found = COMPANIES.get(inputs.get("siren", ""))
    if found is None:
        raise Refusal(
            "unknown_company",
            "siren",
            "Cette entreprise n'est pas au registre de démonstration. Cherchez-la par son nom.",
            "This company is not in the demonstration register. Look for it by its name.",
        )
    return found


def _company_subject(_sale: Sale, inputs: Inputs) -> str:
    found = _company(inputs)
    return f"{found.name} {found.form} ({found.siren})"


def _suggest_companies(text: str) -> list[dict[str, str]]:
    return [
        {"value": item.siren, "label": f"{item.name} {item.form}", "detail": f"{item.siren} · {item.town}"}
        for item in search(text)
    ]


def _register_document(sale: Sale, inputs: Inputs) -> Content:
    company = _company(inputs)
    rows = [
        ("Dénomination", company.name), ("SIREN", company.siren), ("Forme juridique", company.form),
        ("Capital social", f"{company.capital} euros"), ("Siège", f"{company.postcode} {company.town}"),
        ("Immatriculation", company.founded),
    ]  # fmt: skip
    body = documents.pdf(
        sale.title[0], ["Extrait du registre de démonstration. Aucune de ces entreprises n'existe."], rows
    )
    return Content(PDF, f"{sale.id}-{company.siren}.pdf", body)


def _article_subject(_sale: Sale, inputs: Inputs) -> str:
    found = ARTICLES.get(inputs.get("article", ""))
    if found is None:
        raise Refusal(
            "unknown_article",
            "article",
            "Aucun article ne porte ce numéro. Cherchez-le par son titre.",
            "No article has this number. Look for it by its title.",
        )
    return found.title


def _article(_sale: Sale, inputs: Inputs) -> Content:
    article = ARTICLES[inputs["article"]]
    return Content(PDF, f"{article.id}.pdf", documents.pdf(article.title, [article.standfirst, *article.paragraphs]))


def _suggest_articles(text: str) -> list[dict[str, str]]:
    words = fold(text).split()
    found = [
        item
        for item in ARTICLES.values()
        if all(word in fold(f"{item.id} {item.title} {item.standfirst}") for word in words)
    ]
    return [{"value": item.id, "label": item.title, "detail": f"{item.id} · {item.date}"} for item in found[:8]]


def _phone_subject(_sale: Sale, inputs: Inputs) -> str:
    return inputs.get("phone", "")


def _phone(_sale: Sale, inputs: Inputs) -> Content | None:
    number = inputs["phone"]
    if number.endswith("99"):
        return None
    company = list(COMPANIES.values())[int(number[-6:]) % len(COMPANIES)]
    return Content(
        rows=(
            ("Nom", "Name", company.name), ("Adresse", "Address", f"{company.postcode} {company.town}"),
            ("Type de ligne", "Kind of line", "Professionnelle" if number[3] in "12345" else "Mobile"),
            ("Opérateur", "Operator", "Opérateur de démonstration"),
        )
    )  # fmt: skip


def _credit(sale: Sale, inputs: Inputs) -> Content | None:
    company = _company(inputs)
    if company.siren.endswith("7"):
        return None
    limit = f"{company.score * 5_000} euros"
    rows = (
        ("Entreprise", "Company", company.name), ("Note (1 à 10)", "Score (1 to 10)", str(company.score)),
        ("Encours conseillé", "Advised limit", limit),
        ("Avis", "Opinion", "Favorable" if company.score > 3 else "Réservé / reserved"),
    )  # fmt: skip
    if sale.delivery == "data":
        return Content(rows=rows)
    text = "Rapport de démonstration : les chiffres sont tirés au sort une fois pour toutes."
    body = documents.pdf(
        f"Rapport de crédit - {company.name}", [text], [(french, value) for french, _english, value in rows]
    )
    return Content(PDF, f"rapport-{company.siren}.pdf", body)


TEMPLATES = {
    "nda": "Accord de confidentialité", "service": "Contrat de prestation de services",
    "cdi": "Contrat de travail à durée indéterminée", "lease": "Bail commercial", "reminder": "Lettre de relance",
    "notice": "Mise en demeure",
}  # fmt: skip


def _template_subject(_sale: Sale, inputs: Inputs) -> str:
    return f"{TEMPLATES[inputs['template']]} - {inputs['party']}"


def _template(_sale: Sale, inputs: Inputs) -> Content:
    title = TEMPLATES[inputs["template"]]
    paragraphs = [
        f"Entre les soussignés : Acme SA, d'une part, et {inputs['party']}, d'autre part.",
        "Article 1 - Objet. Les parties conviennent de ce qui suit, à titre de démonstration.",
        "Article 2 - Durée. Le présent document prend effet à sa signature.",
        f"Fait à {inputs['city']}, en deux exemplaires.",
    ]
    if inputs.get("format") == "pdf":
        return Content(PDF, f"{inputs['template']}.pdf", documents.pdf(title, paragraphs))
    return Content(DOCX, f"{inputs['template']}.docx", documents.docx(title, paragraphs))


def price(sale: Sale, factor_percent: int = 100) -> dict[str, Any]:
    """A price as the merchants write it: decimal text."""
    net, vat = sale.net * factor_percent // 100, sale.vat * factor_percent // 100
    return {"net": text(net), "vat_rate": sale.rate, "vat": text(vat), "gross": text(net + vat), "currency": "EUR"}


def text(cents: int) -> str:
    """`2.94`."""
    return f"{cents // 100}.{cents % 100:02d}"


SHOPS = {
    "registre": Shop(
        "Registre Démo SAS", "entreprises",
        (
            Sale("kbis", ("Extrait K-bis", "K-bis extract"), ("La carte d'identité officielle d'une entreprise, en PDF.", "A company's official identity card, as a PDF."), 294, "20", 59, keywords="kbis rcs immatriculation registre société"),
            Sale("statuts", ("Statuts d'une entreprise", "Articles of association"), ("Les derniers statuts déposés au greffe.", "The latest articles filed with the court registry."), 588, "20", 118, keywords="greffe actes société"),
            Sale("non-faillite", ("Certificat de non-faillite", "Certificate of solvency"), ("Atteste qu'aucune procédure collective n'est ouverte.", "States that no insolvency procedure is open."), 125, "20", 25, keywords="procédure collective redressement liquidation"),
        ),
        _company_subject, _register_document, _suggest_companies, {"api_key": "cle-registre"},
    ),
    "lesechos": Shop(
        "Les Échos Démo SA", "presse",
        (Sale("article", ("Article de presse économique", "Business press article"), ("Un article à l'unité, sans abonnement.", "A single article, without a subscription."), 245, "2.1", 5, keywords="journal presse économie quotidien"),),
        _article_subject, _article, _suggest_articles, {"user": "acme", "password": "presse-demo"},
    ),
    "quidonc": Shop(
        "QuiDonc Démo SARL", "annuaire",
        (Sale("inverse", ("Annuaire inversé", "Reverse telephone look-up"), ("À qui est ce numéro ? Nom et adresse du titulaire.", "Whose number is it? Name and address of its holder."), 75, "20", 15, "data", keywords="téléphone numéro annuaire pages qui"),),
        _phone_subject, _phone, credentials={"user": "acme", "password": "annuaire-demo"},
    ),
    "coface": Shop(
        "Coface Démo SA", "entreprises",
        (
            Sale("rapport", ("Rapport de crédit", "Credit report"), ("L'analyse financière complète d'un client ou d'un fournisseur.", "The whole financial analysis of a customer or supplier."), 2900, "20", 580, delay=("quelques secondes", "some seconds"), keywords="solvabilité bilan risque", slow=True),
            Sale("avis", ("Avis de crédit", "Credit opinion"), ("Une note et un encours conseillé, tout de suite.", "A score and an advised limit, at once."), 950, "20", 190, "data", keywords="solvabilité note encours"),
        ),
        _company_subject, _credit, _suggest_companies, {"client_id": "acme", "client_secret": "credit-demo"},
    ),
    "netpme": Shop(
        "netPME Démo SAS", "juridique",
        (Sale("modele", ("Modèle de contrat ou de lettre", "Contract or letter template"), ("Rempli avec vos réponses, en Word ou en PDF.", "Filled in with your answers, as Word or PDF."), 1490, "20", 298, keywords="contrat lettre bail embauche confidentialité"),),
        _template_subject, _template, credentials={"token": "jeton-netpme"},
    ),
}  # fmt: skip
