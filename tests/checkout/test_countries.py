"""A country is chosen from a list in the employee's language, and nothing else is taken for one."""

from __future__ import annotations

import pytest

from connectors.contract import Input
from portal import countries
from portal.checkout.inputs import InvalidInputs, clean_inputs

COUNTRY = Input("country", {"fr": "Pays"}, "country")


@pytest.mark.parametrize("typed", ["fr", "FR", " de "])
def test_a_country_is_its_code(typed):
    assert clean_inputs([COUNTRY], {"country": typed}) == {"country": typed.strip().upper()}


@pytest.mark.parametrize("typed", ["ZZ", "EU", "IC", "EA", "TA", "France", "F", "1", "FRA"])
def test_what_is_no_country_is_said(typed):
    with pytest.raises(InvalidInputs) as told:
        clean_inputs([COUNTRY], {"country": typed})
    assert told.value.reasons["country"].code == "input_country"


def test_the_list_is_in_the_order_of_its_language():
    french, english = countries.names("fr"), countries.names("en")

    assert french.index(("DE", "Allemagne")) < french.index(("FR", "France")) < french.index(("ZM", "Zambie"))
    assert english.index(("FR", "France")) < english.index(("DE", "Germany"))
    assert french.index(("EE", "Estonie")) < french.index(("ET", "Éthiopie")) < french.index(("FI", "Finlande"))
    assert 240 < len(french) < 260
