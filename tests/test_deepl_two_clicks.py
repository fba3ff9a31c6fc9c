"""A document translated in two clicks: the file, its price, one translation fetched once, and what is left of the file."""

from __future__ import annotations

import hashlib
import html
import io
import re
from collections.abc import Iterator

import docx
import pytest
from sqlalchemy import select

from demo.deepl import DeepL
from portal import clock
from portal.billing.worker import run_leased
from portal.catalog.offers import OfferRow
from portal.checkout import fulfilment, orders, upload_rounds
from portal.checkout.books import compare
from portal.checkout.orders import OrderEvent
from portal.checkout.uploads import UploadRow
from portal.checkout.verification import verify
from tests.checkout.files import BAD, CONTRACT, NOTES, PDF, given
from tests.conftest import Visitor

SLUG = "deepl-document"
FRAGMENT = {"HX-Request": "true", "HX-Request-Type": "partial"}


@pytest.fixture
def shop() -> Iterator[DeepL]:
    made = DeepL(seconds=0)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def company(company, shop):
    """The demonstration company, whose portal has documents translated too."""
    plain = company.configuration
    company.configuration = lambda *args, **more: plain(*args, **more) + shop.configuration()
    return company


def ask(buyer, body=CONTRACT, name="contrat.docx", language="EN-GB") -> str:
    return buyer.ask_price(SLUG, document=given(body, name), language=language)


def plain(buyer) -> str:
    """What is read, with one kind of space and one kind of apostrophe."""
    return buyer.text.replace("'", "’").replace("\u202f", " ").replace("\xa0", " ")


def files_of(installation) -> list[str]:
    folder = installation.uploads.folder
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def kept(page: str) -> str:
    """The reference that the form keeps."""
    found = re.search(r'type="hidden" name="document" value="([^"]+)"', page)
    return found[1] if found else ""


def order_of(installation, number):
    with installation.database.reading() as session:
        order = orders.by_number(session, number)
        events = session.execute(select(OrderEvent.event, OrderEvent.evidence).where(OrderEvent.order_id == order.id))
        return order, [(row.event, row.evidence) for row in events]


def books_agree(installation, company, shop) -> None:
    assert compare(installation.means).differences == []
    charged = {
        each.reference: each.amount_cents for each in company.operator.book.charges() if each.state == "succeeded"
    }
    assert charged == {sold["po_number"]: sold["gross_cents"] for sold in shop.sold()}
    assert verify(installation.database, installation.storage) == []


def test_a_document_is_translated_charged_and_erased(buyer, company, installation, shop, settle, later):
    token = ask(buyer)
    assert "jusqu’à" not in buyer.text
    assert "1,00 €" in plain(buyer)
    assert "contrat.docx → anglais (Royaume-Uni)" in buyer.text
    number = buyer.confirm(token)
    settle()

    assert buyer.states() == ["delivered"]
    with buyer.client.get(f"/purchases/{number}/document") as response:
        body = response.data
    assert "filename=contrat-en-gb.docx" in response.headers["Content-Disposition"].replace('"', "")
    paragraphs = [each.text for each in docx.Document(io.BytesIO(body)).paragraphs]
    assert "[EN-GB] Entre Acme SA et Dupont SA, il est convenu ce qui suit." in paragraphs
    books_agree(installation, company, shop)

    later(minutes=15)
    upload_rounds.sweep(installation.database, installation.uploads)
    assert files_of(installation) == []
    assert hashlib.sha256(CONTRACT).hexdigest() in buyer.get(f"/purchases/{number}/receipt")
    assert "contrat.docx" in buyer.page
    order, events = order_of(installation, number)
    assert ("accepted", "contrat.docx") in [
        (event, said["files"]["document"]["filename"]) for event, said in events if "files" in said
    ]
    assert [job.po_number for job in shop.jobs.values()] == [number]
    assert order.inputs["document"].startswith("upload-")


