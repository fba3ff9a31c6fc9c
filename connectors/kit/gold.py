"""Gold, what a connector does at its best: any length of list, every fault, both languages, an expired token, its own page."""

from __future__ import annotations

import resource
from collections.abc import Iterator, Mapping
from pathlib import Path

from connectors.contract import Data, Done, NotDone, Offer, Pending, Rejected, Words
from connectors.kit.checks import check, fail, skip
from connectors.kit.long_list import CannotBeLong, LongList
from connectors.kit.silver import go_wrong
from connectors.kit.stage import Stage, attempt, listed, order, quoted
from connectors.kit.tour import slow_order

MANY = 50_000
MOST_BYTES = 150_000_000


@check(
    "offers.many",
    "gold",
    "50 000 offres se lisent dans une mémoire bornée",
    "50,000 offers are read in bounded memory",
    may_skip=True,
)
def _many(stage: Stage) -> None:
    if not stage.is_asked_for_offers:
        skip("les offres sont écrites dans le manifeste", "the offers are written in the manifest")
    pattern = listed(stage)
    try:
        source = LongList(stage.merchant, [offer.id for offer in pattern], MANY)
    except CannotBeLong as error:
        fail(
            f"la liste des exemples ne se prolonge pas : {error}", f"the fixtures' list cannot be made longer: {error}",
            "Donnez dans list.json deux pages, ou une page sans suite.", "Give two pages in list.json, or one that is whole.",
        )  # fmt: skip
    stage.merchant.source = source.answer
    connector = stage.connector()
    before = peak = _memory()
    seen: set[str] = set()
    for item in connector.list_offers():
        if isinstance(item, Offer):
            seen.add(item.id)
        if len(seen) % 500 == 1:
            peak = max(peak, _memory())
    grown = peak - before
    stage.merchant.source = None
    stage.merchant.received.clear()
    if len(seen) != source.length or grown > MOST_BYTES:
        fail(
            f"{len(seen)} offres sur {source.length}, {grown // 1_000_000} Mo (au plus {MOST_BYTES // 1_000_000})",
            f"{len(seen)} of {source.length} offers, {grown // 1_000_000} MB (at most {MOST_BYTES // 1_000_000})",
            "Donnez les offres une à une (yield), page après page ; ne gardez pas la liste.",
            "Give the offers one by one (yield), page after page; do not keep the list.",
        )  # fmt: skip


def _memory() -> int:
    """What this process holds now, in bytes; where the system does not tell, the most it ever held."""
    pages = Path("/proc/self/statm")
    if pages.is_file():
        return int(pages.read_text(encoding="ascii").split()[1]) * resource.getpagesize()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@check("fault.every", "gold", "Toutes les fautes du kit, à chaque demande", "Every fault of the kit, at every call")
def _every(stage: Stage) -> None:
    go_wrong(stage, ("other-shape", "cut"))
    go_wrong(stage, ("hang",), ("suggest", "quote", "status", "orders"))
    go_wrong(stage, ("endless",), ("quote", "lookup", "status"))
    go_wrong(stage, ("drip",), ("list", "fulfil", "lookup"))


@check(
    "words.both",
    "gold",
    "Tout ce qui se lit est en français et en anglais",
    "All that is read is in French and in English",
)
def _both(stage: Stage) -> None:
    missing = [where for where, words in _words(stage) if words and not (words.get("fr") and words.get("en"))]
    if missing:
        fail(
            "une seule langue pour " + ", ".join(missing), "one language alone for " + ", ".join(missing),
            "Donnez fr et en ; un chemin par langue : {fr = « nom.fr », en = « nom.en »}.", "Give fr and en; a path for each language: {fr = “name.fr”, en = “name.en”}.",
        )  # fmt: skip


def _words(stage: Stage) -> Iterator[tuple[str, Words]]:
    story = stage.fixtures.story
    for offer in listed(stage):
        yield f"{offer.id}.title", offer.title
        yield f"{offer.id}.summary", offer.summary
        yield f"{offer.id}.delay", offer.delay
        for each in offer.inputs:
            yield f"{offer.id}.{each.name}", each.label
            yield f"{offer.id}.{each.name}.help", each.help
            yield from ((f"{offer.id}.{each.name}.{value}", words) for value, words in each.choices)
    connector = stage.connector()
    if story.refuse:
        refused = attempt(lambda: quoted(connector, story.refuse))  # type: ignore[arg-type]
        yield "refuse", refused.error.words if isinstance(refused.error, Rejected) else {}
    bought = [order(connector, quoted(connector, each), f"kit-{each.offer}-{index}") for index, each in enumerate(filter(None, (story.buy, story.nothing)))]  # fmt: skip
    slow = slow_order(stage, connector)
    for said in [*bought, *([slow[1]] if slow else [])]:
        if isinstance(said.value, Pending):
            yield "stage", said.value.stage
        elif isinstance(said.value, NotDone):
            yield "nothing", said.value.words
        elif isinstance(said.value, Done) and isinstance(said.value.delivery, Data):
            yield from (("rows", label) for label, _value in said.value.delivery.rows if isinstance(label, Mapping))


@check(
    "sign_in.again",
    "gold",
    "Un jeton expiré est redemandé, et l’achat se fait une fois",
    "An expired token is asked for again, and the purchase is made once",
)
def _again(stage: Stage) -> None:
    if stage.manifest.auth.kind not in {"login_token", "oauth2_client"}:
        skip("l’authentification n’a pas de jeton qui expire", "its sign-in has no token that expires")
    connector = stage.connector()
    quote = quoted(connector, stage.fixtures.story.buy)
    stage.merchant.expire()
    said = order(connector, quote)
    signed = [item for item in stage.merchant.received if item.step.startswith("sign")]
    stage.merchant.expire()
    read = attempt(lambda: list(connector.list_offers()))
    sent = [item for item in stage.merchant.received if item.step.startswith("fulfil") and item.status != 401]
    if not isinstance(said.value, Done | Pending) or len(signed) != 2 or len(sent) != 1 or read.error:
        fail(
            f"après l’expiration : {said}, connexions : {len(signed)}, liste : {read.kind}", f"after it expired: {said}, sign-ins: {len(signed)}, list: {read.kind}",
            "Un 401 n’a rien fait : redemandez un jeton une fois et répétez la même demande.", "A 401 did nothing: ask for a token once and repeat the same request.",
        )  # fmt: skip


@check(
    "readme.whole",
    "gold",
    "README.md dit comment configurer le marchand",
    "README.md says how the merchant is configured",
)
def _readme(stage: Stage) -> None:
    path, manifest = stage.folder / "README.md", stage.manifest
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    wanted = [
        "[merchants.",
        f'connector = "{manifest.id}"',
        *manifest.auth.secrets,
        *(["sandbox"] if manifest.sandbox else []),
    ]
    missing = [part for part in wanted if part not in text]
    if missing or len(text.split()) < 30:
        named = ", ".join(missing) or "…"
        fail(
            f"README.md : il manque {named}", f"README.md lacks {named}",
            "Dites ce qu’il vend, sous quel contrat, sa table [merchants] et chaque secret.",
            "Say what it sells, under which contract, its [merchants] table and each secret.",
        )  # fmt: skip
