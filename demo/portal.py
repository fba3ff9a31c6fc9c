"""The demonstration's portal: told on standard input which configuration to use, it makes rules and serves.

A program of its own, started first, so that it loads while the company beside it opens.
"""

from __future__ import annotations

import sys
from pathlib import Path

from demo import people
from portal import logs, settings
from portal.catalog.synchronisation import synchronise
from portal.commands.serving import serve_until_stopped
from portal.directory.answers import Group
from portal.installation import Installation, open_installation
from portal.migrations import schema
from portal.money import parse_amount
from portal.rights.ceilings import Terms, add_ceiling
from portal.rights.rules import add_rule
from portal.rights.scopes import Scope


def furnish(configuration: Path) -> None:
    """A database with its rules, its ceiling and its catalogue; nothing is done twice."""
    installation = open_installation(settings.load(configuration, {}))
    fresh = schema.version(installation.database) is None
    schema.upgrade(installation.database)
    if fresh:
        _make_rules(installation)
    synchronise(installation.database, installation.merchants)
    installation.close()


def _make_rules(installation: Installation) -> None:
    everything = Scope("all")

    def group(dn: str) -> Group:
        return installation.directory.find_group(dn)[0]

    with installation.database.transaction() as session:
        add_rule(session, "demonstration", group(people.GROUP_ACHATS), everything, "buy", "allow")
        add_rule(session, "demonstration", group(people.GROUP_CONSULTATION), everything, "browse", "allow")
        limit = parse_amount("20.00")
        add_ceiling(session, "demonstration", group(people.GROUP_STAGIAIRES), Terms("each", everything, "month", limit))


def main() -> None:
    """Wait for the name of a configuration; an empty line means that the company could not open."""
    configuration = sys.stdin.readline().rstrip("\n")
    if configuration:
        logs.configure()
        furnish(Path(configuration))
        serve_until_stopped(settings.load())


if __name__ == "__main__":
    main()
