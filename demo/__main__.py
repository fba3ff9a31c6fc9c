"""The other side in a process of its own: `python -m demo FOLDER [PORT]` opens the company until it is told to end.

Writes FOLDER/portal.toml for a portal on PORT (8000), prints the address of the page that shows and breaks everything,
and ends by SIGTERM or Ctrl-C.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from demo.company import start_company

HANGS_S = (1.0, 3.0, 17.0)
"""A while, a long while, and longer than any client waits for an answer (15 s)."""


def main(folder: Path, port: int) -> None:
    """Open, say where, and wait."""
    ending = {signal.SIGTERM, signal.SIGINT}
    # Before any thread begins, so that none of them takes the signal in our place.
    signal.pthread_sigmask(signal.SIG_BLOCK, ending)
    company = start_company(folder)
    company.operator.faults.hang_s = company.merchants.faults.hang_s = HANGS_S
    (folder / "portal.toml").write_text(company.configuration(port), encoding="utf-8")
    print(company.console.url, flush=True)
    signal.sigwait(ending)
    company.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 8000)
