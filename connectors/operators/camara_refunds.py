"""Refunds of CAMARA payments: asked under a key of their own, and looked up by it among those of the payment.

Source: CAMARA Carrier Billing Refund 0.3.0 (`createRefund`, `retrieveRefunds`). An operator that repeats no
correlator in its list leaves a doubt, never a "no such refund".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from pydantic import ValidationError

from connectors.contract import (
    ContractBroken,
    NotFound,
    OperatorCharge,
    OperatorRefund,
    RefundOutcome,
    Unavailable,
    Unknown,
    Unreachable,
)
from connectors.http import Answer
from connectors.operators.camara_messages import Refund, number
from connectors.operators.camara_refusals import already_exists, first_fault, refusal, required, still_unknown

REFUNDS = "/carrier-billing-refund/v0.3/payments"
PAGE_SIZE = 100
MOST_PAGES = 50


class CamaraRefunds:
    """The refunds of one operator account; `call` sends a request with a token. May raise `ConnectorError`."""

    def __init__(self, call: Callable[..., Answer]) -> None:
        self._call = call

    def ask(self, payment: OperatorCharge, amount_cents: int, key: str) -> RefundOutcome:
        """`POST /payments/{paymentId}/refunds`, partial, for an amount in cents VAT included."""
        body = {
            "type": "partial",
            "amountTransaction": {
                "clientCorrelator": key, "referenceCode": payment.reference,
                "refundAmount": {
                    "chargingInformation": {
                        "amount": number(amount_cents), "currency": payment.currency,
                        "description": f"Refund {payment.reference}", "isTaxIncluded": True,
                    }
                },
            },
        }  # fmt: skip
        answer = self._call("POST", f"{REFUNDS}/{payment.ref}/refunds", json=body)
        if answer.status == 201:
            return self._as_asked(_refund(answer.json(), payment, amount_cents), payment, amount_cents, key)
        if already_exists(answer):
            try:
                found = self.find(payment, key)
            except Unavailable as error:
                return still_unknown(Unreachable(error.detail, error.retry_after_s))
            if isinstance(found, NotFound):
                return Unknown("the operator knows the key, but does not show the refund", 2)
            return found
        return refusal(answer)

    def find(self, payment: OperatorCharge, key: str) -> RefundOutcome | NotFound:
        """The refund asked under a key."""
        nameless = False
        for refund in self.list(payment):
            if refund.key == key:
                return refund
            nameless = nameless or not refund.key
        return Unknown("the operator's list of refunds does not say which is which") if nameless else NotFound()

    def list(self, payment: OperatorCharge) -> Iterator[OperatorRefund]:
        """Every refund of a payment, oldest first; one seen on two shifting pages is given once."""
        seen: set[str] = set()
        left = payment.amount_cents
        for page in range(1, MOST_PAGES + 1):
            answer = self._call(
                "GET", f"{REFUNDS}/{payment.ref}/refunds", params={"order": "asc", "page": page, "perPage": PAGE_SIZE}
            )
            items = required(answer, "the list of refunds").json()
            if not isinstance(items, list):
                raise ContractBroken("the list of refunds is not a list")
            new = 0
            for item in items:
                refund = _refund(item, payment, left)
                if refund.ref in seen:
                    continue
                seen.add(refund.ref)
                new += 1
                left -= refund.amount_cents if refund.state != "denied" else 0
                yield refund
            if not new:
                return

    def _as_asked(self, made: OperatorRefund, payment: OperatorCharge, cents: int, key: str) -> RefundOutcome:
        """A refund under our key of another amount is nobody's to accept automatically."""
        theirs, ours = (made.key or key, made.amount_cents, made.currency), (key, cents, payment.currency)
        return made if theirs == ours else Unknown(f"asked for {ours}, the operator has {theirs}")


def _refund(item: Any, payment: OperatorCharge, left_cents: int) -> OperatorRefund:
    """One refund; a total one has no amount of its own, so it is of what was left."""
    try:
        return Refund.model_validate(item).as_refund(payment.ref, left_cents, payment.currency)
    except (ValidationError, ValueError) as error:
        raise ContractBroken(f"not a refund: {first_fault(error)}") from error
