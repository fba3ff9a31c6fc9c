"""What the demonstration's translator makes of a document: the same, each paragraph marked; nothing is really translated."""

from __future__ import annotations

import io
from pathlib import PurePosixPath

from docx import Document

from demo.documents import DOCX, PDF, WARNING, pdf

TEXT = "text/plain"
KINDS = {".docx": DOCX, ".pdf": PDF, ".txt": TEXT}
MINIMUM = {DOCX: 50_000, PDF: 50_000, TEXT: 0}
"""Characters billed for any document of a kind."""


def kind_of(filename: str) -> str:
    """The media type by a name's ending, "" for what is not translated here."""
    return KINDS.get(PurePosixPath(filename.lower()).suffix, "")


def translate(body: bytes, media_type: str, language: str) -> tuple[bytes, int]:
    """The marked document, and how many characters are billed for it. Raises `ValueError` for what cannot be read."""
    if media_type == TEXT:
        lines = body.decode("utf-8-sig").splitlines()
        marked = "\n".join([WARNING, "", *(f"[{language}] {line}" if line.strip() else "" for line in lines)])
        return marked.encode(), len("\n".join(lines))
    if media_type == PDF:
        said = [
            f"[{language}] Ici se trouverait votre document de {len(body)} octets, traduit et mis en page comme lui."
        ]
        return pdf(f"Traduction de démonstration ({language})", said), MINIMUM[PDF]
    return _word(body, language)


def _word(body: bytes, language: str) -> tuple[bytes, int]:
    try:
        document = Document(io.BytesIO(body))
    except Exception as error:  # python-docx raises what its parts raise
        raise ValueError("not a Word document") from error
    characters = 0
    for paragraph in document.paragraphs:
        characters += len(paragraph.text)
        if paragraph.text.strip():
            paragraph.runs[0].text = f"[{language}] {paragraph.runs[0].text}" if paragraph.runs else paragraph.text
    if document.paragraphs:
        document.paragraphs[0].insert_paragraph_before(WARNING)
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue(), max(MINIMUM[DOCX], characters)
