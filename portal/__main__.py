"""`python -m portal`: the command line."""

from __future__ import annotations

from portal.commands import portal


def main() -> None:
    """Run one command."""
    portal(prog_name="portal")


if __name__ == "__main__":
    main()
