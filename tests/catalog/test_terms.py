"""Terms of sale: the page is read with the list, from the merchant's own hosts, and what changes is told."""

from __future__ import annotations

import hashlib
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest
from sqlalchemy import select

from connectors.http import GuardedClient, Network
from demo.certificates import Authority
from portal.audit import AuditEntry
from portal.catalog import site, terms
from portal.catalog.site import MerchantRow
from portal.catalog.visible import words_of


class Page(BaseHTTPRequestHandler):
    """A page of terms; what it says, and with which status, the server holds."""

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        body = self.server.text.encode()
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(body)))
        if self.server.kind:
            self.send_header("Content-Type", self.server.kind)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_said: object) -> None:
        return


@pytest.fixture
def publisher(tmp_path) -> Iterator[SimpleNamespace]:
    """A web server with a certificate, as `server`, and its host."""
    authority = Authority.create(tmp_path)
    certificate = authority.issue(["127.0.0.1"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.cert_path, certificate.key_path)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.text, server.status, server.kind, server.asked = "Conditions du 1er mars", 200, "", []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield SimpleNamespace(server=server, host=f"127.0.0.1:{server.server_port}", ca_file=str(tmp_path / "ca.pem"))
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def merchant(publisher):
    """Make a merchant whose terms are there: `merchant(version="2", listed=False)`."""
    clients = []

    def make(version: str = "", *, listed: bool = True) -> SimpleNamespace:
        hosts = [publisher.host if listed else "api.example"]
        clients.append(GuardedClient(hosts, Network(ca_file=publisher.ca_file)))
        seller = SimpleNamespace(terms_url=f"https://{publisher.host}/conditions", terms_version=version)
        context = SimpleNamespace(http=clients[-1])
        return SimpleNamespace(
            manifest=SimpleNamespace(id="m", merchant=seller), connector=SimpleNamespace(context=context)
        )

    yield make
    for client in clients:
        client.close()


def told(database) -> list[AuditEntry]:
    with database.reading() as session:
        return list(session.scalars(select(AuditEntry).where(AuditEntry.action == "terms_changed")))


def kept(database, merchant) -> dict[str, str]:
    with database.reading() as session:
        return terms.of(session, "m", merchant)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_the_page_is_kept_by_its_hash_and_a_change_is_in_the_journal(database, merchant, publisher):
    seller = merchant("2026-03")
    terms.note(database, "m", seller)
    assert kept(database, seller)["terms_sha256"] == digest("Conditions du 1er mars")
    terms.note(database, "m", seller)
    assert told(database) == []
    publisher.server.text = "Conditions du 1er avril"
    terms.note(database, "m", seller)

    [entry] = told(database)
    assert (entry.subject, entry.before["sha256"], entry.after["sha256"]) == (
        "m", digest("Conditions du 1er mars"), digest("Conditions du 1er avril"),
    )  # fmt: skip
    assert kept(database, seller)["terms_version"] == "2026-03"


def test_another_version_is_a_change_too(database, merchant):
    terms.note(database, "m", merchant("1"))
    terms.note(database, "m", merchant("2"))

    [entry] = told(database)
    assert (entry.before["version"], entry.after["version"]) == ("1", "2")


@pytest.mark.parametrize("status", [404, 500])
def test_a_page_that_does_not_answer_changes_nothing(database, merchant, publisher, status):
    seller = merchant()
    terms.note(database, "m", seller)
    publisher.server.status, publisher.server.text = status, "Maintenance"
    terms.note(database, "m", seller)

    assert kept(database, seller)["terms_sha256"] == digest("Conditions du 1er mars")
    assert told(database) == []


def test_a_host_that_the_manifest_does_not_list_is_never_asked(database, merchant, publisher):
    seller = merchant("1", listed=False)
    terms.note(database, "m", seller)

    assert publisher.server.asked == []
    assert kept(database, seller)["terms_sha256"] == ""
    with database.reading() as session:
        assert session.get_one(MerchantRow, "m").terms_read_at is None


def test_a_hash_counts_for_its_own_address_only(database, merchant):
    seller = merchant()
    terms.note(database, "m", seller)
    seller.manifest.merchant.terms_url += "/2"

    assert kept(database, seller)["terms_sha256"] == ""


PAGE = """<!doctype html><html><head><title>Conditions {n}</title><style>.v{n} {{}}</style>
<meta name="csrf" content="{n}"></head><body data-session="{n}"><!-- made in {n} ms --><h1>Conditions</h1>
<script>var token = "<p>{n}</p>";</script><p>Vous pouvez renoncer <b>sous {days}&nbsp;jours</b>.</p>
<form><input type="hidden" name="token" value="{n}"></form><noscript>{n}</noscript></body></html>"""


def read(database, publisher, seller, text: str) -> None:
    publisher.server.text = text
    terms.note(database, "m", seller)


@pytest.fixture
def html_page(publisher):
    publisher.server.kind = "text/html; charset=utf-8"


def test_what_only_a_server_changes_is_told_by_no_entry_and_kept_as_it_was_read(
    database, merchant, publisher, html_page
):
    seller = merchant()
    for number in range(4):
        read(database, publisher, seller, PAGE.format(n=number, days=14))
        assert kept(database, seller)["terms_sha256"] == digest(PAGE.format(n=number, days=14))
    assert told(database) == []
    read(database, publisher, seller, PAGE.format(n=5, days=7))

    [entry] = told(database)
    assert entry.before["sha256"] == digest(PAGE.format(n=0, days=14))
    assert entry.after["sha256"] == digest(PAGE.format(n=5, days=7))
    with database.reading() as session:
        [first] = session.scalars(select(AuditEntry).where(AuditEntry.action == "terms_first_read"))
    assert entry.before == first.after


def test_a_dated_page_gives_one_entry_a_day_and_loses_no_change(database, merchant, publisher, html_page, later):
    seller = merchant()
    for hour in range(51):
        read(database, publisher, seller, f"<p>Imprimé à {hour} h</p><p>Quatorze jours.</p>")
        later(hours=1)
    assert len(told(database)) == 3
    # It changes within the day of the last entry, and never again.
    for _hour in range(30):
        read(database, publisher, seller, "<p>Sept jours.</p>")
        later(hours=1)

    *_dated, last = told(database)
    assert len(_dated) == 3
    assert last.after["sha256"] == digest("<p>Sept jours.</p>")
    assert kept(database, seller)["terms_sha256"] == digest("<p>Sept jours.</p>")


def test_what_comes_back_within_the_day_was_told_already(database, merchant, publisher, later):
    seller = merchant()
    for text in ("a", "b", "c", "b"):
        read(database, publisher, seller, text)
    later(days=2)
    read(database, publisher, seller, "b")

    assert [(entry.before["sha256"], entry.after["sha256"]) for entry in told(database)] == [(digest("a"), digest("b"))]


def test_a_new_version_is_told_at_once_whatever_was_told_today(database, merchant, publisher):
    read(database, publisher, merchant("1"), "a")
    read(database, publisher, merchant("1"), "b")
    read(database, publisher, merchant("2"), "b")
    assert [entry.after["version"] for entry in told(database)] == ["1", "2"]


def test_a_page_that_answers_at_last_has_not_changed(database, merchant, publisher):
    publisher.server.status = 503
    read(database, publisher, merchant(), "Maintenance")
    publisher.server.status = 200
    read(database, publisher, merchant(), "Conditions")
    read(database, publisher, merchant(), "Conditions")
    assert told(database) == []
    read(database, publisher, merchant(), "Autres conditions")
    assert len(told(database)) == 1


def test_what_was_read_before_words_were_compared_is_no_change(database, merchant, publisher, html_page):
    seller, page = merchant(), PAGE.format(n=1, days=14)
    with database.transaction() as session:
        row = site.row_of(session, "m")
        row.terms_url, row.terms_sha256 = seller.manifest.merchant.terms_url, digest(page)
    read(database, publisher, seller, page)
    read(database, publisher, seller, PAGE.format(n=2, days=14))
    assert told(database) == []
    read(database, publisher, seller, PAGE.format(n=3, days=30))
    assert len(told(database)) == 1


@pytest.mark.parametrize(("page", "words"), [
    ("<p>A<b>B</b>C</p><p>D</p>", "ABC D"), ("a < b &lt; c", "a < b < c"), ("A<br/>B<!-- x > y <p> -->C", "A BC"),
    ("<SCRIPT>no</Script >yes", "yes"), ("<script>never ends", ""), ("A<!-- never ends", "A"), ("A<p never ends", "A"),
    ("<div id=app></div><script src=x></script>", ""), ("A<!DOCTYPE x>B<?php x?>C", "A B C"), ("A</script>B", "A B"),
])  # fmt: skip
def test_the_words_of_a_page(page, words):
    assert words_of(page.encode(), "text/HTML; charset=x") == words
    assert words_of(page.encode(), "application/pdf") == words_of(page.encode(), "") == ""


def test_a_page_in_an_older_encoding_hides_no_change():
    pages = ["<p>dû</p>".encode("latin-1"), "<p>dé</p>".encode("latin-1")]
    assert len({words_of(page, "text/html") for page in pages}) == 2


@pytest.mark.parametrize("part", ["<", "<!--", "<script>", "<p", "</script", "&", "<!", "<a href='"])
def test_no_page_makes_it_work_for_long(part):
    """What grows with the square of its length would not end here before the machine is needed for something else."""
    words_of(part.encode() * 500_000, "text/html")
