"""Bronze, what is on sale: the offers, what they ask for, and what is refused."""

from __future__ import annotations

import dataclasses
import re
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from pydantic import TypeAdapter, ValidationError

from connectors import patterns
from connectors.contract import Input, Offer, Rejected, Removed, State, Unfit
from connectors.declared.manifest import DeclaredManifest
from connectors.files import KINDS
from connectors.kit.checks import check, fail, skip
from connectors.kit.stage import Stage, attempt, listed, quoted
from connectors.terms import term_fault

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
MOST_NAMED = 12
MARKUP = re.compile(r"<[A-Za-z!/]")
SHIPPED = re.compile(
    r"(?i)\b(colis|livraison à domicile|frais de port|expédi(é|tion)\w* postale?|shipping|shipped|parcel|postage)\b"
)
LOOKS_AROUND = re.compile(r"\\[1-9]|\(\?[=!<P]")
JUNK = ("\x00", "<script>", "../../etc/passwd", "é" * 300)
MANIFEST = (
    "Corrigez [list] map dans connector.toml (ou [amounts] unit et rate), ou ce que lit le connecteur.",
    "Correct [list] map in connector.toml (or [amounts] unit and rate), or what the connector reads.",
)
SIGNS = "[A-Za-z0-9._-]"
UNREADABLE = re.compile(r"([A-Za-z]*Error|ContractBroken|InvalidOperation|Overflow|DivisionByZero): ")
"""How the shipped bases report an item that they could not read; one that cannot be sold here has other words."""
CORSICAN_BP, HIGHEST_BP = 90, 3000
"""The lowest rate there is in France, 0.9 %, and far more than the highest of any country of the Union, 27 %."""


def price_fault(priced: Any) -> str:
    """Why a price does not add up, "" when it does. VAT may differ by a cent: it may have been rounded line by line."""
    net, rate, vat, gross = priced.net_cents, priced.vat_rate_bp, priced.vat_cents, priced.gross_cents
    if min(net, vat, gross) < 0:
        return f"{net} + {vat} = {gross}"
    if not (rate == 0 or CORSICAN_BP <= rate <= HIGHEST_BP):
        return f"vat_rate: {rate / 100:g} % ([amounts] rate: percent, fraction, basis_points?)"
    if net + vat != gross:
        return f"{net} + {vat} ≠ {gross}"
    exact = int((Decimal(net) * rate / 10_000).quantize(Decimal(1), rounding=ROUND_HALF_UP))
    return f"{rate} bp × {net} = {exact} ≠ {vat}" if abs(exact - vat) > 1 else ""


def type_fault(given: Any) -> str:
    """Why something is not what the contract says, "" when it is."""
    try:
        TypeAdapter(type(given)).validate_python(dataclasses.asdict(given), strict=False)
    except ValidationError as error:
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return ""


@check(
    "offers.valid",
    "bronze",
    "Chaque offre est complète et son prix est juste",
    "Every offer is whole and its price adds up",
)
def _valid(stage: Stage) -> None:
    found = list(stage.connector().list_offers())
    offers = [item for item in found if isinstance(item, Offer)]
    for item in found:
        if isinstance(item, Unfit) and UNREADABLE.match(item.why):
            fail(f"offre {item.id} : elle ne se lit pas : {item.why}", f"offer {item.id}: it cannot be read: {item.why}", *MANIFEST)  # fmt: skip
    if not offers:
        why = next((f": {item.id}, {item.why}" for item in found if isinstance(item, Unfit)), "")
        fail(f"la liste est vide{why}", f"the list is empty{why}", "Donnez au moins une offre dans fixtures/list.json, là où [list] items la cherche.", "Give at least one offer in fixtures/list.json, where [list] items looks for it.")  # fmt: skip
    for offer in offers:
        texts = [*offer.title.values(), *offer.summary.values(), *offer.delay.values()]
        faults = [
            type_fault(offer), price_fault(offer), term_fault(offer),
            *(f"{name}: {said!r} ≠ {SIGNS}" for name, said in (("id", offer.id), ("category", offer.category)) if not NAME.fullmatch(said)),
            *(f"{name}.fr: {words.get('fr', '')!r}" for name, words in (("title", offer.title), ("summary", offer.summary)) if not words.get("fr")),
            "" if offer.currency == "EUR" else f"currency: {offer.currency!r} ≠ 'EUR'",
            next((f"markup: {text[:80]}" for text in texts if MARKUP.search(text)), ""),
            next((f"shipped?: {text[:80]}" for text in texts if SHIPPED.search(text)), ""),
        ]  # fmt: skip
        if said := next(filter(None, faults), ""):
            fail(f"offre {offer.id} : {said}", f"offer {offer.id}: {said}", *MANIFEST)


