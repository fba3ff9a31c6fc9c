"""Articles of French codes from Légifrance, through PISTE (API 2.4.2): `/search` finds one, `/consult/getArticle` gives its text.

The version that is in force at the first click is the one that is delivered: its identifier is the quote's reference.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from connectors.contract import Context, ContractBroken, Rejected, Suggestion, Words
from connectors.declared.merchant import DeclaredMerchant
from connectors.declared.paths import find, items, text
from connectors.declared.signing import Signer
from connectors.merchants.legifrance.references import day, fields, folded, parsed, plain
from connectors.merchants.tokens import exchange

SHORTEST = 2
MOST_NAMED = 3
# An article to be repealed on a day to come, or differently for some, is in force until then.
IN_FORCE = {"VIGUEUR", "VIGUEUR_DIFF", "VIGUEUR_ETEN", "VIGUEUR_NON_ETEN", "ABROGE_DIFF"}
SOURCE = "Légifrance (DILA) – Licence Ouverte 2.0. Seul le Journal officiel fait foi."
NONE = {
    "fr": "Légifrance ne trouve aucun article de code en vigueur sous cette référence. Écrivez par exemple « article L1221-1 du code du travail ».",
    "en": "Légifrance finds no article of a code in force under this reference. Write for example “article L1221-1 du code du travail”.",
}
GONE = {"fr": "Légifrance ne donne plus cet article.", "en": "Légifrance no longer gives this article."}


class PisteSigner(Signer):
    """Client credentials with the scope that PISTE wants (RFC 6749, section 4.4)."""

    def _ask(self) -> str:
        given = dict(zip(self._auth.secrets, self._secrets, strict=True))
        form = {"grant_type": "client_credentials", "scope": "openid", **given}
        return exchange(self._context, self._auth.path, self._auth.token, form=form)


class Connector(DeclaredMerchant):
    """The codes."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.signer = PisteSigner(self.manifest.auth, replace(context, base_url=_sign_in_of(context.base_url)))

    def suggest(self, offer_id: str, input_name: str, text: str) -> list[Suggestion]:
        """Articles by their number, their code, or the words in them."""
        return super().suggest(offer_id, input_name, text) if len(text.strip()) >= SHORTEST else []

    def prepare(self, step: str, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """What was typed, as the fields to search in."""
        name = {"suggest": "text", "quote": "input.reference"}.get(step)
        return {**values, name: fields(values[name])} if name else values

    def read(self, step: str, content: Any, values: Mapping[str, Any]) -> Any:
        """The articles found, the one that was meant, or its text."""
        if step == "suggest":
            return {"articles": _completed(content, values["text"])}
        if step == "quote":
            return {"article": _meant(content, values["input.reference"])}
        page = self.context.manifest["settings"]["page"]
        return {"article": _article(content, values["quote.ref"], page)} if step == "fulfil" else content


def _sign_in_of(base_url: str) -> str:
    """PISTE signs in on a host of its own beside the interface's; whatever stands elsewhere does both."""
    parts = urlsplit(base_url)
    return f"{parts.scheme}://{parts.netloc.replace('api.piste.gouv.fr', 'oauth.piste.gouv.fr')}"


def _found(content: Any, typed: str) -> Iterator[dict[str, str]]:
    """The articles in force that a search found, each once. Raises `ContractBroken`."""
    number, seen = parsed(typed)[0], set[str]()
    for result in items(content, "results"):
        title = text(result, "titles.0.title") or text(result, "titreLong")
        for section in _list(result, "sections"):
            for extract in _list(section, "extracts"):
                ident, its = text(extract, "id"), text(extract, "num")
                ours = ident.startswith("LEGIARTI") and ident not in seen and (not number or its == number)
                if ours and text(extract, "legalStatus") in IN_FORCE:
                    seen.add(ident)
                    label = f"Article {its} du {title}"
                    yield {"id": ident, "label": label, "title": title, "detail": text(section, "title")}


def _designated(content: Any, typed: str) -> list[dict[str, str]]:
    """The articles of the number and the code that were typed; a code of that very title comes before all others."""
    number, code = parsed(typed)
    found = list(_found(content, typed)) if number else []
    # However widely Légifrance searches: an article of another code is not what was meant.
    ours = [each for each in found if all(word in folded(each["title"]) for word in folded(code).split())]
    return [each for each in ours if folded(each["title"]) == folded(code)] or ours


def _completed(content: Any, typed: str) -> list[dict[str, str]]:
    """Completions; what designates one article already is left as it was typed, so that nobody has to pick it."""
    ours = _designated(content, typed)
    if len(ours) == 1:
        return [{**ours[0], "value": typed}]
    return [{**each, "value": each["label"]} for each in _found(content, typed)]


def _meant(content: Any, typed: str) -> dict[str, str]:
    """The one article that was meant. Raises `Rejected` when there is none, or more than one."""
    found = _designated(content, typed)
    if not found:
        raise Rejected("no such article", words=NONE, field="reference")
    if len(found) > 1:
        raise Rejected("several articles", words=_several(found), field="reference")
    return found[0]


def _several(found: list[dict[str, str]]) -> Words:
    named = " ; ".join(each["label"] for each in found[:MOST_NAMED])
    return {
        "fr": f"Plusieurs textes ont un article de ce numéro : nommez le code. Par exemple : {named}.",
        "en": f"Several texts have an article of this number: name the code. For example: {named}.",
    }


def _article(content: Any, ident: str, page: str) -> dict[str, Any]:
    """The text of an article under the names of the manifest, and where it is read. Raises `ContractBroken`."""
    if not isinstance(content, Mapping) or "article" not in content:
        raise ContractBroken("no article in the answer")
    article = content["article"]
    if article is None:
        return {"outcome": "none", "words": GONE}
    if text(article, "id") != ident:
        raise ContractBroken("the answer is another article")
    title = text(article, "textTitles.0.titre") or text(article, "textTitles.0.titreLong")
    said = plain(text(article, "texteHtml") or text(article, "texte"))
    if not said:
        raise ContractBroken("the article has no text")
    return {
        "outcome": "found", "label": " – ".join(filter(None, (f"Article {text(article, 'num')}", title))), "text": said,
        "nota": plain(text(article, "notaHtml") or text(article, "nota")), "since": day(find(article, "dateDebut")),
        "until": day(find(article, "dateFin")), "address": page + ident, "source": SOURCE,
    }  # fmt: skip


def _list(content: Any, path: str) -> list[Any]:
    return items(content, path) if find(content, path) is not None else []
