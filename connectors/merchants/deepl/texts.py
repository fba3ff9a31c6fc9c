"""What an employee reads of DeepL."""

from __future__ import annotations

from connectors.contract import Words

TITLE: Words = {"fr": "Traduction d'un document", "en": "Translation of a document"}
SUMMARY: Words = {
    "fr": "Votre document Word, PDF ou texte dans une autre langue, mise en page gardée.",
    "en": "Your Word, PDF or text document in another language, its layout kept.",
}
DELAY: Words = {"fr": "moins d'une minute", "en": "less than a minute"}
DOCUMENT: Words = {"fr": "Document à traduire", "en": "Document to translate"}
LANGUAGE: Words = {"fr": "Vers quelle langue", "en": "Into which language"}
QUEUED: Words = {"fr": "En attente chez DeepL", "en": "Waiting at DeepL"}
TRANSLATING: Words = {"fr": "Traduction en cours", "en": "Being translated"}
UNTRANSLATED: Words = {
    "fr": "DeepL n'a pas pu traduire ce document ; rien n'est facturé. Vérifiez qu'il n'est pas déjà dans cette langue.",
    "en": "DeepL could not translate this document; nothing is charged. Check that it is not in that language already.",
}
REJECTED: Words = {
    "fr": "DeepL n'accepte pas ce document ; rien n'est facturé. Enregistrez-le à nouveau, ou donnez-en un autre.",
    "en": "DeepL does not take this document; nothing is charged. Save it again, or give another.",
}
TOO_LARGE: Words = {
    "fr": "Ce document est trop gros pour DeepL ; rien n'est facturé. Donnez-le en plusieurs parties.",
    "en": "This document is too large for DeepL; nothing is charged. Give it in several parts.",
}
USED_UP: Words = {
    "fr": "Le volume de traduction de votre entreprise chez DeepL est épuisé. Rien n'est facturé ; prévenez votre service informatique.",
    "en": "Your company's volume at DeepL is used up. Nothing is charged; tell your IT department.",
}
GONE: Words = {
    "fr": "Votre fichier n'est plus conservé ici. Rien n'a été commandé : donnez-le à nouveau.",
    "en": "Your file is not kept here any more. Nothing was ordered: give it again.",
}
LOST: Words = {
    "fr": "La réponse de DeepL s'est perdue. Rien n'est traduit ni facturé : commandez à nouveau.",
    "en": "DeepL's answer was lost. Nothing is translated or charged: order again.",
}
UNCOUNTABLE: dict[str, Words] = {
    "empty": {
        "fr": "Ce document ne contient aucun texte à traduire. Choisissez-en un autre.",
        "en": "There is no text to translate in this document. Choose another.",
    },
    "locked": {
        "fr": "Ce PDF est protégé. Enregistrez-le sans mot de passe et choisissez-le à nouveau.",
        "en": "This PDF is protected. Save it without a password and choose it again.",
    },
    "huge": {
        "fr": "Ce document contient trop de texte. Donnez-le en plusieurs parties.",
        "en": "There is too much text in this document. Give it in several parts.",
    },
}


def line(characters: int, *, reverse_charge: bool) -> Words:
    """The line of a receipt."""
    french, english = f"{characters:,}".replace(",", " "), f"{characters:,}"
    return {
        "fr": f"Traduction, jusqu'à {french} caractères{' (autoliquidation de la TVA)' if reverse_charge else ''}",
        "en": f"Translation, up to {english} characters{' (VAT: reverse charge)' if reverse_charge else ''}",
    }
