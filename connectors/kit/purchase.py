"""Bronze, a purchase that goes well: the price, the order under its key, what is delivered, and who is told what."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

from connectors.contract import Document, Done, NotDone, Offer, Pending, Quote
from connectors.kit.bronze import price_fault, type_fault, why_missing
from connectors.kit.checks import check, fail, skip
from connectors.kit.delivered import require_as_announced, require_document
from connectors.kit.lasting import require_whole_term
from connectors.kit.stage import KEY, OTHER_KEY, PO_NUMBER, Stage, attempt, listed, order, quoted
from connectors.kit.tour import look_around, slow_order, tour

LONGEST_VALIDITY = timedelta(days=60)


@check(
    "quote.adds_up",
    "bronze",
    "Le prix ferme est juste : net, TVA, total, fin",
    "The binding price adds up: net, VAT, total, end",
)
def _adds_up(stage: Stage) -> None:
    story = stage.fixtures.story
    quote = quoted(stage.connector(), story.buy)
    rate = next((offer.vat_rate_bp for offer in listed(stage) if offer.id == story.buy.offer), quote.vat_rate_bp)
    lines = (sum(line.net_cents for line in quote.lines), sum(line.vat_cents for line in quote.lines))
    left = quote.expires_at - datetime.now(UTC) if quote.expires_at.tzinfo else timedelta(0)
    faults = [
        price_fault(quote), type_fault(quote),
        "" if quote.vat_rate_bp == rate else f"vat_rate: {quote.vat_rate_bp / 100:g} %, [list] {rate / 100:g} %",
        "" if 0 < len(quote.ref) <= 200 else f"ref: {quote.ref!r}",
        "" if quote.currency == "EUR" else f"currency: {quote.currency}",
        "" if not quote.lines or lines == (quote.net_cents, quote.vat_cents) else f"lines: {lines}",
        "" if timedelta(0) < left < LONGEST_VALIDITY else f"expires_at: {quote.expires_at}",
    ]  # fmt: skip
    if said := next(filter(None, faults), ""):
        fail(
            f"le devis n’est pas juste : {said}", f"the quote does not add up: {said}",
            "Corrigez [amounts] ou [quote] map ; les exemples disent {soon} pour une fin proche.",
            "Correct [amounts] or [quote] map; fixtures say {soon} for an end that is near.",
        )  # fmt: skip


@check(
    "fulfil.done",
    "bronze",
    "La commande aboutit, au prix confirmé, avec ce qui était annoncé",
    "The order succeeds, at the confirmed price, with what was announced",
)
def _done(stage: Stage) -> None:
    story, connector = stage.fixtures.story, stage.connector()
    quote = quoted(connector, story.buy)
    said = order(connector, quote)
    if isinstance(said.value, Pending):
        # Of a merchant that always takes its time, status.pending_to_done proves the rest.
        return
    announced = next((offer.delivery for offer in listed(stage) if offer.id == story.buy.offer), "")
    if not isinstance(said.value, Done) or type_fault(said.value):
        why = type_fault(said.value) if isinstance(said.value, Done) else str(said)
        missing = why_missing(stage, story.buy.offer)
        why += f" ({missing[1]})" if missing[0] else ""
        fail(
            f"au lieu de Done : {why}", f"instead of Done: {why}",
            "Corrigez [order] : state (où est le mot), states (chaque mot du marchand, et ce qu’il veut dire), charged, delivery.",
            "Correct [order]: state (where the word is), states (each word of the merchant’s, and what it means), charged, delivery.",
        )  # fmt: skip
    require_whole_term(said.value, next((offer.term for offer in listed(stage) if offer.id == story.buy.offer), ""))
    require_as_announced(said.value, quote, announced)


@check(
    "fulfil.key_sent",
    "bronze",
    "La clé et le numéro de commande partent avec la commande",
    "The key and the order number leave with the order",
    may_skip=True,
)
def _key_sent(stage: Stage) -> None:
    connector = stage.connector()
    if stage.manifest.capabilities.idempotent == "read":
        _require_free(stage)
        skip(
            "lire ne commande rien : il n’y a ni clé ni numéro de commande à envoyer",
            "reading orders nothing: there is neither a key nor an order number to send",
        )
    order(connector, quoted(connector, stage.fixtures.story.buy))
    sent = [item.asked for item in stage.merchant.received if item.step.startswith("fulfil")]
    said = " ".join(
        f"{each.target} {sorted(each.headers.items())} {each.body.decode('utf-8', 'replace')}" for each in sent
    )
    capabilities = stage.manifest.capabilities
    if PO_NUMBER not in said or (KEY not in said and (capabilities.lookup_by_key or capabilities.idempotent != "none")):
        fail(
            "la clé ou le numéro de commande ne part pas", "the key or the order number does not leave",
            "Envoyez {key} et {po} dans [fulfil] : la facture du marchand doit porter notre numéro.",
            "Send {key} and {po} in [fulfil]: the merchant's invoice must bear our number.",
        )  # fmt: skip


def _require_free(stage: Stage) -> None:
    """What may be read again whenever an answer is lost costs nothing, in the list and in the quote."""
    priced: list[Offer | Quote] = [*listed(stage), quoted(stage.connector(), stage.fixtures.story.buy)]
    if dear := [each.gross_cents for each in priced if each.gross_cents]:
        fail(
            f"idempotent = « read » et un prix de {dear[0]} centimes", f"idempotent = “read” and a price of {dear[0]} cents",
            "« read » est pour ce qui est gratuit ; ce qui est payé est commandé sous une clé, ou jamais répété (« none »).",
            "“read” is for what is free; what is paid for is ordered under a key, or never repeated (“none”).",
        )  # fmt: skip


@check(
    "fulfil.same_key",
    "bronze",
    "La même clé deux fois : la même demande, la même commande",
    "The same key twice: the same request, the same order",
)
def _same_key(stage: Stage) -> None:
    if stage.manifest.capabilities.idempotent == "none":
        skip("idempotent = « none » : le portail ne répète rien", "idempotent = “none”: the portal repeats nothing")
    if stage.manifest.capabilities.idempotent == "read":
        skip(
            "idempotent = « read » : lire deux fois ne commande rien",
            "idempotent = “read”: reading twice orders nothing",
        )
    connector = stage.connector()
    quote = quoted(connector, stage.fixtures.story.buy)
    first, second = order(connector, quote), order(connector, quote)
    sent = [item.asked for item in stage.merchant.received if item.step.startswith("fulfil")]
    if len(sent) != 2 or sent[0] != sent[1] or first.value != second.value:
        fail(
            "la répétition n’est pas la même", "the repeat is not the same",
            "Rien dans la demande ne change d’une fois à l’autre : ni heure, ni hasard, ni nouvelle clé.",
            "Nothing in the request changes from one time to the next: no time, no chance, no new key.",
        )  # fmt: skip
    order(connector, quote, OTHER_KEY)
    if len(stage.merchant.orders) != 2:
        fail(
            "une autre clé n’a pas fait une autre commande", "another key did not make another order",
            "La clé envoyée est celle que le portail donne.", "The key that is sent is the one the portal gives.",
        )  # fmt: skip
    other = stage.fixtures.story.slow or stage.fixtures.story.nothing
    if other is None:
        return
    said = order(connector, quoted(connector, other))
    if isinstance(said.value, Done | Pending) or said.sure_it_was_not_sent:
        fail(
            f"une autre commande sous une clé déjà prise : {said}", f"another order under a key that is taken: {said}",
            "Le marchand la refuse (409) : c’est un doute, qu’un administrateur regarde.", "The merchant refuses it (409): it is a doubt, for an administrator.",
        )  # fmt: skip


@check(
    "document.fetched",
    "bronze",
    "Le document reçu est celui qui était annoncé",
    "The document that comes is the one announced",
)
def _document(stage: Stage) -> None:
    connector = stage.connector()
    said = [order(connector, quoted(connector, stage.fixtures.story.buy))]
    slow = slow_order(stage, connector)
    ref = slow[1].value.order_ref if slow and isinstance(slow[1].value, Pending) else ""
    said += [attempt(lambda: connector.status(ref)) for _turn in range(3) if ref]
    delivered = [each.value.delivery for each in said if isinstance(each.value, Done)]
    delivery = next((each for each in delivered if isinstance(each, Document)), None)
    if delivery is None:
        skip("aucun achat ne livre de document", "no purchase delivers a document")
    require_document(connector, delivery)


@check(
    "file.sent_whole",
    "bronze",
    "Le fichier donné part tel quel, dans un seul champ",
    "The file that was given leaves as it is, in one field",
)
def _sent_whole(stage: Stage) -> None:
    story = stage.fixtures.story
    bought = next((offer for offer in listed(stage) if offer.id == story.buy.offer), None)
    given = [
        story.buy.inputs[each.name]
        for each in (bought.inputs if bought else ())
        if each.type == "file" and each.name in story.buy.inputs
    ]
    if not given:
        skip("l’achat de story.toml ne donne pas de fichier", "the purchase of story.toml gives no file")
    connector = stage.connector()
    order(connector, quoted(connector, story.buy))
    sent = [part for item in stage.merchant.received for part in item.asked.parts if part.filename]
    whole = {hashlib.sha256(part.body).hexdigest() for part in sent}
    missing = [name for name in given if stage.uploads.describe(name).sha256 not in whole]
    if missing:
        fail(
            f"{missing[0]} n’est pas parti tel quel", f"{missing[0]} did not leave as it is",
            "Envoyez-le par [quote] ou [fulfil] files, ou par self.context.http.request(files=…).",
            "Send it by [quote] or [fulfil] files, or by self.context.http.request(files=…).",
        )  # fmt: skip


@check(
    "nothing.done",
    "bronze",
    "« Rien trouvé » est un non, avec des mots, et n’est pas facturé",
    "“Nothing found” is a no, in words, and is not charged",
    may_skip=True,
)
def _nothing(stage: Stage) -> None:
    purchase = stage.fixtures.story.nothing
    if purchase is None:
        skip(
            "le marchand livre tout ce qu’il accepte (story.toml sans [nothing])",
            "the merchant delivers all that it accepts (story.toml without [nothing])",
        )
    connector = stage.connector()
    said = order(connector, quoted(connector, purchase))
    if not isinstance(said.value, NotDone) or not said.value.words.get("fr"):
        fail(
            f"au lieu de NotDone avec des mots : {said}", f"instead of NotDone in words: {said}",
            "Dites dans [order] states quel mot veut dire non (« not_done »), et words.",
            "Say in [order] states which word means no (“not_done”), and words.",
        )  # fmt: skip


@check(
    "hosts.listed",
    "bronze",
    "Seuls les hôtes du manifeste sont contactés",
    "Only the hosts of the manifest are contacted",
)
def _hosts(stage: Stage) -> None:
    tour(stage, stage.connector())
    ours = stage.merchant.url.partition("//")[2]
    others = sorted({host for host in [*stage.contacted, *stage.tried] if host != ours})
    if others:
        fail(
            f"le connecteur s’adresse à {', '.join(others)}", f"the connector speaks to {', '.join(others)}",
            "Nommez l’hôte dans [network] hosts, ou ne lui parlez pas ; dans les exemples, l’adresse du marchand est {base}.",
            "Name the host in [network] hosts, or do not speak to it; in fixtures the merchant's address is {base}.",
        )  # fmt: skip


@check(
    "secrets.kept",
    "bronze",
    "Aucun secret dans les journaux, les erreurs ou chez d’autres",
    "No secret in logs, errors or at others",
)
def _kept(stage: Stage) -> None:
    if not stage.secrets:
        skip("le connecteur n’a pas de secrets", "the connector has no secrets")
    told = look_around(stage)
    names = {**stage.secrets, **{f"token {index}": token for index, token in enumerate(stage.merchant.tokens)}}
    for where_fr, where_en, text in told:
        for name, secret in names.items():
            if secret in text:
                fail(
                    f"{name} se lit {where_fr}", f"{name} can be read {where_en}",
                    "Ne mettez dans une erreur ou un journal ni en-tête, ni adresse complète, ni réponse de connexion.",
                    "Put no header, no whole address and no answer of a sign-in into an error or a log.",
                )  # fmt: skip
