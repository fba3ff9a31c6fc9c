"""A sender of usage files as the registry makes it, with a clock of ours, in a folder of its own."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from connectors.http import Network
from connectors.operators.registry import OperatorConfig, UsageConfig, load_operator
from connectors.operators.usage_file.adapter import UsageFileOperator
from tests.connectors.usage_reader import Reader

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
LINE = "+33123456789"


@dataclass
class Office:
    """The adapter, and everything around it."""

    folder: Path
    config: OperatorConfig
    adapter: UsageFileOperator
    at: datetime = NOON
    reader: Reader = field(init=False)

    @property
    def out(self) -> Path:
        """Where files go."""
        return self.folder / "out"

    @property
    def today(self):  # type: ignore[no-untyped-def]
        """The company's day."""
        return self.at.astimezone(UTC).date()

    def next_day(self) -> None:
        """Noon of the next day."""
        self.at += timedelta(days=1)

    def again(self, **changes: object) -> UsageFileOperator:
        """The same sender, as another process has it."""
        usage = replace(self.config.usage, **changes)  # type: ignore[arg-type, type-var]
        return load_operator(replace(self.config, usage=usage), Network(), lambda: self.at)  # type: ignore[return-value]

    def send(self) -> list[Path]:
        """Close everything until today, deliver, and say what is there."""
        self.adapter.files.close(self.today + timedelta(days=1))
        self.adapter.files.deliver()
        return self.there()

    def there(self) -> list[Path]:
        """The files of charges that lie there."""
        return sorted(
            path for path in self.out.glob("guichet-*.csv") if not path.name.endswith(("ack.csv", "reject.csv"))
        )


def open_office(home: Path, *, make: bool = True, **usage: object) -> Office:
    """A new sender with a key pair; `usage` changes its configuration."""
    if make:
        (home / "out").mkdir()
    return reopened(home, **usage)


def reopened(home: Path, **usage: object) -> Office:
    """The same sender in another process."""
    values = {
        "spool": home / "spool", "signing_key": home / "key.pem", "folder": home / "out", "account": "C-10042",
        **usage,
    }  # fmt: skip
    config = OperatorConfig(
        profile="generic", adapter="usage_file", api_root="", token_url="", client_id="", client_secret="", line=LINE,
        usage=UsageConfig(**values), zone="Europe/Paris",  # type: ignore[arg-type]
    )  # fmt: skip
    office = Office(home, config, None)  # type: ignore[arg-type]
    office.adapter = office.again()
    office.reader = Reader(office.adapter.files.public_key())
    return office
