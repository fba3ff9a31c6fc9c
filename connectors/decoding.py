"""Compressed answers, decompressed piece by piece: what swells is seen after one piece, not after all of it."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

from connectors.contract import UnknownOutcome

ACCEPTED = "gzip, deflate"
PIECE = 65_536
ZLIB_OR_GZIP = zlib.MAX_WBITS | 32


def decoded(raw: Iterable[bytes], coding: str) -> Iterator[bytes]:
    """The content of an answer, in pieces of at most `PIECE` bytes once it was compressed.

    Raises:
        UnknownOutcome: it is compressed as nobody asked, cannot be decompressed, or is cut.
    """
    coding = coding.strip().lower()
    if coding in {"", "identity"}:
        yield from raw
    elif coding in {"gzip", "x-gzip", "deflate"}:
        yield from _inflated(raw)
    else:
        raise UnknownOutcome(f"the answer is in a coding that nobody asked for: {coding[:60]!r}")


def _inflated(raw: Iterable[bytes]) -> Iterator[bytes]:
    machine, begun = zlib.decompressobj(ZLIB_OR_GZIP), False
    try:
        for piece in raw:
            left = piece
            while left:
                begun = True
                yield machine.decompress(left, PIECE)
                left = machine.unconsumed_tail
                if machine.eof:
                    # Several members may follow each other (RFC 1952, 2.2), or zeros that fill a block.
                    left = machine.unused_data.lstrip(b"\0")
                    machine, begun = (zlib.decompressobj(ZLIB_OR_GZIP), False)
        yield machine.flush()
    except zlib.error as error:
        raise UnknownOutcome(f"the answer cannot be decompressed: {error}") from error
    if begun and not machine.eof:
        raise UnknownOutcome("the compressed answer is cut short")
