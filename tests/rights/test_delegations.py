"""A delegate manages one group's rights within one scope, and only that."""

from __future__ import annotations

import pytest

from portal.directory.answers import Group
from portal.rights.delegations import add_delegation, authority_of, end_delegation
from portal.rights.scopes import Scope, parse_scope

CHIEFS, SALES, OTHERS = Group("cn=chiefs,dc=a", "1"), Group("cn=sales,dc=a", "2"), Group("cn=others,dc=a", "3")


@pytest.mark.parametrize(("given", "wanted", "category", "contains"), [
    ("all", "all", "", True), ("all", "offer:m/o", "", True), ("category:presse", "category:presse", "", True),
    ("category:presse", "category:legal", "", False), ("category:presse", "all", "", False),
    ("category:presse", "offer:m/o", "presse", True), ("category:presse", "offer:m/o", "legal", False),
    ("category:presse", "offer:m/o", "", False), ("category:presse", "merchant:m", "presse", False),
    ("merchant:m", "merchant:m", "", True), ("merchant:m", "offer:m/o", "", True), ("merchant:m", "offer:mm/o", "", False),
    ("merchant:m", "all", "", False), ("offer:m/o", "offer:m/o", "", True), ("offer:m/o", "merchant:m", "", False),
])  # fmt: skip
def test_a_scope_contains_what_lies_wholly_within_it(given, wanted, category, contains):
    assert parse_scope(given).contains(parse_scope(wanted), category) is contains


def test_a_delegate_may_manage_his_group_and_scope_only(session):
    add_delegation(session, "admin", CHIEFS, SALES, Scope("category", "presse"))

    authority = authority_of(session, CHIEFS.keys, is_admin=False)

    assert authority.is_any
    assert authority.may_manage(SALES.key, Scope("category", "presse"))
    assert not authority.may_manage(SALES.key, Scope("all"))
    assert not authority.may_manage(OTHERS.key, Scope("category", "presse"))
    assert not authority.may_manage("", Scope("category", "presse"))


def test_nobody_else_manages_anything_and_an_admin_everything(session):
    add_delegation(session, "admin", CHIEFS, SALES, Scope("all"))

    assert not authority_of(session, SALES.keys, is_admin=False).is_any
    assert authority_of(session, frozenset(), is_admin=True).may_manage("", Scope("all"))


def test_a_delegation_ends_at_once(session):
    made = add_delegation(session, "admin", CHIEFS, SALES, Scope("all"))

    end_delegation(session, "admin", made)

    assert not authority_of(session, CHIEFS.keys, is_admin=False).is_any
