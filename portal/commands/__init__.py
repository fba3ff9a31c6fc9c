"""The `portal` command: everything an administrator does from a terminal."""

from __future__ import annotations

import click

from portal.commands.language import say


class Commands(click.Group):
    """Commands listed in the order they are used, not by the alphabet."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]}, help=say("Guichet: online services for employees, paid on the company's Internet invoice."))
def portal() -> None:
    """Every command is a line of `portal help`."""


def everything() -> click.Group:
    """The command line with all its commands."""
    from portal.commands import billing, catalog, checking, database, demonstration, directory, rights, serving, testing

    for module in (demonstration, testing, serving, checking, database, catalog, directory, rights, billing):
        module.register(portal)

    @portal.command("help", help=say("This list."))
    @click.pass_context
    def show_help(ctx: click.Context) -> None:
        click.echo(portal.get_help(ctx.parent or ctx))

    return portal
