"""The house keeps its own rules: directions, types, style, languages, and no request to anybody else."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from portal.database import Database
from portal.migrations import schema
from portal.settings_faults import SENTENCES

ROOT = Path(__file__).parent.parent
KEYWORDS = {"say": None, "gettext": None, "lazy_gettext": None, "_": None, "ngettext": (1, 2)}


@pytest.mark.parametrize("command", [
    ["lint-imports", "--no-cache"],
    ["ruff", "check", "--no-cache", "."],
    ["ruff", "format", "--check", "--no-cache", "--quiet", "."],
    ["mypy", "--no-incremental"],
])  # fmt: skip
def test_the_code_passes(command):
    program = Path(sys.executable).with_name(command[0])
    done = subprocess.run([program, *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]


def test_every_sentence_is_in_french():
    with (ROOT / "portal/translations/fr/LC_MESSAGES/messages.po").open("rb") as file:
        catalogue = {message.id: message.string for message in read_po(file, locale="fr")}
    methods = [("**.py", "python"), ("templates/**.html", "jinja2.ext:babel_extract")]
    found = {
        message
        for _file, _line, message, _comments, _context in extract_from_dir(ROOT / "portal", methods, keywords=KEYWORDS)
    }
    found |= set(SENTENCES.values())
    assert len(found) > 200
    assert [message for message in found if not catalogue.get(message)] == []


def test_the_compiled_catalogue_is_the_written_one():
    folder = ROOT / "portal/translations/fr/LC_MESSAGES"
    from babel.support import Translations

    compiled = Translations.load(ROOT / "portal/translations", ["fr"])
    with (folder / "messages.po").open("rb") as file:
        for message in read_po(file, locale="fr"):
            if isinstance(message.id, str) and message.id:
                assert compiled.gettext(message.id) == message.string


def test_templates_hold_no_sentence_outside_the_catalogue():
    for path in (ROOT / "portal/templates").rglob("*.html"):
        text = re.sub(
            r"\{%.*?%\}|\{\{.*?\}\}|\{#.*?#\}|<script.*?</script>|<[^>]*>",
            " ",
            path.read_text(encoding="utf-8"),
            flags=re.DOTALL,
        )
        assert set(re.findall(r"[A-Za-zÀ-ÿ]{3,}", text)) <= {"Guichet", "SIREN", "doctype", "html"}, path


def test_no_page_names_another_host():
    for path in [*(ROOT / "portal/templates").rglob("*.html"), *(ROOT / "portal/static").rglob("*")]:
        if path.is_file() and "vendor" not in path.parts:
            hosts = set(re.findall(r"https?://([^/\"'\s]+)", path.read_text(encoding="utf-8")))
            assert hosts <= {"www.w3.org"}, path


def test_htmx_is_the_file_its_name_and_hash_say():
    import hashlib

    path = ROOT / "portal/static/vendor/htmx-4.0.1.min.js"
    noted = (ROOT / "portal/static/vendor/SHA256SUMS").read_text().split()[0]
    assert hashlib.sha256(path.read_bytes()).hexdigest() == noted


def test_migrations_make_exactly_our_tables(tmp_path):
    database = Database(f"sqlite:///{tmp_path}/new.db")
    schema.upgrade(database)
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "render_as_batch": True})
        assert compare_metadata(context, schema.metadata()) == []
    database.close()


def test_no_file_and_no_template_grows_too_long():
    """A longer one says in its first line why it is one file."""
    for folder, ending, most in (
        ("portal", "*.py", 300),
        ("connectors", "*.py", 300),
        ("demo", "*.py", 300),
        ("portal/templates", "*.html", 120),
    ):
        for path in (ROOT / folder).rglob(ending):
            lines = path.read_text(encoding="utf-8").splitlines()
            if "versions" not in path.parts and "one file" not in "".join(lines[:1]):
                assert len(lines) <= most, path
