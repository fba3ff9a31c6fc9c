"""Money is an integer number of minor units (cents) and an ISO 4217 code; never a float."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

from babel.numbers import format_currency, format_percent

MOST_CENTS = 1_000_000_000
"""Ten million: more is a mistake, and two such amounts together fit the integers of every database."""


class SumMismatch(ValueError):
    """Net, VAT and gross of a price do not add up."""


def vat_of(net_cents: int, rate_bp: int) -> int:
    """VAT in cents on a net amount; `rate_bp` in basis points; halves are rounded away from zero."""
    exact = Decimal(net_cents) * Decimal(rate_bp) / Decimal(10_000)
    return int(exact.quantize(Decimal(1), rounding=ROUND_HALF_UP))


def check_sum(net_cents: int, rate_bp: int, vat_cents: int, gross_cents: int) -> None:
    """Add a price up again.

    VAT may differ by one cent from the rate applied to the total, because EN 16931 (BR-CO-17) rounds
    it by category and merchants round it by line.

    Raises:
        SumMismatch: the amounts are negative or beyond measure, or do not add up.
    """
    if min(net_cents, rate_bp, vat_cents, gross_cents) < 0:
        raise SumMismatch("negative amount")
    if max(net_cents, vat_cents, gross_cents) > MOST_CENTS or rate_bp > 10_000:
        raise SumMismatch("an amount of more than ten million, or a rate of more than 100 %")
    if net_cents + vat_cents != gross_cents:
        raise SumMismatch(f"{net_cents} + {vat_cents} is not {gross_cents}")
    if abs(vat_of(net_cents, rate_bp) - vat_cents) > 1:
        raise SumMismatch(f"{rate_bp} bp of {net_cents} is not {vat_cents}")


def parse_amount(text: str) -> int:
    """Cents from what a person or a configuration file writes: `200`, `200.00`, `200,5`.

    Raises:
        ValueError: not an amount of money with at most two decimals, or more than ten million.
    """
    cleaned = text.strip().replace("\u202f", "").replace("\u00a0", "").replace(" ", "").replace(",", ".")
    try:
        cents = Decimal(cleaned) * 100
    except InvalidOperation:
        raise ValueError(f"not an amount: {text!r}") from None
    if not cents.is_finite() or cents != cents.to_integral_value() or not 0 <= cents <= MOST_CENTS:
        raise ValueError(f"not an amount: {text!r}")
    return int(cents)


def format_money(cents: int, currency: str, locale: str) -> str:
    """An amount as it is read: `3,53 €` in French, `€3.53` in English."""
    return format_currency(Decimal(cents) / 100, currency, locale=locale)


def format_rate(rate_bp: int, locale: str) -> str:
    """A VAT rate as it is read: `20 %`, `2,1 %`."""
    return format_percent(Decimal(rate_bp) / 10_000, locale=locale, decimal_quantization=False)
