"""What every merchant's answers are read with: statuses, amounts, and what `check` says of a failure."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from connectors.contract import AuthFailed, ConnectorError, ContractBroken, Problem, Unavailable
from connectors.http import Answer

WAIT = {429, 502, 503, 504}
MOST_DIGITS, LONGEST_NUMBER = 18, 100


def success(answer: Answer) -> Any:
    """The JSON of an answer that went well. Raises like `require_success`, and `ContractBroken` when it is no JSON."""
    require_success(answer)
    return answer.json()


def require_success(answer: Answer) -> None:
    """Raises `AuthFailed` (401, 403), `Unavailable` (429, 502, 503, 504), `ContractBroken` (anything but 200 and 201)."""
    if answer.status in {401, 403}:
        raise AuthFailed(f"status {answer.status}")
    if answer.status in WAIT:
        raise Unavailable(f"status {answer.status}", retry_after_s=answer.retry_after_s)
    if answer.status not in {200, 201}:
        raise ContractBroken(answer.summary)


def whole(text: Any, factor: int = 100) -> int:
    """A decimal number times a factor, like 12.50 in cents. Raises `ContractBroken` for what is not whole then."""
    try:
        value = Decimal(str(text)[:LONGEST_NUMBER])
    except (InvalidOperation, ValueError):
        raise ContractBroken(f"not an amount: {str(text)[:60]!r}") from None
    # 1e400 is a number too, and 1e999999 one that takes a machine to write down.
    if value.is_finite() and value.adjusted() > MOST_DIGITS:
        raise ContractBroken(f"an amount beyond measure: {str(text)[:60]!r}")
    value *= factor
    if not value.is_finite() or value != value.to_integral_value():
        raise ContractBroken(f"an amount with too many decimals: {text!r}"[:100])
    return int(value)


def decimal_text(cents: int) -> str:
    """Cents as merchants write amounts: 12.50."""
    return f"{cents // 100}.{cents % 100:02d}"


def problem(error: ConnectorError) -> Problem:
    """What `check` says of a merchant that cannot be asked, and what to do."""
    what = f"{type(error).__name__}: {error.detail}"
    remedy = {
        "fr": "Vérifiez son base_url, le proxy et le réseau.",
        "en": "Check its base_url, the proxy and the network.",
    }
    if isinstance(error, AuthFailed):
        remedy = {"fr": "Vérifiez ses secrets dans portal.toml.", "en": "Check its secrets in portal.toml."}
    if isinstance(error, ContractBroken):
        remedy = {
            "fr": "Ses réponses ne sont pas celles que son connecteur attend : comparez-les à son connector.toml.",
            "en": "Its answers are not what its connector expects: compare them with its connector.toml.",
        }
    return Problem({"fr": what, "en": what}, remedy)
