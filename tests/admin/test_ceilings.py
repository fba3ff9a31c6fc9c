"""Ceilings on screen: how full each is, by whom and by day; changed, ended, undone."""

from __future__ import annotations

import pytest

from demo import people
from portal.directory.answers import Group
from portal.rights.ceilings import Terms, add_ceiling, live_ceilings
from portal.rights.delegations import add_delegation
from portal.rights.scopes import Scope, parse_scope


@pytest.fixture
def ceiling(installation):
    with installation.database.transaction() as session:
        return add_ceiling(session, "t", Group(people.GROUP_ACHATS), Terms("each", Scope("all"), "month", 200)).id


def limits(installation):
    with installation.database.reading() as session:
        return [each.limit_cents for each in live_ceilings(session)]


def plain(visitor):
    return visitor.text.replace("\u202f", " ").replace("\xa0", " ")


def test_it_shows_who_has_used_how_much_and_warns(ceiling, admin, buyer):
    admin.get("/admin/ceilings")
    assert "Rien n'a été acheté" in admin.text
    for _ in range(2):
        buyer.confirm(buyer.ask_price("quidonc-inverse", phone="01 42 68 53 00"))

    admin.get("/admin/ceilings")

    assert "Chloé Lefèvre" in admin.text
    assert "1,80 € / 2,00 €" in plain(admin)
    assert "presque atteint" in admin.text
    assert "1,80 €" in plain(admin).split("<tbody>")[1]


def test_a_lower_limit_binds_the_very_next_purchase_and_is_undone(ceiling, admin, buyer, installation):
    admin.get("/admin/ceilings")
    admin.post(f"/admin/ceilings/{ceiling}", limit="0,50")
    assert limits(installation) == [50]
    buyer.confirm(buyer.ask_price("quidonc-inverse", phone="01 42 68 53 00"))
    assert "dépasserait le plafond" in buyer.text

    entries = admin.page.split('name="entries" value="')[1].split('"')[0]
    admin.post("/admin/changes/undo", entries=entries)

    assert limits(installation) == [200]


def test_an_ended_one_binds_nobody(ceiling, admin, installation):
    admin.get("/admin/ceilings")
    admin.post(f"/admin/ceilings/{ceiling}", end="1")

    assert limits(installation) == []
    admin.post(f"/admin/ceilings/{ceiling}", limit="5")
    assert admin.status == 409
    assert "ne s'applique plus" not in admin.text or limits(installation) == []


@pytest.mark.parametrize("amount", ["", "much", "-1", "1,234", "1e400"])
def test_what_is_no_amount_is_said_and_kept(amount, ceiling, admin, installation):
    admin.get("/admin/ceilings")
    admin.post(f"/admin/ceilings/{ceiling}", limit=amount)

    assert admin.status == 409
    assert "n'est pas un montant" in admin.text
    assert f'value="{amount}"' in admin.page
    assert limits(installation) == [200]


def test_a_delegate_changes_those_of_his_group_only(ceiling, buyer, installation):
    interns = installation.directory.find_group("stagiaires")[0]
    with installation.database.transaction() as session:
        add_delegation(session, "t", Group(people.GROUP_ACHATS), interns, parse_scope("all"))
        own = add_ceiling(session, "t", interns, Terms("each", Scope("all"), "month", 100)).id
    buyer.get("/admin/ceilings")
    assert "stagiaires" in buyer.text
    assert "achats :" not in buyer.text

    buyer.post(f"/admin/ceilings/{own}", limit="3")
    assert limits(installation) == [200, 300]
    buyer.post(f"/admin/ceilings/{ceiling}", limit="3")
    assert buyer.status == 404
    assert limits(installation) == [200, 300]
