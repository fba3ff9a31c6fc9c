"""The merchants' screens' words: where one stands, how far it is proved, what was done."""

from __future__ import annotations

from flask_babel import lazy_gettext

STATES = {
    "on_sale": lazy_gettext("on sale"), "held": lazy_gettext("waits for your word"), "paused": lazy_gettext("paused"), "broken": lazy_gettext("cannot be loaded"),
    "gone": lazy_gettext("taken away"),
}  # fmt: skip
MARKS = {"on_sale": "delivered", "held": "wait", "paused": "wait", "broken": "disputed", "gone": "failed"}
"""By which of the states' colours each is shown."""

TIERS = {
    "gold": lazy_gettext("gold"), "silver": lazy_gettext("silver"), "bronze": lazy_gettext("bronze"),
    "": lazy_gettext("below bronze"), None: lazy_gettext("not proved here"),
}  # fmt: skip

WHOM = {
    "merchant": lazy_gettext("speaks to the merchant itself"),
    "nobody": lazy_gettext("speaks to no real merchant: needs a contract"),
    "test_system": lazy_gettext("speaks to the merchant's own test system"),
    "simulator": lazy_gettext("a simulator on this machine answers in place of the real interface"),
}
"""To whom one speaks, and what is missing."""

DEMONSTRATIONS = {
    "nobody": lazy_gettext("demonstration: needs a contract"),
    "test_system": lazy_gettext("demonstration: its test system"),
    "simulator": lazy_gettext("demonstration: simulated here"),
}
"""The same in a few words."""

DONE = {
    "connected": lazy_gettext("It was tested, it works, and it is connected: it sells in every process from now on."),
    "changed": lazy_gettext("It was tested and works: every process goes on with the new credentials."),
    "pause": lazy_gettext("It sells nothing any more, in every process. What was bought already goes on."),
    "resume": lazy_gettext("It sells again."),
    "disconnect": lazy_gettext("It is disconnected, and its credentials are erased. Orders, receipts and documents stay."),
    "read": lazy_gettext("Its list was read; what came of it is below."),
    "reading": lazy_gettext("Its list is being read; that goes on without you. Load this page again to see how far it is."),
}  # fmt: skip

PROTOCOLS = {
    "acp": lazy_gettext("A merchant that speaks the Agentic Commerce Protocol"),
    "opds": lazy_gettext("A catalogue in OPDS 2.0: press, electronic books"),
}  # fmt: skip
