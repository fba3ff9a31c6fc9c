"""A kept demonstration goes on where it ended: its other books remember what ours does."""

from __future__ import annotations

import pickle

import httpx2

from demo import kept_books
from demo.acp_sessions import Sold
from demo.company import start_company
from demo.normes import Normes
from demo.partners import entries
from portal import clock
from portal.checkout.books import compare


def test_what_was_charged_and_delivered_is_known_to_the_next_run(company, installation, buyer, work, tmp_path):
    buyer.confirm(buyer.ask_price("quidonc-inverse", phone="01 42 68 53 00"))
    work()
    kept_books.keep(tmp_path, company)
    (tmp_path / "later").mkdir()

    later = start_company(tmp_path / "later")
    kept_books.recall(tmp_path, later)
    charges, orders = later.operator.book.charges(), later.merchants.book.orders()
    later.stop()

    assert [charge.state for charge in charges] == ["succeeded"]
    assert [order.state for order in orders] == ["delivered"]
    assert compare(installation.means).differences == []
    assert (tmp_path / kept_books.NAME).stat().st_mode & 0o077 == 0


def test_a_first_run_has_nothing_to_remember(company, tmp_path):
    kept_books.recall(tmp_path, company)

    assert company.operator.book.charges() == []


def test_a_demonstration_that_was_kept_before_there_were_partners_goes_on(company, tmp_path):
    books = (company.operator.book.kept(), {}, {})
    (tmp_path / kept_books.NAME).write_bytes(pickle.dumps(books))

    kept_books.recall(tmp_path, company)

    assert company.operator.book.charges() == []


def test_a_merchant_with_a_server_of_its_own_remembers_too(tmp_path):
    sold = Sold("o-1", "G-1", "net_30", "livre", 2110, {}, clock.now())
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    first = start_company(tmp_path / "first", partners=[Normes])
    first.partners[0].recall(([sold], {}))
    kept_books.keep(tmp_path, first)
    first.stop()

    second = start_company(tmp_path / "second", partners=[Normes])
    kept_books.recall(tmp_path, second)
    page = httpx2.get(second.console.url).text
    second.stop()

    assert [entry.po_number for entry in entries(second.partners)] == ["G-1"]
    assert "Le guide de l’audit" in page
    assert "21,10 €" in page
