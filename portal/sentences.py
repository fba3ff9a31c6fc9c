"""Rules, ceilings, delegations and decisions as sentences: the same on screen, on the command line and in mail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask_babel import format_date, get_locale, gettext, lazy_gettext, to_user_timezone

from portal import category_words, money, words
from portal.rights.ceilings import Ceiling
from portal.rights.decision import Decision
from portal.rights.delegations import Delegation
from portal.rights.holds import Room
from portal.rights.rules import Rule
from portal.rights.scopes import Scope

RULES = {
    ("allow", "buy", "all"): lazy_gettext("%(group)s may buy everything"),
    ("allow", "buy", "category"): lazy_gettext("%(group)s may buy in the category %(scope)s"),
    ("allow", "buy", "merchant"): lazy_gettext("%(group)s may buy from %(scope)s"),
    ("allow", "buy", "offer"): lazy_gettext("%(group)s may buy “%(scope)s”"),
    ("allow", "browse", "all"): lazy_gettext("%(group)s may see everything"),
    ("allow", "browse", "category"): lazy_gettext("%(group)s may see the category %(scope)s"),
    ("allow", "browse", "merchant"): lazy_gettext("%(group)s may see what %(scope)s offers"),
    ("allow", "browse", "offer"): lazy_gettext("%(group)s may see “%(scope)s”"),
    ("deny", "buy", "all"): lazy_gettext("%(group)s may buy nothing, whatever else allows it"),
    ("deny", "buy", "category"): lazy_gettext("%(group)s may buy nothing in the category %(scope)s"),
    ("deny", "buy", "merchant"): lazy_gettext("%(group)s may buy nothing from %(scope)s"),
    ("deny", "buy", "offer"): lazy_gettext("%(group)s may not buy “%(scope)s”"),
    ("deny", "browse", "all"): lazy_gettext("%(group)s may see and buy nothing, whatever else allows it"),
    ("deny", "browse", "category"): lazy_gettext("%(group)s may see and buy nothing in the category %(scope)s"),
    ("deny", "browse", "merchant"): lazy_gettext("%(group)s may see and buy nothing from %(scope)s"),
    ("deny", "browse", "offer"): lazy_gettext("%(group)s may neither see nor buy “%(scope)s”"),
}
CEILINGS = {
    ("each", "purchase"): lazy_gettext("%(group)s: up to %(limit)s each for one purchase%(scope)s"),
    ("each", "day"): lazy_gettext("%(group)s: up to %(limit)s each a day%(scope)s"),
    ("each", "week"): lazy_gettext("%(group)s: up to %(limit)s each a week%(scope)s"),
    ("each", "month"): lazy_gettext("%(group)s: up to %(limit)s each a month%(scope)s"),
    ("each", "year"): lazy_gettext("%(group)s: up to %(limit)s each a year%(scope)s"),
    ("shared", "purchase"): lazy_gettext("%(group)s: up to %(limit)s for one purchase%(scope)s"),
    ("shared", "day"): lazy_gettext("%(group)s: up to %(limit)s together a day%(scope)s"),
    ("shared", "week"): lazy_gettext("%(group)s: up to %(limit)s together a week%(scope)s"),
    ("shared", "month"): lazy_gettext("%(group)s: up to %(limit)s together a month%(scope)s"),
    ("shared", "year"): lazy_gettext("%(group)s: up to %(limit)s together a year%(scope)s"),
    ("everyone", "purchase"): lazy_gettext("Everyone: up to %(limit)s for one purchase%(scope)s"),
    ("everyone", "day"): lazy_gettext("Everyone: up to %(limit)s each a day%(scope)s"),
    ("everyone", "week"): lazy_gettext("Everyone: up to %(limit)s each a week%(scope)s"),
    ("everyone", "month"): lazy_gettext("Everyone: up to %(limit)s each a month%(scope)s"),
    ("everyone", "year"): lazy_gettext("Everyone: up to %(limit)s each a year%(scope)s"),
}
WITHIN = {
    "all": "",
    "category": lazy_gettext(", in the category %(scope)s"),
    "merchant": lazy_gettext(", from %(scope)s"),
    "offer": lazy_gettext(", on “%(scope)s”"),
}
DELEGATIONS = {
    "all": lazy_gettext("%(delegates)s decide on the rights and ceilings of %(group)s"),
    "category": lazy_gettext("%(delegates)s decide on the rights and ceilings of %(group)s in the category %(scope)s"),
    "merchant": lazy_gettext("%(delegates)s decide on the rights and ceilings of %(group)s at %(scope)s"),
    "offer": lazy_gettext("%(delegates)s decide on the rights and ceilings of %(group)s on “%(scope)s”"),
}
SCOPES = {
    "all": lazy_gettext("All services"),
    "category": lazy_gettext("Category %(scope)s"),
    "merchant": lazy_gettext("Everything from %(scope)s"),
    "offer": lazy_gettext("“%(scope)s”"),
}

HEADINGS = {
    "category": lazy_gettext("Categories"), "merchant": lazy_gettext("Merchants"), "offer": lazy_gettext("Services"),
}  # fmt: skip


@dataclass(frozen=True)
class Names:
    """What merchants (by key) and offers (by `key/id`) are called in the reader's language."""

    merchants: Mapping[str, str]
    offers: Mapping[str, str]

    def of(self, scope: Scope) -> str:
        """What a scope's value is called; a thing no longer on sale keeps its key."""
        if scope.kind == "category":
            return category_words.category(scope.value)
        return (self.merchants if scope.kind == "merchant" else self.offers).get(scope.value, scope.value)


