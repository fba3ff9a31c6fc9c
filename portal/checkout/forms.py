"""The form of the first click: what was typed, and files that go straight to where they are kept."""

from __future__ import annotations

import io
from typing import IO, cast

from flask import Request, request

from portal.checkout.incoming import Incoming
from portal.checkout.panel import Panel
from portal.checkout.uploads import KeptUploads
from portal.refusals import Refused

LONGEST_TEXT = 500
MOST_BODY = 100_000_000
"""Bytes of one form, files included. A file that is too long is read to its end, and not kept, so that its form is answered."""


class FileRequest(Request):
    """A request whose files go where `receive_into` says, and nowhere unless it was called."""

    _uploads: KeptUploads | None = None
    _most_bytes = 0

    def receive_into(self, uploads: KeptUploads, most_bytes: int) -> None:
        """Let files of at most so many bytes come, before anything of the form was read."""
        self._uploads, self._most_bytes = uploads, most_bytes
        self.max_content_length = MOST_BODY
        self.incoming: list[Incoming] = []

    def _get_file_stream(
        self, total_content_length: int | None, content_type: str | None, filename: str | None = None,
        content_length: int | None = None,
    ) -> IO[bytes]:  # fmt: skip
        if self._uploads is None:
            return super()._get_file_stream(total_content_length, content_type, filename, content_length)
        if not filename:
            return io.BytesIO()
        self.incoming.append(self._uploads.incoming(self._most_bytes))
        return cast(IO[bytes], self.incoming[-1])

    def discard(self) -> None:
        """Away with files that were not kept, also when the visitor left in the middle."""
        for each in getattr(self, "incoming", []):
            each.discard()


def expect_files(panel: Panel, uploads: KeptUploads) -> None:
    """Let the files come that this offer asks for, if any; of one that nobody can buy now they are read and not kept."""
    sizes = [item.most_bytes for item in panel.offer.fields if item.type == "file"]
    if sizes:
        cast(FileRequest, request).receive_into(uploads, 0 if panel.is_closed else max(sizes))


def read_to_end(uploads: KeptUploads) -> None:
    """Let everything come and keep nothing: a browser shows no answer while it cannot send what it has."""
    cast(FileRequest, request).receive_into(uploads, 0)
    request.form.get("")


def read(panel: Panel, uploads: KeptUploads, account_id: int) -> None:
    """What was typed and given, into the panel, with what is wrong with its files; a file given before stays."""
    for item in panel.offer.fields:
        name = item.name
        panel.typed[name] = request.form.get(name, "")[:LONGEST_TEXT]
        if item.type != "file":
            continue
        if request.form.get("drop") == name:
            panel.typed[name] = ""
            panel.changed.add(name)
        given = request.files.get(name)
        if given and given.filename and isinstance(given.stream, Incoming):
            panel.changed.add(name)
            if panel.is_closed:
                continue
            try:
                panel.typed[name] = uploads.keep(account_id, item, given.filename, given.stream).reference
            except Refused as refused:
                panel.wrong[name] = refused.reason
