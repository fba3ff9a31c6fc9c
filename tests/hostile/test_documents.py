"""Documents that are not what they are called, or more: nothing is run, nothing is shown as a page, nothing is altered.

Each is fetched from the merchant's socket by the product's own client and kept, or not, by the product's own store.
"""

from __future__ import annotations

import hashlib
import io
import re
import time
import zipfile
import zlib

import pytest
from pypdf import PdfReader, PdfWriter
from pypdf.generic import DictionaryObject, NameObject, TextStringObject

from connectors.contract import ContractBroken, Document, UnknownOutcome
from connectors.documents import DOCX, EPUB, XLSX, safe_name
from connectors.pdf import look
from demo import documents
from tests.hostile.conftest import HURRIED
from tests.hostile.villain import CENTS, OTHER, PDF, SIREN, changed, raw, says

LONG_S = 60
"""What is made to take long would take hours where it succeeded."""
LATE = ({"minutes": 5}, {"minutes": 70})
WORD = documents.docx("Accord", ["Démonstration."])


def pdf(change):
    """A whole and readable PDF with something added."""
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(PDF)))
    change(writer)
    made = io.BytesIO()
    writer.write(made)
    return made.getvalue()


def opening(**action):
    """What a PDF does when it is opened."""

    def change(writer):
        made = {NameObject(f"/{name}"): value for name, value in action.items()}
        writer.root_object[NameObject("/OpenAction")] = writer._add_object(DictionaryObject(made))

    return change


def hidden(content, *, filters=b"/Filter /FlateDecode", encrypted=b""):
    """A PDF whose objects are out of sight, within a compressed object stream."""
    packed = b"9 0 " + content
    for _each in range(filters.count(b"Flate")):
        packed = zlib.compress(packed)
    head = b"<< /Type /ObjStm /N 1 /First 4 %s /Length %d >>" % (filters, len(packed))
    return b"%PDF-1.7\n8 0 obj " + head + b"\nstream\n" + packed + b"\nendstream endobj\n" + encrypted + b"%%EOF\n"


def archive(coding=zipfile.ZIP_DEFLATED, **files):
    """A ZIP archive."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", coding) as into:
        for name, content in files.items():
            into.writestr(name, content)
    return made.getvalue()


def word(extra="", content=b"", **changed_files):
    """A Word document, with another file in it."""
    files = {"[Content_Types].xml": b"<Types/>", "word/document.xml": b"<document/>", **changed_files}
    return archive(**files, **({extra: content} if extra else {}))


BZIPPED = archive(zipfile.ZIP_BZIP2, **{"[Content_Types].xml": b"<Types/>" * 20, "word/document.xml": b"<document/>"})


def book():
    """An EPUB: what it is stands first, not compressed."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as into:
        into.writestr("mimetype", "application/epub+zip")
        into.writestr("OEBPS/a.xhtml", "<html/>")
    return made.getvalue()


def long_list(content, files=100_000):
    """An archive with so many files, whose end says little, and whose other end, which readers believe, says all."""
    before, _mark, end = content.rpartition(b"PK\x05\x06")
    at = int.from_bytes(end[12:16], "little")
    listed = before[at:] + (b"PK\x01\x02\x14" + b"\0" * 23 + b"\x01" + b"\0" * 17 + b"x") * files
    counted = (files + 2).to_bytes(8, "little") * 2 + len(listed).to_bytes(8, "little") + at.to_bytes(8, "little")
    long_end = b"PK\x06\x06" + (44).to_bytes(8, "little") + b"-\0-\0" + b"\0" * 8 + counted
    locator = b"PK\x06\x07\0\0\0\0" + (at + len(listed)).to_bytes(8, "little") + b"\x01\0\0\0"
    return before[:at] + listed + long_end + locator + b"PK\x05\x06" + end[:8] + b"\x64\0\0\0" + end[12:]


