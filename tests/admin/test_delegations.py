"""Who decides for whom, said on screen by an administrator alone."""

from __future__ import annotations

import re

import pytest

from demo import people
from portal.rights.delegations import live_delegations
from tests.conftest import Visitor

GIVEN = {"delegates": people.GROUP_CONSULTATION, "target": people.GROUP_ACHATS, "scope": "merchant:coface"}


def said(installation):
    with installation.database.reading() as session:
        return [(each.delegates.label, each.target.label, str(each.scope)) for each in live_delegations(session)]


def test_a_delegation_is_made_shown_undone_and_ended(admin, installation):
    admin.get("/admin/delegations")
    admin.post("/admin/delegations", **GIVEN)
    assert said(installation) == [("consultation", "achats", "merchant:coface")]
    assert "consultation décide des droits et des plafonds de achats" in admin.text

    admin.post("/admin/changes/undo", entries=admin.page.split('name="entries" value="')[1].split('"')[0])
    assert said(installation) == []

    admin.get("/admin/delegations")
    admin.post("/admin/delegations", **GIVEN)
    admin.post(re.search(r"/admin/delegations/\d+/end", admin.page)[0])
    assert said(installation) == []


def test_the_delegate_finds_his_screens_and_no_more(admin, app, installation):
    hugo = Visitor(app)
    hugo.sign_in("hugo.garcon")
    hugo.get("/admin/rights")
    assert hugo.status == 404
    admin.get("/admin/delegations")
    admin.post("/admin/delegations", **GIVEN)

    hugo.get("/admin/rights")
    assert hugo.status == 200
    for name in ("delegations", "rule-file", "rule-file.toml", "directory", "people", "journal"):
        hugo.get(f"/admin/{name}")
        assert hugo.status == 404, name


@pytest.mark.parametrize(("change", "sentence"), [
    ({"delegates": "nobody"}, "pas de groupe nommé nobody"), ({"target": ""}, "pas de groupe nommé"),
    ({"target": people.GROUP_CONSULTATION}, "ses propres droits"), ({"scope": "shelf:top"}, "Choisissez dans la liste"),
])  # fmt: skip
def test_what_makes_no_sense_is_said_and_what_was_typed_is_kept(admin, installation, change, sentence):
    admin.get("/admin/delegations")
    admin.post("/admin/delegations", **(GIVEN | change))

    assert sentence in admin.text
    assert f'value="{(GIVEN | change)["delegates"]}"' in admin.text
    assert said(installation) == []


def test_groups_are_offered_as_one_types(admin):
    assert people.GROUP_ACHATS in admin.get("/admin/delegations/groups/delegates?delegates=ACHA")
    assert "option" not in admin.get("/admin/delegations/groups/delegates?delegates=a")


def test_a_directory_that_is_down_is_said(admin, company, installation):
    admin.get("/admin/delegations")
    company.directory.fault = "down"
    admin.post("/admin/delegations", **GIVEN)

    assert admin.status in {422, 503}
    assert said(installation) == []
