"""`python -m portal`: the command line."""

from __future__ import annotations

from portal.commands import everything


def main() -> None:
    """Run one command."""
    everything()(prog_name="portal")


if __name__ == "__main__":
    main()
