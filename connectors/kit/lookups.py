"""Silver, what became of an order whose answer was lost: its key finds it, and finds no other."""

from __future__ import annotations

import json

from connectors.contract import Done, NotDone, NotFound, Pending, Unknown
from connectors.kit.checks import check, fail, skip
from connectors.kit.faults import FAULTS
from connectors.kit.stage import KEY, OTHER_KEY, Stage, attempt, order, quoted
from connectors.kit.tour import look_up

TWICE = (
    "N’envoyez jamais deux fois de vous-même : c’est le portail qui cherche, puis renvoie.",
    "Never send twice by yourself: the portal looks up, and sends again.",
)
READS_IT = (
    "[lookup] doit trouver la commande et la lire comme [fulfil] : path et query, at ou items (où elle est dans la réponse), key (où est sa clé).",
    "[lookup] must find the order and read it as [fulfil] does: path and query, at or items (where it stands in the answer), key (where its key is).",
)


@check(
    "lookup.after_drop",
    "silver",
    "Coupé après l’achat : la clé retrouve la commande",
    "Cut after the purchase: the key finds the order",
)
def _after_drop(stage: Stage) -> None:
    _needs_lookup(stage)
    connector = stage.connector()
    quote = quoted(connector, stage.fixtures.story.buy)
    with stage.merchant.going_wrong(FAULTS["cut"], "fulfil"):
        lost = order(connector, quote)
    if isinstance(lost.value, Done | Pending | NotDone) or lost.sure_it_was_not_sent:
        fail(
            f"après la coupure : {lost}", f"after the cut: {lost}",
            "La réponse est perdue : c’est un doute (laissez monter UnknownOutcome).", "The answer is lost: it is a doubt (let UnknownOutcome rise).",
        )  # fmt: skip
    sent = [item for item in stage.merchant.received if item.step.startswith("fulfil")]
    found = attempt(lambda: look_up(connector, KEY, quote))
    again = order(connector, quote)
    if len(sent) != 1 or not isinstance(found.value, Done | Pending) or found.value != again.value:
        fail(
            f"envoyé {len(sent)} fois, retrouvé : {found}", f"sent {len(sent)} times, found: {found}",
            *(TWICE if len(sent) != 1 else READS_IT),
        )  # fmt: skip


@check(
    "lookup.not_found", "silver", "Une clé jamais vue n’est pas une commande", "A key that was never seen is no order"
)
def _not_found(stage: Stage) -> None:
    _needs_lookup(stage)
    connector = stage.connector()
    quote = quoted(connector, stage.fixtures.story.buy)
    order(connector, quote, OTHER_KEY)
    said = attempt(lambda: look_up(connector, KEY, quote))
    if not isinstance(said.value, NotFound):
        fail(
            f"au lieu de NotFound : {said}", f"instead of NotFound: {said}",
            "Dites ce que le marchand répond à une clé inconnue : [lookup] errors, ou une liste vide.",
            "Say what the merchant answers to an unknown key: [lookup] errors, or an empty list.",
        )  # fmt: skip


@check(
    "lookup.own_order",
    "silver",
    "La commande d’une autre clé n’est jamais prise pour la nôtre",
    "The order of another key is never taken for ours",
)
def _own_order(stage: Stage) -> None:
    _needs_lookup(stage)
    if not any("{key}" in json.dumps(each.answer.content) for each in stage.fixtures.of("lookup")):
        skip(
            "la réponse du marchand ne répète pas la clé (lookup.json)",
            "the merchant's answer does not repeat the key (lookup.json)",
        )
    connector = stage.connector()
    quote = quoted(connector, stage.fixtures.story.buy)
    order(connector, quote)
    stage.merchant.confused = OTHER_KEY
    said = attempt(lambda: look_up(connector, KEY, quote))
    if said.error is None and not isinstance(said.value, Unknown):
        fail(
            f"le marchand a répondu avec la commande d’une autre clé, et le connecteur dit : {said}", f"the merchant answered with the order of another key, and the connector says: {said}",
            "Comparez la clé de la réponse à celle qui est demandée : [lookup] key ; une autre est un doute (Unknown).",
            "Compare the key of the answer with the one asked for: [lookup] key; another is a doubt (Unknown).",
        )  # fmt: skip


def _needs_lookup(stage: Stage) -> None:
    if stage.manifest.capabilities.idempotent == "read":
        skip("idempotent = « read » : le portail relit", "idempotent = “read”: the portal reads again")
    if not stage.manifest.capabilities.lookup_by_key:
        skip(
            "lookup_by_key = false : un doute va à un administrateur",
            "lookup_by_key = false: a doubt goes to an administrator",
        )
