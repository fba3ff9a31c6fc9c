"""Why nothing of a merchant can be bought just now, as sentences; `words.py` takes them up."""

from __future__ import annotations

from flask_babel import lazy_gettext

REASONS = {
    "merchant_on_hold": lazy_gettext(
        "%(merchant)s has changed who it is or where it is reached, and an administrator has not agreed to it yet. "
        "Nothing was bought; ask %(contact)s."
    ),
    "offer_on_hold": lazy_gettext(
        "%(merchant)s has changed how this service is priced, and an administrator has not agreed to it yet. "
        "Nothing was bought; ask %(contact)s."
    ),
    "merchant_busy": lazy_gettext(
        "%(merchant)s is slow at this moment and keeps others waiting. Nothing was bought; try again in a few seconds."
    ),
    "change_gone": lazy_gettext(
        "This change is no longer there: it was answered, or it has become another. Look at what waits now."
    ),
}

ACTIONS = {
    "change_agreed": lazy_gettext("Merchant's change agreed to"),
    "change_refused": lazy_gettext("Merchant's change refused"),
}
