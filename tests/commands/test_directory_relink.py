"""`portal directory relink` and `diagnose`: a rebuilt directory gave everybody another id, and nobody loses his account."""

from __future__ import annotations

import json
import uuid

import pytest
from sqlalchemy import select

from demo import people
from demo.companies import COMPANIES
from portal import audit
from portal.directory import accounts
from portal.directory.accounts import Account
from portal.rights.groups import GroupRow
from tests.conftest import Visitor

SIREN = next(siren for siren in COMPANIES if not siren.endswith("7"))


def rebuild(company):
    """Every entry has another id."""
    for entry in company.directory.tree.entries():
        entry.attributes["entryUUID"] = [str(uuid.uuid4())]


def person_entry(company, login):
    return next(entry for entry in company.directory.tree.entries() if entry.attributes.get("uid") == [login])


def account(installation, login):
    with installation.database.reading() as session:
        return accounts.find(session, login)


def journal(installation, action):
    with installation.database.reading() as session:
        return list(session.scalars(select(audit.AuditEntry).where(audit.AuditEntry.action == action)))


@pytest.fixture
def signed_in(app, installation):
    """Two people have accounts."""
    for login in ("chloe.lefevre", "hugo.garcon"):
        Visitor(app).sign_in(login)
    return installation


@pytest.fixture
def rules_by_id(installation):
    """The rules name their groups by id, as the screens make them."""
    with installation.database.transaction() as session:
        for row in session.scalars(select(GroupRow)):
            [found] = installation.directory.find_group(row.dn)
            row.directory_id, row.key = found.id, found.key


def test_where_all_ids_are_right_there_is_nothing_to_do(furnished, signed_in):
    result = furnished.run("directory", "relink")

    assert result.exit_code == 0
    assert "nothing to do" in result.output
    assert furnished.json("directory", "relink") == []


def test_a_dry_run_shows_and_changes_nothing_then_all_are_tied_again(furnished, signed_in, company, app, rules_by_id):
    before = account(signed_in, "chloe.lefevre")
    rebuild(company)

    shown = furnished.json("directory", "relink", "--dry-run")

    assert {(each.get("login"), each["verdict"]) for each in shown if "login" in each} == {
        ("chloe.lefevre", "relink"), ("hugo.garcon", "relink"),
    }  # fmt: skip
    assert account(signed_in, "chloe.lefevre").directory_id == before.directory_id
    assert "nothing was changed" in furnished.run("directory", "relink", "--dry-run").output

    result = furnished.run("directory", "relink")

    assert result.exit_code == 0
    after = account(signed_in, "chloe.lefevre")
    assert after.id == before.id
    assert [after.directory_id] == person_entry(company, "chloe.lefevre").attributes["entryUUID"]
    [first, _second] = journal(signed_in, "account_relinked")
    assert (first.actor, first.before["directory_id"]) == ("command line", before.directory_id)
    assert len(journal(signed_in, "group_relinked")) == 2
    again = Visitor(app)
    again.sign_in("chloe.lefevre")
    assert account(signed_in, "chloe.lefevre").id == before.id
    assert again.confirm(again.ask_price("registre-kbis", siren=SIREN))
    assert furnished.run("audit", "verify").exit_code == 0


@pytest.mark.parametrize(("change", "verdict"), [
    ({"mail": ["other@acme.example"], "cn": ["Somebody Else"]}, "unlike"), ({"uid": ["c.lefevre"]}, "no_such_login"),
    ({"cn": ["Chloé Lefèvre-Martin"]}, "relink"), ({"mail": ["chloe@acme.example"]}, "relink"),
    ({"mail": [], "cn": ["chloe\u0301  LEFE\u0300VRE"]}, "relink"), ({"mail": [], "cn": ["X"]}, "unlike"),
])  # fmt: skip
def test_a_login_alone_is_no_proof(change, verdict, furnished, signed_in, company):
    rebuild(company)
    person_entry(company, "chloe.lefevre").attributes.update(change)

    code = 0 if verdict == "relink" else 1
    shown = furnished.json("directory", "relink", code=code)

    assert {each["login"]: each["verdict"] for each in shown if "login" in each} == {
        "chloe.lefevre": verdict, "hugo.garcon": "relink",
    }  # fmt: skip


