"""The demonstration's documents: PDF by fpdf2, DOCX by python-docx. None has any value, and each says so."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import UTC, datetime

from docx import Document
from fpdf import FPDF

WARNING = "DÉMONSTRATION - document sans valeur / demonstration - without value"
PDF = "application/pdf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


def pdf(title: str, paragraphs: Sequence[str], rows: Sequence[tuple[str, str]] = ()) -> bytes:
    """A one- or two-page PDF: title, table of facts, paragraphs."""
    page = FPDF(format="A4")
    page.set_title(title)
    page.set_lang("fr")
    page.set_creation_date(datetime(2026, 1, 1, tzinfo=UTC))
    page.set_margins(22, 20)
    page.add_page()
    page.set_font("Helvetica", size=8)
    page.set_text_color(163, 38, 31)
    page.cell(0, 6, _latin(WARNING), new_x="LMARGIN", new_y="NEXT")
    page.set_text_color(22, 33, 31)
    page.set_font("Helvetica", "B", 18)
    page.multi_cell(0, 9, _latin(title), new_x="LMARGIN", new_y="NEXT")
    page.ln(4)
    for label, value in rows:
        page.set_font("Helvetica", size=10)
        page.set_text_color(80, 96, 93)
        page.cell(58, 7, _latin(label))
        page.set_text_color(22, 33, 31)
        page.multi_cell(0, 7, _latin(value), new_x="LMARGIN", new_y="NEXT")
    page.ln(3)
    page.set_font("Helvetica", size=11)
    for paragraph in paragraphs:
        page.multi_cell(0, 6, _latin(paragraph), new_x="LMARGIN", new_y="NEXT")
        page.ln(3)
    return bytes(page.output())


def docx(title: str, paragraphs: Sequence[str]) -> bytes:
    """A Word document: title and paragraphs."""
    document = Document()
    document.add_paragraph(WARNING)
    document.add_heading(title, level=1)
    for paragraph in paragraphs:
        document.add_paragraph(paragraph)
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def _latin(text: str) -> str:
    # The PDF's built-in fonts hold Latin-1 only.
    plain = (
        text.replace("’", "'")
        .replace("œ", "oe")
        .replace("Œ", "OE")
        .replace("€", "EUR")
        .replace("–", "-")
        .replace("\u202f", " ")
    )
    return plain.encode("latin-1", "replace").decode("latin-1")
