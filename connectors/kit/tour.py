"""Everything a connector can be asked, one after the other."""

from __future__ import annotations

import io
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from connectors.contract import Document, Done, MerchantConnector, Pending, Quote
from connectors.kit.faults import FAULTS
from connectors.kit.stage import KEY, PO_NUMBER, Said, Stage, attempt, quoted

SINCE = datetime(2026, 1, 1, tzinfo=UTC)


def look_up(connector: MerchantConnector, key: str, quote: Quote | None) -> Any:
    """What became of a key; a connector that finds orders by their quote is told it."""
    by_quote = getattr(connector, "lookup_sent", None)
    return by_quote(quote, key) if by_quote is not None and quote is not None else connector.lookup(key)


def calls(stage: Stage, connector: MerchantConnector, quote: Quote, ref: str = "") -> dict[str, Callable[[], Any]]:
    """Each call by its name, for one purchase; those the connector cannot do are left out."""
    story, capabilities = stage.fixtures.story, stage.manifest.capabilities
    suggest = story.suggest
    found: dict[str, Callable[[], Any]] = {}
    if stage.is_asked_for_offers:
        found["list"] = lambda: list(connector.list_offers())
    if suggest is not None:
        found["suggest"] = lambda: connector.suggest(suggest.offer, suggest.input, suggest.text)
    found["quote"] = lambda: quoted(connector, story.buy)
    found["fulfil"] = lambda: connector.fulfil(quote, KEY, PO_NUMBER, quote.gross_cents)
    if capabilities.lookup_by_key:
        found["lookup"] = lambda: look_up(connector, KEY, quote)
    if ref:
        found["status"] = lambda: connector.status(ref)
    if stage.fixtures.of("orders"):
        found["orders"] = lambda: list(connector.list_orders(SINCE))
    return found


def slow_order(stage: Stage, connector: MerchantConnector) -> tuple[Quote, Said] | None:
    """The order of the story that takes its time, as it was answered; None when it has none."""
    slow = stage.fixtures.story.slow
    if slow is None:
        return None
    quote = quoted(connector, slow)
    return quote, attempt(lambda: connector.fulfil(quote, "kit-slow-key", PO_NUMBER, quote.gross_cents))


def tour(stage: Stage, connector: MerchantConnector) -> list[Said]:
    """Ask everything once; what came of it."""
    said = [attempt(connector.check)]
    started = attempt(lambda: quoted(connector, stage.fixtures.story.buy))
    if started.error or not isinstance(started.value, Quote):
        return [*said, started]
    slow = attempt(lambda: slow_order(stage, connector))
    pending = slow.value[1].value if isinstance(slow.value, tuple) else None
    ref = pending.order_ref if isinstance(pending, Pending) else ""
    said += [slow, *(attempt(call) for call in calls(stage, connector, started.value, ref).values())]
    for each in list(said):
        if isinstance(each.value, Done) and isinstance(each.value.delivery, Document):
            document = each.value.delivery
            said.append(attempt(lambda document=document: connector.fetch(document, io.BytesIO())))  # type: ignore[misc]
    return said


def look_around(stage: Stage) -> list[tuple[str, str, str]]:
    """Everything that can be read after a tour, and after tours of a merchant that goes wrong: where, and the text."""
    texts: list[tuple[str, str, str]] = []
    for fault in (None, *(FAULTS[name] for name in ("401", "500", "garbage", "cut", "elsewhere"))):
        connector = stage.connector()
        if fault is None:
            said = tour(stage, connector)
        else:
            with stage.merchant.going_wrong(fault):
                said = tour(stage, connector)
        for each in said:
            shown = "".join(traceback.format_exception(each.error)) if each.error else repr(each.value)
            parts = f"{shown} {each!r} {vars(each.error) if each.error else ''}"
            texts.append(("dans une erreur ou une réponse", "in an error or an answer", parts))
    texts.append(("dans les journaux", "in the logs", stage.output.getvalue()))
    for asked in stage.merchant.elsewhere:
        whole = f"{asked.target} {sorted(asked.headers.items())} {asked.body!r}"
        texts.append(("chez un autre hôte", "at another host", whole))
    return texts