def test_two_entries_with_one_login_are_left_to_people(furnished, signed_in, company):
    rebuild(company)
    company.directory.tree.add_person("second", "x", {"cn": ["Chloé Lefèvre"], "sn": ["X"]})
    person_entry(company, "second").attributes["uid"] = ["chloe.lefevre"]

    result = furnished.run("directory", "relink")

    assert result.exit_code == 1
    assert "more than one person or account would match" in result.output


def test_two_accounts_that_claim_one_person_are_left_to_people(furnished, signed_in, company):
    with signed_in.database.transaction() as session:
        twin = accounts.find(session, "chloe.lefevre")
        values = {column.name: getattr(twin, column.name) for column in Account.__table__.columns}
        session.add(Account(**{**values, "id": None, "directory_id": "of old"}))
    rebuild(company)

    shown = furnished.json("directory", "relink", code=1)

    assert sorted(each["verdict"] for each in shown if each.get("login") == "chloe.lefevre") == [
        "ambiguous",
        "ambiguous",
    ]
    assert [entry.subject for entry in journal(signed_in, "account_relinked")] == [
        f"account {account(signed_in, 'hugo.garcon').id}"
    ]


def test_an_account_made_meanwhile_is_retired_with_its_history(furnished, signed_in, company, app, later):
    before = account(signed_in, "chloe.lefevre")
    rebuild(company)
    later(minutes=1)
    meanwhile = Visitor(app)
    meanwhile.sign_in("chloe.lefevre")
    newer = account(signed_in, "chloe.lefevre")
    assert newer.id != before.id

    result = furnished.run("directory", "relink")

    assert result.exit_code == 0
    assert f"number {newer.id}, is retired" in result.output
    with signed_in.database.reading() as session:
        assert session.get_one(Account, newer.id).directory_id.startswith("retired:")
    assert 'name="password"' in (meanwhile.get("/"), meanwhile.page)[1]
    Visitor(app).sign_in("chloe.lefevre")
    assert account(signed_in, "chloe.lefevre").id == before.id
    assert furnished.json("directory", "relink") == []


def test_an_account_made_meanwhile_that_bought_is_left_to_people(furnished, signed_in, company, app, later):
    rebuild(company)
    later(minutes=1)
    meanwhile = Visitor(app)
    meanwhile.sign_in("chloe.lefevre")
    assert meanwhile.confirm(meanwhile.ask_price("registre-kbis", siren=SIREN))

    shown = furnished.json("directory", "relink", code=1)

    assert {each["login"]: each["verdict"] for each in shown}["chloe.lefevre"] == "taken"


def test_a_directory_that_does_not_answer_changes_nothing(furnished, signed_in, company):
    rebuild(company)
    before = account(signed_in, "chloe.lefevre").directory_id
    company.directory.fault = "down"

    result = furnished.run("directory", "relink")

    assert result.exit_code == 1
    assert "nothing was changed" in result.output
    assert account(signed_in, "chloe.lefevre").directory_id == before


def test_a_diagnosis_in_words_and_for_machines(terminal):
    result = terminal.run("directory", "diagnose", "chloe.lefevre")

    assert result.exit_code == 0
    assert "accepts the service account" in result.output
    assert "(&(objectClass=person)(uid=chloe.lefevre))" in result.output
    assert f"in {people.GROUP_ACHATS}, with the id" in result.output
    found = terminal.json("directory", "diagnose", "chloe.lefevre")
    assert {each["stage"] for each in found} == {
        "connect", "certificate", "bind", "people", "groups", "login", "membership",
    }  # fmt: skip
    assert all(each["ok"] and each["words"] for each in found)


def test_a_diagnosis_says_what_to_do_and_ends_with_one(terminal):
    terminal.change('people_base = "ou=people', 'people_base = "ou=poeple')

    result = terminal.run("directory", "diagnose")

    assert result.exit_code == 1
    assert "Perhaps ou=people,dc=acme,dc=example is meant." in result.output
    assert "→ Correct people_base" in result.output


def test_no_diagnosis_shows_the_service_password(terminal):
    assert people.SERVICE_PASSWORD not in terminal.run("directory", "diagnose", "chloe.lefevre", "--json").output
    assert people.SERVICE_PASSWORD not in json.dumps(terminal.json("directory", "diagnose", "chloe.lefevre"))
