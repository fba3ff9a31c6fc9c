"""Silver, a merchant that turns out to ship something: refused in the list and at the price, a person's after the order."""

from __future__ import annotations

from connectors.contract import Offer, Rejected, Unknown
from connectors.kit.checks import check, fail, skip
from connectors.kit.stage import Stage, attempt, order, quoted

REMEDY = (
    "Donnez ce que le marchand répond à connectors.intangible : sign() dans la liste, require() au prix, bought() après la commande.",
    "Give what the merchant answers to connectors.intangible: sign() in the list, require() at the price, bought() after the order.",
)


@check(
    "physical.refused",
    "silver",
    "Ce qui serait expédié est refusé : dans la liste, au prix, après la commande",
    "Whatever would be shipped is refused: in the list, at the price, after the order",
)
def _physical(stage: Stage) -> None:
    judged = {"list": _listed, "quote": _priced, "fulfil": _bought}
    asked = {step for step in judged if any(each.answer.content is not None for each in stage.fixtures.of(step))}
    if not asked:
        skip("le marchand ne répond pas en JSON", "the merchant does not answer in JSON")
    for step in sorted(asked):
        stage.merchant.reset()
        if said := judged[step](stage):
            fail(f"{step} : {said}", f"{step}: {said}", *REMEDY)


def _listed(stage: Stage) -> str:
    stage.merchant.ships = "list"
    said = attempt(lambda: [item.id for item in stage.connector().list_offers() if isinstance(item, Offer)])
    return "" if said.value == [] else str(said)


def _priced(stage: Stage) -> str:
    stage.merchant.ships = "quote"
    said = attempt(lambda: quoted(stage.connector(), stage.fixtures.story.buy))
    return "" if isinstance(said.error, Rejected) else str(said)


def _bought(stage: Stage) -> str:
    connector = stage.connector()
    quote = quoted(connector, stage.fixtures.story.buy)
    stage.merchant.ships = "fulfil"
    said = order(connector, quote)
    is_doubt = isinstance(said.value, Unknown) and said.value.needs_admin and said.value.cause == "physical"
    return "" if is_doubt else str(said)
