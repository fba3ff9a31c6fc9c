"""The merchant's feed: `products.jsonl` or `{"products": […]}`, read product by product from a file.

A feed is always whole: there are no changes to ask for. It is fetched to disk first, so that its length costs
no memory, and its hash tells whether a reading that was interrupted may go on in it.
"""

from __future__ import annotations

import codecs
import json
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, BinaryIO, cast

from connectors import intangible
from connectors.acp.manifest import AcpManifest
from connectors.contract import ContractBroken, Listed, Offer, State, Unfit
from connectors.exchange import fraction
from connectors.http import Download

CHECKPOINT = 500
LONGEST_PRODUCT = 1_000_000
LONGEST_ID = 64
CHUNK = 65_536
HEAD = re.compile(r'\s*\{\s*"products"\s*:\s*\[')
SOMETHING, COMMA, END = re.compile(r"\S"), re.compile(r"\s*,"), re.compile(r"\s*\]")
CURRENCY = "EUR"
GONE = {"out_of_stock", "discontinued"}


def read(fetch: Callable[[BinaryIO], Download], manifest: AcpManifest, state: str) -> Iterator[Listed]:
    """Every offer of the feed; `state` is `HASH:POSITION`, where a reading was interrupted.

    Raises:
        ContractBroken: it is no feed, or it was replaced while it was read.
    """
    before, _, position = state.partition(":")
    with tempfile.TemporaryFile() as file:
        digest = fetch(file).sha256
        if before and before != digest:
            raise ContractBroken("the feed was replaced while it was read; the next reading begins anew")
        file.seek(0)
        begun, why = int(position or 0), ""
        is_feed = begun > 0
        for number, product in enumerate(_products(file), start=1):
            if number <= begun:
                continue
            if fault := _fault(product):
                # One that is none takes no other with it; where there is no other, it is no feed.
                why = f"{fault} (number {number} of the feed)"
                yield Unfit(str(product.get("id") or "?")[:LONGEST_ID] if isinstance(product, dict) else "?", why)
            else:
                is_feed = True
                yield from _offers(product, manifest)
            if number % CHECKPOINT == 0:
                yield State(f"{digest}:{number}")
        if why and not is_feed:
            raise ContractBroken(why)


def _fault(product: Any) -> str:
    """Why something is no product, "" when it is one."""
    if not isinstance(product, dict):
        return f"not a product: {product!r}"[:200]
    variants = product.get("variants")
    if not isinstance(variants, list) or (variants and not any(isinstance(each, dict) for each in variants)):
        return f"a product without variants: {product!r}"[:200]
    return ""


def _products(file: BinaryIO) -> Iterator[Any]:
    start = file.read(CHUNK).decode("utf-8", "replace").lstrip("\ufeff")
    file.seek(0)
    yield from _array(file) if HEAD.match(start) else _lines(file)


def _lines(file: BinaryIO) -> Iterator[Any]:
    while line := file.readline(LONGEST_PRODUCT + 1):
        if len(line) > LONGEST_PRODUCT:
            raise ContractBroken(f"a product of more than {LONGEST_PRODUCT} bytes")
        if line.strip():
            yield _parsed(line)


def _parsed(line: bytes) -> Any:
    try:
        return json.loads(line, parse_float=fraction)
    except (ValueError, RecursionError) as error:
        raise ContractBroken(f"a line of the feed is not JSON: {line[:60]!r}") from error


def _array(file: BinaryIO) -> Iterator[Any]:
    """The elements of `{"products": […]}` one by one: the whole of it may be longer than our memory."""
    text = _Text(file)
    text.skip(HEAD)
    while not text.skip(END):
        yield text.value()
        if not text.skip(COMMA) and not text.sees("]"):
            raise ContractBroken("the feed ends in the middle of its products")


