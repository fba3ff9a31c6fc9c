"""The demonstration's digital bookshop as a partner: beside the portal's configuration, in the books, from run to run."""

from __future__ import annotations

import tomllib

import httpx2

from demo import kept_books
from demo.company import start_company
from demo.librairie import Librairie
from demo.opds_feeds import Sold
from demo.partners import PARTNERS, entries
from portal import clock


def test_it_is_one_of_the_partners_and_says_what_it_needs(tmp_path):
    assert Librairie in PARTNERS
    company = start_company(tmp_path, partners=[Librairie])
    try:
        written = tomllib.loads(company.configure(tmp_path, 8000).read_text(encoding="utf-8"))
        section = written["merchants"]["librairie"]
        assert (section["connector"], section["manifest"]) == ("opds", "librairie.toml")
        assert tomllib.loads((tmp_path / "librairie.toml").read_text(encoding="utf-8"))["protocol"] == "opds"
        assert httpx2.get(section["base_url"] + "/opds/catalogue").json()["metadata"]["title"] == "Librairie Démo"
    finally:
        company.stop()


def test_it_remembers_what_it_sold_and_what_it_refused(tmp_path):
    sold = Sold("n-1", "key-1", "G-1", "norme-9001", "pdf", 4900, clock.now())
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    first = start_company(tmp_path / "first", partners=[Librairie])
    first.partners[0].recall(([sold], {"key-2": 409}))
    kept_books.keep(tmp_path, first)
    first.stop()

    second = start_company(tmp_path / "second", partners=[Librairie])
    kept_books.recall(tmp_path, second)
    page = httpx2.get(second.console.url).text
    second.stop()

    assert [(entry.po_number, entry.gross_cents) for entry in entries(second.partners)] == [("G-1", 4900)]
    assert second.partners[0].library.refused == {"key-2": 409}
    assert "Qualité des archives numériques" in page
    assert "49,00 €" in page
