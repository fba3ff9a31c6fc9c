"""What was delivered is what was announced: its kind, its price, and the bytes of a document."""

from __future__ import annotations

import hashlib
import io
from typing import BinaryIO

from connectors import documents
from connectors.contract import ContractBroken, Document, Done, MerchantConnector, Quote
from connectors.kit.checks import fail


def require_as_announced(done: Done, quote: Quote, announced: str) -> None:
    """Fails for more than was confirmed, or another kind of delivery than was listed (any when it was not)."""
    got, confirmed = done.charged_cents, quote.gross_cents
    if got > confirmed:
        hundred = " ([order] charged, [amounts] unit?)" if got == 100 * confirmed else ""
        fail(
            f"facturé {got} centimes ; confirmé {confirmed}{hundred}", f"charged were {got} cents; confirmed were {confirmed}{hundred}",
            "Le marchand ne facture jamais plus que le prix confirmé : corrigez [order] charged, ou la réponse des exemples.", "A merchant never charges more than the confirmed price: correct [order] charged, or the answer of the fixtures.",
        )  # fmt: skip
    if announced and done.delivery.kind != announced:
        fail(
            f"livré : {done.delivery.kind} ; annoncé par la liste : {announced}", f"delivered was: {done.delivery.kind}; the list announced: {announced}",
            "[list] map.delivery et [order] delivery.kind disent la même chose.", "[list] map.delivery and [order] delivery.kind say the same.",
        )  # fmt: skip


def require_document(connector: MerchantConnector, delivery: Document) -> None:
    """Fetch it, and fail for bytes that are not what was announced."""
    buffer = io.BytesIO()
    connector.fetch(delivery, buffer)
    body = buffer.getvalue()
    digest = hashlib.sha256(body).hexdigest()
    fault = _document_fault(delivery.media_type, buffer)
    if fault or (delivery.sha256 and delivery.sha256 != digest):
        said = f"{body[:8]!r} {digest} {fault}"
        fail(
            f"annoncé {delivery.media_type} {delivery.sha256}, reçu {said}", f"announced {delivery.media_type} {delivery.sha256}, came {said}",
            "Donnez le vrai document dans fixtures/, et où lire son type dans [order] delivery.",
            "Give the real document in fixtures/, and where its type stands in [order] delivery.",
        )  # fmt: skip


def _document_fault(media_type: str, file: BinaryIO) -> str:
    try:
        documents.check(media_type, file)
    except ContractBroken as error:
        return error.detail
    return ""
