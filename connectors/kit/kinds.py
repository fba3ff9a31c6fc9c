"""Gold, a purchase of every kind of offer that is on sale: what is free, paid for by time, in packs, given a file, delivered otherwise."""

from __future__ import annotations

from connectors.contract import Document, Done, Offer, Pending
from connectors.kit.bronze import price_fault, type_fault
from connectors.kit.checks import check, fail, skip
from connectors.kit.delivered import require_as_announced, require_document
from connectors.kit.lasting import require_whole_term
from connectors.kit.stage import Stage, attempt, listed, order, quoted
from connectors.kit.story import Purchase

MOST_TURNS = 5
Kind = tuple[str, str, str, str]


def kind_of(offer: Offer) -> Kind:
    """What makes an offer go another way than others: how it is delivered and priced, what is free, what takes a file."""
    asks_file = "file" if any(each.type == "file" for each in offer.inputs) else ""
    return offer.delivery, offer.pricing, "" if offer.gross_cents else "free", asks_file


@check(
    "kinds.bought",
    "gold",
    "Chaque sorte d’offre s’achète, pas seulement celle de [buy]",
    "Every kind of offer is bought, not only that of [buy]",
    may_skip=True,
)
def _bought(stage: Stage) -> None:
    story, offers = stage.fixtures.story, {offer.id: offer for offer in listed(stage)}
    told = [each for each in (story.buy, story.slow, *story.also) if each]
    tried = {kind_of(offers[each.offer]) for each in told if each.offer in offers}
    for offer in offers.values():
        if (kind := kind_of(offer)) not in tried:
            said = ", ".join(filter(None, kind))
            fail(
                f"aucun achat de fixtures/story.toml n’est de la sorte de {offer.id} ({said})", f"no purchase of fixtures/story.toml is of the kind of {offer.id} ({said})",
                "Ajoutez [[also]] avec offer et inputs, et ses échanges dans quote.json et fulfil.json ; ou donnez une raison dans [skip].",
                "Add [[also]] with offer and inputs, and its exchanges in quote.json and fulfil.json; or give a reason in [skip].",
            )  # fmt: skip
    if not story.also:
        skip("les achats de [buy] et [slow] sont de toutes les sortes", "the purchases of [buy] and [slow] are of all kinds")  # fmt: skip
    for number, purchase in enumerate(story.also, start=1):
        _buy(stage, purchase, offers.get(purchase.offer), number)


def _buy(stage: Stage, purchase: Purchase, offer: Offer | None, number: int) -> None:
    named = f"[[also]] {purchase.offer}"
    if offer is None:
        there = ", ".join(sorted(item.id for item in listed(stage)))
        fail(
            f"fixtures/story.toml : {named} n’est pas dans la liste ; il y a {there}", f"fixtures/story.toml: {named} is not in the list; there is {there}",
            "Achetez une offre de la liste.", "Buy an offer of the list.",
        )  # fmt: skip
    connector = stage.connector()
    quote = quoted(connector, purchase)
    fault = price_fault(quote) or ("" if quote.vat_rate_bp == offer.vat_rate_bp else f"vat_rate: {quote.vat_rate_bp} ≠ {offer.vat_rate_bp}")  # fmt: skip
    said = order(connector, quote, f"kit-also-{number}")
    for _turn in range(MOST_TURNS):
        if not isinstance(said.value, Pending):
            break
        ref = said.value.order_ref
        said = attempt(lambda ref=ref: connector.status(ref))  # type: ignore[misc]
    if fault or not isinstance(said.value, Done) or type_fault(said.value):
        why = fault or (type_fault(said.value) if isinstance(said.value, Done) else str(said))
        fail(
            f"{named} : {why}", f"{named}: {why}",
            "Il s’achète comme [buy] : un prix juste, puis Done ([order] states, delivery).", "It is bought like [buy]: a price that adds up, then Done ([order] states, delivery).",
        )  # fmt: skip
    require_as_announced(said.value, quote, offer.delivery)
    require_whole_term(said.value, offer.term)
    if isinstance(said.value.delivery, Document):
        require_document(connector, said.value.delivery)
