"""Active Directory for real: sign-in, groups by tokenGroups, and accounts that are barred (acceptance 4)."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest

from portal.directory.answers import Group, No, Unknown, Yes
from portal.directory.config import DirectoryConfig
from portal.directory.ldap import Link
from portal.directory.lookup import LdapDirectory
from portal.directory.messages import ENTRY
from portal.directory.names import normalise
from tests.real import samba
from tests.real.samba import GROUPS, PASSWORD, PEOPLE, SERVICE, SERVICE_PASSWORD, Samba, make_samba

OF_ZOE = {"inner", "middle", "outer", "primary", "above primary", "list", "list of lists"}


@pytest.fixture(scope="module")
def domain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Samba]:
    running = make_samba(tmp_path_factory.mktemp("samba"))
    yield running
    running.stop()


def config(domain: Samba, **changes: object) -> DirectoryConfig:
    values: dict[str, object] = {
        "urls": [f"ldaps://{domain.address}"], "preset": "active_directory", "ca_file": str(domain.ca_file),
        "bind_dn": SERVICE, "bind_password": SERVICE_PASSWORD, "people_base": PEOPLE, "groups_base": GROUPS, "timeout": 30,
    }  # fmt: skip
    return DirectoryConfig(**{**values, **changes})  # type: ignore[arg-type]


@pytest.fixture
def directory(domain: Samba) -> Iterator[LdapDirectory]:
    client = LdapDirectory(config(domain))
    yield client
    client.close()


def groups(answer: object) -> set[str]:
    assert isinstance(answer, Yes), answer
    return {group.name for group in answer.groups}


def named(directory: LdapDirectory, name: str) -> Group:
    [group] = directory.find_group(name)
    return group


@pytest.mark.parametrize("login", ["zoe", "ZOE", "zoe.long@acme.test", "Zoe.Long@ACME.test"])
def test_a_person_signs_in_by_either_login_with_nested_and_primary_groups_t16(login, directory):
    answer = directory.sign_in(login, PASSWORD)

    assert groups(answer) == OF_ZOE
    assert (answer.person.login, answer.person.name, answer.person.department) == ("zoe", "Zoé Martin", "Juridique")


def test_starttls_works_as_ldaps_does(domain):
    client = LdapDirectory(config(domain, urls=[f"ldap://{domain.address}"], start_tls=True))

    assert groups(client.sign_in("zoe", PASSWORD)) == OF_ZOE
    client.close()


def test_the_id_is_the_object_guid_and_reads_the_same_person(directory):
    first = directory.sign_in("zoe", PASSWORD)

    assert isinstance(first, Yes)
    assert len(first.person.id) == 36
    assert directory.read(first.person.id) == first
    assert directory.read("no guid at all") == No("gone")


def test_a_rename_keeps_the_id_of_a_person_and_of_a_group(domain, directory):
    dn = domain.add_person("avant", "Avant")
    group = domain.add_group("ancien nom", [dn])
    before = directory.sign_in("avant", PASSWORD)
    domain.admin.modify_dn(dn, "CN=Après")
    domain.admin.modify_dn(group, "CN=nouveau nom")

    after = directory.read(before.person.id)

    assert after.person.dn.startswith("CN=Après,")
    assert [(group.name, group.id) for group in after.groups] == [("nouveau nom", before.groups[0].id)]
    assert directory.group(before.groups[0]) == after.groups[0]


def test_every_group_has_its_own_id(directory):
    answer = directory.sign_in("zoe", PASSWORD)

    assert len({group.id for group in answer.groups}) == len(OF_ZOE)
    assert named(directory, "outer") in answer.groups


def test_without_nesting_only_the_groups_one_is_in_by_oneself(domain):
    client = LdapDirectory(config(domain, nested=False))

    assert groups(client.sign_in("zoe", PASSWORD)) == {"inner", "primary", "list"}
    assert {person.login for person in client.members(named(client, "middle"))} == set()
    client.close()


@pytest.mark.parametrize(("login", "password", "reason"), [
    ("zoe", "wrong", "wrong_password"), ("nobody", PASSWORD, "unknown_person"), ("disabled", PASSWORD, "disabled"),
    ("expired", PASSWORD, "expired"), ("must", PASSWORD, "must_change"), ("", PASSWORD, "empty"), ("zoe", "", "empty"),
    ("zoe\0", PASSWORD, "bad_characters"), ("z*", PASSWORD, "unknown_person"),
])  # fmt: skip
def test_barred_accounts_are_told_apart_in_the_reason(login, password, reason, directory):
    assert directory.sign_in(login, password) == No(reason)


def test_a_locked_account_is_told_apart_and_still_read_by_sessions(domain, directory):
    reasons = [directory.sign_in("locked", "wrong") for _ in range(3)]

    assert set(reasons) == {No("wrong_password")}
    assert directory.sign_in("locked", PASSWORD) == No("locked")
    [locked] = directory.find_people("locked")
    assert isinstance(directory.read(locked.id), Yes)


def test_somebody_disabled_in_mid_session_is_surely_refused(domain, directory):
    dn = domain.add_person("leaver")
    answer = directory.sign_in("leaver", PASSWORD)
    domain.change(dn, userAccountControl=str(samba.DISABLED))

    assert directory.read(answer.person.id) == No("disabled")


def test_one_wrong_password_is_one_bind_t12(domain, directory):
    dn = domain.add_person("counted")

    assert directory.sign_in("counted", "wrong") == No("wrong_password")
    assert domain.read(dn, "badPwdCount") == [b"1"]


@pytest.mark.parametrize(("group", "logins"), [
    ("inner", {"zoe"}), ("outer", {"zoe"}), ("primary", {"zoe"}), ("above primary", {"zoe"}), ("list of lists", {"zoe"}),
    ("nobody", set()), ("without the barred", {"patronne"}),
])  # fmt: skip
def test_members_are_everybody_down_the_nesting_also_by_primary_group(group, logins, directory):
    assert {person.login for person in directory.members(named(directory, group))} == logins


@pytest.mark.parametrize(("group", "count"), [("inner", 2), ("primary", 1), ("middle", 1), ("nobody", 0)])
def test_direct_members_are_counted_also_by_primary_group(group, count, directory):
    assert directory.count_members(named(directory, group)) == count


def test_a_picker_finds_groups_and_no_people(directory):
    assert {group.name for group in directory.search_groups("NNE")} == {"inner"}
    assert directory.search_groups("zoe") == []
    assert directory.find_group("zoe") == []
    assert len(directory.search_groups("", limit=3)) == 3


def test_people_are_found_as_one_types_without_the_barred(directory):
    [zoe] = directory.search_people("martin")
    assert zoe.login == "zoe"
    assert directory.person(zoe.manager).login == "patronne"
    assert directory.search_people("disabled") == []


def test_an_awkward_name_signs_in_and_finds_its_group_t15(directory):
    answer = directory.sign_in("awkward", PASSWORD)

    assert isinstance(answer, Yes), answer
    [group] = answer.groups
    assert normalise(group.dn) == normalise(f"CN={samba.AWKWARD},{GROUPS}")
    assert {person.login for person in directory.members(group)} == {"awkward"}
    assert directory.find_group(group.dn) == [group]


def test_the_whole_domain_as_the_base_gives_no_referral_to_follow_t5(domain, monkeypatch):
    client = LdapDirectory(config(domain, people_base=samba.SUFFIX, groups_base=samba.SUFFIX))
    asked, resolve = set(), socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *more, **how: (asked.add(host), resolve(host, *more, **how))[1]
    )

    answer = client.sign_in("zoe", PASSWORD)

    assert groups(answer) == OF_ZOE | {"Domain Users", "Users"}
    assert {person.login for person in client.members(named(client, "outer"))} == {"zoe"}
    assert asked == {domain.address}
    client.close()


def test_the_domain_users_are_found_by_their_primary_group(domain):
    client = LdapDirectory(config(domain, groups_base=samba.SUFFIX))

    users = named(client, "Domain Users")

    assert {"patronne", "locked", "zoe"} <= {person.login for person in client.members(users)}
    assert client.count_members(users) > 3
    client.close()


def test_a_list_handed_out_in_ranges_is_read_whole(domain):
    logins = [domain.add_person(f"ranged{number}") for number in range(3)]
    dn = domain.add_group("ranged", logins)
    link = Link.open(config(domain), f"ldaps://{domain.address}", SERVICE, SERVICE_PASSWORD, time.monotonic() + 60)
    assert link.bind().code == 0

    [entry], _cookie = link.search(dn, "(objectClass=*)", ["member;range=0-0"], ENTRY)

    assert {normalise(value.decode()) for value in entry.attributes["member"]} == set(map(normalise, logins))
    assert len(entry.attributes) == 1
    link.close()


def test_a_service_account_without_the_right_password_is_told_apart(domain):
    answer = LdapDirectory(config(domain, bind_password="wrong")).sign_in("zoe", PASSWORD)

    assert isinstance(answer, Unknown)
    assert (answer.reason, "wrong_password" in answer.detail) == ("service_account", True)


def test_plain_ldap_is_refused_by_us_before_the_domain_must(domain):
    # Also a loopback address of its own: the domain controller demands signing or TLS.
    answer = LdapDirectory(config(domain, urls=[f"ldap://{domain.address}"])).sign_in("zoe", PASSWORD)

    assert isinstance(answer, Unknown)
    assert answer.reason == "service_account"


def test_a_diagnosis_resolves_a_login_step_by_step(directory):
    found = directory.diagnose("zoe.long@acme.test")

    assert all(finding.ok for finding in found)
    assert {finding.params["name"] for finding in found if finding.code == "in_group"} == OF_ZOE
    asked = [finding.params["filter"] for finding in found if finding.code == "asked"]
    assert "(userPrincipalName=zoe.long@acme.test)" in asked[0]
    assert any("(objectSid=\\01\\05" in test for test in asked)


@pytest.mark.parametrize(("login", "code"), [("disabled", "login_disabled"), ("expired", "login_expired")])
def test_a_diagnosis_names_what_bars_an_account(login, code, directory):
    assert code in {finding.code for finding in directory.diagnose(login) if not finding.ok}
