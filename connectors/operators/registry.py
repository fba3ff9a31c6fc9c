"""From the configuration to an operator: profiles are one TOML file each, adapters speak one protocol each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from connectors.contract import OperatorAdapter
from connectors.http import GuardedClient, Network, Timeouts
from connectors.operators.camara import SCOPE, CamaraOperator
from connectors.operators.profiles import Profile, load_profile
from connectors.operators.tokens import Tokens

if TYPE_CHECKING:
    from connectors.operators.usage_file.places import WayTo


@dataclass(frozen=True)
class UsageConfig:
    """The `usage_…` keys of `[operator]`; paths are absolute. Exactly one of `folder` and `sftp` is set, or none yet."""

    spool: Path
    signing_key: Path
    folder: Path | None = None
    sftp: str = ""
    sftp_host_key: str = ""
    sftp_password: str = ""
    sftp_key: Path | None = None
    account: str = ""
    answer_days: int = 0
    answer_key: Path | None = None


@dataclass(frozen=True)
class OperatorConfig:
    """The `[operator]` section; what is empty comes from the profile. `zone` is the company's."""

    profile: str
    adapter: str
    api_root: str
    token_url: str
    client_id: str
    client_secret: str
    line: str
    identify_by: str = "line"
    steps: int = 2
    usage: UsageConfig | None = None
    zone: str = "UTC"


def utc_now() -> datetime:
    """The present."""
    return datetime.now(UTC)


def load_operator(config: OperatorConfig, network: Network, now: Callable[[], datetime] = utc_now) -> OperatorAdapter:
    """The operator of this site; nothing is connected yet. Raises `UnknownProfile`."""
    profile = load_profile(config.profile)
    adapter = config.adapter or profile.adapter
    identity = f"{profile.key}/{adapter}"
    if adapter == "usage_file":
        return _usage_file(config, profile, now, identity)
    api_root = config.api_root or profile.defaults.api_root
    token_url = config.token_url or profile.defaults.token_url
    hosts = [urlsplit(url).netloc for url in (api_root, token_url) if url]
    http = GuardedClient(hosts, network, Timeouts(connect=5, read=10, total=15))
    tokens = Tokens(http, token_url, config.client_id, config.client_secret, SCOPE)
    by_token = config.identify_by == "token"
    operator = CamaraOperator(
        http, api_root, tokens, config.line, name=profile.name, identity=identity, by_token=by_token
    )
    return operator if config.steps == 2 else _in_one_step(config, operator, now)


def _in_one_step(config: OperatorConfig, operator: CamaraOperator, now: Callable[[], datetime]) -> OperatorAdapter:
    from connectors.operators.one_step import OneStepOperator
    from connectors.operators.usage_file.spool import Spool

    if config.usage is None:
        raise ValueError("one step needs a place for what waits")
    # Never the spool that files are made from: what is sent at once would be billed a second time.
    return OneStepOperator(Spool(config.usage.spool / "one-step"), operator, now)


def _usage_file(
    config: OperatorConfig, profile: Profile, now: Callable[[], datetime], identity: str
) -> OperatorAdapter:
    # Only those who bill by file pay for loading what it stands on.
    from connectors.operators.usage_file.adapter import UsageFileOperator
    from connectors.operators.usage_file.delivery import Terms, UsageFiles
    from connectors.operators.usage_file.lines import Limits
    from connectors.operators.usage_file.spool import Spool

    usage = config.usage
    if usage is None:
        raise ValueError("usage_file needs its own part of the configuration")
    spool, zone = Spool(usage.spool), ZoneInfo(config.zone)
    terms = Terms(usage.account or config.line, usage.signing_key, usage.answer_days, usage.answer_key)
    files = UsageFiles(spool, _way(usage, profile), terms, zone, now)
    limits = Limits(_cents(profile.limits.largest), _cents(profile.limits.month))
    return UsageFileOperator(spool, files, config.line, limits, zone, now, identity)


def _way(usage: UsageConfig, profile: Profile) -> WayTo:
    from connectors.operators.usage_file.places import Folder, Nowhere

    if usage.sftp:
        from connectors.operators.usage_file.sftp import Sftp, SftpAccount

        return Sftp(SftpAccount(usage.sftp, usage.sftp_host_key, usage.sftp_password, usage.sftp_key))
    return Folder(usage.folder) if usage.folder else Nowhere(profile.name)


def _cents(amount: str) -> int | None:
    return int(Decimal(amount) * 100) if amount else None
