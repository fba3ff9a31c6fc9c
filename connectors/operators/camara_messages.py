"""The CAMARA messages we send and accept, typed.

Source: CAMARA Carrier Billing 0.5.0 and Carrier Billing Refund 0.3.0 (release r3.2), component schemas.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from connectors.contract import ChargeItem, ChargeRequest, ChargeState, OperatorCharge, OperatorRefund, RefundState

PaymentStatus = Literal["processing", "pending_validation", "reserved", "succeeded", "denied", "cancelled"]

STATES: dict[str, ChargeState] = {
    "processing": "processing",
    "pending_validation": "processing",
    "reserved": "reserved",
    "succeeded": "captured",
    "denied": "denied",
    "cancelled": "voided",
}

REFUND_STATES: dict[str, RefundState] = {"processing": "processing", "succeeded": "done", "denied": "denied"}


class Message(BaseModel):
    """What the operator sends may hold more than we read; what we read must be as defined."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class ChargingInformation(Message):
    amount: Decimal = Field(gt=0, decimal_places=3)
    currency: str = Field(pattern=r"^[A-Z]{3}$")
    description: str


class PaymentAmount(Message):
    chargingInformation: ChargingInformation  # noqa: N815 - the definition's own spelling


class AmountTransaction(Message):
    phoneNumber: str = Field(pattern=r"^\+[1-9][0-9]{4,14}$")  # noqa: N815
    clientCorrelator: str = ""  # noqa: N815
    paymentAmount: PaymentAmount  # noqa: N815
    referenceCode: str  # noqa: N815


class Payment(Message):
    """`Payment`, `PaymentCreated` and `BodyAmountReservationTransactionForReserve` have these in common."""

    paymentId: str = Field(min_length=1)  # noqa: N815
    amountTransaction: AmountTransaction  # noqa: N815
    paymentStatus: PaymentStatus  # noqa: N815
    paymentCreationDate: AwareDatetime  # noqa: N815

    def as_charge(self) -> OperatorCharge:
        """The payment in the contract's words. Raises `ValueError` for a fraction of a cent."""
        transaction = self.amountTransaction
        information = transaction.paymentAmount.chargingInformation
        return OperatorCharge(
            ref=self.paymentId, key=transaction.clientCorrelator, reference=transaction.referenceCode,
            state=STATES[self.paymentStatus], amount_cents=cents(information.amount), currency=information.currency,
            created_at=self.paymentCreationDate,
        )  # fmt: skip


class ErrorInfo(Message):
    """`ErrorInfo`: every refusal has one."""

    status: int
    code: str
    message: str


class RefundInformation(Message):
    """What a partial refund is of."""

    amount: Decimal = Field(gt=0, decimal_places=3)
    currency: str = Field(pattern=r"^[A-Z]{3}$")


class RefundAmount(Message):
    """A total refund has no amount of its own."""

    chargingInformation: RefundInformation | None = None  # noqa: N815


class RefundTransaction(Message):
    clientCorrelator: str = ""  # noqa: N815
    refundAmount: RefundAmount = RefundAmount()  # noqa: N815


class Refund(Message):
    """`Refund`, as far as we read it."""

    refundId: str = Field(min_length=1)  # noqa: N815
    refundStatus: Literal["processing", "denied", "succeeded"]  # noqa: N815
    refundCreationDate: AwareDatetime  # noqa: N815
    amountTransaction: RefundTransaction = RefundTransaction()  # noqa: N815

    def as_refund(self, charge_ref: str, left_cents: int, currency: str) -> OperatorRefund:
        """The refund in the contract's words; one that names no amount is of all that was left. Raises `ValueError`."""
        information = self.amountTransaction.refundAmount.chargingInformation
        return OperatorRefund(
            ref=self.refundId, key=self.amountTransaction.clientCorrelator, charge_ref=charge_ref,
            state=REFUND_STATES[self.refundStatus],
            amount_cents=cents(information.amount) if information else left_cents,
            currency=information.currency if information else currency, created_at=self.refundCreationDate,
        )  # fmt: skip


def cents(amount: Decimal) -> int:
    """Integer cents. Raises `ValueError` for a fraction of a cent."""
    value = amount * 100
    if value != value.to_integral_value():
        raise ValueError(f"{amount} is not a whole number of cents")
    return int(value)


def number(amount_cents: int) -> float:
    """Cents as the JSON number the definition asks for: two decimals, printed exactly by `repr`."""
    return float(Decimal(amount_cents).scaleb(-2))


def transaction_body(charge: ChargeRequest, *, by_token: bool = False) -> dict[str, Any]:
    """`AmountReservationTransactionForReserveInput` and `AmountTransactionInput` for a charge.

    With `by_token` the line is left out: the operator knows it by the token, and refuses to be told.
    """
    whole = ChargeItem(charge.product_id or charge.reference, charge.description, charge.amount_cents, charge.vat_cents)
    transaction = {
        "clientCorrelator": charge.key,
        "referenceCode": charge.reference,
        "paymentAmount": {
            "chargingInformation": {
                "amount": number(charge.amount_cents),
                "currency": charge.currency,
                "description": charge.description,
                "isTaxIncluded": True,
                "taxAmount": number(charge.vat_cents),
            },
            "chargingMetaData": {
                "merchantName": charge.merchant_name,
                "merchantIdentifier": charge.merchant_id,
                "purchaseCategoryCode": charge.category,
                "channel": "web",
                "productId": charge.product_id,
            },
            "paymentDetails": [_payment_item(item, charge.currency) for item in charge.items or (whole,)],
        },
    }
    return {"amountTransaction": transaction if by_token else {"phoneNumber": charge.line, **transaction}}


def _payment_item(item: ChargeItem, currency: str) -> dict[str, Any]:
    return {
        "id": item.id, "amount": number(item.amount_cents), "currency": currency, "description": item.description,
        "isTaxIncluded": True, "taxAmount": number(item.vat_cents),
    }  # fmt: skip


def rfc3339(at: datetime) -> str:
    """A time as the definition's filters take it."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