PK = b"PK\x03\x04"
JS = {"S": NameObject("/JavaScript"), "JS": TextStringObject("app.alert(1)")}
LAUNCH = {"S": NameObject("/Launch"), "F": TextStringObject("cmd.exe")}
REMOTE = b'<Relationship Type="x/attachedTemplate" Target="https://canary.example/t.dotm" TargetMode="External"/>'
REFUSED = {
    "empty": (b"", "application/pdf", "empty"),
    "a page under a PDF name": (b"<html>Maintenance</html>", "application/pdf", "begin with"),
    "an executable under a PDF name": (b"MZ\x90\x00" + PDF, "application/pdf", "begin with"),
    "a program of Linux under a PDF name": (b"\x7fELF" + PDF, "application/pdf", "begin with"),
    "cut short": (PDF[: len(PDF) // 2], "application/pdf", "cut short"),
    "a PDF that starts a program": (pdf(opening(**LAUNCH)), "application/pdf", "start a program"),
    "one that hides it": (hidden(b"<< /S /#4c#61unch /F (cmd.exe) >>"), "application/pdf", "start a program"),
    "a web page": (b"<html></html>", "text/html", "not accepted"),
    "a drawing with scripts": (b"<svg/>", "image/svg+xml", "not accepted"),
    "a program by name": (b"MZ", "application/x-msdownload", "not accepted"),
    "an old Word file": (b"\xd0\xcf\x11\xe0", "application/msword", "not accepted"),
    "Word with macros by type": (WORD, "application/vnd.ms-word.document.macroEnabled.12", "not accepted"),
    "Word with a macro": (word("word/vbaProject.bin", b"x"), DOCX, "macro"),
    "Word that says it has macros": (word(**{"[Content_Types].xml": b"<Types ContentType='x.macroEnabled.main'/>"}), DOCX, "macro"),
    "Word that fetches a macro": (word("word/_rels/settings.xml.rels", REMOTE), DOCX, "macro"),
    "Excel with an old macro": (archive(**{"[Content_Types].xml": b"", "xl/workbook.xml": b"", "xl/macrosheets/s.xml": b""}), XLSX, "macro"),
    "Word that is a mere archive": (archive(**{"a.txt": b"a"}), DOCX, "no \\[Content_Types"),
    "Word that says it is a workbook": (word(**{"[Content_Types].xml": b"<T a='spreadsheetml.sheet.main+xml'/>"}), DOCX, "something else"),
    "Word with a control that runs": (word("word/activeX/activeX1.bin", b"x"), DOCX, "macro"),
    "Word cut short": (WORD[:-400], DOCX, "cut short"),
    "Word that is a PDF": (PDF, DOCX, "begin with"),
    "an archive with a program": (archive(**{"facture.pdf.exe": b"MZ"}), "application/zip", "program"),
    "an archive that leaves its folder": (archive(**{"../../etc/cron.d/x": b"x"}), "application/zip", "outside"),
    "an archive with another drive": (archive(**{"C:\\Windows\\x.txt": b"x"}), "application/zip", "outside"),
    "an archive that swells": (archive(**{f"{n}": b"" for n in range(20_001)}), "application/zip", "swells"),
    "a Word document whose list swells behind its end": (long_list(word(), 150_000), DOCX, "list of files"),
    "a Word document with two ends": (word()[:-22] + b"PK\x06\x07" + b"\0" * 16 + word()[-22:], DOCX, "list of files"),
    "an archive whose list swells": (PK + b"0" * 100 + b"PK\x05\x06" + b"\0" * 8 + b"\xff\xff\xff\xff" + b"\0" * 6, "application/zip", "swells"),
    "Word that says it in two bytes a letter": (word(**{"[Content_Types].xml": "<T a='macroEnabled'/>".encode("utf-16")}), DOCX, "macro"),
    "Word whose list of types has no end": (word(**{"[Content_Types].xml": b" " * 1_500_000}), DOCX, "should be short"),
    "Word damaged within, packed otherwise": (BZIPPED.replace(BZIPPED[60:80], b"\xff" * 20), DOCX, "cut short or damaged"),
    "Word damaged within": (WORD.replace(WORD[60:90], b"\xff" * 30), DOCX, "cut short or damaged"),
    "a book that is none": (archive(mimetype=b"text/plain"), EPUB, "EPUB"),
    "a picture that is none": (b"GIF89a", "image/png", "begin with"),
    "a picture cut short": (b"\x89PNG\r\n\x1a\n" + b"0" * 50, "image/png", "cut short"),
    "text that is a page": (b"  <!-- x --><HTML>", "text/plain", "web page"),
    "text that is a program": (b"#!/bin/sh\nrm -rf /", "text/plain", "not text"),
    "text that is none": (b"abc\x00\x01", "text/plain", "not text"),
    "JSON cut short": (b'{"a": [1, 2', "application/json", "cut short"),
    "JSON that is a sign-in page": (b"<!doctype html><body>", "application/json", "web page"),
    "XML cut short": (b"<a><b>text", "application/xml", "cut short"),
}  # fmt: skip
KEPT = {
    "book": (book(), EPUB), "PDF": (PDF, "application/pdf"), "Word": (WORD, DOCX), "archive": (archive(**{"a/b.txt": b"x"}), "application/zip"),
    "Excel": (archive(**{"[Content_Types].xml": b"<T a='spreadsheetml.sheet.main+xml'/>", "xl/workbook.xml": b""}), XLSX),
    "PNG": (b"\x89PNG\r\n\x1a\n....IEND\xaeB`\x82", "image/png"), "JPEG": (b"\xff\xd8\xff\xe0...\xff\xd9", "image/jpeg"),
    "TIFF": (b"II*\x00....", "image/tiff"), "text": ("Élan\n".encode(), "text/plain"),
    "text of Windows": ("Élan\n".encode("cp1252"), "text/plain"), "JSON": (b' {"a": 1}\n', "application/json"),
    "XML": (b"<?xml version='1.0'?><a/>\n", "application/xml"),
}  # fmt: skip


def fetched(world, content, media_type, sha256=""):
    """What the store makes of what the merchant sends."""
    world.villain.delivers(content, media_type)
    document = Document(media_type, f"{world.villain.server.url}/documents/d", "d", sha256)
    return world.house.storage.keep(
        document, lambda into: world.house.merchants.connector("louche").fetch(document, into)
    )


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_what_it_is_called_is_not_kept(name, world):
    content, media_type, why = REFUSED[name]
    before = sorted(world.house.storage.folder.glob("*")) if world.house.storage.folder.exists() else []

    with pytest.raises(ContractBroken, match=why):
        fetched(world, content, media_type)

    assert sorted(world.house.storage.folder.glob("*")) == before


@pytest.mark.parametrize("name", KEPT)
def test_what_is_what_it_is_called_is_kept_byte_for_byte(name, world):
    content, media_type = KEPT[name]

    stored = fetched(world, content, media_type, hashlib.sha256(content).hexdigest())

    assert world.house.storage.path(stored.name).read_bytes() == content
    assert stored.active == ()


def test_another_hash_than_announced_is_not_kept(world):
    with pytest.raises(ContractBroken, match="hash"):
        fetched(world, PDF, "application/pdf", "0" * 64)


def test_a_connection_cut_in_the_middle_keeps_nothing(world):
    world.villain.does("document", raw([b"HTTP/1.1 200 OK\r\ncontent-length: 99999\r\n\r\n", PDF]))

    with pytest.raises(UnknownOutcome):
        fetched(world, PDF, "application/pdf")


def test_a_document_without_end_keeps_nothing(world):
    world.patience(HURRIED)
    world.villain.does("document", raw((b"HTTP/1.1 200 OK\r\n\r\n%PDF-", *([b"0" * 60_000] * 2000)), 0.001))

    with pytest.raises(UnknownOutcome):
        fetched(world, PDF, "application/pdf")


# --- PDF that act -------------------------------------------------------------------------------------------------------

TWICE = b"/Filter [/FlateDecode /FlateDecode]"
ACTIVE = {
    "JavaScript when it opens": (pdf(opening(**JS)), "javascript"),
    "JavaScript by its name": (PDF.replace(b"%%EOF", b"9 0 obj << /S /J#61vaScript /JS (x) >> endobj\n%%EOF"), "javascript"),
    "JavaScript out of sight": (hidden(b"<< /S /JavaScript /JS (x) >>"), "javascript"),
    "another file within": (pdf(lambda writer: writer.add_attachment("virus.exe", b"MZ")), "files"),
    "a form that is sent": (pdf(opening(S=NameObject("/SubmitForm"))), "sends"),
    "a film": (pdf(opening(S=NameObject("/RichMediaExecute"))), "media"),
    "objects under a strange filter": (hidden(b"<< >>", filters=b"/Filter [/ASCIIHexDecode /FlateDecode]"), "sealed"),
    "objects under two filters": (hidden(b"<< >>", filters=b"/Filter [/FlateDecode /FlateDecode]"), "sealed"),
    "objects behind a decoy": (hidden(b"<< >>", filters=TWICE).replace(b"/N 1", b"/N 1 /X (stream\n1 0 )"), "sealed"),
    "objects beside a decoy": (hidden(b"<< >>", filters=TWICE).replace(b"%%EOF", b"stream\n1 0 \n%%EOF"), "sealed"),
    "objects of a name that stands elsewhere": (
        hidden(b"<< >>", filters=TWICE).replace(b"/Type /ObjStm", b"/Type 7 0 R").replace(b"8 0 obj", b"7 0 obj /ObjStm endobj\n8 0 obj"), "sealed",
    ),
    "objects that are encrypted": (hidden(b"<< >>", encrypted=b"trailer << /Encrypt 5 0 R >>\n"), "sealed"),
}  # fmt: skip


@pytest.mark.parametrize("name", ACTIVE)
def test_a_pdf_that_acts_is_kept_as_it_is_and_never_opened_by_us(name, world, later):
    content, what = ACTIVE[name]
    world.villain.delivers(content)

    number = world.buy()
    world.settle(later)

    assert world.state(number)[0] == "delivered"
    page = world.read_by_employee(number)
    assert "ne s'ouvre pas ici" in page
    assert "<iframe" not in page
    assert f"['{what}']" in world.read_by_admin(number)
    for address in (f"/purchases/{number}/document", f"/purchases/{number}/document?download"):
        with world.buyer.client.get(address) as response:
            assert response.data == content
            assert response.headers["Content-Disposition"].startswith("attachment")
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert "sandbox" in response.headers["Content-Security-Policy"]
    assert world.paid(number) == [CENTS]


@pytest.mark.parametrize("content", [
    PDF, pdf(lambda _writer: None), hidden(b"<< /Type /Catalog >>"), hidden(b"<< /Type /Catalog >>", filters=b""),
    pdf(lambda writer: writer.encrypt("", "owner", algorithm="AES-256")),
    PDF.replace(b"%%EOF", b"9 0 obj << /S /GoTo /D [3 0 R /Fit] >> endobj\n/JavaScriptly /Launched %%EOF"),
])  # fmt: skip
def test_an_ordinary_pdf_is_shown(content):
    assert look(content) == ()


def test_an_ordinary_pdf_opens_in_its_page(world, later):
    number = world.buy()
    world.settle(later)

    assert "<iframe" in world.read_by_employee(number)
    with world.buyer.client.get(f"/purchases/{number}/document") as response:
        assert "attachment" not in response.headers.get("Content-Disposition", "")
        assert (response.mimetype, response.headers["X-Content-Type-Options"]) == ("application/pdf", "nosniff")


@pytest.mark.parametrize("content", [
    b"%PDF-1.7 /ObjStm " + b"stream\n" * 1_000_000, b"%PDF-1.7 /XRef " + (b"stream\nx\x9c" + b"\0" * 3) * 500_000,
    b"%PDF-1.7 /ObjStm " + (b"stream\n" + zlib.compress(b"1 0 " + b" " * 600_000)) * 10_000, b"%PDF" + b"/#4a#61" * 1_000_000,
], ids=["streams", "streams that are empty", "streams that swell", "names"])  # fmt: skip
def test_a_pdf_made_to_take_long_does_not(content):
    began = time.monotonic()

    assert set(look(content)) <= {"sealed"}
    assert time.monotonic() - began < LONG_S


def test_text_made_to_take_long_does_not(world):
    began = time.monotonic()

    for content in (b"<!-- -->   " * 350, b"<!--" * 900, b" " * 4000 + b"<"):
        assert fetched(world, content, "text/plain").size
    assert time.monotonic() - began < LONG_S


# --- Names --------------------------------------------------------------------------------------------------------------

NAMES = {
    "../../etc/passwd": "passwd.pdf", "C:\\Windows\\system32\\cmd.exe": "cmd.pdf", "facture.pdf.exe": "facture.pdf",
    "facture\u202efdp.exe": "facture fdp.pdf", "a.html": "a.pdf", "": "document.pdf", "..": "document.pdf",
    "x\r\nSet-Cookie: a=b.pdf": "x Set-Cookie a=b.pdf", "Extrait n° 3.PDF": "Extrait n° 3.pdf", "a/b/": "document.pdf",
    "é" * 500: "é" * 120 + ".pdf", ".htaccess": "htaccess.pdf", "con<script>.pdf": "con script.pdf",
}  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_files_name_leads_nowhere_and_ends_as_its_bytes_are(name):
    assert safe_name(name, "application/pdf") == NAMES[name]


def test_a_name_with_a_path_is_a_name_on_every_page(world, later):
    world.villain.delivers(PDF, filename='../../<b>etc/pass"wd.exe')

    number = world.buy()
    world.settle(later)

    page = world.read_by_employee(number)
    assert "wd.pdf" in page
    assert "../" not in re.sub(r'(src|href)="[^"]*"', "", page)
    with world.buyer.client.get(f"/purchases/{number}/document?download") as response:
        assert re.search(r'filename="?pass wd\.pdf', response.headers["Content-Disposition"])
    assert len(list(world.house.storage.folder.rglob("*.pdf"))) >= 1


# --- The whole way ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["empty", "an executable under a PDF name", "cut short", "a PDF that starts a program"]
)
def test_a_purchase_of_such_a_document_charges_nothing_and_says_why(name, world, later):
    content, media_type, why = REFUSED[name]
    world.villain.delivers(content, media_type)

    number = world.buy()
    world.settle(later, *LATE)

    assert world.state(number) == ("disputed", "content_missing")
    assert (world.paid(number), world.villain.asked["order"]) == ([], 1)
    assert re.search(why, world.read_by_admin(number))
    assert "rien n'est facturé" in world.read_by_employee(number)
    assert world.buyer.client.get(f"/purchases/{number}/document").status_code == 404


def test_a_document_that_is_mended_is_delivered(world, later):
    world.villain.does("document", says(200, not_yet=True), times=3)

    number = world.buy()
    world.settle(later)

    assert world.state(number)[0] == "delivered"
    world.agree()


WRITTEN = f"{OTHER[:3]} {OTHER[3:6]} {OTHER[6:]}"
IN_THE_OPEN = [
    f"AUTRE SA ({WRITTEN})", f"AUTRE SA {WRITTEN}", f"AUTRE SA, RCS Paris {OTHER}", f"AUTRE SA (FR12{OTHER})",
    f"SIRET : {OTHER}00013", f"TVA FR12{OTHER}",
]  # fmt: skip


@pytest.mark.parametrize("subject", IN_THE_OPEN)
def test_a_price_for_another_company_is_none(subject, world):
    world.villain.does("quote", changed(subject=subject))

    assert world.ask_price() == ""
    assert "Rien n'a été acheté" in world.buyer.text
    assert world.orders() == 0


@pytest.mark.parametrize(
    "subject",
    ["", "AUTRE SA", f"ENTREPRISE {SIREN[:3]} {SIREN[3:6]} {SIREN[6:]}", "Dossier 123456782", f"Facture {OTHER}"],
)
def test_a_price_that_names_no_other_company_is_one(subject, world):
    world.villain.does("quote", changed(subject=subject))

    assert world.ask_price()


def rows(value):
    """A delivery of data about a company."""
    return {
        "kind": "data",
        "rows": [{"label": {"fr": "SIREN"}, "value": value}, {"label": {"fr": "Filiale"}, "value": OTHER}],
    }


@pytest.mark.parametrize("delivery", [{"filename": f"kbis-{OTHER}.pdf"}, rows(OTHER)])
def test_a_delivery_about_another_company_is_a_persons_to_decide(delivery, world, later):
    world.villain.delivery = delivery

    number = world.buy()
    world.settle(later)

    assert world.state(number) == ("disputed", "merchant_other_subject")
    assert world.paid(number) == []
    assert "autre entreprise" in world.read_by_employee(number)
    assert f"the delivery names {OTHER}" in world.read_by_admin(number)


@pytest.mark.parametrize("delivery", [{"filename": f"kbis-{SIREN}.pdf"}, {"filename": f"{OTHER}.pdf"}, rows(SIREN)])
def test_a_delivery_about_the_company_that_was_asked_for_is_one(delivery, world, later):
    world.villain.delivery = delivery

    number = world.buy()
    world.settle(later)

    assert world.state(number)[0] == "delivered"
