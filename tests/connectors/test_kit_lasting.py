"""The kit holds the end of what is delivered against the term it is sold for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from connectors.contract import Access, Done, Licence
from connectors.kit.checks import Failed
from connectors.kit.lasting import require_whole_term
from connectors.kit.merchant import ends_named


def access(**lasts: float) -> Done:
    return Done(Access("https://shop.example", datetime.now(UTC) + timedelta(**lasts)), 100)


@pytest.mark.parametrize(("lasts", "term"), [({"days": 30}, "P30D"), ({"hours": 24}, "PT24H"), ({"days": 400}, "P1Y")])
def test_an_end_that_keeps_its_word_passes(lasts, term):
    require_whole_term(access(**lasts), term)


@pytest.mark.parametrize(("lasts", "term"), [({"minutes": 15}, "P30D"), ({"days": 30}, "P90D"), ({"days": -1}, "")])
def test_an_end_before_the_term_is_named(lasts, term):
    with pytest.raises(Failed, match="before the term that was sold"):
        require_whole_term(access(**lasts), term)


@pytest.mark.parametrize(("term", "end"), [
    ("P1Y", datetime(2029, 2, 28, 12, tzinfo=UTC)), ("P1M", datetime(2028, 3, 29, 12, tzinfo=UTC)), ("PT24H", datetime(2028, 3, 1, 12, tzinfo=UTC)),
])  # fmt: skip
def test_a_fixture_names_an_end_by_how_long_it_is_until_then(term, end):
    start = datetime(2028, 2, 29, 12, tzinfo=UTC)
    assert ends_named(f'{{"until": "{{{term}}}", "other": "{{P0D}}, {{PT}} and {{later}}"}}', start) == {term: end}


def test_what_says_no_end_is_no_matter_of_ends():
    require_whole_term(Done(Licence("K-1"), 100), "P1Y")
