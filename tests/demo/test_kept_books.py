"""A kept demonstration goes on where it ended: its other books remember what ours does."""

from __future__ import annotations

from demo import kept_books
from demo.company import start_company
from portal.checkout.books import compare


def test_what_was_charged_and_delivered_is_known_to_the_next_run(company, installation, buyer, work, tmp_path):
    buyer.confirm(buyer.ask_price("quidonc-inverse", phone="01 42 68 53 00"))
    work()
    kept_books.keep(tmp_path, company.operator, company.merchants)
    (tmp_path / "later").mkdir()

    later = start_company(tmp_path / "later")
    kept_books.recall(tmp_path, later.operator, later.merchants)
    charges, orders = later.operator.book.charges(), later.merchants.book.orders()
    later.stop()

    assert [charge.state for charge in charges] == ["succeeded"]
    assert [order.state for order in orders] == ["delivered"]
    assert compare(installation.means).differences == []
    assert (tmp_path / kept_books.NAME).stat().st_mode & 0o077 == 0


def test_a_first_run_has_nothing_to_remember(company, tmp_path):
    kept_books.recall(tmp_path, company.operator, company.merchants)

    assert company.operator.book.charges() == []
