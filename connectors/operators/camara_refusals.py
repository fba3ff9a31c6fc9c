"""The operator's refusals: which are certain, and in which of the contract's words.

Source: CAMARA Carrier Billing 0.5.0 and Carrier Billing Refund 0.3.0, error responses.
"""

from __future__ import annotations

from typing import TypeVar

from pydantic import ValidationError

from connectors.contract import AuthFailed, ContractBroken, Refused, Unavailable, Unknown, Unreachable
from connectors.http import Answer
from connectors.operators.camara_messages import ErrorInfo

Outcome = TypeVar("Outcome")

REFUSALS = {
    "CARRIER_BILLING.PAYMENT_DENIED": "denied",
    "PERMISSION_DENIED": "credentials",
    "UNAUTHENTICATED": "credentials",
    "IDENTIFIER_NOT_FOUND": "line",
    "SERVICE_NOT_APPLICABLE": "line",
    "MISSING_IDENTIFIER": "line",
    "UNNECESSARY_IDENTIFIER": "line",
    "CARRIER_BILLING.UNAUTHORIZED_AMOUNT": "amount",
    "CARRIER_BILLING.USER_AMOUNT_THRESHOLD_OVERPASSED": "threshold",
    "CARRIER_BILLING_REFUND.REFUND_DENIED": "denied",
    "CARRIER_BILLING_REFUND.PAYMENT_NOT_ELIGIBLE_FOR_REFUND": "denied",
    "CARRIER_BILLING_REFUND.INVALID_PAYMENT_STATUS": "denied",
    "CARRIER_BILLING_REFUND.UNAUTHORIZED_AMOUNT": "amount",
    "CARRIER_BILLING_REFUND.USER_AMOUNT_THRESHOLD_OVERPASSED": "threshold",
}


def error_of(answer: Answer) -> ErrorInfo | None:
    """The refusal as defined, None when it is not."""
    try:
        return ErrorInfo.model_validate_json(answer.body)
    except ValidationError:
        return None


def already_exists(answer: Answer) -> bool:
    """Whether it says that the correlator is known: look it up."""
    error = error_of(answer)
    if error is None:
        return False
    repeated = answer.status == 400 and "clientcorrelator" in error.message.lower()
    return repeated or (answer.status == 409 and error.code == "ALREADY_EXISTS")


def refusal(answer: Answer) -> Refused | Unreachable | Unknown:
    """Any answer but the hoped for one, as an outcome."""
    error = error_of(answer)
    if answer.status == 429:
        return Unreachable("the operator asks us to slow down", answer.retry_after_s)
    if answer.status == 401:
        # Whoever answers so has carried nothing out, whatever the page around it.
        return Refused("credentials", f"401 {error.code}: {error.message}" if error else answer.summary)
    if error is None or answer.status >= 500:
        return Unknown(answer.summary, answer.retry_after_s)
    detail = f"{answer.status} {error.code}: {error.message}"
    if error.code in REFUSALS:
        return Refused(REFUSALS[error.code], detail)
    if answer.status == 404:
        return Refused("expired", detail)
    return Refused("request", detail) if answer.status in {400, 403, 422} else Unknown(detail)


def required(answer: Answer, what: str) -> Answer:
    """An answer that must be the one hoped for. Raises `AuthFailed`, `ContractBroken`, and `Unavailable` for a wish to wait."""
    if answer.status == 200:
        return answer
    refused = refusal(answer)
    if isinstance(refused, Refused) and refused.code == "credentials":
        raise AuthFailed(f"{what}: {refused.detail}")
    if answer.status in {429, 503}:
        raise Unavailable(f"{what} came with status {answer.status}", retry_after_s=answer.retry_after_s)
    raise ContractBroken(f"{what} came with status {answer.status}: {error_of(answer)}")


def still_unknown(looked_up: Outcome) -> Outcome | Unknown:
    """What a look-up says of a request that was received: that it cannot be made now never means that nothing was sent."""
    if isinstance(looked_up, Unreachable):
        return Unknown(f"received, and not to be looked up now: {looked_up.detail}", looked_up.retry_after_s)
    return looked_up


def first_fault(error: ValueError) -> str:
    """What is wrong first, in one line and without the value, which may be about a person."""
    if not isinstance(error, ValidationError):
        return str(error)[:300]
    found = error.errors()[0]
    return f"{'.'.join(map(str, found['loc']))}: {found['msg']}"[:300]
