"""What a merchant answers, or does not: one order at most, nothing charged undelivered, and words for whoever waits."""

from __future__ import annotations

import threading

import pytest

from connectors.contract import Buyer, ConnectorError
from connectors.http import Timeouts
from tests.hostile.conftest import HURRIED, words_on
from tests.hostile.villain import CENTS, PRICE, SIREN, changed, done_and, login_page, quote_json, raw, says, silent

CUT = raw([b""])
NOT_YET = ("fulfilling", "")
LATE = ({"minutes": 5}, {"minutes": 70})


def bought_once(world, number, later):
    """The order is delivered in the end, the merchant made one, and one was charged."""
    world.settle(later)
    assert world.state(number) == ("delivered", "")
    assert [made["purchase_order"] for made in world.villain.made.values()] == [number]
    assert world.paid(number) == [CENTS]
    world.agree()


@pytest.mark.parametrize("act", [silent(1.5), CUT, says(500), says(502), login_page])
def test_before_charging_it_is_ordered_again_under_the_same_key(act, world, later):
    world.patience(HURRIED)
    world.villain.does("order", act, times=1)

    number = world.buy()
    assert world.state(number) == NOT_YET
    world.patience(Timeouts())

    bought_once(world, number, later)
    assert world.villain.asked["lookup"] >= 1
    assert world.villain.asked["order"] == 2


@pytest.mark.parametrize("act", [silent(1.5), CUT, says(500), says(503), login_page])
def test_after_charging_it_is_looked_up_and_never_ordered_again(act, world, later):
    world.patience(HURRIED)
    world.villain.does("order", done_and(act), times=1)

    number = world.buy()
    world.patience(Timeouts())

    bought_once(world, number, later)
    assert world.villain.asked["order"] == 1


def test_after_charging_without_idempotency_and_without_memory_nothing_is_repeated(forgetful, later):
    world = forgetful
    world.villain.does("order", done_and(says(500)))
    world.villain.does("lookup", says(200, orders=[]))

    number = world.buy()
    world.settle(later, *LATE)

    assert world.state(number) == ("disputed", "merchant_silent")
    assert (world.villain.asked["order"], len(world.villain.made), world.paid(number)) == (1, 1, [])
    assert "a repeat could order twice" in world.read_by_admin(number)
    assert "Un administrateur s'en occupe" in world.read_by_employee(number)


def test_pending_for_ever_is_a_persons_to_decide(world, later):
    world.villain.does("order", changed(state="preparing", retry_after=60, percent=101))
    world.villain.does("status", changed(state="preparing", retry_after=-5, percent="a lot"))

    number = world.buy()
    assert world.state(number)[0] == "preparing"
    world.settle(later, {"hours": 1}, {"hours": 40}, {"hours": 40})

    assert world.state(number)[0] == "disputed"
    assert world.paid(number) == []
    assert "rien n'est facturé" in world.read_by_employee(number)


def test_a_refusal_that_comes_late_costs_nothing(world, later):
    world.villain.does("order", changed(state="preparing", retry_after=1))
    world.villain.does("status", changed(state="cancelled", words={"fr": "Annulé par nous.", "en": "Cancelled by us."}))

    number = world.buy()
    world.settle(later)

    assert world.state(number)[0] == "failed"
    assert "Annulé par nous." in world.read_by_employee(number)
    assert world.paid(number) == []


def test_a_refund_that_comes_late_is_a_difference_somebody_sees(world, later):
    number = world.buy()
    world.settle(later)
    assert world.paid(number) == [CENTS]

    for made in world.villain.made.values():
        made["state"] = "refunded"

    [found] = world.differences()
    assert (found.subject, "ours 1200, theirs -" in found.detail) == (number, True)
    assert world.state(number)[0] == "delivered"


