"""A file for what nobody can buy now is refused with the sentence the price is refused with, and no byte of it is kept."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select

from demo import people
from portal import clock
from portal.catalog import consent, site
from portal.catalog.merchants import Known
from portal.catalog.offers import OfferRow
from portal.checkout.incoming import Incoming
from portal.checkout.uploads import UploadRow
from portal.directory.answers import Group
from portal.rights.rules import add_rule
from portal.rights.scopes import Scope
from tests import test_deepl_two_clicks as clicks
from tests.checkout.files import CONTRACT, NOTES, given

shop, company = clicks.shop, clicks.company
SLUG = clicks.SLUG


def of_deepl(installation, **values) -> None:
    with installation.database.transaction() as session:
        session.execute(OfferRow.__table__.update().where(OfferRow.slug == SLUG).values(**values))


def pause(installation) -> None:
    with installation.database.transaction() as session:
        site.pause(session, "test", "deepl")


def forget(installation) -> None:
    known = installation.merchants.now()
    rest = {key: merchant for key, merchant in known.loaded.items() if key != "deepl"}
    installation.merchants._known = Known(rest, known.broken)


def become_another(installation) -> None:
    """What this process has loaded is not what was agreed to; the worker has not looked yet."""
    merchant = installation.merchants.merchant("deepl")
    with installation.database.transaction() as session:
        agreed = consent.identity(merchant) | {"name": "Somebody Else"}
        session.add(consent.MerchantAgreement(merchant="deepl", agreed=agreed, agreed_at=clock.now()))


def hold(installation) -> None:
    of_deepl(installation, held_at=clock.now(), removed_at=clock.now())


def withdraw(installation) -> None:
    of_deepl(installation, removed_at=clock.now())


def deny(installation) -> None:
    with installation.database.transaction() as session:
        add_rule(session, "test", Group(people.GROUP_ACHATS), Scope("merchant", "deepl"), "buy", "deny")


CLOSED = {
    pause: "un administrateur l’a suspendu",
    forget: "n’est plus proposé ici",
    become_another: "a changé d’identité",
    hold: "a changé d’identité",
    withdraw: "La page n’existe pas",
    deny: "fermé au groupe",
}
"""What is wrong, with what the price question says of it."""


def send(visitor, **fields) -> tuple[int, str]:
    """What a form is answered with; but for its form, which has another token each time."""
    visitor.post(f"/offers/{SLUG}/quote", ask="1", language="IT", **fields)
    return visitor.status, re.sub(r'csrf_token"[^>]*', "", clicks.plain(visitor))


@pytest.mark.parametrize("close", CLOSED, ids=lambda close: close.__name__)
def test_it_is_refused_as_the_price_is_and_nothing_is_kept(close, app, buyer, installation, shop):
    app.config["MAX_CONTENT_LENGTH"] = 60_000
    buyer.get(f"/offers/{SLUG}")
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', buyer.page)[1]
    close(installation)
    price = send(buyer, csrf_token=token)
    assert CLOSED[close] in price[1]

    for body in (CONTRACT, CONTRACT + b"\0" * 100_000):
        assert send(buyer, csrf_token=token, document=given(body, "contrat.docx")) == price

    assert not installation.uploads.folder.exists(), "a byte of it was written"
    with installation.database.reading() as session:
        assert session.scalars(select(UploadRow)).all() == []
    assert shop.uploads == 0


def test_what_is_withdrawn_meanwhile_is_answered_once_the_file_has_come_to_its_end(buyer, installation):
    withdraw(installation)
    sent = {"document": given(CONTRACT, "contrat.docx"), "language": "IT"}
    answer = buyer.client.post(f"/offers/{SLUG}/quote", data=sent)

    assert answer.status_code == 404
    assert answer.request.environ["wsgi.input"].read() == b""


def test_without_javascript_a_wrong_file_makes_no_second_field(buyer):
    buyer.get(f"/offers/{SLUG}")
    send(buyer, document=given(b"", "vide.docx"))

    assert "Ce fichier est vide" in buyer.text
    assert buyer.page.count('id="deepl-document-document"') == 1


def test_a_pause_while_the_file_is_on_its_way_counts_too(buyer, installation, monkeypatch):
    buyer.get(f"/offers/{SLUG}")
    write = Incoming.write

    def pausing(file: Incoming, piece: bytes) -> int:
        if file.size == 0:
            pause(installation)
        return write(file, piece)

    monkeypatch.setattr(Incoming, "write", pausing)
    send(buyer, document=given(CONTRACT, "contrat.docx"))

    assert "un administrateur l’a suspendu" in clicks.plain(buyer)
    assert clicks.files_of(installation) == []
    with installation.database.reading() as session:
        assert session.scalars(select(UploadRow)).all() == []


def test_who_resumes_while_a_refused_file_is_on_its_way_does_not_make_an_empty_one_of_it(
    buyer, installation, monkeypatch
):
    buyer.get(f"/offers/{SLUG}")
    pause(installation)
    write = Incoming.write

    def resuming(file: Incoming, piece: bytes) -> int:
        if file.size == 0:
            with installation.database.transaction() as session:
                site.resume(session, "test", "deepl")
        return write(file, piece)

    monkeypatch.setattr(Incoming, "write", resuming)
    send(buyer, document=given(NOTES, "notes.txt"))

    assert "un administrateur l’a suspendu" in clicks.plain(buyer)
    assert clicks.files_of(installation) == []


def test_a_file_that_was_given_before_the_pause_is_there_after_it(buyer, installation):
    assert clicks.ask(buyer, NOTES, "notes.txt", language="DE")
    reference = clicks.kept(buyer.page)
    pause(installation)
    send(buyer, document=reference)
    assert "un administrateur l’a suspendu" in clicks.plain(buyer)
    assert (clicks.kept(buyer.page), "notes.txt" in buyer.text) == (reference, True)

    with installation.database.transaction() as session:
        site.resume(session, "test", "deepl")
    assert send(buyer, document=reference)[0] == 200
    assert 'name="token"' in buyer.page