@pytest.mark.parametrize(
    ("body", "name", "cents"), [(PDF, "lettre.pdf", 100), (NOTES, "notes.txt", 20), (NOTES * 600, "tout.txt", 60)]
)
def test_each_kind_has_its_price(body, name, cents, buyer, company, installation, shop, settle):
    number = buyer.confirm(ask(buyer, body, name))
    settle()

    assert buyer.states() == ["delivered"]
    assert order_of(installation, number)[0].gross_cents == cents
    books_agree(installation, company, shop)


def test_a_file_that_was_given_stays_until_another_replaces_it(buyer, installation):
    ask(buyer, NOTES, "notes.txt", language="")
    reference = kept(buyer.page)
    assert reference
    assert "notes.txt" in buyer.text

    token = buyer.ask_price(SLUG, document=reference, language="DE")
    assert token
    assert kept(buyer.page) == reference
    assert len(files_of(installation)) == 1

    ask(buyer, CONTRACT, "contrat.docx", language="DE")
    assert kept(buyer.page) not in {"", reference}
    assert "notes.txt" not in buyer.text


def test_with_javascript_the_file_field_is_renewed_and_nothing_else(buyer, installation):
    buyer.get(f"/offers/{SLUG}")
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', buyer.page)[1]
    sent = {"csrf_token": token, "language": "FR", "document": given(CONTRACT, "contrat.docx")}
    page = buyer.client.post(f"/offers/{SLUG}/quote", data=sent, headers=FRAGMENT).get_data(as_text=True)

    assert page.count("hx-swap-oob") == 1
    assert 'id="field-deepl-document-document" hx-swap-oob="true"' in page
    assert "<select" not in page
    assert 'name="token"' in page
    again = {"csrf_token": token, "language": "DE", "document": kept(page)}
    page = buyer.client.post(f"/offers/{SLUG}/quote", data=again, headers=FRAGMENT).get_data(as_text=True)
    assert "hx-swap-oob" not in page
    assert "→ allemand" in html.unescape(page)
    page = buyer.client.post(f"/offers/{SLUG}/quote", data={**again, "pick": "language=FR"}, headers=FRAGMENT).get_data(
        as_text=True
    )
    assert kept(page) == again["document"]
    assert "hx-swap-oob" not in page


@pytest.mark.parametrize(("name", "wrong"), BAD.items(), ids=list(BAD))
def test_what_is_not_taken_is_said_in_words_and_nothing_is_lost(name, wrong, buyer, installation, shop):
    body, words = wrong
    ask(buyer, NOTES, "notes.txt", language="ES")
    before, asked = kept(buyer.page), shop.uploads
    buyer.post(f"/offers/{SLUG}/quote", ask="1", document=given(body, name, "application/pdf"), language="ES")

    assert words in plain(buyer)
    assert 'name="token"' not in buyer.page
    assert '<option value="ES" selected>' in buyer.page
    buyer.post(f"/offers/{SLUG}/quote", ask="1", document=before, language="ES")
    assert kept(buyer.page) == before
    assert len(files_of(installation)) == 1
    assert shop.uploads == asked


def test_a_file_that_is_too_long_is_read_to_its_end_and_not_kept(buyer, installation):
    with installation.database.transaction() as session:
        row = session.scalars(select(OfferRow).where(OfferRow.slug == SLUG)).one()
        row.inputs = [{**each, "most_bytes": 200_000} for each in row.inputs]

    assert ask(buyer, CONTRACT + b"\0" * 200_000, language="IT") == ""
    assert "Ce fichier est trop gros : 200 ko au plus." in plain(buyer)
    assert '<option value="IT" selected>' in buyer.page
    assert files_of(installation) == []


def test_another_persons_file_is_nobodys(app, buyer, installation):
    ask(buyer)
    reference = kept(buyer.page)
    other = Visitor(app)
    other.sign_in("agnes.oeuvrard")

    assert other.ask_price(SLUG, document=reference, language="EN-GB") == ""
    assert "n’est plus conservé ici" in other.text.replace("'", "’")
    assert reference not in other.page
    assert "contrat.docx" not in other.page
    assert other.ask_price(SLUG, document="upload-invented", language="EN-GB") == ""
    for place in (f"/uploads/{reference}", f"/given/{reference}"):
        other.get(place)
        assert other.status == 404


