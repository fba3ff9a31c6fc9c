"""A document is kept only when it is what the merchant said, and whole."""

from __future__ import annotations

import hashlib

import pytest

from connectors.contract import ContractBroken, Document, UnknownOutcome
from connectors.http import Download
from portal.checkout.storage import Storage

PDF = b"%PDF-1.7 content\n%%EOF\n"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


def document(media_type="application/pdf", sha256=""):
    return Document(media_type, "https://m.example/d", "../../etc/passwd", sha256)


def fetching(content):
    def fetch(into):
        into.write(content)
        return Download("application/pdf", len(content), hashlib.sha256(content).hexdigest())

    return fetch


@pytest.fixture
def storage(tmp_path):
    return Storage(tmp_path / "deliveries")


def test_a_document_is_kept_under_a_name_of_ours_for_our_eyes_only(storage):
    stored = storage.keep(document(sha256=hashlib.sha256(PDF).hexdigest()), fetching(PDF))

    path = storage.path(stored.name)
    assert path.read_bytes() == PDF
    assert path.parent == storage.folder
    assert (stored.size, stored.sha256, path.suffix) == (len(PDF), hashlib.sha256(PDF).hexdigest(), ".pdf")
    assert (path.stat().st_mode & 0o077, storage.folder.stat().st_mode & 0o077) == (0, 0)


@pytest.mark.parametrize(("wanted", "content"), [
    (document(), b"<html>"), (document(), b""), (document(DOCX), PDF), (document("text/html"), b"<html>"),
    (document("application/x-msdownload"), b"MZ"), (document(sha256="0" * 64), PDF),
])  # fmt: skip
def test_what_is_not_as_announced_leaves_nothing_behind(wanted, content, storage):
    with pytest.raises(ContractBroken):
        storage.keep(wanted, fetching(content))

    assert not storage.folder.exists() or list(storage.folder.iterdir()) == []


def test_a_document_cut_in_the_middle_leaves_nothing_behind(storage):
    def cut(into):
        into.write(PDF)
        raise UnknownOutcome("cut")

    with pytest.raises(UnknownOutcome):
        storage.keep(document(), cut)

    assert list(storage.folder.iterdir()) == []


def test_what_a_killed_process_had_begun_is_swept_away_once_no_fetch_can_still_be_running(storage, later):
    kept = storage.keep(document(), fetching(PDF))
    begun = storage.folder / "incoming-abc"
    begun.write_bytes(PDF[:4])

    storage.sweep()
    assert begun.exists()
    later(hours=2)
    storage.sweep()

    assert [path.name for path in storage.folder.iterdir()] == [kept.name]
