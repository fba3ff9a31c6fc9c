"""Purchases and their money: what waits for a decision, with both sides' evidence; refunds and write-offs."""

from __future__ import annotations

from typing import Any

from flask import abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from portal import money
from portal.admin import purchase_words
from portal.admin.access import actor, is_proved, require_proof, settlers_only
from portal.admin.blueprint import admin
from portal.admin.purchase_sheet import CHARGES, PAGE, Case, case_of, search, waiting
from portal.billing import refunds
from portal.billing.offline import outstanding
from portal.catalog.offers import merchant_names
from portal.checkout import disputes, packs
from portal.refusals import Reason, Refused
from portal.web import installation, wants_fragment
from portal.words import reason as sentence


@admin.get("/purchases")
@settlers_only
def all_purchases() -> ResponseReturnValue:
    """What waits for a decision, then everybody's purchases; found as one types."""
    text = request.args.get("q", "").strip()[:100]
    before, charge = request.args.get("before", 0, type=int), request.args.get("charge", "")
    merchant = request.args.get("merchant", "")[:64]
    with installation().database.reading() as session:
        found, unpaid = search(session, text, before, charge, merchant), outstanding(session)
        open_cases, names = waiting(session, merchant), merchant_names(session, [merchant])
        units = packs.units_of(session, [order.number for order, _account in found])
    template = "admin/_purchases.html" if wants_fragment() else "admin/purchases.html"
    return render_template(
        template,
        found=found[:PAGE],
        more=len(found) > PAGE,
        open_cases=open_cases,
        text=text,
        charge=charge if charge in CHARGES else "",
        merchant=merchant,
        merchant_name=names.get(merchant, merchant),
        words=purchase_words,
        unpaid=unpaid,
        units=units,
        offline_cents=installation().settings.operator.offline_cents,
    )


@admin.get("/purchases/<number>")
@settlers_only
def purchase_case(number: str) -> ResponseReturnValue:
    """Everything both sides said of one purchase, and what may safely be decided."""
    return _show(number)


@admin.post("/purchases/<number>")
@settlers_only
def decide_case(number: str) -> ResponseReturnValue:
    """Carry out one choice; everything but a look asks for a reason, and for the password when it is long ago."""
    house, choice = installation(), request.form.get("choice", "")
    _case(number)
    try:
        if choice != "look":
            require_proof()
        disputes.settle(
            house.database, house.operators, actor(), number, choice, request.form.get("reason", ""), _amount(),
            request.form.get("key", ""),
        )  # fmt: skip
    except Refused as refused:
        return _show(number, refused.reason, 409)
    return redirect(url_for("admin.purchase_case", number=number, done=choice), code=303)


def _amount() -> int | None:
    typed = request.form.get("amount", "").strip()
    try:
        return money.parse_amount(typed) if typed else None
    except ValueError:
        raise Refused("not_an_amount") from None


def _case(number: str) -> Case:
    with installation().database.reading() as session:
        found = case_of(session, number)
    if found is None:
        abort(404)
    return found


def _why(case: Case) -> str:
    """Why it stands as it does, in the employee's own words."""
    said = case.order.reason
    return sentence(Reason(said["code"], said["facts"]), installation().settings.portal.contact) if said else ""


def _show(number: str, refusal: Reason | None = None, status: int = 200) -> ResponseReturnValue:
    typed: dict[str, Any] = {name: request.form.get(name, "") for name in ("reason", "amount")}
    case = _case(number)
    with installation().database.reading() as session:
        paid = packs.payment_of(session, number)
    return render_template(
        "admin/purchase.html", case=case, paid=paid, why=_why(case), refusal=refusal, typed=typed, proved=is_proved(), words=purchase_words,
        done=request.args.get("done", ""), key=request.form.get("key") or refunds.new_key(),
    ), status  # fmt: skip
