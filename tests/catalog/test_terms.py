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
from portal.catalog import terms
from portal.catalog.site import MerchantRow


class Page(BaseHTTPRequestHandler):
    """A page of terms; what it says, and with which status, the server holds."""

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        body = self.server.text.encode()
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(body)))
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
    server.text, server.status, server.asked = "Conditions du 1er mars", 200, []
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
