"""Times at the edges of every calendar: how machines write that there is no end, or that nobody thought of one."""

from __future__ import annotations

import pytest

from tests.hostile.villain import CENTS, changed, offer

LATE = ({"minutes": 5}, {"minutes": 70})
PAGE = "https://lesechos.example/entrer"
NEVER = ["9999-12-31T23:59:59+00:00", "9999-12-31T23:59:59-05:00"]
NONSENSE = "0001-01-01T00:00:00+14:00"


@pytest.mark.parametrize("end", [*NEVER, NONSENSE])
def test_a_price_that_ends_beyond_the_calendar_binds_as_long_as_any_and_one_that_ended_is_asked_for_again(end, world):
    world.villain.does("quote", changed(expires_at=end))

    token = world.ask_price()
    assert (world.buyer.status, bool(token)) == (200, True)
    number = world.buyer.confirm(token)

    assert bool(number) == (end != NONSENSE)
    assert world.orders() == len(world.villain.made) == bool(number)


@pytest.mark.parametrize("end", [*NEVER, NONSENSE])
@pytest.mark.parametrize("kind", [{"kind": "access", "url": PAGE}, {"kind": "licence", "key": "K-1"}])
def test_what_was_bought_for_ever_is_delivered_and_what_ended_before_christ_is_a_persons_to_decide(
    kind, end, world, later
):
    world.villain.delivery = {**kind, "until": end}

    number = world.buy()
    world.settle(later, *LATE)

    if end == NONSENSE:
        assert world.state(number)[0] == "disputed"
        assert world.paid(number) == []
    else:
        assert world.state(number) == ("delivered", "")
        assert world.paid(number) == [CENTS]
    assert PAGE in world.read_by_employee(number) or "K-1" in world.buyer.page or end == NONSENSE


@pytest.mark.parametrize("end", NEVER)
def test_a_pack_without_an_end_pays_and_every_page_that_shows_it_opens(end, world, later):
    world.villain.offers = [offer("pack", pricing="pack", units=10, delivery="licence"), offer(packs=["pack"])]
    world.list_again()
    world.villain.delivery = {"kind": "licence", "key": f"K-{end}", "units": 10, "until": end}

    number = world.buy("louche-pack")
    world.settle(later)

    assert world.state(number) == ("delivered", "")
    assert f"K-{end}" in world.read_by_employee(number)
    world.buyer.get("/purchases")
    assert world.buyer.status == 200


@pytest.mark.parametrize("brought", [{}, {"kind": "data", "rows": [{"label": {"fr": "Valeur"}, "value": "1"}]}])
def test_what_was_sold_for_a_time_and_brings_what_has_none_is_a_persons_to_decide(brought, world, later):
    world.villain.offers = [offer("month", pricing="subscription", term="P1M", delivery="access")]
    world.list_again()
    world.villain.delivery = brought

    number = world.buy("louche-month")
    world.settle(later)

    assert world.state(number) == ("disputed", "merchant_unclear")
    assert world.paid(number) == []
    assert "sold for a time" in world.read_by_admin(number)
