"""Files that employees give: kept for their owner alone while a price or an order needs them, then erased.

What stays for ever of a file that was sent with an order is its name, its size and its SHA-256.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from sqlalchemy import ForeignKey, String, func, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from connectors.contract import ContractBroken, Input, Upload
from connectors.files import NotThis, kind_of, safe_name
from portal import clock, logs
from portal.checkout.incoming import Incoming
from portal.checkout.inputs import InvalidInputs
from portal.database import Base, Database, UtcDateTime
from portal.refusals import Reason, Refused

log = logs.get(__name__)

PREFIX = "upload-"
MOST_KEPT = 300_000_000
"""Bytes that one person's files may take at a time: enough for any work, too little to fill a disk."""


class UploadRow(Base):
    """What is known of a file. `storage_name` is "" once its bytes are erased; `used_at` when somebody last needed it."""

    __tablename__ = "uploads"

    id: Mapped[int] = mapped_column(primary_key=True)
    reference: Mapped[str] = mapped_column(String(64), unique=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), index=True)
    filename: Mapped[str] = mapped_column(String(200))
    media_type: Mapped[str] = mapped_column(String(100))
    size: Mapped[int]
    sha256: Mapped[str] = mapped_column(String(64))
    storage_name: Mapped[str] = mapped_column(String(64), index=True)
    kept_at: Mapped[datetime] = mapped_column(UtcDateTime)
    used_at: Mapped[datetime] = mapped_column(UtcDateTime)
    erased_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    def as_contract(self) -> Upload:
        """As a connector sees it."""
        return Upload(self.reference, self.filename, self.media_type, self.size, self.sha256)


class UploadUse(Base):
    """A price that was asked for with a file."""

    __tablename__ = "upload_uses"

    upload_id: Mapped[int] = mapped_column(ForeignKey("uploads.id"), primary_key=True)
    quote_id: Mapped[int] = mapped_column(ForeignKey("quotes.id"), primary_key=True, index=True)


class KeptUploads:
    """The files of this site, readable by the portal's own user only; connectors find them by their references."""

    def __init__(self, database: Database, folder: Path) -> None:
        self._database, self.folder = database, folder

    def incoming(self, most_bytes: int) -> Incoming:
        """Where a file of at most so many bytes may arrive."""
        return Incoming(self.folder, most_bytes)

    def keep(self, account_id: int, item: Input, filename: str, file: Incoming) -> UploadRow:
        """Keep what somebody gave for an input, for him alone; the same file twice is one.

        Raises:
            Refused: `upload_empty`, `upload_large`, `upload_kind`, `upload_mismatch`, `upload_macros`,
                `upload_unreadable`, `upload_many` or `upload_failed`; nothing is kept.
        """
        name = safe_name(filename)
        if file.error:
            raise _failed(file.error)
        if not file.size:
            raise Refused("upload_empty")
        if file.size > item.most_bytes:
            raise Refused("upload_large", most_bytes=item.most_bytes, size=file.size)
        try:
            media_type = kind_of(file.file, name).media_type
        except NotThis as error:
            raise Refused(f"upload_{error.code}", accept=list(item.accept), filename=name) from error
        if media_type not in item.accept:
            raise Refused("upload_kind", accept=list(item.accept), filename=name)
        return self._store(account_id, UploadRow(filename=name, media_type=media_type, size=file.size, sha256=file.sha256), file)  # fmt: skip

    def _store(self, account_id: int, row: UploadRow, file: Incoming) -> UploadRow:
        at = clock.now()
        with self._database.transaction() as session:
            kept = select(UploadRow).where(UploadRow.account_id == account_id, UploadRow.storage_name != "")
            again = session.scalar(kept.where(
                UploadRow.sha256 == row.sha256, UploadRow.filename == row.filename, UploadRow.media_type == row.media_type
            ).order_by(UploadRow.id).limit(1))  # fmt: skip
            if again:
                again.used_at = at
                return again
            size = session.scalar(select(func.coalesce(func.sum(UploadRow.size), 0)).where(
                UploadRow.account_id == account_id, UploadRow.storage_name != ""
            ))  # fmt: skip
            if (size or 0) + row.size > MOST_KEPT:
                raise Refused("upload_many")
            row.account_id, row.kept_at, row.used_at = account_id, at, at
            row.reference, row.storage_name = PREFIX + secrets.token_urlsafe(32), secrets.token_hex(16)
            try:
                # The file first: what no row knows is swept away, and a row never promises what is not there.
                file.keep(row.storage_name)
            except OSError as error:
                raise _failed(error) from error
            session.add(row)
        log.info("file_kept", account=account_id, media_type=row.media_type, bytes=row.size)
        return row

    def describe(self, reference: str) -> Upload:
        """What is known of a file. Raises `ContractBroken` when its bytes are not kept here."""
        return self._row(reference).as_contract()

    def open(self, reference: str) -> BinaryIO:
        """Its bytes. Raises `ContractBroken` when they are not kept here."""
        row = self._row(reference)
        try:
            return (self.folder / row.storage_name).open("rb")
        except OSError as error:
            raise ContractBroken(f"the file cannot be read: {type(error).__name__}") from error

    def _row(self, reference: str) -> UploadRow:
        with self._database.reading() as session:
            row = session.scalar(select(UploadRow).where(UploadRow.reference == reference))
        if row is None or not row.storage_name:
            raise ContractBroken("the file is not kept any more")
        return row


