"""Amounts that are wrong, beyond measure, or in another currency: no price, no order, and the rest stays on sale."""

from __future__ import annotations

import pytest

from portal.catalog.offers import find
from tests.hostile.villain import PRICE, SIREN, changed, offer

IMPOSSIBLE = {
    "wrong VAT sum": {"vat": "9.99"},
    "a total that is not the sum": {"gross": "12.01"},
    "a rate that is not the tax": {"vat_rate": "5.5"},
    "a rate of more than all": {"vat_rate": "2000"},
    "negative": {"net": "-10.00", "vat": "-2.00", "gross": "-12.00"},
    "huge": {"net": "10000000000.00", "vat": "2000000000.00", "gross": "12000000000.00"},
    "1e400": {"net": "1e400", "vat": "0", "gross": "1e400", "vat_rate": "0"},
    "1e400 as a number": {"net": 1e300, "vat": 0, "gross": 1e300, "vat_rate": 0},
    "a number that takes a machine to write down": {"gross": "1e999999"},
    "more digits than anybody counts": {"gross": "1" * 6000},
    "no number": {"gross": "NaN"},
    "infinite": {"gross": "Infinity"},
    "text": {"gross": "twelve"},
    "nothing": {"gross": None},
    "a list": {"gross": [12]},
    "thirds of a cent": {"gross": "12.003"},
    "other currency": {"currency": "USD"},
    "no currency": {"currency": ""},
}
NOT_IN_A_FEED = {"other currency", "no currency"}
"""What a catalogue shows is indicative: only a price binds."""


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_an_impossible_price_is_none(name, world):
    world.villain.does("quote", changed(price={**PRICE, **IMPOSSIBLE[name]}))

    assert world.ask_price() == ""

    assert "Rien n'a été acheté" in world.buyer.text
    assert f'value="{SIREN}"' in world.buyer.page
    assert (world.orders(), world.villain.asked["order"]) == (0, 0)


@pytest.mark.parametrize("lines", [
    [{"description": "Extrait", "net": "9.99", "vat_rate": "20", "vat": "2.00"}],
    [{"description": "Extrait", "net": "1e400", "vat_rate": "20", "vat": "2.00"}], [{"net": "10.00"}], "none",
])  # fmt: skip
def test_lines_that_do_not_add_up_are_no_price(lines, world):
    world.villain.does("quote", changed(lines=lines))

    assert world.ask_price() == ""
    assert world.orders() == 0


@pytest.mark.parametrize("name", [name for name in IMPOSSIBLE if name not in NOT_IN_A_FEED])
def test_an_impossible_offer_is_left_out_and_named_and_the_good_one_stays(name, world):
    world.villain.offers = [offer(), offer("bad", price={**PRICE, **IMPOSSIBLE[name]})]

    read = world.list_again()

    assert (read.listed, read.problem, len(read.refused)) == (1, "", 1)
    assert read.refused[0].startswith("bad: ")
    with world.house.database.reading() as session:
        assert find(session, "louche-kbis")
        assert find(session, "louche-bad") is None