def why_missing(stage: Stage, ident: str) -> tuple[str, str]:
    """Why an offer of the story is not in the list, in both languages; empty when it is."""
    found = list(stage.connector().list_offers())
    there = [item.id for item in found if isinstance(item, Offer)]
    if ident in there:
        return "", ""
    refused = next((item.why for item in found if isinstance(item, Unfit) and item.id == ident), "")
    if refused:
        return f"elle est refusée : {refused}", f"it is refused: {refused}"
    names = ", ".join(there[:MOST_NAMED]) or "–"
    return f"la liste n’a pas {ident} ; il y a {names}", f"the list has no {ident}; there is {names}"


@check("offers.unique", "bronze", "Aucune offre n’est donnée deux fois", "No offer is listed twice")
def _unique(stage: Stage) -> None:
    seen: set[str] = set()
    for offer in listed(stage):
        if offer.id in seen:
            fail(f"l’offre {offer.id} est donnée deux fois", f"offer {offer.id} is listed twice", *MANIFEST)
        seen.add(offer.id)


@check("offers.stable", "bronze", "La liste est la même une seconde fois", "The list is the same a second time")
def _stable(stage: Stage) -> None:
    first, connector = listed(stage), stage.connector()
    if not first:
        skip("la liste est vide (offers.valid)", "the list is empty (offers.valid)")
    for again in (1, 2):
        if [item for item in connector.list_offers() if isinstance(item, Offer)] != first:
            fail(
                f"la liste {again + 1} diffère de la première", f"list {again + 1} differs from the first",
                "Un identifiant est ce que le marchand écrit, ni compteur ni hasard ; ne gardez rien entre deux listes.",
                "An id is what the merchant writes, no counter and no chance; keep nothing between two lists.",
            )  # fmt: skip


@check("offers.delta", "bronze", "Une liste reprend là où elle s’était arrêtée", "A list goes on from where it ended")
def _delta(stage: Stage) -> None:
    items = list(stage.connector().list_offers())
    states = [item for item in items if isinstance(item, State)]
    if not states:
        skip("le connecteur donne toute la liste à chaque fois", "the connector lists everything each time")
    known = {item.id for item in items if isinstance(item, Offer)}
    for state in states:
        rest = list(stage.connector().list_offers(state.cursor))
        gone = {item.id for item in rest if isinstance(item, Removed)} - known
        if gone or not any(isinstance(item, State) and not item.more for item in rest):
            fail(
                f"depuis {state.cursor!r}, la suite n’a pas de fin ou retire {sorted(gone)}", f"from {state.cursor!r} the rest has no end, or removes {sorted(gone)}",
                "Une liste qui donne des State finit par State(cursor, more=False).", "A list that gives State ends with State(cursor, more=False).",
            )  # fmt: skip


@check("inputs.valid", "bronze", "Les champs demandés sont bien décrits", "The inputs are well described")
def _inputs(stage: Stage) -> None:
    story, offers = stage.fixtures.story, {offer.id: offer for offer in listed(stage)}
    for offer in offers.values():
        for each in offer.inputs:
            if said := _input_fault(each):
                fail(
                    f"champ {each.name} de {offer.id} : {said}", f"input {each.name} of {offer.id}: {said}",
                    "Corrigez-le : le portail le montre et le vérifie tel quel.", "Correct it: the portal shows it and checks by it as it is.",
                )  # fmt: skip
    for each in getattr(stage.manifest, "input", ()):
        if lost := sorted(set(each.offers) - offers.keys()):
            names = ", ".join(lost)
            fail(
                f"[[input]] {each.name} : offers nomme {names}, que la liste n’a pas", f"[[input]] {each.name}: offers names {names}, which the list has not",
                "Ce sont des identifiants d’offres ([list] map.id).", "They are ids of offers ([list] map.id).",
            )  # fmt: skip
    if unsent := _unsent(stage):
        fail(
            f"[[input]] {unsent} est demandé, et n’est envoyé nulle part", f"[[input]] {unsent} is asked for, and sent nowhere",
            f"Mettez {{input.{unsent}}} dans [quote] ou [fulfil], ou ne le demandez pas.", f"Put {{input.{unsent}}} into [quote] or [fulfil], or do not ask for it.",
        )  # fmt: skip
    missing = why_missing(stage, story.buy.offer)
    if missing[0]:
        fail(
            f"fixtures/story.toml : [buy] offer = « {story.buy.offer} » : {missing[0]}", f"fixtures/story.toml: [buy] offer = “{story.buy.offer}”: {missing[1]}",
            "Achetez dans [buy] une offre de la liste.", "In [buy], buy an offer of the list.",
        )  # fmt: skip
    bought = offers.get(story.buy.offer)
    wanted = {each.name for each in bought.inputs if each.required} if bought else set()
    may = {each.name for each in bought.inputs} if bought else set()
    for each in bought.inputs if bought else ():
        if each.type == "file" and each.name in story.buy.inputs:
            given = stage.uploads.describe(story.buy.inputs[each.name])
            if given.media_type not in each.accept or not 0 < given.size <= each.most_bytes:
                fail(
                    f"fixtures/{given.filename} n’est pas un fichier que {each.name} accepte", f"fixtures/{given.filename} is no file that {each.name} accepts",
                    "Donnez dans story.toml un fichier qu’un employé pourrait donner.", "In story.toml, give a file that an employee could give.",
                )  # fmt: skip
    if not bought or not wanted <= set(story.buy.inputs) <= may:
        typed = sorted(story.buy.inputs)
        fail(
            f"fixtures/story.toml : [buy] donne {typed} ; {story.buy.offer} demande {sorted(wanted)}, et peut recevoir {sorted(may)}",
            f"fixtures/story.toml: [buy] gives {typed}; {story.buy.offer} asks for {sorted(wanted)}, and may be given {sorted(may)}",
            "Donnez dans [buy] inputs les champs de cette offre, par leur name ; [[input]] offers dit quelles offres les demandent.",
            "In [buy] inputs, give the inputs of this offer by their name; [[input]] offers says which offers ask for them.",
        )  # fmt: skip


