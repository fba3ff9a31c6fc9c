"""The other side's books from one run of a kept demonstration to the next: operator and merchants remember."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

from demo.merchants import MerchantsServer
from demo.operator import OperatorServer

NAME = "other-books.pickle"


def keep(folder: Path, operator: OperatorServer, merchants: MerchantsServer) -> None:
    """Write both books down, for their owner's eyes only."""
    with operator.book.lock, merchants.book.lock:
        content = pickle.dumps((operator.book.kept(), merchants.book.by_key, merchants.book.quotes))
    temporary = folder / f"{NAME}.new"
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
    temporary.rename(folder / NAME)


def recall(folder: Path, operator: OperatorServer, merchants: MerchantsServer) -> None:
    """Read both books back, if an earlier run wrote them."""
    path = folder / NAME
    if not path.exists():
        return
    # Written by this very demonstration, in a folder that only its owner may write.
    theirs, merchants.book.by_key, merchants.book.quotes = pickle.loads(path.read_bytes())  # noqa: S301
    operator.book.recall(theirs)
