"""Small EPUB files that readers open (EPUB 3.3, Open Container Format): the media type first and uncompressed."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from html import escape

from demo.documents import WARNING

EPUB = "application/epub+zip"
CONTAINER = """\
<?xml version="1.0" encoding="utf-8"?>
<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">
<rootfiles><rootfile full-path="EPUB/package.opf" media-type="application/oebps-package+xml"/></rootfiles>
</container>
"""
PACKAGE = """\
<?xml version="1.0" encoding="utf-8"?>
<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="id" xml:lang="{language}">
<metadata xmlns:dc="http://purl.org/dc/elements/1.1/">
<dc:identifier id="id">{identifier}</dc:identifier><dc:title>{title}</dc:title><dc:creator>{author}</dc:creator>
<dc:language>{language}</dc:language><meta property="dcterms:modified">2026-01-01T00:00:00Z</meta>
</metadata>
<manifest>
<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>
<item id="text" href="text.xhtml" media-type="application/xhtml+xml"/>
</manifest>
<spine><itemref idref="text"/></spine>
</package>
"""
PAGE = """\
<?xml version="1.0" encoding="utf-8"?>
<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops" xml:lang="{language}" lang="{language}">
<head><title>{title}</title></head>
<body>{body}</body>
</html>
"""


def epub(identifier: str, title: str, author: str, language: str, paragraphs: Sequence[str]) -> bytes:
    """One chapter, with its title, a warning that it is worth nothing, and paragraphs."""
    said = {
        "identifier": escape(identifier), "title": escape(title), "author": escape(author), "language": language,
    }  # fmt: skip
    nav = '<nav epub:type="toc"><ol><li><a href="text.xhtml">{title}</a></li></ol></nav>'.format(**said)
    text = "".join(f"<p>{escape(each)}</p>" for each in (WARNING, *paragraphs))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        # First, alone uncompressed: by its place in the file a program knows what this is (OCF 4.3).
        file.writestr(zipfile.ZipInfo("mimetype", (2026, 1, 1, 0, 0, 0)), EPUB)
        for name, content in (
            ("META-INF/container.xml", CONTAINER),
            ("EPUB/package.opf", PACKAGE.format(**said)),
            ("EPUB/nav.xhtml", PAGE.format(**said, body=nav)),
            ("EPUB/text.xhtml", PAGE.format(**said, body=f"<h1>{said['title']}</h1>{text}")),
        ):
            info = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            file.writestr(info, content)
    return buffer.getvalue()
