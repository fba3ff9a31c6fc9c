"""The rule file: written and read back the same, compared, applied whole or not at all, every wrong line named."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from portal.audit import AuditEntry
from portal.directory.answers import Group
from portal.rights.ceilings import Terms, add_ceiling, live_ceilings
from portal.rights.delegations import add_delegation, live_delegations
from portal.rights.rulebook import apply, compare, write
from portal.rights.rulebook_reading import RulebookFaults, read
from portal.rights.rules import add_rule, all_rules
from portal.rights.scopes import Scope, parse_scope

PARIS = ZoneInfo("Europe/Paris")
BUYERS = Group("cn=achats,dc=acme", "6f1e", "achats")
AWKWARD = Group('cn=R&D\\, "Études" <b>,dc=acme', "77aa", 'R&D, "Études" <b>')
GROUPS = {group.dn: group for group in (BUYERS, AWKWARD)}


def resolve(dn, _identifier):
    return GROUPS.get(dn)


def furnish(session):
    add_rule(session, "a", BUYERS, parse_scope("merchant:registre"), "buy", "allow")
    add_rule(session, "a", AWKWARD, Scope("all"), "browse", "deny",
             datetime(2026, 10, 31, 23, tzinfo=UTC), datetime(2026, 11, 30, 23, tzinfo=UTC))  # fmt: skip
    add_rule(session, "a", BUYERS, Scope("all"), "browse", "allow", None, datetime(2026, 11, 30, 12, 30, tzinfo=UTC))
    add_ceiling(session, "a", BUYERS, Terms("each", Scope("all"), "month", 20050, with_vat=False, warn_percent=0))
    add_ceiling(session, "a", None, Terms("everyone", parse_scope("category:presse"), "day", 0))
    add_delegation(session, "a", AWKWARD, BUYERS, parse_scope("category:presse"))


def said(session):
    return (
        sorted(str({**rule.as_dict(), "id": 0}) for rule in all_rules(session)),
        sorted(str({**each.as_dict(), "id": 0}) for each in live_ceilings(session)),
        sorted(str({**each.as_dict(), "id": 0}) for each in live_delegations(session)),
    )


def test_what_is_written_reads_back_as_it_is(session):
    furnish(session)

    text = write(session, PARIS)

    assert compare(session, read(text, resolve, PARIS)).is_empty
    assert "starts = 2026-11-01\nends = 2026-11-30\n" in text
    assert 'limit = "200.50"' in text


def test_a_file_makes_an_empty_house_the_same(session, tmp_path):
    furnish(session)
    wanted, text = said(session), write(session, PARIS)
    apply(session, "a", compare(session, read("", resolve, PARIS)))
    assert said(session) == ([], [], [])

    apply(session, "a", compare(session, read(text, resolve, PARIS)))

    assert said(session) == wanted


def test_only_what_differs_is_changed_and_journalled(session):
    furnish(session)
    text = write(session, PARIS).replace('limit = "200.50"', 'limit = "300.00"')
    [kept, _other] = live_ceilings(session)

    plan = compare(session, read(text, resolve, PARIS))
    apply(session, "b", plan)

    assert (len(plan.add), len(plan.end)) == (0, 0)
    assert [(ceiling.id, terms.limit_cents) for ceiling, terms in plan.change] == [(kept.id, 30000)]
    newest = session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc())).first()
    assert (newest.action, newest.actor, newest.after["limit_cents"]) == ("ceiling_changed", "b", 30000)


GOOD = '[[rules]]\neffect = "allow"\ngroup = "cn=achats,dc=acme"\nright = "buy"\nscope = "all"\n'
CEILING = '[[ceilings]]\nwho = "each"\ngroup = "cn=achats,dc=acme"\nlimit = "10.00"\nperiod = "month"\n'


@pytest.mark.parametrize(("text", "line", "code"), [
    (GOOD + '[[rules]]\neffect = "permit"\n', 7, "choice"), (GOOD + "[[rules\n", 6, "not_toml"),
    (GOOD + GOOD, 6, "twice"), (GOOD.replace('"all"', '"everything"'), 5, "scope"),
    (GOOD.replace("cn=achats", "cn=nobody"), 3, "group"), (GOOD.replace("right", "rigth"), 4, "unknown_key"),
    (GOOD + "ends = 2026-01-01\nstarts = 2026-02-01\n", 6, "date"), (GOOD + 'ends = "soon"\n', 6, "date"),
    (GOOD.replace('right = "buy"\n', ""), 1, "missing"), ("rule = 3\n" + GOOD, 1, "unknown_table"),
    (GOOD + CEILING.replace('"10.00"', '"10.001"'), 9, "amount"), (CEILING.replace('"10.00"', '"-1"'), 4, "amount"),
    (CEILING.replace("each", "everyone"), 2, "everyone"), (CEILING + "warn_percent = 200\n", 6, "choice"),
    (CEILING + 'with_vat = "yes"\n', 6, "choice"), (CEILING + 'currency = "USD"\n', 6, "choice"),
    (CEILING + CEILING.replace("10.00", "20.00"), 6, "twice"), (CEILING.replace('"month"', '"decade"'), 5, "choice"),
    ('[[delegations]]\ndelegates = "cn=achats,dc=acme"\ngroup = "cn=achats,dc=acme"\n', 2, "themselves"),
    ("[rules]\neffect = 1\n", 1, "unknown_table"),
])  # fmt: skip
def test_a_wrong_line_is_named(text, line, code):
    with pytest.raises(RulebookFaults) as refused:
        read(text, resolve, PARIS)

    assert [(fault.line, fault.code) for fault in refused.value.faults] == [(line, code)]


def test_every_wrong_line_is_named_at_once():
    text = GOOD.replace('"all"', '"x"') + CEILING.replace('"10.00"', '"much"')

    with pytest.raises(RulebookFaults) as refused:
        read(text, resolve, PARIS)

    assert [(fault.line, fault.code) for fault in refused.value.faults] == [(5, "scope"), (9, "amount")]
