"""Before a rule is saved: who will gain, who will lose."""

from __future__ import annotations

from portal.rights.groups import GroupRow
from portal.rights.preview import preview
from portal.rights.rules import Rule
from portal.rights.scopes import Wanted, parse_scope

KBIS, PRESS = Wanted("registre", "kbis", "entreprises"), Wanted("lesechos", "article", "presse")
PEOPLE = {"chloe": frozenset({"a", "b"}), "hugo": frozenset({"b"}), "loic": frozenset()}


def rule(group, effect, right, scope="all"):
    parsed = parse_scope(scope)
    return Rule(
        effect=effect,
        right=right,
        scope_kind=parsed.kind,
        scope_value=parsed.value,
        group=GroupRow(key=group, dn="cn=x"),
    )


def test_a_first_rule_gives_its_group_both_rights():
    found = preview([], [rule("b", "allow", "buy")], PEOPLE, [KBIS])

    assert found.gained == {"browse": {"chloe", "hugo"}, "buy": {"chloe", "hugo"}}
    assert not any(found.lost.values())


def test_who_had_it_by_another_group_gains_nothing():
    found = preview([rule("a", "allow", "buy")], [rule("a", "allow", "buy"), rule("b", "allow", "buy")], PEOPLE, [KBIS])

    assert found.gained["buy"] == {"hugo"}


def test_a_deny_takes_from_those_who_had_it():
    before = [rule("a", "allow", "buy")]

    found = preview(before, [*before, rule("b", "deny", "buy")], PEOPLE, [KBIS])

    assert (found.lost["buy"], found.lost["browse"]) == ({"chloe"}, set())


def test_gaining_one_service_and_losing_another_is_both():
    before, after = [rule("b", "allow", "buy", "category:presse")], [rule("b", "allow", "buy", "category:entreprises")]

    found = preview(before, after, PEOPLE, [KBIS, PRESS])

    assert found.gained["buy"] == found.lost["buy"] == {"chloe", "hugo"}


def test_a_rule_on_what_is_not_on_sale_changes_nothing_for_anybody():
    assert preview([], [rule("b", "allow", "buy", "merchant:nobody")], PEOPLE, [KBIS]).is_empty
