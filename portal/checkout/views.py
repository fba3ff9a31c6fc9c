"""The two clicks: *Buy* opens the confirmation panel, *Confirm* makes the order and shows what it brings."""

from __future__ import annotations

from typing import cast

from flask import Blueprint, Flask, Response, abort, redirect, render_template, request, send_file, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import NotFound

from connectors.contract import Buyer
from portal.billing import refunds
from portal.catalog.browsing import visible_offer
from portal.catalog.offers import OfferRow
from portal.checkout import forms, orders, packs, request_views, running, uploads
from portal.checkout.confirmation import accept
from portal.checkout.forms import FileRequest
from portal.checkout.orders import Order
from portal.checkout.panel import Panel, price, weigh
from portal.checkout.quotes import QuoteRow, find_quote, unsold
from portal.directory import sign_in
from portal.installation import Installation
from portal.refusals import Reason, Refused
from portal.rights.decision import Employee, explain
from portal.web import account, csrf, installation, language, wants_fragment

checkout = Blueprint("checkout", __name__)

PATIENCE_S = 4.0
"""How long the second click waits for the delivery before it shows where the order stands."""
# A PDF is shown by the browser's own viewer, which a stricter policy would block; nothing else is shown inline.
DOCUMENT_POLICY = "frame-ancestors 'self'"
# Whatever else a browser makes of bytes, it makes it without scripts and without our address.
FILE_POLICY = "default-src 'none'; sandbox; frame-ancestors 'none'"


def register(app: Flask, _installation: Installation) -> None:
    """Add the pages of a purchase."""
    app.register_blueprint(checkout)
    app.request_class = FileRequest
    # It asks for its token itself, once it is known which files may come.
    csrf.exempt(quote)
    app.teardown_request(lambda _error: cast(FileRequest, request).discard())
    request_views.register(app)


@checkout.get("/offers/<slug>")
def offer(slug: str) -> ResponseReturnValue:
    """The first click: the panel, in place of its card or on a page of its own; with `quote`, priced already."""
    panel = _open_panel(slug)
    token = request.args.get("quote", "")
    with installation().database.reading() as session:
        known = find_quote(session, token, account().id) if token else None
        order = orders.find_by_token(session, token, account().id) if known else None
    if order:
        return redirect(url_for("checkout.purchase", number=order.number))
    if known and known.offer_id == panel.offer.id:
        panel.typed = dict(known.inputs)
        # Of whoever sells nothing now no price is shown that cannot be confirmed.
        panel.quote = None if panel.refusal else known
    panel.pack_refused = request.args.get("why") == "pack_refused"
    if not panel.refusal and request.args.get("why") in {"request_words", "request_needless", "pack_used_up"}:
        panel.refusal = Reason(request.args["why"])
    return _show_panel(panel, part="part" in request.args)


@checkout.get("/offers/<slug>/card")
def card(slug: str) -> ResponseReturnValue:
    """Close the panel again."""
    panel = _open_panel(slug)
    if not wants_fragment():
        return redirect(url_for("catalog.home", _anchor=f"offer-{slug}"))
    return render_template("catalog/_card.html", offer=panel.offer, buying=panel.decision)


@checkout.post("/offers/<slug>/quote")
def quote(slug: str) -> ResponseReturnValue:
    """The price for what was typed so far; picking a completion fills its input."""
    house = installation()
    try:
        panel = _open_panel(slug)
    except NotFound:
        forms.read_to_end(house.uploads)
        raise
    forms.expect_files(panel, house.uploads)
    # Only now, and not before every request: it reads the form, and with it the files.
    csrf.protect()
    if request.files and not panel.is_closed:
        # They may have been on their way for minutes.
        panel = _open_panel(slug)
    forms.read(panel, house.uploads, account().id)
    picked = request.form.get("pick", "")
    name, _, value = picked.partition("=")
    if name in panel.typed:
        panel.typed[name] = value
    panel.pays_each = "each" in request.form
    if not panel.is_closed and not panel.wrong:
        asked = panel.pays_each or "ask" in request.form or bool(picked)
        price(panel, house.database, house.merchants, account().id, _buyer(), asked=asked)
    if panel.quote and not wants_fragment():
        # A page of its own address: the back button finds it again, and never sends a form twice.
        why = "pack_refused" if panel.pack_refused else panel.refusal.code if panel.refusal else None
        return redirect(url_for("checkout.offer", slug=slug, quote=panel.quote.token, why=why), code=303)
    return _show_panel(panel, part=not picked)


@checkout.post("/confirm")
def confirm() -> ResponseReturnValue:
    """The second click. The same token always answers with the same order."""
    house, person = installation(), account()
    with house.database.reading() as session:
        asked = find_quote(session, request.form.get("token", ""), person.id)
        existing = orders.find_by_token(session, asked.token, person.id) if asked else None
        slug = asked.offer.slug if asked else ""
    if asked is None:
        abort(410)
    if existing:
        return _show_order(existing.number, after_confirmation=True)
    try:
        _check_password_again(asked)
        current = sign_in.confirmed_account(house.database, house.directory, person)
        merchant = house.merchants.merchant(asked.offer.merchant)
        zone = house.settings.portal.zone
        accepted = accept(house.database, asked, current, merchant, zone, house.owner)
    except Refused as refused:
        return _ask_again(slug, asked, refused.reason)
    if accepted.lease:
        house.carry_on(accepted.lease, PATIENCE_S, merchant.second_click)
    return _show_order(accepted.number, after_confirmation=True)


