"""Silver, what a connector says and does when its merchant goes wrong: never a no for a doubt, never a doubt for a no."""

from __future__ import annotations

import io
from contextlib import nullcontext
from dataclasses import replace

from connectors.contract import Document, Done, NotDone, Offer, Pending, Unknown
from connectors.kit.bronze import price_fault
from connectors.kit.checks import check, fail, skip
from connectors.kit.expected import OUTCOMES, allowed, is_allowed
from connectors.kit.faults import FAULTS, RETRY_AFTER_S
from connectors.kit.stage import SMALL_BODY, Said, Stage, attempt, order, quoted
from connectors.kit.tour import calls, slow_order


def go_wrong(stage: Stage, names: tuple[str, ...], only: tuple[str, ...] = ()) -> None:
    """Make every call (or only some) meet every fault, and see what the connector says; its list must stay usable."""
    for name in names:
        fault = FAULTS[name]
        for step in only or OUTCOMES:
            stage.merchant.reset()
            connector = stage.connector(max_body=SMALL_BODY if name == "endless" else 0)
            quote, ref = quoted(connector, stage.fixtures.story.buy), ""
            if step == "lookup":
                order(connector, quote)
            if step == "status":
                slow = slow_order(stage, connector)
                ref = slow[1].value.order_ref if slow and isinstance(slow[1].value, Pending) else ""
            call = calls(stage, connector, quote, ref).get(step)
            if call is None:
                continue
            offers = [item for item in connector.list_offers() if isinstance(item, Offer)]
            before = len(stage.merchant.received)
            with stage.merchant.going_wrong(fault), stage.hurried() if fault.slow else nullcontext():
                said = attempt(call)
            left = any(item.step.startswith("fulfil") for item in stage.merchant.received[before:])
            if step != "fulfil" or left or not said.sure_it_was_not_sent:
                # What was only read before an order can be said to be unavailable: the order never left.
                _judge(stage, step, name, said)
            again = attempt(lambda connector=connector: list(connector.list_offers()))  # type: ignore[misc]
            if again.error or [item for item in again.value if isinstance(item, Offer)] != offers:
                fail(
                    f"après « {fault.words['fr']} » ({step}), la liste ne se lit plus : {again}", f"after “{fault.words['en']}” ({step}) the list can no longer be read: {again}",
                    "Ne gardez rien d’une réponse qui a échoué.", "Keep nothing of an answer that failed.",
                )  # fmt: skip


def _judge(stage: Stage, step: str, name: str, said: Said) -> None:
    fault = FAULTS[name]
    if not is_allowed(step, name, said):
        wanted = ", ".join(allowed(step, name))
        fail(
            stage.masked(f"{step}, {fault.words['fr']} ({name}) : {said} ; attendu : {wanted}"),
            stage.masked(f"{step}, {fault.words['en']} ({name}): {said}; expected: {wanted}"),
            "Une réponse perdue ou illisible est un doute (Unknown) ; Unavailable promet que rien n’a été fait, NotDone et NotFound qu’il n’y a pas de commande.",
            "An answer that is lost or cannot be read is a doubt (Unknown); Unavailable promises that nothing was done, NotDone and NotFound that there is no order.",
        )  # fmt: skip
    wait = getattr(said.error or said.value, "retry_after_s", RETRY_AFTER_S)
    if fault.status in {429, 503} and wait != RETRY_AFTER_S:
        fail(
            f"{step}, {name} : l’attente demandée (Retry-After: {RETRY_AFTER_S}) est perdue", f"{step}, {name}: the wait asked for (Retry-After: {RETRY_AFTER_S}) is lost",
            "Donnez answer.retry_after_s à Unavailable.", "Give answer.retry_after_s to Unavailable.",
        )  # fmt: skip


@check(
    "status.pending_to_done",
    "silver",
    "Une commande en préparation finit par aboutir",
    "An order in preparation ends up done",
)
def _pending_to_done(stage: Stage) -> None:
    connector = stage.connector()
    started = slow_order(stage, connector)
    if started is None:
        skip(
            "le marchand livre tout de suite (story.toml sans [slow])",
            "the merchant delivers at once (story.toml without [slow])",
        )
    quote, said = started
    seen = [said]
    for _turn in range(5):
        if not isinstance(said.value, Pending):
            break
        ref = said.value.order_ref
        said = attempt(lambda ref=ref: connector.status(ref))  # type: ignore[misc]
        seen.append(said)
    done = isinstance(said.value, Done) and said.value.charged_cents <= quote.gross_cents
    waits = [item.value.after_s for item in seen if isinstance(item.value, Pending)]
    if not waits or not done or min(waits) < 1:
        fail(
            "la suite est : " + _chain(seen), "what came is: " + _chain(seen),
            "Pending, avec une référence et une attente, puis Done : chaque mot du marchand est dans [order] states, et status.json finit par celui qui veut dire « done ».",
            "Pending, with a reference and a wait, then Done: each word of the merchant’s stands in [order] states, and status.json ends with the one that means “done”.",
        )  # fmt: skip