def _unsent(stage: Stage) -> str:
    """An input that a manifest without code sends nowhere; "" when there is none."""
    manifest = stage.manifest
    if not isinstance(manifest, DeclaredManifest) or (stage.folder / "connector.py").is_file():
        return ""
    requests = (manifest.quote, manifest.fulfil)
    sent = {name for asked in requests for name in asked.wanted()}
    sent |= {name.strip("{}") for asked in requests for name in asked.files.values()}
    return next((each.name for each in manifest.input if not sent & {f"input.{each.name}", *each.names}), "")


def _input_fault(each: Input) -> str:
    if not each.label.get("fr"):
        return "label.fr"
    if each.minimum > each.maximum:
        return f"minimum {each.minimum} > maximum {each.maximum}"
    if (each.type == "choice") != bool(each.choices):
        return "choices"
    if (each.type == "file") != bool(each.accept) or not set(each.accept) <= KINDS.keys():
        return f"accept: {', '.join(KINDS)}"
    if LOOKS_AROUND.search(each.pattern):
        return "pattern: (?=…), \\1"
    if why := patterns.fault(each.pattern, each.maximum):
        return f"pattern: {why}"
    if each.pattern and any(re.fullmatch(each.pattern, text) for text in JUNK):
        return "pattern: accepts anything"
    return type_fault(each)


@check(
    "inputs.refused",
    "bronze",
    "Ce que le marchand ne connaît pas est refusé avec des mots",
    "What the merchant does not know is refused in words",
    may_skip=True,
)
def _refused(stage: Stage) -> None:
    wrong = stage.fixtures.story.refuse
    if wrong is None:
        if not any(offer.inputs for offer in listed(stage)):
            skip("aucune offre ne demande quoi que ce soit", "no offer asks for anything")
        fail(
            "story.toml n’a pas de [refuse]", "story.toml has no [refuse]",
            "Donnez une saisie que le marchand refuse au premier clic.", "Give inputs that the merchant refuses at the first click.",
        )  # fmt: skip
    said = attempt(lambda: quoted(stage.connector(), wrong))
    if not isinstance(said.error, Rejected):
        fail(
            f"au lieu d’un refus (Rejected) : {said}", f"instead of a refusal (Rejected): {said}",
            "Dites dans [quote] errors quel statut refuse, et dans [refusal] où sont les mots.",
            "Say in [quote] errors which status refuses, and in [refusal] where its words are.",
        )  # fmt: skip
    if not said.error.words.get("fr"):
        fail(
            f"le refus n’a pas de mots français : {dict(said.error.words)}", f"the refusal has no French words: {dict(said.error.words)}",
            "Dites dans [refusal] words où sont les mots ; l’employé les lit à côté du champ.", "Say in [refusal] words where its words are; the employee reads them beside the input.",
        )  # fmt: skip
    names = {each.name for offer in listed(stage) if offer.id == wrong.offer for each in offer.inputs}
    if said.error.field and said.error.field not in names:
        there = ", ".join(sorted(names)) or "–"
        fail(
            f"le refus nomme un champ que {wrong.offer} n’a pas : {said.error.field!r} ; il y a {there}", f"the refusal names an input that {wrong.offer} does not have: {said.error.field!r}; there is {there}",
            "[refusal] field est le chemin du nom du champ ; retirez-le si le marchand n’emploie pas nos noms.", "[refusal] field is the path to the input’s name; take it out if the merchant does not use our names.",
        )  # fmt: skip
