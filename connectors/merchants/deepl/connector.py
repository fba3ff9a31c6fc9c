"""DeepL, translation of documents: the public interface (OpenAPI 3.11, https://github.com/DeepLcom/openapi).

An upload costs nothing: "the characters will only be billed after a successful download request", and the
download needs the key that only the answer to the upload holds. The translation can be fetched once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import PurePosixPath
from typing import Any, BinaryIO
from urllib.parse import quote as escaped
from urllib.parse import unquote, urlsplit

from babel import Locale, UnknownLocaleError

from connectors import intangible
from connectors.attachments import attached
from connectors.contract import (
    AuthFailed,
    Buyer,
    ConnectorError,
    ContractBroken,
    Document,
    Done,
    Input,
    Listed,
    MerchantConnector,
    NotDone,
    NotFound,
    Offer,
    Outcome,
    Pending,
    Problem,
    Quote,
    QuoteLine,
    Rejected,
    Unavailable,
    Unfit,
    Unknown,
    Upload,
    Words,
)
from connectors.documents import DOCX
from connectors.files import KINDS, PDF, TEXT
from connectors.http import Answer, Download
from connectors.merchants.answers import problem, success, whole
from connectors.merchants.deepl import texts
from connectors.merchants.deepl.counting import MINIMUM, Uncountable, most_billed

LANGUAGES = "/v2/languages"
OFFER = "document"
ACCEPT = (DOCX, PDF, TEXT)
MOST_BYTES = 10_000_000
FIRST = ("EN-GB", "EN-US", "FR", "DE", "ES", "IT")
"""The languages that are asked for most stand first."""
VALID = timedelta(minutes=30)
ASK_AGAIN_S, LONGEST_WAIT_S = 3, 30
LONGEST_NAME = 60


@dataclass(frozen=True)
class Reference:
    """What must be known of an upload until it is fetched; DeepL's answers repeat none of it."""

    document: str
    key: str
    characters: int
    gross_cents: int
    filename: str

    def __str__(self) -> str:
        return "/".join([self.document, self.key, str(self.characters), str(self.gross_cents), escaped(self.filename)])

    @classmethod
    def read(cls, text: str) -> Reference:
        """Raises `ContractBroken`."""
        try:
            document, key, characters, gross, filename = text.split("/")
            return cls(document, key, int(characters), int(gross), unquote(filename))
        except ValueError as error:
            raise ContractBroken("not a reference of ours") from error


