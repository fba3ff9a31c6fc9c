"""Every reason, state and category in words, in one file: a sentence saying what happened and what to do."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask_babel import format_date, get_locale, gettext, lazy_gettext, to_user_timezone

from portal import consent_words, merchant_words, money, term_words, upload_words
from portal.languages import in_language
from portal.refusals import Reason

REASONS = {
    **consent_words.REASONS,
    **merchant_words.REASONS,
    "sign_in_refused": lazy_gettext(
        "Sign-in did not succeed. Check your login and password; if they are right, try again in a few minutes "
        "or ask your IT department."
    ),
    "sign_in_throttled": lazy_gettext("Too many attempts. Wait %(minutes)s minutes, then try again."),
    "password_wrong": lazy_gettext("This password is not right. Nothing was done; type it again."),
    "directory_unknown": lazy_gettext(
        "Your rights could not be checked just now, so nothing was bought. Try again in a few minutes."
    ),
    "directory_down": lazy_gettext(
        "The company directory does not answer; until it does, nothing can be done here. Try again in a few minutes."
    ),
    "account_gone": lazy_gettext("The company directory no longer knows your account. Nothing was bought."),
    "allowed": lazy_gettext("You may buy this."),
    "no_rule": lazy_gettext("Your groups do not give you the right to buy this. Ask %(contact)s to open it for you."),
    "denied_by_rule": lazy_gettext(
        "Buying this is closed to the group %(group)s, to which you belong. Ask %(contact)s if you need it."
    ),
    "over_ceiling": lazy_gettext(
        "This purchase of %(amount)s would pass the ceiling of %(limit)s %(period)s: %(left)s is left. %(renews)s"
    ),
    "quote_expired": lazy_gettext("This price is no longer valid. Look at the new price below and confirm again."),
    "bought_meanwhile": lazy_gettext(
        "You have bought this since this price was shown, perhaps in another window. Nothing was bought again; confirm below only if you want it twice."
    ),
    "pack_used_up": lazy_gettext(
        "Your pack has no credit left for this. Nothing was bought; look at the price below and confirm again."
    ),
    "merchant_unavailable": lazy_gettext(
        "%(merchant)s does not answer at the moment. Nothing was bought; try again in a few minutes."
    ),
    "merchant_broken": lazy_gettext(
        "%(merchant)s gave an answer that cannot be used. Nothing was bought; your IT department has been told in the log."
    ),
    "merchant_refused": lazy_gettext("The merchant could not fulfil this order. Nothing was charged."),
    "merchant_silent": lazy_gettext(
        "The merchant has not said what became of this order. An administrator is looking into it; nothing is charged meanwhile."
    ),
    "merchant_unclear": lazy_gettext(
        "What the merchant says of this order cannot be decided automatically. An administrator is looking into it; "
        "nothing is charged meanwhile."
    ),
    "merchant_ships": lazy_gettext(
        "The merchant would ship something for this order, and only what is delivered online is sold here. "
        "An administrator is looking into it; nothing is charged meanwhile."
    ),
    "merchant_other_subject": lazy_gettext(
        "What the merchant delivers is about another company than the one you asked for. An administrator is looking into it; "
        "nothing is charged meanwhile."
    ),
    "physical": lazy_gettext(
        "%(merchant)s would ship this: it is a physical thing, and only services delivered online are sold here. "
        "Nothing was bought; your IT department has been told in the journal."
    ),
    "merchant_late": lazy_gettext(
        "The merchant is late with this order. An administrator is looking into it; nothing is charged meanwhile."
    ),
    "merchant_other_price": lazy_gettext(
        "The merchant named another price than the one you confirmed. An administrator is looking into it; "
        "nothing is charged meanwhile."
    ),
    "merchant_other_pack": lazy_gettext(
        "The merchant delivered another pack than the one you confirmed. An administrator is looking into it; "
        "nothing is charged meanwhile."
    ),
    **term_words.REASONS,
    "content_missing": lazy_gettext(
        "The merchant's document could not be fetched. An administrator is looking into it; nothing is charged meanwhile."
    ),
    "price_changed": lazy_gettext(
        "The merchant changed its price meanwhile. Nothing was charged: look at the new price."
    ),
    "operator_line": lazy_gettext(
        "The operator does not accept charges on the company's line. Nothing was charged; tell your IT department."
    ),
    "operator_amount": lazy_gettext("The operator does not accept this amount. Nothing was charged."),
    "operator_threshold": lazy_gettext(
        "The operator's own limit for the company's line is reached. Nothing was charged; tell your IT department."
    ),
    "operator_denied": lazy_gettext("The operator refused the charge. Nothing was charged; tell your IT department."),
    "operator_credentials": lazy_gettext(
        "The operator refused the portal's credentials. Nothing was charged; tell your IT department."
    ),
    "operator_request": lazy_gettext(
        "The operator did not understand the charge. Nothing was charged; tell your IT department."
    ),
    "operator_expired": lazy_gettext("The operator's reservation has expired. Nothing was charged; buy again."),
    "operator_mismatch": lazy_gettext(
        "The operator reserved another amount than the price. An administrator is looking into it; nothing was delivered."
    ),
    "operator_unreachable": lazy_gettext(
        "The company's operator cannot be reached, so nothing was bought. Try again in a few minutes."
    ),
    "operator_silent": lazy_gettext(
        "The company's operator did not answer in time. Nothing was charged; you can buy again."
    ),
    "operator_pinned": lazy_gettext(
        "The environment names the operator (PORTAL_OPERATOR__PROFILE), and only there can it be changed. Nothing was changed."
    ),
    "operator_unknown": lazy_gettext("No operator is named “%(name)s”. There are: %(known)s."),
    "operator_not_ready": lazy_gettext(
        "%(operator)s cannot work as portal.toml is now; what is missing is said with it. Nothing was changed."
    ),
    "operator_busy": lazy_gettext(
        "Charges of %(amount)s in all (%(count)s) are open, in dispute or being refunded at %(operator)s: they must end "
        "there first. Nothing was changed."
    ),
    "operator_unfiled": lazy_gettext(
        "Charges still wait for their file to %(operator)s: “portal usage close --today” delivers it. Nothing was changed."
    ),
    "operator_earlier": lazy_gettext(
        "This charge is at %(operator)s, which is not the operator any more (%(current)s is): only %(operator)s can be "
        "asked about it. Choose it again on the Operator screen first. Nothing was sent."
    ),
    "password_wanted": lazy_gettext("Type your password: this changes what others may do."),
    "not_delegated": lazy_gettext("This group or this choice of services is not yours to decide on. Ask %(contact)s."),
    "rule_gone": lazy_gettext("This rule is no longer there: somebody has taken it away meanwhile."),
    "request_needless": lazy_gettext("No ceiling stands in the way any more: buy it as usual."),
    "request_words": lazy_gettext("Say why, in a few words: whoever reads it decides or learns by them."),
    "request_gone": lazy_gettext("This request is no longer open: somebody has answered it, or it has expired."),
    "request_own": lazy_gettext("Nobody decides his own request."),
    "ceiling_gone": lazy_gettext("This ceiling no longer applies: somebody has ended it meanwhile."),
    "not_an_amount": lazy_gettext("This is not an amount of money; write it like 200,00."),
    "reason_missing": lazy_gettext("Say why, in a few words: it stays in the journal and in the books."),
    "refund_impossible": lazy_gettext("Only what the operator has put on the invoice can be refunded; this is not."),
    "refund_running": lazy_gettext("A refund of this order is already running: wait for the operator's answer."),
    "refund_too_much": lazy_gettext("This is more than is left to refund: %(left)s."),
    "write_off_impossible": lazy_gettext("This charge does not wait for a decision, so there is nothing to write off."),
    "write_off_undelivered": lazy_gettext("Nothing was delivered for this order, so there is nothing to write off."),
    "write_off_charged": lazy_gettext(
        "The operator has this charge, or may have it: it cannot be written off. Look at what the operator says now."
    ),
    "choice_gone": lazy_gettext("This can no longer be decided: something has changed meanwhile. Look at it again."),
    "undo_impossible": lazy_gettext(
        "This cannot be undone any more: something has changed since. Nothing was changed."
    ),
    "given_up": lazy_gettext(
        "The merchant did not deliver and your company has given this purchase up: nothing was charged."
    ),
    "group_not_found": lazy_gettext("The directory has no group named %(name)s: type a part of its name and choose."),
    "group_ambiguous": lazy_gettext("Several groups are named %(name)s (%(found)s): write the whole of one."),
    "delegation_themselves": lazy_gettext("A group cannot decide on its own rights: choose another."),
    "delegation_gone": lazy_gettext("This delegation no longer applies: somebody has ended it meanwhile."),
    "scope_unknown": lazy_gettext("Choose what it is about from the list."),
    "file_missing": lazy_gettext("Choose a file, or put its text into the field."),
    "file_not_text": lazy_gettext("This file is no text in UTF-8: choose the TOML file as it was downloaded."),
    "file_too_large": lazy_gettext("This file is larger than 400 kB: no rule file is."),
    "changed_meanwhile": lazy_gettext(
        "Somebody has changed something meanwhile: look at the changes below, then apply them."
    ),
    "group_unknown": lazy_gettext("Choose a group of the directory: type a part of its name."),
    "input_missing": lazy_gettext("Fill this in."),
    "input_characters": lazy_gettext("This contains characters that cannot be used. Type it again."),
    "input_choice": lazy_gettext("Choose one of the proposed values."),
    "input_short": lazy_gettext("Type at least %(minimum)s characters."),
    "input_long": lazy_gettext("Type at most %(maximum)s characters."),
    "input_pattern": lazy_gettext("This does not have the expected form."),
    "input_siren_form": lazy_gettext("A SIREN has nine digits. Type it, or the company's name."),
    "input_siren_name": lazy_gettext(
        "No company is found by that name. Check it, or type the nine digits of its SIREN."
    ),
    "input_siren_check": lazy_gettext(
        "This SIREN has a wrong digit: its check does not work out. Compare it with the original."
    ),
    "input_siret": lazy_gettext("This is not a valid SIRET: it has fourteen digits and its check must work out."),
    "input_vat": lazy_gettext("This is not a valid VAT number. It begins with a country code, like FR."),
    "input_phone": lazy_gettext(
        "This is not a valid telephone number. Write it like 01 42 68 53 00 or +33 1 42 68 53 00."
    ),
    "input_date": lazy_gettext("This is not a date. Write it like 31/12/2026."),
    "input_email": lazy_gettext("This is not an e-mail address."),
    "input_country": lazy_gettext("Choose a country of the list."),
    "input_unknown": lazy_gettext("The merchant knows nothing by that name. Check it and try again."),
    "input_choose": lazy_gettext("Choose one of the proposals."),
}

STATES = {
    "accepted": lazy_gettext("Accepted"),
    "fulfilling": lazy_gettext("Being ordered"),
    "preparing": lazy_gettext("Being prepared"),
    "delivered": lazy_gettext("Delivered"),
    "failed": lazy_gettext("Not bought"),
    "disputed": lazy_gettext("Being looked into"),
}

DELIVERY_KINDS = {
    "document": lazy_gettext("a document"),
    "data": lazy_gettext("an answer"),
    "link": lazy_gettext("a page to read"),
    "licence": lazy_gettext("a key"),
    "access": lazy_gettext("an access for a while"),
}
ACTIVE = {
    "javascript": lazy_gettext("it holds a program (JavaScript)"),
    "files": lazy_gettext("other files are hidden in it"),
    "media": lazy_gettext("it plays sound or pictures by itself"),
    "sends": lazy_gettext("it can send what is typed into it, or open other files"),
    "sealed": lazy_gettext("it is protected, and nobody could look into it"),
}

REQUEST_STATES = {
    "waiting": lazy_gettext("Waiting for an answer"),
    "allowed": lazy_gettext("Allowed, not yet used"),
    "declined": lazy_gettext("Declined"),
    "used": lazy_gettext("Allowed and bought"),
    "expired": lazy_gettext("Expired"),
}

ACTIONS = {
    **consent_words.ACTIONS,
    **merchant_words.ACTIONS,
    "request_made": lazy_gettext("Asked to pass a ceiling"),
    "request_allowed": lazy_gettext("Request allowed"),
    "request_declined": lazy_gettext("Request declined"),
    "signed_in": lazy_gettext("Signed in"),
    "groups_changed": lazy_gettext("Groups changed in the directory"),
    "sessions_ended": lazy_gettext("Sessions ended"),
    "order_accepted": lazy_gettext("Bought"),
    "physical_refused": lazy_gettext("Physical thing refused"),
    "rule_added": lazy_gettext("Rule made"),
    "rule_removed": lazy_gettext("Rule removed"),
    "ceiling_added": lazy_gettext("Ceiling made"),
    "ceiling_changed": lazy_gettext("Ceiling changed"),
    "ceiling_ended": lazy_gettext("Ceiling ended"),
    "delegation_added": lazy_gettext("Delegation made"),
    "delegation_ended": lazy_gettext("Delegation ended"),
    "operator_chosen": lazy_gettext("Operator chosen"),
    "refund_asked": lazy_gettext("Refund asked for"),
    "refund_confirmed": lazy_gettext("Refund confirmed"),
    "refund_denied": lazy_gettext("Refund denied"),
    "refund_disputed": lazy_gettext("Refund in doubt"),
    "payment_unknown": lazy_gettext("Payment that nobody here knows"),
    "written_off": lazy_gettext("Written off"),
    "dispute_capture_again": lazy_gettext("Dispute: charge again"),
    "dispute_ask_again": lazy_gettext("Dispute: ask the merchant again"),
    "dispute_accept_shorter": lazy_gettext("Dispute: shorter access accepted"),
    "dispute_give_up": lazy_gettext("Dispute: purchase given up"),
    "dispute_void": lazy_gettext("Dispute: cancel at the operator's"),
    "dispute_refund": lazy_gettext("Dispute: refund"),
    "dispute_refund_again": lazy_gettext("Dispute: refund again"),
    "dispute_consider_captured": lazy_gettext("Dispute: considered charged"),
    "dispute_consider_voided": lazy_gettext("Dispute: considered cancelled"),
    "dispute_consider_refunded": lazy_gettext("Dispute: considered refunded"),
    "dispute_consider_not_refunded": lazy_gettext("Dispute: considered not refunded"),
}

PERIODS = {
    "purchase": lazy_gettext("for one purchase"),
    "day": lazy_gettext("a day"),
    "week": lazy_gettext("a week"),
    "month": lazy_gettext("a month"),
    "year": lazy_gettext("a year"),
}


def reason(why: Reason | dict[str, Any], contact: str = "") -> str:
    """A reason as a sentence, in the language of the page."""
    if isinstance(why, dict):
        why = Reason(why["code"], why.get("facts") or {})
    if why.code == "merchant_words":
        return in_language(why.facts["words"], str(get_locale() or "fr")[:2])
    if why.code in upload_words.REASONS:
        known = {**why.facts, **upload_words.facts(why.facts, str(get_locale() or "fr"))}
        return str(upload_words.REASONS[why.code]) % known
    facts: dict[str, Any] = {"contact": contact or gettext("your IT department"), **why.facts}
    if why.code == "over_ceiling":
        facts |= _ceiling_facts(why.facts)
    if why.code == "refund_too_much":
        facts["left"] = money.format_money(facts["left_cents"], facts["currency"], str(get_locale() or "fr"))
    if why.code == "operator_busy":
        facts["amount"] = money.format_money(facts["cents"], "EUR", str(get_locale() or "fr"))
    return (str(REASONS[why.code]) % facts).strip()


def active(parts: list[str]) -> str:
    """Why a document is not opened here, and what to do."""
    said: str = gettext(
        "This document is as the merchant made it, and is not opened here: %(why)s. Download it, and open it in a reader "
        "that asks before it runs anything; if you did not expect this, ask your IT department first.",
        why=", ".join(str(ACTIVE[part]) for part in parts),
    )
    return said


def order_state(state: str) -> str:
    """An order's state in words."""
    return str(STATES[state])


def request_state(state: str) -> str:
    """Where a request stands."""
    return str(REQUEST_STATES[state])


def action(name: str) -> str:
    """What an entry of the journal tells of."""
    return str(ACTIONS.get(name, name.replace("_", " ")))


def period(name: str) -> str:
    """`a month`, for one purchase."""
    return str(PERIODS[name])


def _ceiling_facts(facts: dict[str, Any]) -> dict[str, str]:
    locale, currency = str(get_locale() or "fr"), facts["currency"]
    renews = ""
    if facts["renews_at"]:
        date = format_date(to_user_timezone(datetime.fromisoformat(facts["renews_at"])))
        renews = gettext("It begins anew on %(date)s.", date=date)
    return {
        "amount": money.format_money(facts["amount_cents"], currency, locale),
        "limit": money.format_money(facts["limit_cents"], currency, locale),
        "left": money.format_money(facts["left_cents"], currency, locale),
        "period": period(facts["period"]),
        "renews": renews,
    }
