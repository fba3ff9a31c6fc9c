"""What was delivered for a time lasts as long as was sold."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from connectors.contract import Done
from connectors.kit.checks import fail
from connectors.terms import read_term

PARIS = ZoneInfo("Europe/Paris")
DAY = timedelta(days=1)


def require_whole_term(done: Done, term: str) -> None:
    """Fails for an end earlier than what was sold, which would make each order an administrator's."""
    until = getattr(done.delivery, "until", None) or getattr(done.delivery, "expires_at", None)
    if until is None:
        return
    now = datetime.now(UTC)
    promised = read_term(term).end(now, PARIS) - DAY if term else now
    if until < promised:
        fail(
            f"la livraison finit le {until:%d/%m/%Y}, avant la durée vendue ({term or 'déjà passée'})",
            f"the delivery ends on {until:%Y-%m-%d}, before the term that was sold ({term or 'it is past'})",
            "Corrigez [order] delivery.until ou [list] map.term : ce qui finit plus tôt attend un administrateur.",
            "Correct [order] delivery.until or [list] map.term: what ends earlier waits for an administrator.",
        )  # fmt: skip
