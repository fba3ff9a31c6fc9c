"""Files that employees give in tests: good ones, and those that must not be taken."""

from __future__ import annotations

import io
import zipfile

from connectors.documents import DOCX
from demo import documents

CONTRACT = documents.docx("Contrat de prestation", ["Entre Acme SA et Dupont SA, il est convenu ce qui suit."])
PDF = documents.pdf("Lettre", ["Madame, Monsieur, ceci est une mise en demeure."])
PROGRAM = b"MZ\x90\x00" + b"\0" * 200
NOTES = "Première ligne à traduire.\nSeconde ligne.".encode()


def given(body: bytes, filename: str, said: str = "application/octet-stream") -> tuple[io.BytesIO, str, str]:
    """A file as a form sends it; `said` is what the browser says of it."""
    return io.BytesIO(body), filename, said


def package(body: bytes = CONTRACT, *, add: str = "", types: tuple[bytes, bytes] = (b"", b"")) -> bytes:
    """A Word document with another entry, or with something else in its table of contents."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(body)) as old, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            content = old.read(entry)
            if entry.filename == "[Content_Types].xml" and types[0]:
                assert types[0] in content
                content = content.replace(*types)
            new.writestr(entry.filename, content)
        if add:
            new.writestr(add, b"content")
    return made.getvalue()


BAD = {
    "vide.docx": (b"", "Ce fichier est vide"),
    "facture.exe": (PROGRAM, "Ce genre de fichier n’est pas accepté ici"),
    "facture.docx": (PROGRAM, "n’est pas ce que dit son nom"),
    "lettre.docx": (PDF, "n’est pas ce que dit son nom"),
    "archive.docx": (b"PK\x03\x04" + b"\0" * 50, "ne peut pas être lu"),
    "tableur.docx": (package(types=(b"wordprocessingml.document.main", b"spreadsheetml.sheet.main")), "n’est pas ce que dit son nom"),
    "macros.docx": (package(add="word/vbaProject.bin"), "contient des macros"),
    "modele.docx": (package(types=(DOCX.encode() + b".main+xml", b"application/vnd.ms-word.document.macroEnabled.main+xml")), "contient des macros"),
    "cheval.docx": (package(add="word/embeddings/facture.exe"), "contient des macros"),
    "script.pdf": (PDF + b"\n1 0 obj << /S /JavaScript /JS (app.alert(1)) >> endobj", "contient des macros"),
    "page.pdf": (b"<html><script>alert(1)</script></html>", "n’est pas ce que dit son nom"),
    "binaire.txt": (b"text\x00\x01", "n’est pas ce que dit son nom"),
    "latin.txt": ("été".encode("latin-1"), "ne peut pas être lu"),
    "sans-extension": (PDF, "Ce genre de fichier n’est pas accepté ici"),
}  # fmt: skip
"""Names with what is in them, and what is said of it."""
