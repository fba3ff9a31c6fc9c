"""What each demonstration merchant sells: its offers, what it makes of inputs, and what it delivers."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from demo import documents
from demo.articles import ARTICLES, Article
from demo.companies import COMPANIES, Company, fold, search
from demo.documents import DOCX, PDF
from demo.sales import COFACE, LESECHOS, NETPME, QUIDONC, REGISTRE, Sale

Inputs = Mapping[str, str]


class Refusal(Exception):
    """The merchant refuses these inputs, in words."""

    def __init__(self, code: str, field_name: str, french: str, english: str) -> None:
        super().__init__(code)
        self.error = {"code": code, "field": field_name, "fr": french, "en": english}


@dataclass(frozen=True)
class Content:
    """What is delivered: a document's bytes, rows of data, or a site one may enter with a ticket until an end."""

    media_type: str = ""
    filename: str = ""
    body: bytes = b""
    rows: tuple[tuple[str, str, str], ...] = ()
    licence: str = ""
    units: int = 0
    lines: tuple[str, ...] = ()
    """What the site shows to whoever may enter it."""
    ticket: str = ""
    until: datetime | None = None


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


def _article_subject(sale: Sale, inputs: Inputs) -> str:
    if sale.term:
        return ""
    found = ARTICLES.get(inputs.get("article", ""))
    if found is None:
        raise Refusal(
            "unknown_article",
            "article",
            "Aucun article ne porte ce numéro. Cherchez-le par son titre.",
            "No article has this number. Look for it by its title.",
        )
    return found.title


def _article(sale: Sale, inputs: Inputs) -> Content:
    if sale.term:
        return Content(lines=tuple(f"{item.title} - {item.standfirst}" for item in ARTICLES.values()))
    article = ARTICLES[inputs["article"]]
    if sale.id == "dossier":
        return _press_file(article)
    return Content(PDF, f"{article.id}.pdf", documents.pdf(article.title, [article.standfirst, *article.paragraphs]))


def _press_file(article: Article) -> Content:
    kin = [item for item in ARTICLES.values() if item.subject == article.subject]
    text = [paragraph for item in kin for paragraph in (item.title, item.standfirst, *item.paragraphs)]
    return Content(PDF, f"dossier-{article.id}.pdf", documents.pdf(f"Dossier - {article.subject}", text))


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


def _phone(sale: Sale, inputs: Inputs) -> Content | None:
    if sale.units:
        return Content(licence=f"QD-{secrets.token_hex(8).upper()}", units=sale.units)
    number = inputs["phone"]
    if number.endswith("99"):
        return None
    company = list(COMPANIES.values())[int(number[-6:]) % len(COMPANIES)]
    line = (
        ("Type de ligne", "Kind of line", "Professionnelle" if number[3] in "12345" else "Mobile"),
        ("Opérateur", "Operator", "Opérateur de démonstration"),
    )
    if sale.id == "ligne":
        return Content(rows=line)
    holder = (("Nom", "Name", company.name), ("Adresse", "Address", f"{company.postcode} {company.town}"))
    return Content(rows=holder + line)


def _credit(sale: Sale, inputs: Inputs) -> Content | None:
    company = _company(inputs)
    if sale.term:
        return Content(lines=_events(company))
    if company.siren.endswith("7"):
        return None
    limit = f"{company.score * 5_000} euros"
    rows = (
        ("Entreprise", "Company", company.name), ("Note (1 à 10)", "Score (1 to 10)", str(company.score)),
        ("Encours conseillé", "Advised limit", limit),
        ("Avis", "Opinion", "Favorable" if company.score > 3 else "Réservé / reserved"),
    )  # fmt: skip
    if sale.id == "defaillance":
        return Content(
            rows=(rows[0], ("Probabilité à 12 mois", "Probability within 12 months", f"{11 - company.score} %"))
        )
    if sale.delivery == "data":
        return Content(rows=rows)
    text = "Rapport de démonstration : les chiffres sont tirés au sort une fois pour toutes."
    body = documents.pdf(
        f"Rapport de crédit - {company.name}", [text], [(french, value) for french, _english, value in rows]
    )
    return Content(PDF, f"rapport-{company.siren}.pdf", body)


def _events(company: Company) -> tuple[str, ...]:
    return (
        f"{company.name} : comptes annuels déposés au greffe de {company.town}.",
        f"{company.name} : note de crédit confirmée à {company.score} sur 10.",
        f"{company.name} : aucune procédure collective.",
    )


TEMPLATES = {
    "nda": "Accord de confidentialité", "service": "Contrat de prestation de services",
    "cdi": "Contrat de travail à durée indéterminée", "lease": "Bail commercial", "reminder": "Lettre de relance",
    "notice": "Mise en demeure",
}  # fmt: skip


def _template_subject(sale: Sale, inputs: Inputs) -> str:
    if sale.term:
        return ""
    return f"{_title(sale, inputs)} - {inputs['party']}"


def _title(sale: Sale, inputs: Inputs) -> str:
    return TEMPLATES[inputs["template"]] if sale.id == "modele" else sale.title[0]


def _template(sale: Sale, inputs: Inputs) -> Content:
    if sale.term:
        return Content(lines=("Posez votre question : un juriste de démonstration répond dans la journée.",))
    title, name = _title(sale, inputs), inputs.get("template", sale.id)
    paragraphs = [
        f"Entre les soussignés : Acme SA, d'une part, et {inputs['party']}, d'autre part.",
        "Article 1 - Objet. Les parties conviennent de ce qui suit, à titre de démonstration.",
        "Article 2 - Durée. Le présent document prend effet à sa signature.",
        f"Fait à {inputs['city']}, en deux exemplaires.",
    ]
    if inputs.get("format") == "pdf":
        return Content(PDF, f"{name}.pdf", documents.pdf(title, paragraphs))
    return Content(DOCX, f"{name}.docx", documents.docx(title, paragraphs))


SHOPS = {
    "registre": Shop(
        name="Registre Démo SAS", category="entreprises", sales=REGISTRE, subject=_company_subject,
        make=_register_document, suggest=_suggest_companies, credentials={"api_key": "cle-registre"},
    ),
    "lesechos": Shop(
        name="Les Échos Démo SA", category="presse", sales=LESECHOS, subject=_article_subject,
        make=_article, suggest=_suggest_articles, credentials={"user": "acme", "password": "presse-demo"},
    ),
    "quidonc": Shop(
        name="QuiDonc Démo SARL", category="annuaire", sales=QUIDONC, subject=_phone_subject,
        make=_phone, credentials={"user": "acme", "password": "annuaire-demo"},
    ),
    "coface": Shop(
        name="Coface Démo SA", category="entreprises", sales=COFACE, subject=_company_subject,
        make=_credit, suggest=_suggest_companies, credentials={"client_id": "acme", "client_secret": "credit-demo"},
    ),
    "netpme": Shop(
        name="netPME Démo SAS", category="juridique", sales=NETPME, subject=_template_subject,
        make=_template, credentials={"token": "jeton-netpme"},
    ),
}  # fmt: skip