def test_a_price_that_changed_is_asked_again_and_nothing_is_bought(world, later):
    dearer = quote_json(net="20.00", vat="4.00", gross="24.00")
    world.villain.does("order", says(409, error={"code": "price_changed"}, quote=dearer))

    number = world.buy()
    world.settle(later)

    assert world.state(number) == ("failed", "price_changed")
    assert "24,00" in words_on(world.read_by_employee(number))
    assert (world.villain.made, world.paid(number)) == ({}, [])
    world.agree()


OTHER_PRICES = dict.fromkeys(("12.01", "1200.00", "0.01", "-12.00"), "merchant_other_price")
UNREADABLE = dict.fromkeys(("1e400", "1e999999", "NaN", "", None, "twelve"), "merchant_silent")


@pytest.mark.parametrize(("gross", "why"), [*OTHER_PRICES.items(), *UNREADABLE.items()])
def test_a_price_above_the_confirmed_one_or_any_other_is_never_charged(gross, why, world, later):
    world.villain.does("order", changed(price={**PRICE, "gross": gross}))
    world.villain.does("lookup", says(200, orders=[]))

    number = world.buy()
    world.settle(later, *LATE)

    assert world.state(number) == ("disputed", why)
    assert world.paid(number) == []
    assert "Un administrateur s'en occupe" in world.read_by_employee(number)
    if why == "merchant_other_price":
        assert f"charged_cents = {int(float(gross) * 100)}" in world.read_by_admin(number)


@pytest.mark.parametrize("act", [says(401), says(403), says(429), says(503), login_page, silent(1.5)])
@pytest.mark.parametrize("step", ["catalogue", "quote"])
def test_a_merchant_in_trouble_keeps_what_was_typed_and_its_catalogue(step, act, world):
    world.patience(HURRIED)
    world.villain.does(step, act)

    if step == "catalogue":
        assert world.list_again().problem
    else:
        assert world.ask_price() == ""
        assert "Rien n'a été acheté" in world.buyer.text
        assert 'value="' + SIREN + '"' in world.buyer.page
    assert world.buyer.get("/offers/louche-kbis")
    assert world.buyer.status == 200
    assert (world.orders(), world.villain.made) == (0, {})


@pytest.mark.parametrize(("act", "state"), [
    (says(401), "delivered"), (says(429), "failed"), (says(503, error={"code": "maintenance"}), "failed"),
])  # fmt: skip
def test_401_429_and_503_at_the_order(act, state, world, later):
    world.villain.does("order", act, times=2 if state == "delivered" else 0)

    number = world.buy()
    world.settle(later)

    assert world.state(number)[0] == state
    assert world.paid(number) == ([CENTS] if state == "delivered" else [])
    world.agree()


def test_one_slow_merchant_slows_no_other(world, later):
    world.patience(Timeouts(60, 300, 300))
    let_go = threading.Event()
    world.villain.does("quote", silent(let_go))
    hanging = [threading.Thread(target=ask_in_vain, args=(world,)) for _ in range(6)]
    token = world.ask_price("registre-kbis")
    for thread in hanging:
        thread.start()

    try:
        number = world.buyer.confirm(token)
        still = sum(thread.is_alive() for thread in hanging)
        world.work()
        assert world.state(number)[0] == "delivered"
    finally:
        let_go.set()
    assert still == 6
    for thread in hanging:
        thread.join()


def ask_in_vain(world):
    with pytest.raises(ConnectorError):
        world.house.merchants.connector("louche").quote("kbis", {}, Buyer("Acme"))


OTHERS = {"order": "V-ffffffffff", "client_reference": "somebody-else", "purchase_order": "G-00000-00000"}


@pytest.mark.parametrize("step", ["order", "status"])
def test_an_order_of_somebody_else_is_never_delivered_in_place_of_ours(step, world, later):
    """Two answers that cross: same price, another employee's document."""
    if step == "status":
        world.villain.does("order", changed(state="preparing", retry_after=1))
    world.villain.does(step, changed(**OTHERS), times=1)

    number = world.buy()
    bought_once(world, number, later)

    assert world.order(number).merchant_ref in {made["order"] for made in world.villain.made.values()}
    assert "another came" in world.evidence(number)