class Connector(MerchantConnector):
    """One offer: a document in another language, priced by its length at the contract's price."""

    def list_offers(self, state: str = "") -> Iterator[Listed]:
        """The offer, with the languages that DeepL translates into today (`GET /v2/languages`)."""
        content = self._read(LANGUAGES, {"type": "target"})
        if why := intangible.sign(content):
            yield Unfit(OFFER, why)
            return
        languages = sorted(_choices(content), key=_in_order)
        net, vat = self._price(MINIMUM[DOCX])
        yield Offer(
            id=OFFER, title=texts.TITLE, summary=texts.SUMMARY, category="traduction", net_cents=net,
            vat_rate_bp=self._vat_rate_bp, vat_cents=vat, gross_cents=net + vat, currency="EUR", delivery="document",
            delay=texts.DELAY, keywords="traduire traducteur langue anglais allemand espagnol translate document word pdf",
            inputs=(
                Input("document", texts.DOCUMENT, "file", accept=ACCEPT, most_bytes=MOST_BYTES),
                Input("language", texts.LANGUAGE, "choice", choices=tuple(languages)),
            ),
        )  # fmt: skip

    def quote(self, offer_id: str, inputs: Mapping[str, str], buyer: Buyer) -> Quote:
        """What the document may cost at most, if the company's volume lets it through (`GET /v2/usage`)."""
        upload = self.context.uploads.describe(inputs["document"])
        try:
            with self.context.uploads.open(upload.reference) as file:
                characters = most_billed(file, upload.media_type)
        except Uncountable as error:
            raise Rejected(error.code, words=texts.UNCOUNTABLE[error.code], field="document") from error
        used, limit = self._usage()
        if used + characters > limit:
            raise Rejected("quota exceeded", words=texts.USED_UP)
        net, vat = self._price(characters)
        line = texts.line(characters, reverse_charge=not self._vat_rate_bp)
        return Quote(
            ref=str(characters), net_cents=net, vat_rate_bp=self._vat_rate_bp, vat_cents=vat, gross_cents=net + vat,
            currency="EUR", expires_at=datetime.now(UTC) + VALID, subject=f"{upload.filename} → {_named(inputs['language'], buyer.language)}",
            lines=(QuoteLine(line.get(buyer.language, line["fr"]), net, self._vat_rate_bp, vat),),
        )  # fmt: skip

    def fulfil(self, quote: Quote, key: str, po_number: str, max_gross_cents: int) -> Outcome:
        """`POST /v2/document`. DeepL has no field for our number: it is the file's name, instead of the employee's."""
        try:
            upload = self.context.uploads.describe(quote.inputs["document"])
            ending = KINDS[upload.media_type].endings[0]
            file = attached(self.context.uploads, upload, f"{po_number}{ending}")
        except ContractBroken:
            return NotDone("file_gone", texts.GONE)
        form = {"target_lang": quote.inputs["language"]}
        answer = self._call("POST", "/v2/document", form=form, files={"file": file})
        refusals = {400: texts.REJECTED, 413: texts.TOO_LARGE, 456: texts.USED_UP}
        if answer.status in refusals:
            return NotDone(f"status {answer.status}", refusals[answer.status])
        content = _object_of(answer)
        if isinstance(content, Unknown):
            return content
        document, secret = content.get("document_id"), content.get("document_key")
        if not isinstance(document, str) or not isinstance(secret, str) or not document.isalnum():
            return Unknown(f"an upload without document_id or document_key: {answer.summary}")
        name = _translated(upload, quote.inputs["language"], ending)
        ref = Reference(document, secret, int(quote.ref), quote.gross_cents, name)
        return Pending(str(ref), ASK_AGAIN_S, texts.QUEUED)

    def lookup(self, key: str) -> Outcome | NotFound:
        """An upload whose answer is lost can never be fetched, and what is not fetched is not billed."""
        return NotDone("answer_lost", texts.LOST)

    def status(self, order_ref: str) -> Outcome:
        """`POST /v2/document/{id}`."""
        ref = Reference.read(order_ref)
        answer = self._status(ref.document, ref.key)
        if answer.status == 404:
            return Unknown("DeepL does not know this document any more", needs_admin=True)
        content = _object_of(answer)
        if isinstance(content, Unknown):
            return content
        stage = content.get("status")
        if stage == "queued":
            return Pending(order_ref, ASK_AGAIN_S, texts.QUEUED)
        if stage == "translating":
            left = content.get("seconds_remaining")
            after = left if isinstance(left, int) else ASK_AGAIN_S
            return Pending(order_ref, max(1, min(after, LONGEST_WAIT_S)), texts.TRANSLATING)
        if stage == "error":
            return NotDone(str(content.get("error_message") or content.get("message") or "error"), texts.UNTRANSLATED)
        return self._done(ref, content) if stage == "done" else Unknown(f"DeepL says {stage!r}")

    def fetch(self, document: Document, into: BinaryIO) -> Download:
        """`POST /v2/document/{id}/result`, which takes the translation off DeepL's server."""
        parts = urlsplit(document.url)
        if parts.netloc != urlsplit(self.context.base_url).netloc:
            raise ContractBroken("translations are fetched from DeepL alone")
        asked = {"document_key": parts.fragment}
        try:
            return self.context.http.download(
                parts._replace(fragment="").geturl(), into, headers=self._headers(), json=asked
            )
        except Unavailable:
            # 503 is "not ready" and "already downloaded" alike.
            if self._status(PurePosixPath(parts.path).parent.name, parts.fragment).status == 404:
                raise ContractBroken("the translation was fetched before, and did not come whole") from None
            raise

    def check(self) -> list[Problem]:
        """Sign in, and read what is left of the volume."""
        try:
            used, limit = self._usage()
        except ConnectorError as error:
            return [problem(error)]
        if used + MINIMUM[DOCX] <= limit:
            return []
        remedy = {"fr": "Relevez la limite dans votre compte DeepL.", "en": "Raise the limit in your DeepL account."}
        return [Problem(texts.USED_UP, remedy)]

    # --- Money --------------------------------------------------------------------------------------

    @property
    def _vat_rate_bp(self) -> int:
        return whole(self.context.manifest["settings"]["vat_rate"])

    def _price(self, characters: int) -> tuple[int, int]:
        """Net and VAT in cents, at the contract's price."""
        per_million = whole(self.context.manifest["settings"]["price_per_million"])
        net = -(-characters * per_million // 1_000_000)
        return net, int((Decimal(net) * self._vat_rate_bp / 10_000).quantize(Decimal(1), rounding=ROUND_HALF_UP))

    def _done(self, ref: Reference, content: Mapping[str, Any]) -> Outcome:
        billed = content.get("billed_characters", 0)
        if not isinstance(billed, int):
            return Unknown(f"billed_characters is {billed!r}")
        # More than the price was asked for is another price, which nobody has confirmed: it is not fetched, so not billed.
        charged = ref.gross_cents if billed <= ref.characters else sum(self._price(billed))
        media_type = next(kind.media_type for kind in KINDS.values() if ref.filename.endswith(kind.endings))
        url = f"{self.context.base_url}/v2/document/{ref.document}/result#{ref.key}"
        return Done(Document(media_type, url, ref.filename, once=True), charged, str(ref))

    def _usage(self) -> tuple[int, int]:
        content = self._read("/v2/usage")
        found = [
            content.get(name) if isinstance(content, dict) else None for name in ("character_count", "character_limit")
        ]
        if not all(isinstance(each, int) for each in found):
            raise ContractBroken("no character_count and character_limit in the answer")
        return int(found[0] or 0), int(found[1] or 0)

    # --- Asking -------------------------------------------------------------------------------------

    def _status(self, document: str, key: str) -> Answer:
        return self._call("POST", f"/v2/document/{document}", json={"document_key": key})

    def _read(self, path: str, params: Mapping[str, str] | None = None) -> Any:
        content = success(self._call("GET", path, params=params))
        if path != LANGUAGES:
            intangible.require(content)
        return content

    def _call(self, method: str, path: str, **content: Any) -> Answer:
        return self.context.http.request(method, self.context.base_url + path, headers=self._headers(), **content)

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"DeepL-Auth-Key {self.context.secrets['api_key']}"}


