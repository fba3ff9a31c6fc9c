"""The groups rules name: resolved once, followed when renamed, broken when they vanish."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from portal import clock
from portal.directory.answers import Group
from portal.directory.config import DirectoryUnknown
from portal.rights.decision import Employee, explain
from portal.rights.groups import GroupRow, known, look_up_again
from portal.rights.rules import add_rule
from portal.rights.scopes import Scope, Wanted

PARIS = ZoneInfo("Europe/Paris")
KBIS = Wanted("registre", "kbis", "entreprises")
BEFORE = Group("cn=achats,dc=acme", "6f1e", "achats")
RENAMED = Group("cn=commandes,dc=acme", "6f1e", "commandes")
REMADE = Group("cn=achats,dc=acme", "77aa", "achats")


@pytest.fixture
def rule(database):
    with database.transaction() as session:
        return add_rule(session, "admin", BEFORE, Scope("all"), "buy", "allow")


def may_buy(database, *groups):
    keys = frozenset().union(*(group.keys for group in groups))
    with database.reading() as session:
        return explain(session, Employee(1, keys), KBIS, PARIS).allowed


def row(database):
    with database.reading() as session:
        return session.scalars(select(GroupRow)).one()


def test_a_renamed_group_keeps_its_rights_and_one_remade_under_its_name_has_none(database, rule):
    assert may_buy(database, BEFORE)
    assert may_buy(database, RENAMED)
    assert not may_buy(database, REMADE)


def test_a_new_name_is_noticed(database, rule):
    look_up_again(database, lambda _group: RENAMED, at_once=True)

    assert (row(database).label, row(database).dn) == ("commandes", "cn=commandes,dc=acme")


def test_a_group_that_vanished_is_marked_and_comes_back(database, rule):
    look_up_again(database, lambda _group: None, at_once=True)
    gone = row(database).missing_since
    look_up_again(database, lambda _group: None, at_once=True)

    assert gone is not None
    assert row(database).missing_since == gone
    look_up_again(database, lambda _group: BEFORE, at_once=True)
    assert row(database).missing_since is None


def test_an_unknown_answer_says_nothing_of_any_group(database, rule):
    def unknown(_group):
        raise DirectoryUnknown("unreachable")

    with pytest.raises(DirectoryUnknown):
        look_up_again(database, unknown, at_once=True)

    assert row(database).missing_since is None


def test_the_directory_is_asked_every_five_minutes_and_not_more(database, rule, monkeypatch):
    asked = []
    look_up_again(database, lambda group: asked.append(group) or BEFORE)
    assert asked == []
    present = clock.now()
    monkeypatch.setattr(clock, "now", lambda: present + timedelta(minutes=5))
    look_up_again(database, lambda group: asked.append(group) or BEFORE)

    assert asked == [BEFORE]


def test_a_group_named_by_its_place_only_takes_its_id_when_it_is_found(database):
    with database.transaction() as session:
        known(session, Group("cn=achats,dc=acme"))

    look_up_again(database, lambda _group: BEFORE, at_once=True)

    assert (row(database).key, row(database).directory_id) == ("id:6f1e", "6f1e")


@pytest.mark.parametrize(("dn", "name", "label"), [
    ("cn=achats,dc=acme", "", "achats"), ("cn=R&D\\, Études,dc=acme", "R&D, Études", "R&D, Études"),
    ("strange", "", "strange"), ("cn=<b>x</b>,dc=acme", "", "<b>x</b>"),
])  # fmt: skip
def test_a_group_is_called_by_its_name_or_by_its_place(dn, name, label):
    assert GroupRow(dn=dn, name=name).label == label
