"""The other side's books from one run of a kept demonstration to the next: operator and merchants remember."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

from demo.company import Company

NAME = "other-books.pickle"


def keep(folder: Path, company: Company) -> None:
    """Write every book down, for their owner's eyes only."""
    operator, merchants = company.operator, company.merchants
    with operator.book.lock, merchants.book.lock:
        partners = {partner.name: partner.kept() for partner in company.partners}
        content = pickle.dumps((operator.book.kept(), merchants.book.by_key, merchants.book.quotes, partners))
    temporary = folder / f"{NAME}.new"
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
    temporary.rename(folder / NAME)


def recall(folder: Path, company: Company) -> None:
    """Read every book back, if an earlier run wrote them."""
    path = folder / NAME
    if not path.exists():
        return
    # Written by this very demonstration, in a folder that only its owner may write.
    merchants = company.merchants
    theirs, merchants.book.by_key, merchants.book.quotes, *more = pickle.loads(path.read_bytes())  # noqa: S301
    # A demonstration kept before there were partners has no books of theirs.
    partners = more[0] if more else {}
    company.operator.book.recall(theirs)
    for partner in company.partners:
        if partner.name in partners:
            partner.recall(partners[partner.name])
