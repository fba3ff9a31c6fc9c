"""A package of others. Installed, it leaves a trace where files can be written: whoever has read it there has run it unprotected."""

import contextlib
from pathlib import Path

if __name__ == "acme_hostile":
    with contextlib.suppress(OSError):
        (Path(__file__).parent / "was_run").touch()
