"""Record the fixtures of the shipped connectors from the demonstration merchants: `python -m tests.connectors.kit_recording`."""

from __future__ import annotations

from pathlib import Path

from connectors.kit.recorder import record, recording
from connectors.kit.story import read_story
from demo.merchants import DEMO_MERCHANTS, MerchantsServer
from demo.shops import SHOPS

SHIPPED = Path(__file__).parent.parent.parent / "connectors" / "merchants"
SECRETS = {name: credentials for name, _connector, credentials in DEMO_MERCHANTS}


def record_shipped(name: str, server: MerchantsServer, folder: Path) -> list[Path]:
    """Ask a shipped connector's story of its demonstration merchant and write it down in a folder."""
    story = read_story(SHIPPED / name)
    server.page_size = (len(SHOPS[name].sales) + 1) // 2
    with recording(name, folder, f"{server.url}/{name}", SECRETS[name]) as (connector, recorder):
        quote = record(connector, recorder, story, "recorded", "G-RECORDED")
        # No merchant changes its price when it is told to, but for this one.
        recorder.names["recorded-changed"] = "{key}"
        server.fault_once(name, "price_change")
        recorder.step = "fulfil-changed"
        connector.fulfil(quote, "recorded-changed", "G-RECORDED", quote.gross_cents)
        return recorder.write()


def main() -> None:
    """Record all five."""
    server = MerchantsServer(report_seconds=3)
    server.start()
    for name in SECRETS:
        record_shipped(name, server, SHIPPED / name / "fixtures")
    server.stop()


if __name__ == "__main__":
    main()
