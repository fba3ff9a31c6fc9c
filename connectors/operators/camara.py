"""The CAMARA carrier-billing adapter: two steps, look-ups for every doubt, refunds.

Source: CAMARA Carrier Billing 0.5.0 (`/payments/prepare`, `/confirm`, `/cancel`, `GET /payments`) and
Carrier Billing Refund 0.3.0. There is no look-up by correlator: a lost reply is found in the list.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from pydantic import ValidationError

from connectors.contract import (
    AuthFailed,
    ChargeRequest,
    ConnectorError,
    ContractBroken,
    NotFound,
    OperatorCharge,
    OperatorOutcome,
    OperatorRefund,
    Problem,
    RefundOutcome,
    Refused,
    Unavailable,
    Unknown,
    Unreachable,
)
from connectors.http import Answer, GuardedClient
from connectors.operators.camara_list import Pages
from connectors.operators.camara_messages import Payment, rfc3339, transaction_body
from connectors.operators.camara_refunds import CamaraRefunds
from connectors.operators.camara_refusals import already_exists, first_fault, refusal, required, still_unknown
from connectors.operators.tokens import Tokens

PAYMENTS = "/carrier-billing/v0.5/payments"
SCOPE = (
    "carrier-billing:payments:create carrier-billing:payments:read carrier-billing:payments:write "
    "carrier-billing-refund:refunds:create carrier-billing-refund:refunds:read"
)
CLOCK_TOLERANCE, LONGEST_JUMP = timedelta(minutes=10), timedelta(days=2)
PAGE_SIZE = 100

Outcome = TypeVar("Outcome")
NoCharge = Refused | Unreachable | Unknown


class CamaraOperator:
    """One operator account. No method raises for the network, except `list_charges`: the outcome says it.

    Args:
        identity: what charges remember this operator by.
        by_token: the operator knows the line by our token (three-legged), and `phoneNumber` must not be sent.
    """

    files = None
    finds_in_list = True

    def __init__(
        self, http: GuardedClient, api_root: str, tokens: Tokens, line: str, *, name: str = "", identity: str = "",
        by_token: bool = False,
    ) -> None:  # fmt: skip
        self._http, self._root, self._tokens, self._line = http, api_root.rstrip("/"), tokens, line
        self._name, self.identity, self._by_token = name, identity, by_token
        self._refunds = CamaraRefunds(self._call)

    def prepare(self, charge: ChargeRequest) -> OperatorOutcome:
        """Reserve. `already exists` means *look it up*, never *failed*."""
        return self._create(charge, "/prepare")

    def charge(self, charge: ChargeRequest) -> OperatorOutcome:
        """Reserve and capture in one step (`createPayment`)."""
        return self._create(charge, "")

    def confirm(self, ref: str) -> OperatorOutcome:
        """Capture; 202 and 409 both say only that the payment's own state must be read."""
        return self._second_step(ref, "confirm")

    def cancel(self, ref: str) -> OperatorOutcome:
        """Void; 202 and 409 both say only that the payment's own state must be read."""
        return self._second_step(ref, "cancel")

    def status(self, ref: str) -> OperatorOutcome:
        """`GET /payments/{paymentId}`."""
        return self._outcome(lambda: self._read(ref))

    def find(self, charge_key: str, since: datetime) -> OperatorOutcome | NotFound:
        """Look for a correlator in the list; the operator's clock may differ from ours by ten minutes.

        Nothing is called absent before two days more were read: ours may have been wrong when `since` was noted.
        """
        try:
            for earlier in (CLOCK_TOLERANCE, LONGEST_JUMP):
                for found in self.list_charges(since - earlier):
                    if found.key == charge_key:
                        return found
        except Unavailable as error:
            return Unreachable(error.detail, error.retry_after_s)
        except AuthFailed as error:
            return Refused("credentials", error.detail)
        except ConnectorError as error:
            return Unknown(f"{type(error).__name__}: {error.detail}")
        return NotFound()

    def list_charges(self, since: datetime) -> Iterator[OperatorCharge]:
        """Every payment since a time, each once, also when pages shift while they are read. Raises `ConnectorError`."""
        return iter(Pages(self._page, since.astimezone(UTC)))

    def _page(self, since: datetime, number: int) -> list[OperatorCharge]:
        answer = self._call(
            "GET", PAYMENTS,
            params={"paymentCreationDate.gte": rfc3339(since), "order": "asc", "page": number, "perPage": PAGE_SIZE},
        )  # fmt: skip
        items = required(answer, "the list of payments").json()
        if not isinstance(items, list):
            raise ContractBroken("the list of payments is not a list")
        return list(map(_payment, items))

    def refund(self, ref: str, amount_cents: int, key: str) -> RefundOutcome:
        """Give back an amount in cents, VAT included, under a key of its own."""
        return self._of_payment(ref, lambda payment: self._refunds.ask(payment, amount_cents, key))

    def find_refund(self, ref: str, key: str) -> RefundOutcome | NotFound:
        """What became of a refund, by the key it was asked under."""
        return self._of_payment(ref, lambda payment: self._refunds.find(payment, key))

    def list_refunds(self, ref: str) -> Iterator[OperatorRefund]:
        """Every refund of a payment, oldest first. Raises `ConnectorError`."""
        payment = self._read(ref)
        if not isinstance(payment, OperatorCharge):
            raise ContractBroken(f"payment {ref} cannot be read: {payment}")
        return self._refunds.list(payment)

    def close(self) -> None:
        """Close every kept connection."""
        self._http.close()

    def check(self) -> list[Problem]:
        """Sign in and read one page of the list; nothing is charged."""
        if not self._root or not self._tokens.is_configured:
            return [needs_contract(self._name)]
        if not self._line:
            what = {"fr": "la ligne de l'entreprise manque.", "en": "the company's line is missing."}
            remedy = {"fr": "Donnez-la dans [operator] line.", "en": "Give it in [operator] line."}
            return [Problem(what, remedy)]
        try:
            self._tokens.current()
        except AuthFailed as error:
            return [_bad_credentials(error)]
        except ConnectorError as error:
            return [
                _problem(
                    error.detail,
                    "Vérifiez [operator] token_url, le proxy et le réseau.",
                    "Check [operator] token_url, the proxy and the network.",
                )
            ]
        try:
            next(self.list_charges(datetime.now(UTC)), None)
        except AuthFailed as error:
            return [_bad_credentials(error)]
        except ConnectorError as error:
            return [
                _problem(
                    error.detail,
                    "Vérifiez [operator] api_root, le proxy et le réseau.",
                    "Check [operator] api_root, the proxy and the network.",
                )
            ]
        return []

    def _create(self, charge: ChargeRequest, path: str) -> OperatorOutcome:
        def ask() -> OperatorOutcome:
            answer = self._call("POST", PAYMENTS + path, json=transaction_body(charge, by_token=self._by_token))
            if answer.status in {200, 201}:
                return self._on_our_line(answer.json()) or _as_asked(_payment(answer.json()), charge)
            if already_exists(answer):
                found = self.find(charge.key, datetime.now(UTC) - timedelta(days=2))
                if isinstance(found, NotFound):
                    return Unknown("the operator knows the correlator, but its list does not show it yet", 2)
                if isinstance(found, OperatorCharge):
                    return _as_asked(found, charge)
                return still_unknown(found)
            return refusal(answer)

        return self._outcome(ask)

    def _on_our_line(self, item: Any) -> Unknown | None:
        """A payment on a line that is not ours is a doubt, whoever named the line: we, or the token."""
        theirs = _read_payment(item).amountTransaction.phoneNumber
        return Unknown(f"asked for line {self._line}, the operator has {theirs}") if theirs != self._line else None

    def _second_step(self, ref: str, step: str) -> OperatorOutcome:
        def ask() -> OperatorOutcome:
            answer = self._call(
                "POST", f"{PAYMENTS}/{ref}/{step}", json={} if self._by_token else {"phoneNumber": self._line}
            )
            return still_unknown(self.status(ref)) if answer.status in {202, 409} else refusal(answer)

        return self._outcome(ask)

    def _read(self, ref: str) -> OperatorOutcome:
        answer = self._call("GET", f"{PAYMENTS}/{ref}")
        return _payment(answer.json()) if answer.status == 200 else refusal(answer)

    def _call(self, method: str, path: str, **content: Any) -> Answer:
        """One call with a token; a 401 was not carried out, so it is repeated once with a new token."""
        if not self._root:
            raise Unavailable("[operator] api_root is not set")
        for attempt in (1, 2):
            token = self._tokens.current()
            headers = {
                "Authorization": f"Bearer {token}",
                "x-correlator": str(uuid.uuid4()),
                "Accept": "application/json",
            }
            answer = self._http.request(method, self._root + path, headers=headers, **content)
            if answer.status != 401 or attempt == 2:
                return answer
            self._tokens.forget(token)
        raise AssertionError("two attempts were made")

    def _of_payment(self, ref: str, ask: Callable[[OperatorCharge], Outcome]) -> Outcome | NoCharge:
        payment = self.status(ref)
        return self._outcome(lambda: ask(payment)) if isinstance(payment, OperatorCharge) else payment

    def _outcome(self, ask: Callable[[], Outcome]) -> Outcome | NoCharge:
        try:
            return ask()
        except Unavailable as error:
            return Unreachable(error.detail, error.retry_after_s)
        except AuthFailed as error:
            return Refused("credentials", error.detail)
        except ConnectorError as error:
            return Unknown(f"{type(error).__name__}: {error.detail}")
        except (ValidationError, ValueError) as error:
            return Unknown(f"the answer is not as defined: {first_fault(error)}")