class _Text:
    """The part of a file that is being looked at."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._decode = codecs.getincrementaldecoder("utf-8-sig")("replace")
        self._parser = json.JSONDecoder(parse_float=fraction)
        self._text, self._at, self._ended = "", 0, False

    def skip(self, pattern: re.Pattern[str]) -> bool:
        """Go past a pattern, if it comes next."""
        self._see()
        found = pattern.match(self._text, self._at)
        if found:
            self._at = found.end()
        return found is not None

    def sees(self, mark: str) -> bool:
        """Whether a mark comes next."""
        self._see()
        return self._text.startswith(mark, self._at)

    def value(self) -> Any:
        """One JSON object. Raises `ContractBroken` when none ends within `LONGEST_PRODUCT`."""
        self._see()
        while True:
            try:
                made, self._at = self._parser.raw_decode(self._text, self._at)
            except (ValueError, RecursionError) as error:
                if self._ended or len(self._text) - self._at > LONGEST_PRODUCT or isinstance(error, RecursionError):
                    raise ContractBroken(f"a product of the feed is not JSON: {error}"[:200]) from error
                self._more()
            else:
                return made

    def _see(self) -> None:
        """Stand on the next thing that is not white space."""
        while not (found := SOMETHING.search(self._text, self._at)) and not self._ended:
            self._more()
        self._at = found.start() if found else len(self._text)

    def _more(self) -> None:
        read = self._file.read(CHUNK)
        self._ended = not read
        self._text, self._at = self._text[self._at :] + self._decode.decode(read, final=self._ended), 0


def _offers(product: Mapping[str, Any], manifest: AcpManifest) -> Iterator[Listed]:
    for variant in product["variants"]:
        if not isinstance(variant, dict):
            yield Unfit(str(product.get("id") or "?")[:LONGEST_ID], f"not a variant: {variant!r}"[:200])
            continue
        said = variant.get("availability")
        available: Mapping[str, Any] = said if isinstance(said, dict) else {}
        if available.get("available") is not False and available.get("status") not in GONE:
            yield _offer(product, variant, manifest)


def _offer(product: Mapping[str, Any], variant: Mapping[str, Any], manifest: AcpManifest) -> Offer | Unfit:
    ident = str(variant.get("id", ""))
    said = variant.get("price")
    price: Mapping[str, Any] = said if isinstance(said, dict) else {}
    amount = price.get("amount")
    why = thing({name: value for name, value in product.items() if name != "variants"}) or thing(variant)
    if not why and (not isinstance(amount, int) or isinstance(amount, bool)):
        why = "the feed gives it no price"
    if not why and price.get("currency") != CURRENCY:
        why = f"its price is in {price.get('currency')}, and the invoice in {CURRENCY}"
    if why:
        return Unfit(ident, why)
    language = manifest.feed.language
    pricing, term = manifest.sold_as(ident)
    title = str(variant.get("title") or product.get("title") or "")
    words = _text(variant) or _text(product) or title
    return Offer(
        id=ident, title=_in(language, title), summary=_in(language, words), category=_category(variant, manifest),
        currency=CURRENCY, delivery=manifest.kind_of(ident), pricing=pricing, term=term,
        inputs=manifest.inputs_of(ident), **_price(cast(int, amount), manifest, ident),
    )  # fmt: skip


def thing(item: Mapping[str, Any]) -> str:
    """What makes an item of a feed or a session something physical; "" when nothing does."""
    if why := intangible.sign(item):
        return why
    # Two fields of the protocol's own that only things have: a price for a measure, and a state of wear.
    if item.get("unit_price"):
        return "something physical: it has a unit_price"
    condition = item.get("condition")
    used = isinstance(condition, list) and any(str(each) not in {"new", ""} for each in condition)
    return "something physical: it has a condition" if used else ""


def _price(amount: int, manifest: AcpManifest, ident: str) -> dict[str, Any]:
    rate = manifest.vat_rate_bp(ident)
    if manifest.feed.prices == "net":
        vat = _share(amount, rate, 10_000)
        return {"net_cents": amount, "vat_rate_bp": rate, "vat_cents": vat, "gross_cents": amount + vat}
    vat = _share(amount, rate, 10_000 + rate)
    return {"net_cents": amount - vat, "vat_rate_bp": rate, "vat_cents": vat, "gross_cents": amount}


def _share(cents: int, part: int, whole_of: int) -> int:
    return int((Decimal(cents) * part / whole_of).quantize(Decimal(1), rounding=ROUND_HALF_UP))


def _in(language: str, text: str) -> dict[str, str]:
    return {"fr": text, language: text}


def _text(item: Mapping[str, Any]) -> str:
    described = item.get("description")
    texts = described if isinstance(described, dict) else {}
    return str(texts.get("plain") or texts.get("markdown") or "")


def _category(variant: Mapping[str, Any], manifest: AcpManifest) -> str:
    given = variant.get("categories")
    for each in given if isinstance(given, list) else []:
        ours = manifest.feed.categories.get(str(each.get("value", ""))) if isinstance(each, dict) else None
        if ours:
            return ours
    return manifest.feed.category
