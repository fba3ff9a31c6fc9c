"""Rules between two dates, and how they are read by offer."""

from __future__ import annotations

from datetime import timedelta

import pytest

from portal import clock
from portal.directory.answers import Group
from portal.rights.rules import add_rule, rules_for, rules_on
from portal.rights.scopes import Scope, Wanted, parse_scope

BUYERS = Group("cn=achats,dc=acme", "6f1e", "achats")
KBIS = Wanted("registre", "kbis", "entreprises")


@pytest.mark.parametrize(("starts", "ends", "holds"), [
    (None, None, True), (-1, None, True), (None, 1, True), (-1, 1, True), (1, None, False), (None, -1, False),
    (-2, -1, False), (1, 2, False),
])  # fmt: skip
def test_a_rule_holds_between_its_dates_only(starts, ends, holds, session):
    at = clock.now()
    first, last = (None if days is None else at + timedelta(days=days) for days in (starts, ends))

    rule = add_rule(session, "admin", BUYERS, Scope("all"), "buy", "allow", first, last)

    assert bool(rules_for(session, BUYERS.keys)) is holds
    assert bool(rules_on(session, BUYERS.keys, KBIS)) is holds
    assert rule.is_in_force(at) is holds


@pytest.mark.parametrize(("scope", "speaks"), [
    ("all", True), ("category:entreprises", True), ("category:presse", False), ("merchant:registre", True),
    ("merchant:kbis", False), ("offer:registre/kbis", True), ("offer:registre/statuts", False),
    ("category:registre", False), ("offer:registre/", False),
])  # fmt: skip
def test_the_database_and_the_scope_agree_on_what_is_covered(scope, speaks, session):
    add_rule(session, "admin", BUYERS, parse_scope(scope), "buy", "allow")

    assert bool(rules_on(session, BUYERS.keys, KBIS)) is speaks
    assert parse_scope(scope).covers(KBIS) is speaks


def test_the_same_with_other_dates_is_another_rule(session):
    first = add_rule(session, "admin", BUYERS, Scope("all"), "buy", "allow")
    until = add_rule(session, "admin", BUYERS, Scope("all"), "buy", "allow", None, clock.now() + timedelta(days=1))

    assert first is not until
    assert add_rule(session, "admin", BUYERS, Scope("all"), "buy", "allow") is first