def _chain(seen: list[Said]) -> str:
    """What came one after the other, each thing once."""
    told = list(map(str, seen))
    return " → ".join(each for index, each in enumerate(told) if index == 0 or each != told[index - 1])


@check(
    "fault.credentials",
    "silver",
    "401 et 403 : les identifiants, jamais un non",
    "401 and 403: the credentials, never a no",
)
def _credentials(stage: Stage) -> None:
    go_wrong(stage, ("401", "403"))


@check(
    "fault.asked_to_wait",
    "silver",
    "429 et 503 : attendre, aussi longtemps que demandé",
    "429 and 503: wait, for as long as was asked",
)
def _asked_to_wait(stage: Stage) -> None:
    go_wrong(stage, ("429", "503"))


@check(
    "fault.garbage",
    "silver",
    "Une réponse illisible ou une page de connexion : un doute",
    "An unreadable answer or a login page: a doubt",
)
def _garbage(stage: Stage) -> None:
    go_wrong(stage, ("garbage", "login-page"))


@check("limits.time", "silver", "Le silence a une fin, et c’est un doute", "Silence has an end, and it is a doubt")
def _time(stage: Stage) -> None:
    go_wrong(stage, ("hang",), ("list", "fulfil", "lookup"))


@check(
    "limits.body",
    "silver",
    "Une réponse sans fin a une fin, et c’est un doute",
    "An endless answer has an end, and it is a doubt",
)
def _body(stage: Stage) -> None:
    go_wrong(stage, ("endless",), ("list", "fulfil"))


@check(
    "price.changed",
    "silver",
    "Un prix qui change donne un nouveau devis",
    "A price that changes gives a new quote",
    may_skip=True,
)
def _price_changed(stage: Stage) -> None:
    if not stage.fixtures.of("fulfil-changed"):
        fail(
            "il n’y a pas de fulfil-changed.json", "there is no fulfil-changed.json",
            "Montrez ce que le marchand répond quand son prix a changé, ou donnez une raison dans [skip].",
            "Show what the merchant answers when its price has changed, or give a reason in [skip].",
        )  # fmt: skip
    connector = stage.connector()
    quote = quoted(connector, stage.fixtures.story.buy)
    stage.merchant.changed = True
    said = order(connector, quote)
    new = said.value.new_quote if isinstance(said.value, NotDone) else None
    if new is None or price_fault(new) or new.gross_cents == quote.gross_cents or stage.merchant.orders:
        fail(
            f"au lieu de NotDone avec un nouveau devis : {said}", f"instead of NotDone with a new quote: {said}",
            "Dites-le dans [fulfil] errors : 409 = « price_changed:CHEMIN », où CHEMIN mène au nouveau devis dans fulfil-changed.json, lu par [quote] map.",
            "Say it in [fulfil] errors: 409 = “price_changed:PATH”, where PATH leads to the new quote in fulfil-changed.json, read by [quote] map.",
        )  # fmt: skip


@check(
    "redirect.credentials",
    "silver",
    "Les identifiants ne suivent pas un renvoi vers un autre hôte",
    "Credentials never follow a redirect to another host",
)
def _redirect(stage: Stage) -> None:
    go_wrong(stage, ("elsewhere",))
    connector = stage.connector(also=stage.merchant.other_url)
    quote = quoted(connector, stage.fixtures.story.buy)
    done = order(connector, quote)
    asked = dict(calls(stage, connector, quote))
    if isinstance(done.value, Done) and isinstance(done.value.delivery, Document):
        document = done.value.delivery
        asked["document"] = lambda: connector.fetch(document, io.BytesIO())
        other = replace(document, url=f"{stage.merchant.other_url}/document")
        asked["document at another host"] = lambda: connector.fetch(other, io.BytesIO())
    with stage.merchant.going_wrong(FAULTS["elsewhere"]):
        for call in asked.values():
            attempt(call)
    for each in stage.merchant.elsewhere:
        said = f"{each.target} {sorted(each.headers.items())} {each.body!r}"
        leaked = [name for name, canary in stage.secrets.items() if canary in said]
        leaked += ["token" for token in stage.merchant.tokens if token in said]
        if leaked:
            fail(
                f"{leaked[0]} est parti vers un autre hôte avec {each.method} {each.path}", f"{leaked[0]} left for another host with {each.method} {each.path}",
                "Laissez self.context.http suivre les renvois : il retire les identifiants. Un document peut être ailleurs : comparez son hôte à celui de base_url.",
                "Let self.context.http follow redirects: it drops credentials. A document may stand elsewhere: compare its host with that of base_url.",
            )  # fmt: skip


@check("fault.server_error", "silver", "500 après avoir agi : un doute", "500 after it acted: a doubt")
def _server_error(stage: Stage) -> None:
    go_wrong(stage, ("500",))
    connector = stage.connector()
    with stage.merchant.going_wrong(FAULTS["500"], "fulfil"):
        said = order(connector, quoted(connector, stage.fixtures.story.buy))
    if isinstance(said.value, Unknown) and not said.value.detail:
        fail(
            "Unknown sans detail", "Unknown without detail",
            "detail est la seule preuve d’un administrateur : donnez answer.summary.", "detail is all an administrator has: give answer.summary.",
        )  # fmt: skip
