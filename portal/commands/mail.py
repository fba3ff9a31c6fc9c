"""`portal mail`: what became of the mails people were to receive."""

from __future__ import annotations

import click

from portal.commands.context import json_option, opened, print_rows
from portal.commands.language import say
from portal.mail import messages


def register(group: click.Group) -> None:
    """Add `mail`."""
    group.add_command(mail)


@click.group(help=say("Mail to people."))
def mail() -> None:
    """Commands on mail."""


@mail.command("list", help=say("The latest mails: to whom, since when, sent or why not."))
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 10_000), help=say("How many."))
@json_option
def list_mails(limit: int, as_json: bool) -> None:
    with opened() as installation, installation.database.reading() as session:
        rows = [
            {"created": row.created_at.isoformat(timespec="seconds"), "to": row.to_address, "subject": row.subject,
             "state": row.state, "ended": row.ended_at.isoformat(timespec="seconds") if row.ended_at else "",
             "code": row.code, "reason": row.reason, "message_id": row.message_id}
            for row in messages.recent(session, limit)
        ]  # fmt: skip
    print_rows(rows, as_json=as_json, empty=say("There is no mail yet."))
