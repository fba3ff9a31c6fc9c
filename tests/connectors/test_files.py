"""What a file is, by its bytes and its name; and what leaves for a merchant when one is sent."""

from __future__ import annotations

import contextlib
import hashlib
import io
import time
import zipfile
import zlib

import pytest
from flask import Flask, jsonify, request

from connectors.attachments import Attachment, attached
from connectors.contract import ContractBroken, UnknownOutcome
from connectors.declared.manifest import DeclaredManifest
from connectors.documents import DOCX, OFFICE, PPTX, XLSX
from connectors.files import JPEG, PDF, PNG, TEXT, NotThis, kind_of, safe_name
from connectors.http import GuardedClient, Timeouts
from connectors.kit.uploads import StoryUploads
from connectors.merchants.deepl.counting import Uncountable, most_billed
from connectors.merchants.registry import FOLDER
from demo import documents
from demo.sockets import LoopbackServer
from tests.checkout.files import BAD, CONTRACT, NOTES, package
from tests.checkout.files import PDF as LETTER
from tests.connectors.declared_shop import MANIFEST
from tests.hostile.test_documents import long_list

ZEROS = b"\0" * 3_000_000
SEALED = b"8 0 obj << /Type /ObjStm /N 1 /First 4 /Length 3 >>\nstream\n\x8f\x02\x11\nendstream endobj\ntrailer << /Encrypt 5 0 R >>\n%%EOF\n"
SCRIPT = zlib.compress(b"9 0 << /S /JavaScript /JS (app.alert) >>")
HIDDEN = (
    b"8 0 obj << /Type /ObjStm /N 1 /First 4 /Filter /FlateDecode >>\nstream\n"
    + SCRIPT
    + b"\nendstream endobj\n%%EOF\n"
)