@checkout.get("/purchases")
def purchases() -> ResponseReturnValue:
    """Every order of this employee."""
    house = installation()
    with house.database.reading() as session:
        own = orders.list_own(session, account().id)
        lasting = running.list_running(session, account().id, house.merchants.closed(session))
        unused = packs.of_account(session, account().id)
        titles, paying = packs.titles(session, unused), packs.paying(session, unused)
        units = packs.units_of(session, [order.number for order in own])
    return render_template(
        "checkout/purchases.html",
        orders=own,
        running=lasting,
        packs=unused,
        pack_titles=titles,
        paying=paying,
        units=units,
    )


@checkout.get("/purchases/<number>")
def purchase(number: str) -> ResponseReturnValue:
    """One order: where it stands, and what it brought."""
    return _show_order(number)


@checkout.get("/purchases/<number>/document")
def document(number: str) -> ResponseReturnValue:
    """A delivered document: a PDF in which nothing acts by itself opens, anything else downloads."""
    order = _own_order(number)
    delivered = next((row for row in order.deliveries if row.storage_name), None)
    if delivered is None:
        abort(404)
    path = installation().storage.path(delivered.storage_name)
    inline = delivered.opens_here and "download" not in request.args
    response: Response = send_file(
        path, mimetype=delivered.media_type, as_attachment=not inline, download_name=delivered.filename
    )
    response.headers["Content-Security-Policy"] = DOCUMENT_POLICY if inline else FILE_POLICY
    response.headers["Cache-Control"] = "private, no-store"
    return response


@checkout.get("/purchases/<number>/receipt")
def receipt(number: str) -> ResponseReturnValue:
    """A page to print or keep: seller, buyer, price by rate, order number on the invoice."""
    order = _own_order(number)
    if order.state != "delivered":
        abort(404)
    with installation().database.reading() as session:
        given_back = refunds.confirmed(session, number)
        paid = packs.payment_of(session, number)
        files = uploads.given_for(session, order.inputs)
    return render_template("checkout/receipt.html", order=order, refunds=given_back, paid=paid, files=files)


def _open_panel(slug: str, quoted: OfferRow | None = None) -> Panel:
    """The panel of an offer that may be seen, or of one that was priced for him and may have been withdrawn since."""
    house, person = installation(), account()
    employee = Employee(person.id, person.group_keys)
    with house.database.reading() as session:
        found = visible_offer(session, employee, slug) or quoted
        if found is None:
            abort(404)
        decision = explain(session, employee, found.wanted, house.settings.portal.zone)
        refusal = unsold(session, house.merchants, found)
    return Panel(found, decision, refusal=refusal)


def _show_panel(panel: Panel, *, part: bool = False, status: int = 200) -> ResponseReturnValue:
    """The panel as a page, as a fragment, or (`part`) only what depends on the inputs."""
    house, person = installation(), account()
    weigh(panel, house.database, Employee(person.id, person.group_keys), house.settings.portal.zone)
    threshold = house.settings.checkout.ask_password_above_cents
    asks_password = threshold is not None and panel.quote is not None and panel.quote.gross_cents > threshold
    if not wants_fragment():
        template = "checkout/offer.html"
    else:
        template = "checkout/_quote.html" if part else "checkout/_panel.html"
    body = render_template(
        template, panel=panel, offer=panel.offer, part=part and wants_fragment(), asks_password=asks_password,
        cost_centre=person.cost_centre, asked=bool({"ask", "each", "pick", "quote"} & set(request.values)),
    )  # fmt: skip
    headers = (
        {} if part or not wants_fragment() else {"HX-Retarget": f"#offer-{panel.offer.slug}", "HX-Reswap": "outerHTML"}
    )
    return body, status, headers


def _ask_again(slug: str, asked: QuoteRow, reason: Reason) -> ResponseReturnValue:
    """The panel with the reason, what was typed, and a fresh price when only the price had expired."""
    panel = _open_panel(slug, asked.offer)
    panel.typed = dict(asked.inputs)
    house = installation()
    again = {"quote_expired", "pack_used_up", "bought_meanwhile", "password_wrong", "directory_unknown"}
    # Whoever lost the right since is asked for no new price, and is told why.
    if not panel.refusal and not panel.decision.allowed:
        panel.refusal = panel.decision.reason
    if not panel.refusal and reason.code in again:
        price(panel, house.database, house.merchants, account().id, _buyer(), asked=True)
    panel.refusal = panel.refusal or reason
    return _show_panel(panel, status=409)


def _check_password_again(asked: QuoteRow) -> None:
    house = installation()
    threshold = house.settings.checkout.ask_password_above_cents
    if threshold is None or asked.gross_cents <= threshold:
        return
    sign_in.check_password(
        house.database, house.directory, account(), request.form.get("password", ""),
        request.remote_addr or "", house.settings.directory.max_failures,
    )  # fmt: skip


def _show_order(number: str, *, after_confirmation: bool = False) -> ResponseReturnValue:
    order = _own_order(number)
    if after_confirmation and not wants_fragment():
        return redirect(url_for("checkout.purchase", number=number), code=303)
    template = "checkout/_order.html" if wants_fragment() else "checkout/purchase.html"
    with installation().database.reading() as session:
        pack = packs.of_order(session, number)
        paid, used = packs.payment_of(session, number), packs.uses(session, pack) if pack else []
        pays = bool(pack and packs.paying(session, [pack]))
    return render_template(
        template, order=order, next_quote=_next_quote(order), pack=pack, pays=pays, paid=paid, pack_uses=used
    )


def _next_quote(order: Order) -> QuoteRow | None:
    if not order.next_token:
        return None
    with installation().database.reading() as session:
        return find_quote(session, order.next_token, account().id)


def _own_order(number: str) -> Order:
    with installation().database.reading() as session:
        order = orders.find_own(session, number, account().id)
    if order is None:
        abort(404)
    return order


def _buyer() -> Buyer:
    return Buyer(installation().settings.portal.company, language(), account().cost_centre)
