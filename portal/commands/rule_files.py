"""`portal rights export` and `import`: the whole set of rules as one TOML file, for review and for version control."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TextIO

import click

from portal import rulebook_words
from portal.commands.context import json_option, opened
from portal.commands.ending import BAD_USAGE, FOUND_WRONG, stop
from portal.commands.language import say
from portal.commands.rights_options import ACTOR, changing, naming
from portal.directory.config import DirectoryUnknown
from portal.rights import rulebook
from portal.rights.rulebook_reading import RulebookFaults, read, resolver


@click.command("export", help=say("Every rule, ceiling and delegation as TOML, to standard output or a file."))
@click.argument("file", type=click.Path(dir_okay=False, writable=True, path_type=Path), required=False)
def export_rules(file: Path | None) -> None:
    with opened() as installation, installation.database.reading() as session:
        text = rulebook.write(session, installation.settings.portal.zone)
    if file:
        file.write_text(text, encoding="utf-8")
    else:
        click.echo(text, nl=False)


@click.command("import", help=say("Make rules, ceilings and delegations exactly what a TOML file says."))
@click.argument("file", type=click.File("r", encoding="utf-8"))
@click.option("--dry-run", is_flag=True, help=say("Say what would change, and change nothing."))
@json_option
def import_rules(file: TextIO, dry_run: bool, as_json: bool) -> None:
    with opened() as installation, naming(installation) as names:
        try:
            book = read(file.read(), resolver(installation.directory), installation.settings.portal.zone)
        except UnicodeDecodeError as error:
            stop(say("%(file)s is no text in UTF-8: %(detail)s", file=file.name, detail=error), BAD_USAGE)
        except DirectoryUnknown as error:
            stop(
                say("The directory could not be asked (%(detail)s): nothing was changed.", detail=str(error)),
                FOUND_WRONG,
            )
        except RulebookFaults as error:
            for fault in error.faults:
                click.echo(f"{file.name}:{fault.line}: {rulebook_words.fault(fault)}", err=True)
            stop(say("Nothing was changed."), BAD_USAGE)
        with changing(installation) as session:
            plan = rulebook.compare(session, book)
            lines = rulebook_words.changes(plan, names)
            if not dry_run:
                rulebook.apply(session, ACTOR, plan)
    if as_json:
        click.echo(
            json.dumps([{"change": mark, "sentence": text} for mark, text in lines], ensure_ascii=False, indent=2)
        )
        return
    for mark, text in lines:
        click.echo(f"{mark} {text}")
    if not lines:
        click.echo(say("Everything is as the file says already."))
    elif dry_run:
        click.echo(say("Nothing was changed: this was a dry run."))
