"""The operator's own reading of the requests it gets, independent of the portal's.

Source: CAMARA Carrier Billing 0.5.0 and Carrier Billing Refund 0.3.0, request schemas.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

from flask import request
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictStr, ValidationError, model_validator
from werkzeug.exceptions import ClientDisconnected

Amount = Annotated[Decimal, Field(ge=Decimal("0.001"), decimal_places=3)]
Tax = Annotated[Decimal, Field(ge=0, decimal_places=3)]
Phone = Annotated[str, Field(pattern=r"^\+[1-9][0-9]{4,14}$")]


class Problem(Exception):
    """An `ErrorInfo` answer."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(code)
        self.content = {"status": status, "code": code, "message": message}


class Body(BaseModel):
    """Unknown properties are refused, so that a typing error never passes for an option."""

    model_config = ConfigDict(extra="forbid")


class ChargingInformation(Body):
    amount: Amount
    currency: Literal["EUR"]
    description: StrictStr
    isTaxIncluded: StrictBool = False  # noqa: N815 - the definition's own spelling
    taxAmount: Tax = Decimal(0)  # noqa: N815


class ChargingMetaData(Body):
    merchantName: StrictStr = ""  # noqa: N815
    merchantIdentifier: StrictStr = ""  # noqa: N815
    fee: Decimal | None = None
    purchaseCategoryCode: StrictStr = ""  # noqa: N815
    channel: StrictStr = ""
    serviceId: StrictStr = ""  # noqa: N815
    productId: StrictStr = ""  # noqa: N815


class PaymentItem(ChargingInformation):
    id: StrictStr


class PaymentAmount(Body):
    chargingInformation: ChargingInformation  # noqa: N815
    chargingMetaData: ChargingMetaData = ChargingMetaData()  # noqa: N815
    paymentDetails: Annotated[list[PaymentItem], Field(min_length=1)] | None = None  # noqa: N815

    @model_validator(mode="after")
    def _items_add_up(self) -> PaymentAmount:
        items = self.paymentDetails or []
        if len({item.id for item in items}) != len(items):
            raise ValueError("paymentDetails: two items have one id")
        whole = self.chargingInformation
        if items and (
            sum(item.amount for item in items) != whole.amount
            or sum(item.taxAmount for item in items) != whole.taxAmount
        ):
            raise ValueError("paymentDetails do not add up to chargingInformation")
        return self


class Transaction(Body):
    phoneNumber: Phone | None = None  # noqa: N815
    clientCorrelator: StrictStr | None = None  # noqa: N815
    referenceCode: StrictStr  # noqa: N815
    paymentAmount: PaymentAmount  # noqa: N815

    def cents(self) -> tuple[int, int]:
        """Amount to be charged, tax included, and its tax."""
        information = self.paymentAmount.chargingInformation
        amount, tax = int(information.amount * 100), int(information.taxAmount * 100)
        return (amount if information.isTaxIncluded else amount + tax), tax


class PrepareBody(Body):
    amountTransaction: Transaction  # noqa: N815


class PhoneNumberBody(Body):
    phoneNumber: Phone | None = None  # noqa: N815


class RefundAmount(Body):
    chargingInformation: ChargingInformation | None = None  # noqa: N815


class RefundTransaction(Body):
    clientCorrelator: StrictStr | None = None  # noqa: N815
    referenceCode: StrictStr  # noqa: N815
    refundAmount: RefundAmount = RefundAmount()  # noqa: N815

    def cents(self) -> int:
        """The amount of a partial refund."""
        information = self.refundAmount.chargingInformation
        return int(information.amount * 100) if information else 0


class RefundBody(Body):
    type: Literal["total", "partial"]
    reason: StrictStr = ""
    amountTransaction: RefundTransaction  # noqa: N815


def read_body(sent: bytes, model: type[Any]) -> Any:
    """A request's JSON body as its model. Raises `Problem`."""
    try:
        return model.model_validate_json(sent)
    except ValidationError as error:
        raise Problem(400, "INVALID_ARGUMENT", str(error.errors()[0]["msg"])) from error


def key_sent() -> str:
    """The `clientCorrelator` of the present request, "" when it has none, or when it was cut before it was read."""
    try:
        sent = request.get_json(silent=True)
    except ClientDisconnected:
        return ""
    transaction = sent.get("amountTransaction") if isinstance(sent, dict) else None
    return str(transaction.get("clientCorrelator", "")) if isinstance(transaction, dict) else ""
