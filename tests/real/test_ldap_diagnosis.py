"""A diagnosis names the one thing that is wrong, in words, with what to do; and resolves a login by the very filters."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from demo.certificates import Authority
from portal.directory import findings
from portal.directory.lookup import LdapDirectory
from tests.real.relay import Relay
from tests.real.slapd import AWKWARD, BASE, GROUPS, PEOPLE, SERVICE, Slapd, entry, free_port, make_slapd, person, site

BLIND = f"cn=blind,ou=services,{BASE}"
NO_IDS = f"cn=noids,ou=services,{BASE}"
BRANCH = f"cn=branch,ou=services,{BASE}"
MORE = "\n".join([
    *(entry(dn, "objectClass: person", f"cn: {dn[3:dn.index(',')]}", "sn: X", "userPassword: service") for dn in (BLIND, NO_IDS, BRANCH)),
    person("ended", more=("uidNumber: 1", "gidNumber: 1", "homeDirectory: /", "shadowExpire: 1"), classes=("posixAccount", "shadowAccount")),
    entry(f"cn=machine,{PEOPLE}", "objectClass: device", "objectClass: extensibleObject", "cn: machine", "uid: machine"),
])  # fmt: skip
ACCESS = f"""access to attrs=userPassword by anonymous auth by * none
access to attrs=entryUUID by dn.exact="{NO_IDS}" none by dn.exact="{{service}}" read by * none
access to dn.exact="{PEOPLE}" by dn.exact="{BRANCH}" read by dn.exact="{{service}}" read by dn.exact="{NO_IDS}" read by * none
access to * by dn.exact="{{service}}" read by dn.exact="{NO_IDS}" read by * none"""


@pytest.fixture(scope="module")
def slapd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slapd]:
    running = make_slapd(tmp_path_factory.mktemp("diagnosis"), more=MORE, access=ACCESS)
    yield running
    running.stop()


def wrong(slapd: Slapd, login: str = "", **changes: object) -> list[str]:
    """The codes of what is not well; every finding is a sentence, and every wrong one says what to do."""
    found = LdapDirectory(site(slapd, **changes)).diagnose(login)
    for finding in found:
        assert "%" not in findings.found(finding, str)
        assert finding.ok or findings.remedy(finding, str)
    return [finding.code for finding in found if not finding.ok]


def test_all_is_well_and_everything_is_shown(slapd):
    found = {finding.code: finding for finding in LdapDirectory(site(slapd)).diagnose()}

    assert all(finding.ok for finding in found.values())
    assert list(found) == ["connected", "certificate", "bound", "people", "groups"]
    assert found["certificate"].params["subject"] == "127.0.0.1"
    assert found["people"].params["count"] == 7 + len(AWKWARD)
    assert found["groups"].params["count"] == 6 + len(AWKWARD)
    assert found["bound"].params["dn"] == SERVICE


@pytest.mark.parametrize(("changes", "code"), [
    ({"bind_password": "wrong"}, "service_account"), ({"bind_dn": f"cn=nobody,{BASE}"}, "service_account"),
    ({"bind_dn": "no dn"}, "service_account"), ({"ca_file": "/nowhere/ca.pem"}, "ca_file"),
    ({"people_base": f"ou=poeple,{BASE}"}, "base_typo"), ({"people_base": f"ou=nowhere,{BASE}"}, "base_missing"),
    ({"people_base": "ou=people,dc=acme,dc=exmaple"}, "base_elsewhere"), ({"people_base": "no dn"}, "base_elsewhere"),
    ({"groups_base": f"ou=gruops,{BASE}"}, "base_typo"), ({"people_filter": "(objectClass=account)"}, "people_filter"),
    ({"people_filter": "(objectClass="}, "configuration"), ({"groups_filter": "(cn=none)"}, "groups_filter"),
])  # fmt: skip
def test_one_thing_wrong_is_the_one_thing_named(changes, code, slapd):
    assert wrong(slapd, **changes) == [code]


def test_a_typo_in_the_base_is_answered_with_what_was_meant(slapd):
    [finding] = [each for each in LdapDirectory(site(slapd, people_base=f"ou=poeple,{BASE}")).diagnose() if not each.ok]

    assert finding.params["meant"] == PEOPLE
    assert findings.found(finding, str) == f"ou=poeple,{BASE} does not exist. Perhaps {PEOPLE} is meant."


def test_no_right_to_read_is_told_from_a_bad_base(slapd):
    assert wrong(slapd, bind_dn=BLIND) == ["no_read_right", "no_read_right"]
    assert wrong(slapd, bind_dn=BRANCH, groups_base="") == ["nothing_to_read"]


def test_ids_that_may_not_be_read_are_named(slapd):
    assert wrong(slapd, bind_dn=NO_IDS) == ["no_id", "no_id"]
    assert wrong(slapd, bind_dn=NO_IDS, login="zoe")[-1] == "no_id"


def test_a_size_limit_is_named_with_how_far_it_goes(tmp_path):
    small = make_slapd(tmp_path / "small", sizelimit=3)
    try:
        found = [each for each in LdapDirectory(site(small)).diagnose() if not each.ok]
    finally:
        small.stop()
    assert [(each.code, each.params["count"]) for each in found] == [("size_limit", 3), ("size_limit", 3)]


def test_a_certificate_of_another_authority_of_another_name_or_out_of_date(slapd, tmp_path):
    other = Authority.create(tmp_path / "other", "Another CA")
    assert other.folder.exists()
    assert wrong(slapd, ca_file=str(tmp_path / "other" / "ca.pem")) == ["tls_authority"]
    for name, made, code in (
        ("named", {"names": ("ldap.elsewhere.example",)}, "tls_name"),
        ("old", {"expired": True}, "tls_expired"),
    ):
        server = make_slapd(tmp_path / name, **made)
        try:
            assert wrong(server) == [code]
            assert wrong(server, urls=[server.tls_url], start_tls=False) == [code]
        finally:
            server.stop()


def test_a_server_that_is_silent_or_absent_is_told_apart_and_the_other_still_looked_at(slapd):
    silent = Relay(slapd.port)
    silent.silent_on = b""
    found = LdapDirectory(
        site(slapd, urls=[silent.url, f"ldap://127.0.0.1:{free_port()}", slapd.url], timeout=1)
    ).diagnose()
    silent.close()

    assert [each.code for each in found] == [
        "timeout",
        "unreachable",
        "connected",
        "certificate",
        "bound",
        "people",
        "groups",
    ]


def test_a_login_is_resolved_step_by_step_with_the_very_filters(slapd):
    found = LdapDirectory(site(slapd)).diagnose("zoe")[5:]

    assert all(each.ok for each in found)
    assert next(each.params["filter"] for each in found if each.code == "asked") == "(&(objectClass=person)(uid=zoe))"
    groups = {each.params["name"]: each.params["id"] for each in found if each.code == "in_group"}
    assert set(groups) == {"inner", "middle", "outer", "unique", "posix"}
    assert all(len(identifier) == 36 for identifier in groups.values())
    [missing] = [each for each in found if each.code == "attributes_missing"]
    assert "mail" in missing.params["attributes"]


@pytest.mark.parametrize(("login", "code"), [
    ("nobody", "login_unknown"), ("double", "login_ambiguous"), ("outside", "login_elsewhere"),
    ("machine", "login_filtered"), ("ended", "login_expired"), ("*", "login_unknown"), (")(uid=*", "login_unknown"),
])  # fmt: skip
def test_a_login_that_cannot_sign_in_says_why(login, code, slapd):
    assert wrong(slapd, login) == [code]


def test_somebody_in_no_group_is_no_fault(slapd):
    found = LdapDirectory(site(slapd)).diagnose("decompose")

    assert found[-1].code == "in_no_group"
    assert all(each.ok for each in found)
    assert GROUPS in findings.found(found[-1], str)
