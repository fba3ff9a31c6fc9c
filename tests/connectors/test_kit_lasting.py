"""The kit holds the end of what is delivered against the term it is sold for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from connectors.contract import Access, Done, Licence
from connectors.kit.checks import Failed
from connectors.kit.lasting import require_whole_term


def access(**lasts: float) -> Done:
    return Done(Access("https://shop.example", datetime.now(UTC) + timedelta(**lasts)), 100)


@pytest.mark.parametrize(("lasts", "term"), [({"days": 30}, "P30D"), ({"hours": 24}, "PT24H"), ({"days": 400}, "P1Y")])
def test_an_end_that_keeps_its_word_passes(lasts, term):
    require_whole_term(access(**lasts), term)


@pytest.mark.parametrize(("lasts", "term"), [({"minutes": 15}, "P30D"), ({"days": 30}, "P90D"), ({"days": -1}, "")])
def test_an_end_before_the_term_is_named(lasts, term):
    with pytest.raises(Failed, match="before the term that was sold"):
        require_whole_term(access(**lasts), term)


def test_what_says_no_end_is_no_matter_of_ends():
    require_whole_term(Done(Licence("K-1"), 100), "P1Y")