def test_a_file_of_another_kind_than_an_offer_asks_for_cannot_be_smuggled_in(buyer, installation):
    ask(buyer, NOTES, "notes.txt")
    reference = kept(buyer.page)
    with installation.database.transaction() as session:
        session.execute(UploadRow.__table__.update().values(media_type="image/png"))

    assert buyer.ask_price(SLUG, document=reference, language="EN-GB") == ""


def test_a_form_needs_its_token_and_a_person_before_its_file(app, buyer, installation):
    sent = {"document": given(CONTRACT, "contrat.docx"), "language": "FR", "ask": "1"}
    assert buyer.client.post(f"/offers/{SLUG}/quote", data=sent).status_code == 400
    assert files_of(installation) == []
    stranger = app.test_client().post(
        f"/offers/{SLUG}/quote", data={**sent, "document": given(CONTRACT, "contrat.docx")}
    )
    assert stranger.location.startswith("/sign-in")
    assert files_of(installation) == []


def test_who_may_not_buy_gives_no_file(app, installation):
    reader = Visitor(app)
    reader.sign_in("hugo.garcon")
    assert ask(reader) == ""
    assert reader.status == 200
    assert files_of(installation) == []


def test_a_body_without_end_is_not_read(buyer, monkeypatch, installation):
    monkeypatch.setattr("portal.checkout.forms.MOST_BODY", 20_000)
    buyer.get(f"/offers/{SLUG}")
    buyer.post(f"/offers/{SLUG}/quote", ask="1", document=given(b"x" * 50_000, "long.txt"), language="FR")
    assert buyer.status == 413
    assert files_of(installation) == []


def test_what_nobody_bought_is_erased_and_can_be_given_again(buyer, installation, later):
    ask(buyer)
    reference = kept(buyer.page)
    later(minutes=80)
    upload_rounds.sweep(installation.database, installation.uploads)
    assert len(files_of(installation)) == 1
    later(minutes=30)
    upload_rounds.sweep(installation.database, installation.uploads)
    assert files_of(installation) == []
    with installation.database.reading() as session:
        assert session.scalars(select(UploadRow)).all() == []

    assert buyer.ask_price(SLUG, document=reference, language="EN-GB") == ""
    assert "n’est plus conservé ici" in buyer.text.replace("'", "’")
    assert ask(buyer)


def test_a_file_stays_while_its_order_is_open(buyer, installation, shop, later, settle):
    shop.seconds = 3600
    buyer.confirm(ask(buyer))
    assert buyer.states() == ["preparing"]
    later(hours=5)
    upload_rounds.sweep(installation.database, installation.uploads)
    assert len(files_of(installation)) == 1
    for job in shop.jobs.values():
        job.ready_at = 0
    settle()
    assert buyer.states() == ["delivered"]
    later(minutes=15)
    upload_rounds.sweep(installation.database, installation.uploads)
    assert files_of(installation) == []


def test_a_file_that_no_row_knows_is_swept(installation, later):
    installation.uploads.folder.mkdir(parents=True)
    (installation.uploads.folder / "incoming-left").write_bytes(b"half")
    upload_rounds.sweep(installation.database, installation.uploads)
    assert files_of(installation) == ["incoming-left"]
    later(minutes=15)
    upload_rounds.sweep(installation.database, installation.uploads)
    assert files_of(installation) == []


@pytest.mark.parametrize("fault", ["cut_before", "cut_after", "garbage", "error500"])
def test_an_upload_whose_answer_is_lost_costs_nothing_and_is_never_repeated(
    fault, buyer, company, installation, shop, settle
):
    token = ask(buyer)
    shop.break_(fault)
    buyer.confirm(token)
    shop.break_("")
    settle()

    assert buyer.states() == ["failed"]
    assert "La réponse de DeepL s’est perdue" in buyer.get(f"/purchases/{numbers(buyer)[0]}").replace("&#39;", "’")
    assert shop.uploads <= 1
    assert shop.sold() == []
    books_agree(installation, company, shop)
    buyer.confirm(ask(buyer))
    settle()
    assert buyer.states() == ["delivered", "failed"]
    books_agree(installation, company, shop)


