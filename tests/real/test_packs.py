"""The same races for the last units of a pack, on PostgreSQL."""

from __future__ import annotations

import pytest

from tests.checkout.test_packs import (
    pack,
    test_a_key_that_was_delivered_before_is_for_a_person_and_shown_to_nobody_else,
    test_a_pack_that_has_ended_pays_nothing,
    test_a_pack_that_may_never_be_paid_for_pays_nothing,
    test_a_pack_that_pays_nothing_any_more_is_not_said_to_pay,
    test_ten_uses_pay_nothing_and_the_eleventh_is_paid,
    test_twenty_clicks_at_once_use_no_more_than_there_are,
    test_units_that_others_took_between_the_clicks_are_a_sentence_and_a_price,
)
from tests.real.postgres import Postgres

__all__ = [
    "pack",
    "test_a_key_that_was_delivered_before_is_for_a_person_and_shown_to_nobody_else",
    "test_a_pack_that_has_ended_pays_nothing",
    "test_a_pack_that_may_never_be_paid_for_pays_nothing",
    "test_a_pack_that_pays_nothing_any_more_is_not_said_to_pay",
    "test_ten_uses_pay_nothing_and_the_eleventh_is_paid",
    "test_twenty_clicks_at_once_use_no_more_than_there_are",
    "test_units_that_others_took_between_the_clicks_are_a_sentence_and_a_price",
]


@pytest.fixture
def database_url(postgres: Postgres) -> str:
    """Every installation of this file is on PostgreSQL."""
    return postgres.url(postgres.make())