def rule(said: Rule, names: Names) -> str:
    """`achats may buy from Coface, until 31 Dec 2026`."""
    facts = {"group": said.group.label, "scope": names.of(said.scope)}
    return str(RULES[said.effect, said.right, said.scope_kind]) % facts + _dates(said.starts_at, said.ends_at)


def ceiling(said: Ceiling, names: Names) -> str:
    """`achats: up to 200,00 € each a month, from Coface`."""
    facts = {
        "group": said.group.label if said.group else "",
        "limit": money.format_money(said.limit_cents, said.currency, str(get_locale() or "fr")),
        "scope": str(WITHIN[said.scope_kind]) % {"scope": names.of(said.scope)} if said.scope_value else "",
    }
    without = "" if said.with_vat else gettext(", VAT not included")
    return str(CEILINGS[said.who, said.period]) % facts + without


def delegation(said: Delegation, names: Names) -> str:
    """`chefs decide on the rights and ceilings of achats in the category Press`."""
    facts = {"delegates": said.delegates.label, "group": said.target.label, "scope": names.of(said.scope)}
    return str(DELEGATIONS[said.scope_kind]) % facts


def scope(said: Scope, names: Names) -> str:
    """`Everything from Coface`."""
    return str(SCOPES[said.kind]) % {"scope": names.of(said)}


def room(said: Room, names: Names) -> str:
    """A ceiling with what is left of it, and when it begins anew."""
    left = money.format_money(said.left_cents, said.ceiling.currency, str(get_locale() or "fr"))
    text: str = gettext("%(ceiling)s; %(left)s is left", ceiling=ceiling(said.ceiling, names), left=left)
    if said.renews_at:
        text += gettext(", anew on %(date)s", date=format_date(to_user_timezone(said.renews_at)))
    return text


def said(thing: Rule | Ceiling | Delegation | Room, names: Names) -> str:
    """Any of them as its sentence."""
    if isinstance(thing, Rule):
        return rule(thing, names)
    if isinstance(thing, Ceiling):
        return ceiling(thing, names)
    return delegation(thing, names) if isinstance(thing, Delegation) else room(thing, names)


def explanation(decision: Decision, names: Names, contact: str = "") -> list[str]:
    """Why somebody may or may not buy: the verdict, then each rule and each ceiling that decided it."""
    verdict = words.reason(decision.reason, contact)
    return [
        verdict, *(rule(each, names) + "." for each in decision.rules),
        *(room(each, names) + "." for each in decision.rooms),
    ]  # fmt: skip


def _dates(starts_at: datetime | None, ends_at: datetime | None) -> str:
    first = format_date(to_user_timezone(starts_at)) if starts_at else ""
    # The end is the first moment after it: people name the day before.
    last = format_date(to_user_timezone(ends_at - timedelta(seconds=1))) if ends_at else ""
    if first and last:
        return str(gettext(", from %(first)s to %(last)s", first=first, last=last))
    if first:
        return str(gettext(", from %(first)s on", first=first))
    return str(gettext(", until %(last)s", last=last)) if last else ""
