"""Undo: each change of rights is taken back from what the journal kept of it, or says that it cannot be."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from portal import audit
from portal.audit import AuditEntry
from portal.directory.answers import Group
from portal.refusals import Refused
from portal.rights.ceilings import Terms, add_ceiling, change_ceiling, end_ceiling, live_ceilings
from portal.rights.changes import undo
from portal.rights.delegations import add_delegation, live_delegations
from portal.rights.rules import add_rule, all_rules, remove_rule
from portal.rights.scopes import Scope

BUYERS, CHIEFS = Group("cn=achats,dc=acme", "6f1e", "achats"), Group("cn=chiefs,dc=acme", "1", "chiefs")


def newest(session):
    return session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc())).first()


def state(session):
    session.flush()
    return [
        [{**each.as_dict(), "id": 0} for each in listing(session)]
        for listing in (all_rules, live_ceilings, live_delegations)
    ]


CHANGES = {
    "add a rule": lambda s: add_rule(s, "a", CHIEFS, Scope("all"), "buy", "deny"),
    "remove a rule": lambda s: remove_rule(s, "a", all_rules(s)[0]),
    "add a ceiling": lambda s: add_ceiling(s, "a", CHIEFS, Terms("shared", Scope("all"), "year", 5)),
    "end a ceiling": lambda s: end_ceiling(s, "a", live_ceilings(s)[0]),
    "change a ceiling": lambda s: change_ceiling(s, "a", live_ceilings(s)[0], 7, 50),
    "delegate": lambda s: add_delegation(s, "a", CHIEFS, BUYERS, Scope("all")),
}


@pytest.fixture
def furnished(session):
    add_rule(session, "a", BUYERS, Scope("all"), "buy", "allow")
    add_ceiling(session, "a", BUYERS, Terms("each", Scope("all"), "month", 1000))
    return session


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_undone_everything_is_as_before_and_twice_is_refused(change, furnished):
    before = state(furnished)
    change(furnished)
    entry = newest(furnished)
    assert state(furnished) != before

    undo(furnished, "b", entry)

    assert state(furnished) == before
    assert newest(furnished).actor == "b"
    if entry.action != "rule_removed":
        with pytest.raises(Refused):
            undo(furnished, "b", entry)


def test_what_changed_since_is_not_undone(furnished):
    change_ceiling(furnished, "a", live_ceilings(furnished)[0], 2000, 80)
    entry = newest(furnished)
    change_ceiling(furnished, "a", live_ceilings(furnished)[0], 3000, 80)

    with pytest.raises(Refused, match="undo_impossible"):
        undo(furnished, "b", entry)


def test_what_is_no_change_of_rights_is_not_undone(furnished):
    with pytest.raises(Refused, match="undo_impossible"):
        undo(furnished, "b", audit.record(furnished, "a", "signed_in", "account 1"))
