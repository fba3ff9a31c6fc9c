"""The journal on screen: filtered, exported, its chain verified."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import date

from flask import Response, render_template, request, stream_with_context
from flask.typing import ResponseReturnValue
from sqlalchemy import func, select

from portal import audit
from portal.admin import journal as book
from portal.admin.access import admins_only
from portal.admin.blueprint import admin
from portal.admin.journal import PAGE, Filter
from portal.audit import AuditEntry
from portal.web import installation, wants_fragment

VERIFIED_UNASKED = 5_000
"""A chain of so many entries is verified each time the page is shown; a longer one when somebody asks."""
DANGEROUS = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet would take for a formula at the start of a cell."""


@admin.get("/journal")
@admins_only
def journal() -> ResponseReturnValue:
    """Who did what, when, from where, with before and after."""
    house, wanted = installation(), _filter()
    before = request.args.get("before", "")
    with house.database.reading() as session:
        zone = house.settings.portal.zone
        found = book.entries(session, wanted, zone, int(before) if before.isdigit() else 0)
        count = session.scalar(select(func.count()).select_from(AuditEntry)) or 0
        verifies = count <= VERIFIED_UNASKED or "verify" in request.args
        broken = audit.first_broken(session) if verifies else None
        names, actions = book.names_of_actors(session), book.actions(session)
    template = "admin/_journal.html" if wants_fragment() else "admin/journal.html"
    return render_template(
        template, entries=found[:PAGE], more=len(found) > PAGE, wanted=wanted, names=names, actions=actions,
        count=count, verified=verifies, broken=broken, changes=book.changes,
    )  # fmt: skip


@admin.get("/journal.<ending>")
@admins_only
def export_journal(ending: str) -> ResponseReturnValue:
    """What the filter lets through, whole, as `csv` (for a spreadsheet) or `json` (one object a line)."""
    if ending not in EXPORTS:
        return render_template("error.html", kind="404"), 404
    kind, lines = EXPORTS[ending]
    headers = {"Content-Disposition": f'attachment; filename="journal-{date.today().isoformat()}.{ending}"'}
    return Response(stream_with_context(lines(_filter())), mimetype=kind, headers=headers)


def _filter() -> Filter:
    return Filter(
        text=request.args.get("q", "").strip()[:100], action=request.args.get("action", "")[:64],
        first=_day(request.args.get("first", "")), last=_day(request.args.get("last", "")),
    )  # fmt: skip


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _rows(wanted: Filter) -> Iterator[dict[str, object]]:
    house = installation()
    zone = house.settings.portal.zone
    with house.database.reading() as session:
        for entry in book.every_entry(session, wanted, zone):
            yield book.as_row(entry, zone)


def _as_json(wanted: Filter) -> Iterator[str]:
    for row in _rows(wanted):
        yield json.dumps(row, ensure_ascii=False) + "\n"


def _as_csv(wanted: Filter) -> Iterator[str]:
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=";")
    # French spreadsheets take a file for UTF-8 by this mark, and semicolons for columns.
    buffer.write("\ufeff")
    writer.writerow(["id", "at", "actor", "address", "action", "subject", "before", "after", "hash"])
    for row in _rows(wanted):
        writer.writerow([_cell(value) for value in row.values()])
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
    yield buffer.getvalue()


def _cell(value: object) -> str:
    text = "" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"'{text}" if text.startswith(DANGEROUS) else text


EXPORTS = {"csv": ("text/csv; charset=utf-8", _as_csv), "json": ("application/x-ndjson", _as_json)}
