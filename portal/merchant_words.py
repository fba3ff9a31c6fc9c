"""What is said of merchants: why one sells nothing, or could not be connected; and what the journal tells of them."""

from __future__ import annotations

from flask_babel import lazy_gettext

REASONS = {
    "merchant_paused": lazy_gettext(
        "%(merchant)s sells nothing here at the moment: an administrator has paused it. Nothing was bought."
    ),
    "merchant_gone": lazy_gettext("This service is no longer offered here. Nothing was bought."),
    "merchant_key": lazy_gettext(
        "“%(name)s” cannot be a merchant's name on this site: it is made of small letters, digits, dashes and underscores, "
        "and is neither “connect” nor “changes”."
    ),
    "merchant_key_taken": lazy_gettext(
        "A merchant is named “%(name)s” on this site already: give this one another name."
    ),
    "merchant_key_other": lazy_gettext(
        "“%(name)s” was the name of another merchant here (%(identity)s), whose orders are kept under it: give this one another name."
    ),
    "merchant_address": lazy_gettext("“%(address)s” is no address: write it like https://api.merchant.example."),
    "merchant_manifest": lazy_gettext(
        "This connector speaks a protocol and does not say who sells: give the merchant's manifest."
    ),
    "merchant_secrets_again": lazy_gettext(
        "The address or the manifest is another one: type every credential again, since those that are kept were given for the one before."
    ),
    "merchant_wrong": lazy_gettext(
        "It was tested, and does not work yet: what was found is said with it. Nothing was saved."
    ),
}

ACTIONS = {
    "merchant_connected": lazy_gettext("Merchant connected"),
    "merchant_changed": lazy_gettext("Merchant's credentials changed"),
    "merchant_paused": lazy_gettext("Merchant paused"),
    "merchant_resumed": lazy_gettext("Merchant sells again"),
    "merchant_disconnected": lazy_gettext("Merchant disconnected"),
    "terms_first_read": lazy_gettext("Merchant's terms read for the first time"),
    "terms_changed": lazy_gettext("Merchant's terms changed"),
}
