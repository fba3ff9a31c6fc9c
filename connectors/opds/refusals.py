"""Why nothing was bought, in the publisher's words where it gives some (RFC 9457), and in ours."""

from __future__ import annotations

from connectors.contract import ContractBroken, Words
from connectors.http import Answer
from connectors.opds.text import plain
from connectors.opds.wire import media_of

PROBLEMS = {"application/problem+json", "application/api-problem+json"}
LONGEST_WORDS = 500
GONE: Words = {
    "fr": "L’éditeur ne propose plus ce titre. Rien n’est facturé.",
    "en": "The publisher no longer offers this title. Nothing is charged.",
}
NOT_FOR_SALE: Words = {
    "fr": "L’éditeur ne vend pas ce titre pour l’instant. Rien n’est facturé.",
    "en": "The publisher does not sell this title for now. Nothing is charged.",
}
NO_FORMAT: Words = {
    "fr": "L’éditeur ne le propose plus dans ce format : choisissez-en un autre.",
    "en": "The publisher no longer offers it in this format: choose another.",
}
PHYSICAL: Words = {
    "fr": "L’éditeur enverrait un exemplaire imprimé ; seul ce qui est livré en ligne s’achète ici.",
    "en": "The publisher would send a printed copy; only what is delivered online is bought here.",
}
OTHER_PAYMENT: Words = {
    "fr": "L’éditeur veut être payé autrement que sur facture. Rien n’est facturé.",
    "en": "The publisher wants to be paid in another way than by invoice. Nothing is charged.",
}
PRICE_CHANGED: Words = {
    "fr": "L’éditeur a changé son prix entre-temps. Rien n’est facturé ; redemandez son prix.",
    "en": "The publisher changed its price meanwhile. Nothing is charged; ask for its price again.",
}


def words_of(answer: Answer) -> Words:
    """What a refusal says for people, in the language it was asked in; empty when it says nothing."""
    if media_of(answer) not in PROBLEMS:
        return {}
    try:
        content = answer.json()
    except ContractBroken:
        return {}
    said = plain(content.get("detail") or content.get("title"), LONGEST_WORDS) if isinstance(content, dict) else ""
    return {"fr": said} if said else {}
