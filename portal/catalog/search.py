"""The catalogue's own index of words, the same on every database, and what of it matches what was typed.

For each offer on sale the words of its texts and their stems are kept with a weight: 0 where it is named,
1 where it is described. The last word typed may be the beginning of one. A word that is not there is
looked for with one mistake forgiven.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import ColumnElement, ForeignKey, Select, String, and_, delete, false, func, insert, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from portal.catalog.offers import OfferRow
from portal.catalog.words import LONGEST_WORD, asked_words, forms_of, near, words_of
from portal.database import Base, insert_missing_rows

MOST_WORDS = 10
SHORTEST_BEGINNING = 2
MOST_GUESSES = 20
NAMED, DESCRIBED = 0, 1

# Beginnings are found by comparing bytes, as SQLite does of itself.
Word = String(LONGEST_WORD).with_variant(String(LONGEST_WORD, collation="C"), "postgresql")


class OfferWord(Base):
    """A word that finds an offer."""

    __tablename__ = "offer_words"

    word: Mapped[str] = mapped_column(Word, primary_key=True)
    offer_id: Mapped[int] = mapped_column(ForeignKey("offers.id"), primary_key=True, index=True)
    weight: Mapped[int]


class NearWord(Base):
    """A word of the catalogue, by what it becomes without one of its letters."""

    __tablename__ = "near_words"

    part: Mapped[str] = mapped_column(Word, primary_key=True)
    word: Mapped[str] = mapped_column(Word, primary_key=True)


def index(session: Session, rows: Sequence[OfferRow]) -> None:
    """Keep the words of these offers, whose texts are new or have changed."""
    if not rows:
        return
    session.execute(delete(OfferWord).where(OfferWord.offer_id.in_([row.id for row in rows])))
    kept: list[dict[str, object]] = []
    plain: set[str] = set()
    for row in rows:
        named, described = (words_of(text) for text in row.search_text.split("\n", 1))
        plain |= named | described
        weights = dict.fromkeys(_forms(described), DESCRIBED) | dict.fromkeys(_forms(named), NAMED)
        kept += [{"word": word, "offer_id": row.id, "weight": weight} for word, weight in weights.items()]
    session.execute(insert(OfferWord), kept)
    insert_missing_rows(session, NearWord, [{"part": part, "word": word} for word in plain for part in near(word)])


def forget(session: Session, offer_ids: Sequence[int]) -> None:
    """These offers are no longer on sale, and not found."""
    session.execute(delete(OfferWord).where(OfferWord.offer_id.in_(offer_ids)))


def matching(session: Session, text: str) -> Select[int, int] | None:
    """The offers that have every word typed, as `offer_id` and `weight`, the lower the better; None when nothing was typed."""
    asked = asked_words(text)[:MOST_WORDS]
    if not asked:
        # What is typed and is no word is nowhere.
        return select(OfferWord.offer_id, OfferWord.weight).where(false()) if text.strip() else None
    # Whoever searches as he types has not come to the end of the last word yet.
    terms = [_having(session, word, begun=word == asked[-1]) for word in asked]
    parts = [
        select(OfferWord.offer_id, func.min(OfferWord.weight).label("weight"))
        .where(term).group_by(OfferWord.offer_id).subquery()
        for term in terms
    ]  # fmt: skip
    weight: ColumnElement[int] = parts[0].c.weight
    joined = parts[0].join(parts[1], parts[0].c.offer_id == parts[1].c.offer_id) if len(parts) > 1 else parts[0]
    for part in parts[1:]:
        weight = weight + part.c.weight
    for part in parts[2:]:
        joined = joined.join(part, parts[0].c.offer_id == part.c.offer_id)
    return select(parts[0].c.offer_id, weight.label("weight")).select_from(joined)


def _forms(words: Iterable[str]) -> set[str]:
    return {form[:LONGEST_WORD] for word in words for form in forms_of(word)}


def _having(session: Session, word: str, *, begun: bool) -> ColumnElement[bool]:
    known: ColumnElement[bool] = OfferWord.word.in_(sorted(forms_of(word)))
    if begun and len(word) >= SHORTEST_BEGINNING:
        known = or_(known, and_(OfferWord.word >= word, OfferWord.word < word + "\U0010ffff"))
    if session.scalar(select(OfferWord.offer_id).where(known).limit(1)) is not None:
        return known
    found = select(NearWord.word).where(NearWord.part.in_(sorted(near(word)))).distinct().limit(MOST_GUESSES)
    guessed = session.scalars(found).all()
    return OfferWord.word.in_(sorted(_forms(guessed))) if guessed else known
