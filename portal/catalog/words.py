"""Words as search compares them: without accents, case, endings, and small mistakes; French and English."""

from __future__ import annotations

import re
import threading
import unicodedata
from functools import lru_cache

import snowballstemmer

WORD = re.compile(r"[^\W_]+")
JOINED = re.compile(r"[^\W_]+(?:-[^\W_]+)+")
LONGEST_WORD = 64
SHORTEST_FORGIVEN = 4
"""Shorter words are too near to each other for a mistake in them to be guessed."""
EMPTY = frozenset({
    "a", "an", "and", "au", "aux", "avec", "by", "ce", "ces", "d", "dans", "de", "des", "du", "en", "et", "for", "from", "in", "l",
    "la", "le", "les", "of", "on", "or", "ou", "par", "pour", "qu", "que", "s", "sa", "ses", "son", "sur", "the", "to", "un", "une",
    "with",
})  # fmt: skip
"""Words that tell nothing apart; they are neither kept nor asked for."""

_stemming = threading.local()


def fold(text: str) -> str:
    """Text as search compares it: no accents, no case, single spaces."""
    decomposed = unicodedata.normalize("NFKD", text.replace("œ", "oe").replace("Œ", "OE"))
    bare = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    return " ".join(bare.casefold().replace("-", " ").replace("\u2019", "'").split())


def words_of(text: str) -> set[str]:
    """The words of a text that tell something, folded; `K-bis` is `k`, `bis` and `kbis`."""
    joined = {fold(whole.replace("-", "")) for whole in JOINED.findall(text)}
    found = {word[:LONGEST_WORD] for word in WORD.findall(fold(text))} | {word[:LONGEST_WORD] for word in joined}
    return found - EMPTY


def asked_words(text: str) -> list[str]:
    """What somebody searches for, each word once in the order it was typed; words that tell nothing only for want of others."""
    found = list(dict.fromkeys(word[:LONGEST_WORD] for word in WORD.findall(fold(text))))
    return [word for word in found if word not in EMPTY] or found


@lru_cache(maxsize=50_000)
def forms_of(word: str) -> frozenset[str]:
    """A folded word, and what is left of it without its French or English ending."""
    return frozenset({word, *(stemmer.stemWord(word) for stemmer in _stemmers())})


def near(word: str) -> set[str]:
    """What a word may become by losing one letter, itself among them.

    Two words that have one of these in common differ by one mistake: a letter too many, too few, another
    one, or two exchanged. Words of fewer than `SHORTEST_FORGIVEN` letters have none.
    """
    if len(word) < SHORTEST_FORGIVEN:
        return set()
    return {word, *(word[:at] + word[at + 1 :] for at in range(len(word)))}


def _stemmers() -> list[snowballstemmer.stemmer]:
    # A stemmer holds the word it works on: each thread has its own.
    if not hasattr(_stemming, "both"):
        _stemming.both = [snowballstemmer.stemmer("french"), snowballstemmer.stemmer("english")]
    both: list[snowballstemmer.stemmer] = _stemming.both
    return both
