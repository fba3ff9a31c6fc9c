"""Cents add up, and are written as people read them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.money import MOST_CENTS, SumMismatch, check_sum, format_money, format_rate, parse_amount, vat_of


@pytest.mark.parametrize(("net", "rate", "vat"), [
    (294, 2000, 59), (245, 210, 5), (1, 2000, 0), (3, 2000, 1), (25, 1000, 3), (0, 2000, 0), (12_345, 550, 679),
])  # fmt: skip
def test_vat_is_rounded_half_up_to_the_cent(net, rate, vat):
    assert vat_of(net, rate) == vat


@given(st.integers(0, MOST_CENTS // 2), st.integers(0, 10_000))
def test_a_price_we_reckon_always_adds_up(net, rate):
    check_sum(net, rate, vat_of(net, rate), net + vat_of(net, rate))


@given(st.integers(0, 10**9), st.integers(0, 10_000), st.integers(-50, 50).filter(lambda n: abs(n) > 1))
def test_more_than_one_cent_of_vat_too_much_or_too_little_does_not(net, rate, wrong):
    vat = vat_of(net, rate) + wrong
    with pytest.raises(SumMismatch):
        check_sum(net, rate, vat, net + vat)


@pytest.mark.parametrize(
    "price", [(100, 2000, 20, 121), (-100, 2000, -20, -120), (100, -1, 0, 100), (100, 2000, 20, 100)]
)
def test_a_total_that_is_not_the_sum_is_refused(price):
    with pytest.raises(SumMismatch):
        check_sum(*price)


@pytest.mark.parametrize("price", [
    (MOST_CENTS, 100, MOST_CENTS // 100, MOST_CENTS + MOST_CENTS // 100), (10**18, 0, 0, 10**18), (0, 10_001, 0, 0),
])  # fmt: skip
def test_a_price_no_integer_column_holds_is_refused_before_it_gets_there(price):
    with pytest.raises(SumMismatch, match="ten million"):
        check_sum(*price)


@pytest.mark.parametrize(("text", "cents"), [
    ("200", 20_000), ("200.00", 20_000), ("200,5", 20_050), (" 1 234,56 ", 123_456), ("1\u202f234,56", 123_456), ("0", 0),
])  # fmt: skip
def test_an_amount_may_be_written_as_people_do(text, cents):
    assert parse_amount(text) == cents


@pytest.mark.parametrize(
    "text", ["", "x", "1.234", "-1", "NaN", "Infinity", "1,2,3", "1e-3", "1.2.3", "€5", "10000000.01", "9" * 40]
)
def test_what_is_no_amount_is_refused(text):
    with pytest.raises(ValueError, match="not an amount"):
        parse_amount(text)


@given(st.integers(0, MOST_CENTS))
def test_every_amount_is_read_back_from_what_is_shown(cents):
    assert parse_amount(format_money(cents, "EUR", "fr").replace("€", "")) == cents


def test_amounts_and_rates_are_shown_in_both_languages():
    assert (format_money(353, "EUR", "fr"), format_money(353, "EUR", "en")) == ("3,53\u00a0€", "€3.53")
    assert (format_rate(2000, "fr"), format_rate(210, "fr"), format_rate(210, "en")) == (
        "20\u00a0%",
        "2,1\u00a0%",
        "2.1%",
    )
