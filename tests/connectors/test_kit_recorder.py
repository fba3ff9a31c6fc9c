"""What a recorder writes down: no secret in any form in which a merchant repeats it, and nobody's mail or telephone."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from connectors.http import Answer
from connectors.kit.recorder import Recorder

USER, PASSWORD = "acme-user", 'p4ss/wörd +&"zz'
FORMS = [
    PASSWORD, quote(PASSWORD, safe=""), quote_plus(PASSWORD), base64.b64encode(PASSWORD.encode()).decode(),
    base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode(),
]  # fmt: skip
PEOPLE = "chloe.lefevre@acme.fr +33142685300"


def written(folder: Path, step: str, body: bytes, media_type: str) -> str:
    """All that stands in the folder once such an answer was recorded."""
    recorder = Recorder(folder, "https://merchant.example", {"user": USER, "password": PASSWORD}, step=step)
    recorder.told("GET", "https://merchant.example/a", {}, Answer(200, {"content-type": media_type}, body))
    recorder.write()
    return "\n".join(path.read_bytes().decode("latin-1") for path in sorted(folder.iterdir()))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "media_type", ["application/json", "application/xml", "text/html; charset=utf-8", "application/pdf"]
)
def test_a_secret_that_a_merchant_repeats_is_written_down_in_no_form(form, media_type, tmp_path):
    body = json.dumps({"next": form, form: 1}, ensure_ascii=False) if "json" in media_type else f"<a>{form}</a>%PDF"

    text = written(tmp_path, "list", body.encode(), media_type)

    assert "{any}" in text
    for each in {form, json.dumps(form)[1:-1]}:
        assert each.encode().decode("latin-1") not in text


@pytest.mark.parametrize("media_type", ["application/xml", "text/html", "application/atom+xml"])
def test_nobody_stays_in_an_answer_that_is_no_json(media_type, tmp_path):
    text = written(tmp_path, "list", f"<a>{PEOPLE}</a>".encode(), media_type)

    assert "<a>personne@exemple.fr +33199000000</a>" in text


def test_a_document_stays_as_it_was_delivered(tmp_path):
    assert PEOPLE in written(tmp_path, "document", f"<a>{PEOPLE}</a>".encode(), "application/xml")