def _payment(item: Any) -> OperatorCharge:
    payment = _read_payment(item)
    try:
        return payment.as_charge()
    except ValueError as error:
        raise ContractBroken(f"not a payment: {error}") from error


def _read_payment(item: Any) -> Payment:
    try:
        return Payment.model_validate(item)
    except (ValidationError, ValueError) as error:
        raise ContractBroken(f"not a payment: {first_fault(error)}") from error


def _as_asked(found: OperatorCharge, asked: ChargeRequest) -> OperatorOutcome:
    """A payment under our key with another amount or reference is nobody's to accept automatically."""
    theirs = (found.key, found.reference, found.amount_cents, found.currency)
    ours = (asked.key, asked.reference, asked.amount_cents, asked.currency)
    return found if theirs == ours else Unknown(f"asked for {ours}, the operator has {theirs}")


def _bad_credentials(error: AuthFailed) -> Problem:
    return _problem(
        error.detail,
        "Vérifiez [operator] client_id et client_secret.",
        "Check [operator] client_id and client_secret.",
    )


def _problem(detail: str, french: str, english: str) -> Problem:
    return Problem({"fr": detail, "en": detail}, {"fr": french, "en": english})


def needs_contract(name: str) -> Problem:
    """No operator publishes an address for everybody: what is missing, and who has it."""
    name = name or "CAMARA"
    what = {
        "fr": f"{name} ne publie aucune adresse : il faut un contrat de facturation opérateur avec lui.",
        "en": f"{name} publishes no address: it needs a contract for carrier billing.",
    }
    remedy = {
        "fr": 'Demandez-lui api_root, token_url, client_id et client_secret, et mettez-les dans [operator] ; ou convenez de fichiers : adapter = "usage_file".',
        "en": 'Ask for api_root, token_url, client_id and client_secret, and put them into [operator]; or agree on files: adapter = "usage_file".',
    }
    return Problem(what, remedy)
