"""Rules add up, a deny wins, nothing allows nothing; ceilings hold whole amounts or none."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from portal import audit, clock
from portal.database import Database
from portal.directory.answers import Group
from portal.migrations import schema
from portal.refusals import Refused
from portal.rights.ceilings import Price, Terms, add_ceiling, applying, end_ceiling
from portal.rights.decision import Employee, decide, explain
from portal.rights.groups import GroupRow
from portal.rights.holds import CeilingUse, capture_holds, hold, release_holds
from portal.rights.rules import Rule, add_rule, remove_rule
from portal.rights.scopes import SCOPE_KINDS, Scope, Wanted, parse_scope

PARIS = ZoneInfo("Europe/Paris")
KBIS = Wanted("registre", "kbis", "entreprises")
GROUP = "cn=achats,ou=groupes,dc=acme,dc=example"


def rule(effect, right, scope="all"):
    parsed = parse_scope(scope)
    return Rule(
        effect=effect,
        right=right,
        scope_kind=parsed.kind,
        scope_value=parsed.value,
        group=GroupRow(dn=GROUP, name="Achats"),
    )


@pytest.mark.parametrize(("rules", "browse", "buy"), [
    ([], "no_rule", "no_rule"),
    ([("allow", "buy")], "allowed", "allowed"),
    ([("allow", "browse")], "allowed", "no_rule"),
    ([("allow", "buy"), ("deny", "buy")], "allowed", "denied_by_rule"),
    ([("allow", "buy"), ("deny", "browse")], "denied_by_rule", "denied_by_rule"),
    ([("allow", "buy", "merchant:registre")], "allowed", "allowed"),
    ([("allow", "buy", "merchant:coface")], "no_rule", "no_rule"),
    ([("allow", "buy", "category:entreprises")], "allowed", "allowed"),
    ([("allow", "buy", "offer:registre/kbis")], "allowed", "allowed"),
    ([("allow", "buy", "offer:registre/statuts")], "no_rule", "no_rule"),
    ([("allow", "buy"), ("deny", "buy", "offer:registre/kbis")], "allowed", "denied_by_rule"),
    ([("allow", "buy"), ("deny", "buy", "offer:registre/statuts")], "allowed", "allowed"),
    ([("deny", "buy"), ("allow", "browse")], "allowed", "denied_by_rule"),
])  # fmt: skip
def test_rules_add_up_and_a_deny_wins(rules, browse, buy):
    made = [rule(*words) for words in rules]

    assert decide(made, "browse", KBIS).reason.code == browse
    assert decide(made, "buy", KBIS).reason.code == buy


@given(st.lists(st.tuples(
    st.sampled_from(["allow", "deny"]), st.sampled_from(["browse", "buy"]),
    st.sampled_from(["all", "merchant:registre", "merchant:x", "category:entreprises", "offer:registre/kbis", "offer:x/y"]),
), max_size=6))  # fmt: skip
def test_the_order_of_rules_is_nothing_and_who_may_buy_may_see(words):
    rules = [rule(*item) for item in words]

    buy, browse = decide(rules, "buy", KBIS), decide(rules, "browse", KBIS)

    assert decide(rules[::-1], "buy", KBIS).allowed == buy.allowed
    assert browse.allowed or not buy.allowed
    assert not buy.allowed or any(item.effect == "allow" for item in buy.rules)


@pytest.mark.parametrize("text", ["all", "category:presse", "merchant:kbis", "offer:kbis/extrait"])
def test_a_scope_is_written_as_it_is_read(text):
    assert str(parse_scope(text)) == text


@pytest.mark.parametrize("text", ["", "everything", "all:x", "merchant", "merchant:", "offer:kbis", "group:x", "offer"])
def test_what_is_no_scope_is_refused(text):
    with pytest.raises(ValueError, match="write all, category:NAME"):
        parse_scope(text)


def test_only_all_covers_everything():
    assert [kind for kind in SCOPE_KINDS if Scope(kind).covers(KBIS)] == ["all"]


def test_a_rule_is_made_once_and_the_journal_keeps_what_is_gone(session):
    first = add_rule(session, "admin", Group(GROUP), Scope("all"), "buy", "allow")
    again = add_rule(session, "admin", Group(GROUP.upper().replace(",", ", ")), Scope("all"), "buy", "allow")
    remove_rule(session, "admin", first)

    assert again is first
    assert session.scalars(select(Rule)).all() == []
    assert [entry.action for entry in session.scalars(select(audit.AuditEntry))] == ["rule_added", "rule_removed"]


def test_a_group_is_compared_as_a_name_not_as_text(session):
    add_rule(session, "admin", Group("CN=Achats, OU=Groupes,dc=acme,dc=example"), Scope("all"), "buy", "allow")
    employee = Employee(1, frozenset({"cn=achats,ou=groupes,dc=acme,dc=example"}))

    assert explain(session, employee, KBIS, PARIS).allowed


def limit(session, cents, period="month", who="each", scope="all"):
    group = None if who == "everyone" else Group(GROUP)
    return add_ceiling(session, "admin", group, Terms(who, parse_scope(scope), period, cents))


def spend(session, number, cents, account=1):
    hold(session, applying(session, frozenset({GROUP}), KBIS), account, number, Price(cents, cents), PARIS)


def used(session):
    return [(use.subject, use.held_cents, use.captured_cents) for use in session.scalars(select(CeilingUse))]


def test_a_ceiling_is_filled_to_the_cent_and_not_beyond(session):
    limit(session, 1000)
    spend(session, "G-1", 600)
    spend(session, "G-2", 400)

    with pytest.raises(Refused) as refused:
        spend(session, "G-3", 1)

    assert refused.value.reason.facts["left_cents"] == 0
    assert used(session) == [("account 1", 1000, 0)]


def test_what_is_released_is_free_and_what_is_captured_is_spent(session):
    limit(session, 1000)
    spend(session, "G-1", 600)
    spend(session, "G-2", 400)

    release_holds(session, "G-1")
    capture_holds(session, "G-2")
    release_holds(session, "G-1")
    capture_holds(session, "G-2")

    assert used(session) == [("account 1", 0, 400)]
    spend(session, "G-3", 600)


@pytest.mark.parametrize(("who", "subjects"), [
    ("each", ["account 1", "account 2"]), ("shared", ["group"]), ("everyone", ["account 1", "account 2"]),
])  # fmt: skip
def test_a_ceiling_is_each_persons_or_the_groups_together(who, subjects, session):
    limit(session, 1000, who=who)
    spend(session, "G-1", 500, account=1)
    spend(session, "G-2", 500, account=2)

    assert [subject for subject, _held, _captured in used(session)] == subjects


def test_the_tightest_of_several_decides_and_a_foreign_one_does_not(session):
    limit(session, 5000)
    limit(session, 100, scope="merchant:coface")
    limit(session, 300, period="purchase", scope="offer:registre/kbis")
    employee = Employee(1, frozenset({GROUP}))
    add_rule(session, "admin", Group(GROUP), Scope("all"), "buy", "allow")

    assert explain(session, employee, KBIS, PARIS).tightest.left_cents == 300
    assert explain(session, employee, KBIS, PARIS, Price(301, 301)).reason.code == "over_ceiling"
    assert explain(session, employee, KBIS, PARIS, Price(300, 300)).allowed
    assert explain(session, Employee(1, frozenset({"cn=others"})), KBIS, PARIS).reason.code == "no_rule"


def test_a_new_month_begins_anew_and_an_ended_ceiling_holds_nobody(session, monkeypatch):
    monkeypatch.setattr(clock, "now", lambda: datetime(2026, 11, 30, 22, 59, tzinfo=UTC))
    made = limit(session, 1000)
    spend(session, "G-1", 1000)
    monkeypatch.setattr(clock, "now", lambda: datetime(2026, 11, 30, 23, 0, tzinfo=UTC))
    spend(session, "G-2", 1000)
    with pytest.raises(Refused):
        spend(session, "G-3", 1)

    end_ceiling(session, "admin", made)

    spend(session, "G-4", 10**6)
    assert applying(session, frozenset({GROUP}), KBIS) == []


@given(st.lists(st.tuples(st.sampled_from(["hold", "capture", "release"]), st.integers(1, 700)), max_size=30))
def test_no_order_of_events_passes_a_ceiling(tmp_path_factory, events):
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('ceiling')}/rights.db")
    schema.metadata().create_all(database.engine)
    held: dict[str, int] = {}
    spent = 0
    with database.transaction() as session:
        limit(session, 1000)
        for number, (what, cents) in enumerate(events):
            if what == "hold":
                fits = spent + sum(held.values()) + cents <= 1000
                try:
                    spend(session, f"G-{number}", cents)
                    held[f"G-{number}"] = cents
                except Refused:
                    assert not fits
                else:
                    assert fits
            elif held:
                order = min(held)
                (capture_holds if what == "capture" else release_holds)(session, order)
                freed = held.pop(order)
                spent += freed if what == "capture" else 0
            assert used(session) in ([], [("account 1", sum(held.values()), spent)])
    database.close()