def numbers(buyer) -> list[str]:
    buyer.get("/purchases")
    return re.findall(r"/purchases/(G-[0-9A-Z-]+)\"", buyer.page)


@pytest.mark.parametrize("fault", ["busy", "busier", "refuse", "too_large", "untranslatable"])
def test_what_deepl_does_not_do_costs_nothing(fault, buyer, company, installation, shop, settle):
    token = ask(buyer)
    shop.break_(fault)
    buyer.confirm(token)
    settle()
    assert buyer.states() == ["failed"]
    books_agree(installation, company, shop)


def test_no_volume_left_is_said_at_the_first_click(buyer, shop):
    shop.break_("quota")
    assert ask(buyer) == ""
    assert "est épuisé" in buyer.text


def test_more_characters_than_the_price_was_for_are_not_fetched(buyer, company, installation, shop, settle):
    token = ask(buyer)
    shop.break_("more")
    buyer.confirm(token)
    settle()
    assert buyer.states() == ["disputed"]
    assert shop.sold() == []
    assert all(charge.state != "succeeded" for charge in company.operator.book.charges())


def test_a_translation_cut_on_its_way_is_an_admins_at_once(buyer, installation, shop, settle):
    token = ask(buyer)
    shop.break_("cut_result")
    number = buyer.confirm(token)
    settle()
    shop.break_("")
    settle()
    assert buyer.states() == ["disputed"]
    order, events = order_of(installation, number)
    assert order.reason["code"] == "content_missing"
    assert "fetched before" in str(events) or "gone" in str(events)


def test_a_translation_that_came_is_there_after_a_crash_before_it_was_recorded(
    buyer, company, installation, shop, settle, monkeypatch
):
    class Crash(BaseException):
        """The process dies here."""

    token = ask(buyer)
    shop.seconds = 3600
    number = buyer.confirm(token)
    for job in shop.jobs.values():
        job.ready_at = 0
    delivered = fulfilment._delivered

    def die(*_args):
        raise Crash

    monkeypatch.setattr(fulfilment, "_delivered", die)
    with pytest.raises(Crash):
        work_on(installation, number)
    monkeypatch.setattr(fulfilment, "_delivered", delivered)
    assert len(shop.sold()) == 1
    assert buyer.states() == ["preparing"]
    settle()

    assert buyer.states() == ["delivered"]
    assert [path for _method, path in shop.seen].count(
        next(iter(f"/v2/document/{job}/result" for job in shop.jobs))
    ) == 1
    books_agree(installation, company, shop)


def work_on(installation, number) -> None:
    """Do the order's own task now, in this thread."""
    from portal import outbox
    from portal.outbox import Task

    with installation.database.transaction() as session:
        task = session.scalars(select(Task).where(Task.subject == number, Task.kind == "purchase")).one()
        task.due_at, task.lease_until = clock.now(), None
    with installation.database.transaction() as session:
        lease = outbox.claim(session, "someone")
    run_leased(installation.database, installation.handlers, lease)


def test_a_translation_is_not_asked_for_while_the_disk_is_full(buyer, installation, shop, settle, monkeypatch):
    def full() -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(installation.storage, "probe", full)
    buyer.confirm(ask(buyer))
    settle()
    assert buyer.states() == ["preparing"]
    assert shop.sold() == []
    monkeypatch.undo()


def test_a_crash_after_the_upload_ends_without_a_translation_nobody_can_fetch(
    buyer, company, installation, shop, settle, monkeypatch
):
    class Crash(BaseException):
        """The process dies here."""

    def die(*_args):
        raise Crash

    recorded = fulfilment._record
    monkeypatch.setattr(fulfilment, "_record", die)
    monkeypatch.setattr("threading.excepthook", lambda _args: None)
    number = buyer.confirm(ask(buyer))
    monkeypatch.setattr(fulfilment, "_record", recorded)
    assert shop.uploads == 1
    settle()
    for _turn in range(4):
        settle()

    assert buyer.states() == ["failed"]
    assert shop.uploads == 1
    assert order_of(installation, number)[0].reason["code"] == "merchant_words"
    books_agree(installation, company, shop)
