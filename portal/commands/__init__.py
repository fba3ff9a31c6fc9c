"""The `portal` command: everything an administrator does from a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module

import click

from portal.commands.language import say

PLACES = {
    "demo": "demonstration", "test": "testing", "serve": "serving", "worker": "serving", "check": "checking",
    "db": "database", "catalog": "catalog", "connectors": "connectors", "merchants": "merchants", "directory": "directory", "rights": "rights",
    "ceilings": "ceilings", "delegations": "ceilings", "requests": "requests", "charges": "charges", "disputes": "disputes",
    "usage": "usage", "operators": "operators", "verify": "billing", "audit": "billing", "mail": "mail",
}  # fmt: skip
"""Which module holds which command, in the order they are used; only the one that runs is loaded."""


class Commands(click.Group):
    """Commands that are loaded when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*PLACES, *self.commands.keys() - PLACES.keys()]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in PLACES and cmd_name not in self.commands:
            import_module(f"portal.commands.{PLACES[cmd_name]}").register(self)
        return super().get_command(ctx, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Every command, also those within groups, each with its whole sentence."""
        lines = [
            (path, command.help or "")
            for name in self.list_commands(ctx)
            for path, command in _commands_of(name, self.get_command(ctx, name))
        ]
        with formatter.section(say("Commands")):
            formatter.write_dl(lines)


def _commands_of(path: str, command: click.Command | None) -> Iterator[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            yield from _commands_of(f"{path} {name}", inner)
    elif command is not None:
        yield path, command


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    help=say("Guichet: online services for employees, paid on the company's Internet invoice."),
)
def portal() -> None:
    """Every command is a line of `portal help`."""


@portal.command("help", help=say("This list."))
@click.pass_context
def show_help(ctx: click.Context) -> None:
    click.echo(portal.get_help(ctx.parent or ctx))