def _failed(error: OSError) -> Refused:
    log.error("file_not_kept", detail=f"{type(error).__name__}: {error}")
    return Refused("upload_failed")


def own(session: Session, account_id: int, fields: Iterable[Input], typed: Mapping[str, str]) -> dict[str, UploadRow]:
    """The files that a form's inputs refer to, by input name: those that are this person's and still there."""
    wanted = {item.name: typed.get(item.name, "") for item in fields if item.type == "file"}
    if not any(wanted.values()):
        return {}
    rows = session.scalars(select(UploadRow).where(
        UploadRow.account_id == account_id, UploadRow.reference.in_(wanted.values()), UploadRow.storage_name != ""
    ))  # fmt: skip
    by_reference = {row.reference: row for row in rows}
    return {name: by_reference[reference] for name, reference in wanted.items() if reference in by_reference}


def require_own(database: Database, account_id: int, fields: Sequence[Input], inputs: Mapping[str, str]) -> None:
    """Whether every file that inputs refer to is this person's, of a kind that is asked for, and there; it stays for now.

    Raises:
        InvalidInputs: `upload_gone`, whatever is the matter with it: nobody learns of another's file.
    """
    asked = [item for item in fields if item.type == "file" and inputs.get(item.name)]
    if not asked:
        return
    with database.transaction() as session:
        found = own(session, account_id, asked, inputs)
        wrong = [
            item.name
            for item in asked
            if item.name not in found
            or found[item.name].media_type not in item.accept
            or found[item.name].size > item.most_bytes
        ]
        if wrong:
            raise InvalidInputs({name: Reason("upload_gone") for name in wrong})
        ids = [row.id for row in found.values()]
        session.execute(update(UploadRow).where(UploadRow.id.in_(ids)).values(used_at=clock.now()))


def note_uses(session: Session, quote_id: int, inputs: Mapping[str, str]) -> None:
    """A price was given for these inputs: their files stay while it binds."""
    references = {value for value in inputs.values() if value.startswith(PREFIX)}
    if references:
        rows = session.scalars(select(UploadRow.id).where(UploadRow.reference.in_(references)))
        session.add_all(UploadUse(upload_id=row, quote_id=quote_id) for row in rows)


def given_for(session: Session, inputs: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """What an order keeps of its files, by input name: name, size and SHA-256."""
    references = {value: name for name, value in inputs.items() if value.startswith(PREFIX)}
    if not references:
        return {}
    rows = session.scalars(select(UploadRow).where(UploadRow.reference.in_(references)).order_by(UploadRow.id))
    return {
        references[row.reference]: {"filename": row.filename, "size": row.size, "sha256": row.sha256} for row in rows
    }