def _object_of(answer: Answer) -> dict[str, Any] | Unknown:
    """The JSON object of an answer about a document, or the doubt it leaves. Raises `AuthFailed` and `Unavailable`."""
    if answer.status in {401, 403}:
        raise AuthFailed(f"status {answer.status}")
    if answer.status in {429, 529}:
        raise Unavailable(f"status {answer.status}", retry_after_s=answer.retry_after_s)
    if answer.status not in {200, 201}:
        return Unknown(answer.summary, answer.retry_after_s)
    try:
        content = answer.json()
    except ContractBroken as error:
        return Unknown(error.detail)
    if not isinstance(content, dict):
        return Unknown(f"no object: {answer.summary}")
    why = intangible.sign(content)
    return intangible.doubt(why) if why else content


def _choices(content: Any) -> Iterator[tuple[str, Words]]:
    if not isinstance(content, list) or not content:
        raise ContractBroken("no list of languages in the answer")
    for each in content:
        if not isinstance(each, dict) or not all(isinstance(each.get(name), str) for name in ("language", "name")):
            raise ContractBroken("a language without its code or name")
        yield each["language"], {"fr": _named(each["language"], "fr", each["name"]), "en": each["name"]}


def _named(code: str, language: str, otherwise: str = "") -> str:
    """A language's name as people of another say it; DeepL gives names in English alone."""
    try:
        return Locale.parse(code, sep="-").get_display_name(language) or otherwise or code
    except (ValueError, UnknownLocaleError):
        return otherwise or code


def _in_order(choice: tuple[str, Words]) -> tuple[int, str]:
    return (FIRST.index(choice[0]) if choice[0] in FIRST else len(FIRST)), choice[1]["fr"]


def _translated(upload: Upload, language: str, ending: str) -> str:
    """`contrat-en.docx`."""
    return f"{PurePosixPath(upload.filename).stem[:LONGEST_NAME]}-{language.lower()}{ending}"
