"""A merchant who hangs holds some threads of a web process, and never all of them."""

from __future__ import annotations

import threading
import time

import pytest

from connectors import waiting
from demo.articles import ARTICLES
from demo.companies import COMPANIES
from tests.conftest import Visitor

ARTICLE = next(iter(ARTICLES))
SIREN = next(siren for siren in COMPANIES if not siren.endswith("7"))


@pytest.fixture
def crowd(app):
    """Six employees, signed in."""
    made = [Visitor(app) for _each in range(6)]
    for someone in made:
        someone.sign_in("chloe.lefevre")
    return made


def at_once(crowd, work):
    """Everybody at the same moment; seconds each took, in order, and when somebody is still at it after five, 5."""
    spent = dict.fromkeys(range(len(crowd)), 5.0)

    def go(number):
        begun = time.monotonic()
        work(crowd[number])
        spent[number] = time.monotonic() - begun

    threads = [threading.Thread(target=go, args=(number,), daemon=True) for number in range(len(crowd))]
    for thread in threads:
        thread.start()
    ends = time.monotonic() + 5
    for thread in threads:
        thread.join(max(0, ends - time.monotonic()))
    return sorted(spent.values())


def test_of_many_who_ask_a_price_only_a_few_wait_and_others_buy_meanwhile(company, crowd, buyer):
    company.merchants.set_fault("registre", "hang")
    spent = at_once(crowd, lambda someone: someone.ask_price("registre-kbis", siren=SIREN))
    assert [seconds >= 4 for seconds in spent] == [False] * 4 + [True] * waiting.SEATS
    assert sum("est lent en ce moment" in someone.text for someone in crowd) == 4
    begun = time.monotonic()
    assert buyer.confirm(buyer.ask_price("lesechos-article", article=ARTICLE))
    assert time.monotonic() - begun < 4


def test_of_many_who_confirm_only_a_few_wait_and_all_are_bought(company, crowd, work, later):
    tokens = {someone: someone.ask_price("registre-kbis", siren=SIREN) for someone in crowd}
    company.merchants.faults.hang_s = (2.5,)
    company.merchants.faults.strike("hang", "order", "late", times=6)
    spent = at_once(crowd, lambda someone: someone.confirm(tokens[someone]))
    assert [seconds > 2 for seconds in spent] == [False] * 4 + [True] * waiting.SEATS
    time.sleep(3)
    later(minutes=2)
    work()
    assert crowd[0].states() == ["delivered"] * 6
    assert len(company.merchants.book.orders()) == 6
