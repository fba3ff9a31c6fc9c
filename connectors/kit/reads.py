"""Silver, what is read besides: the whole list, completions, the merchant's own book, and what `check` says."""

from __future__ import annotations

from connectors.contract import DELIVERED, BookLine, ConnectorError, NotOffered, Problem
from connectors.kit.bronze import type_fault
from connectors.kit.checks import check, fail, skip
from connectors.kit.faults import FAULTS
from connectors.kit.matching import fits
from connectors.kit.stage import KEY, PO_NUMBER, Stage, attempt, listed, order, quoted
from connectors.kit.tour import SINCE

MOST_SUGGESTED = 10


@check("list.whole", "silver", "Chaque page de la liste est demandée", "Every page of the list is asked for")
def _whole(stage: Stage) -> None:
    pages = stage.fixtures.of("list")
    listed(stage)
    asked = [item.asked for item in stage.merchant.received]
    for number, page in enumerate(pages, start=1):
        if not any(not fits(page, each, stage.merchant.hidden)[1] for each in asked):
            wanted = f"{page.request.path} {page.request.query or ''}".rstrip()
            fail(
                f"l’échange n° {number} de fixtures/list.json ({wanted}) n’est jamais demandé : la liste s’arrête avant", f"exchange no. {number} of fixtures/list.json ({wanted}) is never asked for: the list ends before it",
                "Corrigez [list] paging : in est le paramètre, out le chemin où la réponse tient sa prochaine valeur ; ou retirez cette page.",
                "Correct [list] paging: in is the parameter, out the path where the answer has its next value; or take that page out.",
            )  # fmt: skip


@check("suggest.read", "silver", "Ce que l’on tape est complété", "What is typed is completed")
def _suggested(stage: Stage) -> None:
    story, manifest = stage.fixtures.story.suggest, stage.manifest
    described = getattr(manifest, "suggest", None) is not None
    if not manifest.capabilities.suggest and not described and story is None:
        skip(
            "rien ne se complète (capabilities.suggest = false)", "nothing is completed (capabilities.suggest = false)"
        )
    if not manifest.capabilities.suggest:
        fail(
            "[suggest] est décrit, mais capabilities.suggest ne vaut pas true : il n’est jamais demandé", "[suggest] is described, but capabilities.suggest is not true: it is never asked for",
            "Écrivez suggest = true dans [capabilities], ou retirez [suggest].", "Write suggest = true in [capabilities], or take [suggest] out.",
        )  # fmt: skip
    if story is None:
        fail(
            "fixtures/story.toml n’a pas de [suggest], alors que capabilities.suggest = true", "fixtures/story.toml has no [suggest], while capabilities.suggest = true",
            "Donnez offer, input et text (ce que l’on tape), et suggest.json.", "Give offer, input and text (what is typed), and suggest.json.",
        )  # fmt: skip
    completed = {
        each.name for offer in listed(stage) if offer.id == story.offer for each in offer.inputs if each.suggest
    }
    if story.input not in completed:
        names = ", ".join(sorted(completed)) or "–"
        fail(
            f"fixtures/story.toml : [suggest] input = « {story.input} » n’est pas un champ complété de {story.offer} ; il y a {names}", f"fixtures/story.toml: [suggest] input = “{story.input}” is no completed input of {story.offer}; there is {names}",
            "Le premier champ de chaque offre est celui qui se complète.", "The first input of an offer is the one that is completed.",
        )  # fmt: skip
    said = attempt(lambda: stage.connector().suggest(story.offer, story.input, story.text))
    found = said.value if isinstance(said.value, list) else []
    whole = all(not type_fault(each) and each.value and each.label for each in found)
    if said.error or not found or not whole or len(found) > MOST_SUGGESTED:
        fail(
            f"pour « {story.text} » : {said}", f"for “{story.text}”: {said}",
            "Corrigez [suggest] items et map : chacune a une value et un label, et il y en a dix au plus.", "Correct [suggest] items and map: each has a value and a label, and there are ten at most.",
        )  # fmt: skip


@check(
    "orders.read",
    "silver",
    "Le livre du marchand se lit ligne par ligne",
    "The merchant's own book is read line by line",
)
def _orders(stage: Stage) -> None:
    connector = stage.connector()
    order(connector, quoted(connector, stage.fixtures.story.buy))
    said = attempt(lambda: list(connector.list_orders(SINCE)))
    if isinstance(said.error, NotOffered):
        skip("le marchand n’a pas de livre à montrer", "the merchant has no book to show")
    remedy = (
        "Corrigez [orders] items et map, et donnez dans orders.json la commande de [buy] : reference y est {po}, key {key}.",
        "Correct [orders] items and map, and give in orders.json the order of [buy]: its reference is {po}, its key {key}.",
    )
    if said.error or not said.value:
        what = f"{said}" if said.error else "[]"
        fail(f"[orders] ne donne aucune ligne : {what}", f"[orders] gives no line: {what}", *remedy)
    for line in said.value:
        if fault := _fault_of(line):
            fail(f"[orders] map, {fault} : {line}", f"[orders] map, {fault}: {line}", *remedy)
    if not any(line.state == DELIVERED for line in said.value):
        states = ", ".join(sorted({line.state for line in said.value}))
        fail(
            f"[orders] : aucune ligne n’est livrée ; map.state lit {states}", f"[orders]: no line is delivered; map.state reads {states}",
            "[order] states dit quel mot veut dire « done » : c’est ce que le marchand facture.", "[order] states says which word means “done”: that is what the merchant invoices.",
        )  # fmt: skip


def _fault_of(line: BookLine) -> str:
    if said := type_fault(line):
        return said
    if not line.reference or line.gross_cents < 0 or line.at.tzinfo is None:
        return "reference, gross, at"
    return "reference, key" if line.reference == KEY or line.key == PO_NUMBER else ""


@check(
    "check.honest",
    "silver",
    "« check » ne trouve rien quand tout va bien, et dit que des identifiants sont refusés",
    "“check” finds nothing when all is well, and says so when credentials are refused",
)
def _honest(stage: Stage) -> None:
    said = attempt(stage.connector().check)
    if said.value != []:
        what = "; ".join(each.what["en"] for each in said.value) if isinstance(said.value, list) else str(said)
        fail(
            f"avec de bons identifiants : {what}", f"with good credentials: {what}",
            "Corrigez [check], ou check() : c’est ce que voit l’administrateur qui connecte le marchand.", "Correct [check], or check(): it is what an administrator sees who connects the merchant.",
        )  # fmt: skip
    if not stage.secrets:
        return
    with stage.merchant.going_wrong(FAULTS["401"]):
        said = attempt(stage.connector().check)
    told = isinstance(said.error, ConnectorError) or (
        isinstance(said.value, list) and any(isinstance(each, Problem) for each in said.value)
    )
    if not told:
        fail(
            f"avec des identifiants refusés : {said}", f"with credentials that are refused: {said}",
            "Donnez dans [check] une demande gratuite qui a besoin des identifiants, ou faites-la dans check().", "Give in [check] a free request that needs the credentials, or make it in check().",
        )  # fmt: skip
