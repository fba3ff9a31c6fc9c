"""Record the fixtures of the connectors that speak public interfaces: `python -m tests.connectors.public_recording`.

They are recorded from the demonstration's servers, which answer in the published shapes; the real services were never asked.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from connectors.kit.recorder import record, recording
from connectors.kit.story import read_story
from demo.entreprises import Entreprises
from demo.legifrance import Legifrance
from demo.pappers import Pappers
from demo.partners import Partner
from tests.connectors.kit_recording import SHIPPED

PUBLIC: dict[str, Callable[[], Partner]] = {made.name: made for made in (Entreprises, Pappers, Legifrance)}


def section(partner: Partner) -> dict[str, Any]:
    """A partner's part of a configuration."""
    read: dict[str, Any] = tomllib.loads(partner.configuration())["merchants"][partner.name]
    return read


def record_public(name: str, partner: Partner, folder: Path) -> list[Path]:
    """Ask a connector's story of its running demonstration server and write it down in a folder."""
    given = section(partner)
    story = read_story(SHIPPED / name)
    with recording(name, folder, given["base_url"], given.get("secrets", {})) as (connector, recorder):
        record(connector, recorder, story, "recorded", "G-RECORDED")
        return recorder.write()


def main() -> None:
    """Record all three."""
    for name, make in PUBLIC.items():
        partner = make()
        partner.start()
        record_public(name, partner, SHIPPED / name / "fixtures")
        partner.stop()


if __name__ == "__main__":
    main()