def office(part: str, main: str) -> bytes:
    """The least of an Office Open XML package."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as into:
        into.writestr(
            "[Content_Types].xml",
            f'<Types><Override PartName="/{part}" ContentType="{OFFICE}{main}.main+xml"/></Types>',
        )
        into.writestr(part, "<x/>")
    return made.getvalue()


WORKBOOK, SLIDES = (
    office("xl/workbook.xml", "spreadsheetml.sheet"),
    office("ppt/presentation.xml", "presentationml.presentation"),
)


@pytest.mark.parametrize(("body", "name", "media_type"), [
    (CONTRACT, "Contrat.DOCX", DOCX), (LETTER, "lettre.pdf", PDF), (NOTES, "notes.txt", TEXT), (b"\xef\xbb\xbfabc", "a.txt", TEXT),
    (b"\x89PNG\r\n\x1a\n....IEND\xaeB`\x82", "a.png", PNG), (b"\xff\xd8\xff\xe0....\xff\xd9", "a.jpeg", JPEG),
    (WORKBOOK, "prix.xlsx", XLSX), (SLIDES, "comite.pptx", PPTX), (documents.pdf("Scellé", ["Sous mot de passe."]) + SEALED, "a.pdf", PDF),
])  # fmt: skip
def test_what_is_taken(body, name, media_type):
    assert kind_of(io.BytesIO(body), name).media_type == media_type


@pytest.mark.parametrize("name", [name for name, (body, _words) in BAD.items() if body])
def test_what_is_not(name):
    with pytest.raises(NotThis):
        kind_of(io.BytesIO(BAD[name][0]), name)


@pytest.mark.parametrize(("body", "name", "code"), [
    (LETTER + b"1 0 obj << /S /J#61vaScript /JS (x) >> endobj %%EOF", "a.pdf", "macros"), (LETTER + HIDDEN, "a.pdf", "macros"),
    (LETTER + b"1 0 obj << /S /L#61unch /F (calc.exe) >> endobj %%EOF", "a.pdf", "macros"),
    (package(add="word/activeX/activeX1.bin"), "a.docx", "macros"), (package(add="../../boot.ini"), "a.docx", "macros"),
    (LETTER[: len(LETTER) // 2], "a.pdf", "unreadable"), (CONTRACT[:-400], "a.docx", "unreadable"),
    (b"\x89PNG\r\n\x1a\n....", "a.png", "unreadable"), (office("word/document.xml", "spreadsheetml.sheet"), "a.docx", "mismatch"),
])  # fmt: skip
def test_what_a_delivery_must_not_be_a_given_file_must_not_be_either(body, name, code):
    with pytest.raises(NotThis, match=code):
        kind_of(io.BytesIO(body), name)


def test_a_package_that_cannot_be_unpacked_is_refused():
    broken = bytearray(CONTRACT)
    broken[40:60] = b"\xff" * 20
    with pytest.raises(NotThis):
        kind_of(io.BytesIO(bytes(broken)), "a.docx")


def packed(coding: int) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", coding) as into:
        into.writestr("[Content_Types].xml", "wordprocessingml.document.main+xml" * 20)
        into.writestr("word/document.xml", "")
    return made.getvalue()


@pytest.mark.parametrize("coding", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_package_that_is_damaged_is_refused_in_whatever_coding(coding):
    whole = packed(coding)
    assert kind_of(io.BytesIO(whole), "a.docx").media_type == DOCX
    start = 30 + len("[Content_Types].xml")
    for at in range(start, start + 40, 3):
        broken = bytearray(whole)
        broken[at : at + 3] = b"\xff" * 3
        with contextlib.suppress(NotThis):
            # Not all that is changed is damaged; but nothing else may ever be raised.
            assert kind_of(io.BytesIO(bytes(broken)), "a.docx").media_type == DOCX


def test_a_package_whose_list_swells_behind_its_end_is_refused():
    with pytest.raises(NotThis, match="unreadable"):
        kind_of(io.BytesIO(long_list(CONTRACT, 150_000)), "a.docx")


@pytest.mark.parametrize(("given", "kept"), [
    ("C:\\Users\\chloe\\contrat.docx", "contrat.docx"), ("../../etc/passwd.pdf", "passwd.pdf"), ("a\nb\x00.pdf", "a b.pdf"),
    ("facture\u202efdp.exe", "facture fdp.exe"), ("...", "document"), ("é" * 300 + ".pdf", "é" * 116 + ".pdf"),
])  # fmt: skip
def test_names_are_made_safe(given, kept):
    assert safe_name(given) == kept


@pytest.fixture
def server():
    app, seen = Flask("takes files"), []

    @app.post("/form")
    def form():
        file = request.files["file"]
        body = file.read()
        file.close()
        seen.append(
            (
                dict(request.headers),
                request.form.to_dict(),
                file.filename,
                file.mimetype,
                hashlib.sha256(body).hexdigest(),
            )
        )
        return jsonify(ok=True)

    @app.put("/raw")
    def raw():
        seen.append((dict(request.headers), {}, "", request.mimetype, hashlib.sha256(request.get_data()).hexdigest()))
        return jsonify(ok=True)

    made = LoopbackServer(app)
    made.start()
    made.seen = seen
    yield made
    made.stop()


def a_file(body: bytes, opened: list[io.BytesIO] | None = None) -> Attachment:
    def open_it() -> io.BytesIO:
        file = io.BytesIO(body)
        if opened is not None:
            opened.append(file)
        return file

    return Attachment('contrat "été".docx', DOCX, len(body), hashlib.sha256(body).hexdigest(), open_it)


def client(server, **limits) -> GuardedClient:
    return GuardedClient([server.url.partition("//")[2]], timeouts=Timeouts(**limits))


def test_a_file_leaves_in_a_form_its_length_told_and_the_same_bytes_each_time(server):
    opened: list[io.BytesIO] = []
    http = client(server)
    for _time in range(2):
        answer = http.request("POST", f"{server.url}/form", form={"po": "G-1"}, files={"file": a_file(ZEROS, opened)})
        assert answer.json() == {"ok": True}
    first, second = server.seen
    assert first == second
    headers, form, filename, media_type, digest = first
    assert int(headers["Content-Length"]) > len(ZEROS)
    assert "Transfer-Encoding" not in headers
    assert (form, media_type, digest) == ({"po": "G-1"}, DOCX, hashlib.sha256(ZEROS).hexdigest())
    assert "été" in filename
    assert all(file.closed for file in opened)
    assert len(opened) == 2


def test_a_file_may_be_the_whole_body(server):
    client(server).request("PUT", f"{server.url}/raw", raw=a_file(CONTRACT))
    [(headers, _form, _name, media_type, digest)] = server.seen
    assert headers["Content-Length"] == str(len(CONTRACT))
    assert (media_type, digest) == (DOCX, hashlib.sha256(CONTRACT).hexdigest())


def test_a_file_that_is_gone_was_certainly_not_sent(server):
    uploads = StoryUploads(FOLDER / "deepl" / "fixtures")
    upload = uploads.describe("contrat.docx")
    gone = Attachment("a", DOCX, 1, "", lambda: uploads.open("../connector.toml"))
    with pytest.raises(ContractBroken):
        client(server).request("POST", f"{server.url}/form", files={"file": gone})
    assert server.seen == []
    assert attached(uploads, upload, "autre.docx").filename == "autre.docx"


def test_sending_that_takes_too_long_is_a_doubt(server):
    class Slow(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            time.sleep(0.1)
            return super().read(1000)

    slow = Attachment("a.docx", DOCX, 100_000, "", lambda: Slow(b"x" * 100_000))
    with pytest.raises(UnknownOutcome, match="took longer"):
        client(server, total=0.4).request("PUT", f"{server.url}/raw", raw=slow)


FILE = '[[input]]\nname = "letter"\nlabel = {fr = "Lettre"}\ntype = "file"\naccept = ["application/pdf"]\n\n[[input]]\nname = "town"'


def manifest(*changes: tuple[str, str]) -> DeclaredManifest:
    import tomllib

    text = MANIFEST.replace('[[input]]\nname = "town"', FILE)
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return DeclaredManifest.model_validate(tomllib.loads(text))


FULFIL = 'body = {offer = "{quote.ref}", sku = "{offer.id}", town = "{input.town}", po = "{po}", most = "{max_cents}"}'


def test_a_manifest_sends_a_file():
    made = manifest(
        (FULFIL, FULFIL + '\nfiles = {pdf = "{input.letter}"}'),
        ('for = "{buyer.company}"', 'size = "{input.letter.size}"'),
    )
    assert made.fulfil.files == {"pdf": "{input.letter}"}
    assert made.inputs_of("rain")[0].accept == ("application/pdf",)


@pytest.mark.parametrize(("change", "said"), [
    (('accept = ["application/pdf"]', 'accept = ["application/x-msdownload"]'), "no kind of file"),
    (('accept = ["application/pdf"]', ""), "accept"),
    (("type = \"file\"\n", ""), "accept"),
    ((FULFIL, FULFIL.replace("{input.town}", "{input.letter}")), "not known there"),
    ((FULFIL, FULFIL + '\nfiles = {pdf = "{input.town}"}'), "no input of type file"),
    ((FULFIL, 'body = {lines = [{po = "{po}", key = "{key}"}]}\nfiles = {pdf = "{input.letter}"}'), "one text"),
    (('query = {key = "{key}"}', 'query = {key = "{key}"}\nmethod = "POST"\nfiles = {pdf = "{input.letter}"}'), "no input of type file"),
    (('query = {key = "{key}"}', 'query = {key = "{key}"}\nfiles = {pdf = "{input.letter}"}'), "give the method"),
])  # fmt: skip
def test_a_manifest_says_what_is_wrong_with_a_file(change, said):
    with pytest.raises(ValueError, match=said):
        manifest(change)


@pytest.mark.parametrize(("body", "media_type", "most"), [
    (NOTES, TEXT, 10_000), ("é".encode() * 10_000, TEXT, 10_000), (b"a" * 10_001, TEXT, 20_000), (CONTRACT, DOCX, 50_000),
    (documents.docx("Long", ["mot " * 20_000]), DOCX, 90_000), (LETTER, PDF, 50_000),
    (documents.pdf("Long", ["mot " * 20_000]), PDF, 90_000),
])  # fmt: skip
def test_how_many_characters_a_document_is_priced_for(body, media_type, most):
    assert most_billed(io.BytesIO(body), media_type) == most


@pytest.mark.parametrize(("body", "media_type", "code"), [
    (b" \n ", TEXT, "empty"), (documents.docx("", []).replace(b"x", b"x"), DOCX, ""), (LETTER + b"/Encrypt 5 0 R", PDF, "locked"),
    (package(add="word/header9.xml"), DOCX, ""),
])  # fmt: skip
def test_what_cannot_be_counted_is_said(body, media_type, code):
    if not code:
        assert most_billed(io.BytesIO(body), media_type) >= 50_000
        return
    with pytest.raises(Uncountable, match=code):
        most_billed(io.BytesIO(body), media_type)


@pytest.mark.parametrize("content", [b"BT " * 2_000_000, b"(\\(" * 1_500_000, b"(" * 4_000_000, b"<" * 4_000_000])
def test_a_page_made_to_be_slow_is_not(content):
    began = time.process_time()
    packed = zlib.compress(content + b" Tj")
    most_billed(io.BytesIO(b"%PDF-1.7\nstream\n" + packed + b"\nendstream"), PDF)
    assert time.process_time() - began < 8


def test_pictures_are_not_unpacked():
    picture = zlib.compress(bytes(range(256)) * 400_000)
    began = time.process_time()
    assert most_billed(io.BytesIO(LETTER + (b"stream\n" + picture + b"\nendstream\n") * 200), PDF) == 50_000
    assert time.process_time() - began < 4


def test_what_unpacks_into_too_much_is_no_document(monkeypatch):
    monkeypatch.setattr("connectors.merchants.deepl.counting.MOST_TEXT", 10_000)
    monkeypatch.setattr("connectors.merchants.deepl.counting.MOST_SHOWN", 10_000)
    for body, media_type in (
        (documents.docx("Long", ["mot " * 20_000]), DOCX),
        (documents.pdf("Long", ["mot " * 20_000]), PDF),
    ):
        with pytest.raises(Uncountable, match="huge"):
            most_billed(io.BytesIO(body), media_type)
