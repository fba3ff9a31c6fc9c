"""The money screens' words: what each choice does, what each event and state means."""

from __future__ import annotations

from flask_babel import lazy_gettext

CHOICES = {
    "look": (lazy_gettext("Look again"), lazy_gettext("Asks the operator what it has now, and changes nothing there.")),
    "capture_again": (
        lazy_gettext("Charge it"),
        lazy_gettext("Asks the operator again to put it on the invoice; it is looked up first, so never twice."),
    ),
    "void": (lazy_gettext("Cancel it"), lazy_gettext("Asks the operator to free the amount: nothing was delivered.")),
    "refund": (
        lazy_gettext("Refund"),
        lazy_gettext("Asks the operator to give it back; ceilings and the employee see it once it says yes."),
    ),
    "refund_again": (
        lazy_gettext("Refund again"), lazy_gettext("Puts the same refund to the operator again, under the same key."),
    ),
    "write_off": (
        lazy_gettext("Write off"),
        lazy_gettext("The delivery stays unpaid, as a visible line; only while the operator has certainly not charged it."),
    ),
    "consider_captured": (
        lazy_gettext("Consider it charged"), lazy_gettext("Sends nothing: the books say it is on the invoice."),
    ),
    "consider_voided": (
        lazy_gettext("Consider it cancelled"), lazy_gettext("Sends nothing: the books say it never comes on the invoice."),
    ),
    "consider_refunded": (
        lazy_gettext("Consider it refunded"), lazy_gettext("Sends nothing: the books say the operator has given it back."),
    ),
    "consider_not_refunded": (
        lazy_gettext("Consider it not refunded"), lazy_gettext("Sends nothing: the charge stands as it was."),
    ),
    "ask_again": (
        lazy_gettext("Ask the merchant again"),
        lazy_gettext("Looks the order up at the merchant by its own key; what it has delivered is fetched."),
    ),
    "accept_shorter": (
        lazy_gettext("Accept the earlier end"),
        lazy_gettext("The employee gets the access as it is, and the whole price is charged; it is looked up first."),
    ),
    "give_up": (
        lazy_gettext("Give the purchase up"),
        lazy_gettext("The employee gets nothing and nothing is charged; what the merchant asks for must be settled with it."),
    ),
}  # fmt: skip
"""By choice: the button, and what it will do."""

CHARGE_STATES = {
    "new": lazy_gettext("not reserved yet"), "reserved": lazy_gettext("reserved"), "captured": lazy_gettext("charged"),
    "voided": lazy_gettext("cancelled"), "refunding": lazy_gettext("being refunded"),
    "refunded": lazy_gettext("refunded"), "disputed": lazy_gettext("in dispute"),
    "written_off": lazy_gettext("written off"), "free": lazy_gettext("free"),
}  # fmt: skip

REFUND_STATES = {
    "asked": lazy_gettext("waiting for the operator"), "disputed": lazy_gettext("in doubt, waiting for a decision"),
    "done": lazy_gettext("confirmed"), "denied": lazy_gettext("denied by the operator"),
}  # fmt: skip

EVENTS = {
    "accepted_offline": lazy_gettext("accepted: the operator could not be reached"),
    "accepted": lazy_gettext("confirmed by the employee"), "opened": lazy_gettext("charge opened"), "nothing_due": lazy_gettext("nothing is due"),
    "sending": lazy_gettext("asked"), "reserved": lazy_gettext("reserved"), "unanswered": lazy_gettext("no answer"),
    "processing": lazy_gettext("still being decided"), "refused": lazy_gettext("refused"),
    "refused_later": lazy_gettext("refused on repeating"), "prepared": lazy_gettext("being prepared"),
    "fulfilled": lazy_gettext("fulfilled"), "not_fetched": lazy_gettext("content could not be fetched"),
    "delivered": lazy_gettext("delivered"), "doubted": lazy_gettext("in doubt: a person must decide"),
    "capture_wanted": lazy_gettext("to be charged"), "void_wanted": lazy_gettext("to be cancelled"),
    "captured": lazy_gettext("charged"), "voided": lazy_gettext("cancelled"), "expired": lazy_gettext("reservation expired"),
    "looked_up": lazy_gettext("looked up"), "refund_asked": lazy_gettext("refund asked for"),
    "refund_sending": lazy_gettext("refund put to the operator"), "refund_unanswered": lazy_gettext("refund: no answer"),
    "refunded": lazy_gettext("refunded"), "refunded_in_part": lazy_gettext("refunded in part"),
    "refund_denied": lazy_gettext("refund denied"), "kept": lazy_gettext("decided: the charge stands"),
    "capture_again": lazy_gettext("decided: charge it"), "reserve_again": lazy_gettext("decided: charge it"),
    "void_again": lazy_gettext("decided: cancel it"), "refund_again": lazy_gettext("decided: refund again"),
    "written_off": lazy_gettext("written off"), "asked_again": lazy_gettext("decided: ask the merchant again"),
    "waited_for_again": lazy_gettext("decided: ask the merchant again"),
}  # fmt: skip


def event(code: str) -> str:
    """What happened, in words; a code nobody translated is shown as it is."""
    return str(EVENTS.get(code, code))
