"""Draw the state machines from their tables into architecture.md: `python docs/drawings.py`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from portal.billing import charges
from portal.checkout import orders

PAGE = Path(__file__).with_name("architecture.md")
MACHINES = {"order": ("accepted", orders.MOVES), "charge": ("new", charges.MOVES)}


def drawing(start: str, moves: Mapping[tuple[str, str], str]) -> str:
    """One machine as a Mermaid state diagram: every move of the table is one arrow, named after its event."""
    targets, sources = set(moves.values()), {state for state, _event in moves}
    lines = ["```mermaid", "stateDiagram-v2", "    direction LR", f"    [*] --> {start}"]
    lines += [f"    {state} --> {target}: {event}" for (state, event), target in moves.items()]
    lines += [f"    {state} --> [*]" for state in sorted(targets - sources)]
    return "\n".join([*lines, "```"])


def drawn(text: str) -> str:
    """The page with every drawing made anew from its table."""
    for name, machine in MACHINES.items():
        begin, end = f"<!-- {name}: made by drawings.py -->", f"<!-- end of {name} -->"
        made = f"{begin}\n{drawing(*machine)}\n{end}"
        text, found = re.subn(
            f"{re.escape(begin)}.*?{re.escape(end)}", lambda _match, made=made: made, text, flags=re.DOTALL
        )
        if found != 1:
            raise LookupError(f"{PAGE.name} has no one place for the drawing of {name}")
    return text


if __name__ == "__main__":
    PAGE.write_text(drawn(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
