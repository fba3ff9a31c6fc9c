"""The operator screen's words: ways to charge, who decides, how it last answered, what became of a file."""

from __future__ import annotations

from flask_babel import lazy_gettext

ADAPTERS = {
    "camara": lazy_gettext("told each charge at once (CAMARA API)"),
    "usage_file": lazy_gettext("given a signed file of charges every day (usage files)"),
}

STEPS = {
    2: lazy_gettext("two: reserved before the delivery, charged after it"),
    1: lazy_gettext("one: asked only after the delivery"),
}

SOURCES = {
    "file": lazy_gettext("portal.toml decides; nobody has chosen another here."),
    "environment": lazy_gettext(
        "The environment decides (PORTAL_OPERATOR__PROFILE): it wins over portal.toml and over this screen, so nothing can be chosen here."
    ),
}

ANSWERS = {
    "OperatorCharge": lazy_gettext("it answered"), "OperatorRefund": lazy_gettext("it answered"),
    "Refused": lazy_gettext("it refused"), "Unreachable": lazy_gettext("it could not be reached"),
    "Unknown": lazy_gettext("its answer was lost or could not be read"),
    "NotFound": lazy_gettext("it answered that it does not know the charge"),
    "LineRejected": lazy_gettext("it refused a line of a file"),
    "RefundLineRejected": lazy_gettext("it refused a line of a file"),
}  # fmt: skip
GOOD = {"OperatorCharge", "OperatorRefund", "NotFound"}

FILE_STATES = {
    "closed": lazy_gettext("made, not delivered yet"), "delivered": lazy_gettext("delivered, no answer yet"),
    "accepted": lazy_gettext("accepted"), "accepted_in_part": lazy_gettext("accepted in part"),
    "refused": lazy_gettext("refused as a whole"),
}  # fmt: skip
