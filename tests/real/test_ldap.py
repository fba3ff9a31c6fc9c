"""The directory client against a real slapd. The numbers T1 … T18 are ldap3's traps, each closed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from portal.directory.answers import Group, No, Unknown, Yes
from portal.directory.lookup import LdapDirectory
from portal.directory.names import normalise
from tests.real.relay import Relay
from tests.real.slapd import AWKWARD, GROUPS, PEOPLE, Slapd, free_port, make_slapd
from tests.real.slapd import site as config


@pytest.fixture(scope="module")
def slapd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slapd]:
    running = make_slapd(tmp_path_factory.mktemp("slapd"))
    yield running
    running.stop()


@pytest.fixture
def directory(slapd: Slapd) -> Iterator[LdapDirectory]:
    client = LdapDirectory(config(slapd))
    yield client
    client.close()


def names(answer: object) -> set[str]:
    assert isinstance(answer, Yes), answer
    return {group.dn.split(",")[0] for group in answer.groups}


def test_nested_groups_of_every_kind_with_a_cycle(directory):
    assert names(directory.sign_in("zoe", "secret")) == {"cn=inner", "cn=middle", "cn=outer", "cn=unique", "cn=posix"}


def test_the_id_is_the_entry_uuid_and_reads_the_same_person(directory):
    first = directory.sign_in("zoe", "secret")
    assert isinstance(first, Yes)
    assert len(first.person.id) == 36
    assert directory.read(first.person.id) == first


def test_somebody_who_is_gone(directory):
    assert directory.read("00000000-0000-0000-0000-000000000000") == No("gone")


@pytest.mark.parametrize(("login", "password", "reason"), [
    ("zoe", "wrong", "wrong_password"), ("nobody", "secret", "unknown_person"), ("double", "secret", "ambiguous"),
    ("", "secret", "empty"), ("  ", "secret", "empty"), ("zoe", "", "empty"), ("zoe\0", "secret", "bad_characters"),
    ("zoe", "secret\0", "bad_characters"), ("z\toe", "secret", "bad_characters"), ("z" * 300, "secret", "bad_characters"),
    ("*", "secret", "unknown_person"), ("zoe)(uid=*", "secret", "unknown_person"),
])  # fmt: skip
def test_every_no_has_its_reason_and_nothing_empty_or_controlling_reaches_the_directory_t8_t10(
    login, password, reason, directory
):
    answer = directory.sign_in(login, password)
    assert isinstance(answer, No)
    assert answer.reason == reason


def test_passwords_travel_as_their_own_bytes_t9(directory):
    assert isinstance(directory.sign_in("eleve", "\u00e9t\u00e9"), Yes)
    assert isinstance(directory.sign_in("decompose", "e\u0301te\u0301"), Yes)
    assert isinstance(directory.sign_in("eleve", "e\u0301te\u0301"), No)


def test_a_composed_and_a_decomposed_login_are_one_person(directory):
    composed, decomposed = directory.sign_in("am\u00e9lie", "secret"), directory.sign_in("ame\u0301lie", "secret")
    assert isinstance(composed, Yes)
    assert composed == decomposed


@pytest.mark.parametrize("number", range(len(AWKWARD)))
def test_awkward_names_bind_and_find_their_group_t15(number, directory):
    answer = directory.sign_in(f"awkward{number}", "secret")
    assert isinstance(answer, Yes), answer
    assert {normalise(group.dn) for group in answer.groups} == {normalise(f"cn={AWKWARD[number]},{GROUPS}")}


def test_an_alias_out_of_the_base_is_not_followed_t6(directory):
    assert isinstance(directory.sign_in("outside", "secret"), No)
    assert isinstance(directory.sign_in("alias", "secret"), No)


def test_no_referral_is_followed_t5(directory):
    assert isinstance(directory.sign_in("zoe", "secret"), Yes)


def test_ldaps_and_starttls_both_work(slapd):
    for changes in ({"start_tls": True}, {"urls": [slapd.tls_url], "start_tls": False}):
        client = LdapDirectory(config(slapd, **changes))
        assert isinstance(client.sign_in("zoe", "secret"), Yes)
        client.close()


@pytest.mark.parametrize("secure", [True, False])
@pytest.mark.parametrize("wrong", ["authority", "name", "expired"])
def test_a_wrong_certificate_is_refused_t1(secure, wrong, tmp_path: Path, slapd: Slapd):
    made = {"authority": {}, "name": {"names": ("elsewhere.example",)}, "expired": {"expired": True}}[wrong]
    other = make_slapd(tmp_path / wrong, **made)  # type: ignore[arg-type]
    try:
        ca_file = slapd.ca_file if wrong == "authority" else other.ca_file
        client = LdapDirectory(
            config(other, ca_file=str(ca_file), urls=[other.tls_url if secure else other.url], start_tls=not secure)
        )
        answer = client.sign_in("zoe", "secret")
    finally:
        other.stop()
    assert isinstance(answer, Unknown)
    assert answer.reason == "tls"


def test_a_wrong_service_password_is_told_apart(slapd):
    answer = LdapDirectory(config(slapd, bind_password="wrong")).sign_in("zoe", "secret")
    assert isinstance(answer, Unknown)
    assert answer.reason == "service_account"


def test_nobody_listens(slapd):
    answer = LdapDirectory(config(slapd, urls=[f"ldap://127.0.0.1:{free_port()}"])).sign_in("zoe", "secret")
    assert isinstance(answer, Unknown)
    assert answer.reason == "unreachable"


def test_passwords_never_travel_in_clear_to_another_machine(slapd):
    answer = LdapDirectory(config(slapd, urls=["ldap://192.0.2.1"], start_tls=False)).sign_in("zoe", "secret")
    assert answer == Unknown("configuration", answer.detail)


def test_a_cut_list_is_not_an_answer_t7(tmp_path: Path):
    small = make_slapd(tmp_path / "small", sizelimit=2)
    client = LdapDirectory(config(small))
    try:
        answer = client.sign_in("zoe", "secret")
    finally:
        client.close()
        small.stop()
    assert isinstance(answer, Unknown)
    assert answer.reason == "size_limit"


def test_the_second_server_answers_when_the_first_is_down_t13(slapd):
    client = LdapDirectory(config(slapd, urls=[f"ldap://127.0.0.1:{free_port()}", slapd.url]))
    assert isinstance(client.sign_in("zoe", "secret"), Yes)
    client.close()


def test_a_stale_connection_is_replaced_t11(tmp_path: Path):
    restarted = make_slapd(tmp_path / "restarted")
    client = LdapDirectory(config(restarted))
    try:
        assert isinstance(client.sign_in("zoe", "secret"), Yes)
        restarted.stop()
        restarted.start()
        assert isinstance(client.sign_in("zoe", "secret"), Yes)
    finally:
        client.close()
        restarted.stop()


def test_one_wrong_password_is_one_bind_on_one_server_t12(slapd):
    relay = Relay(slapd.port)
    client = LdapDirectory(
        config(slapd, urls=[f"ldap://127.0.0.1:{relay.port}", f"ldap://127.0.0.1:{relay.port}"], start_tls=False)
    )
    assert client.sign_in("zoe", "definitely-wrong") == No("wrong_password")
    client.close()
    relay.listener.close()
    assert relay.seen.count(b"definitely-wrong") == 1


def test_the_check_counts_people_and_groups(directory):
    found = {finding.code: finding for finding in directory.diagnose()}
    assert all(finding.ok for finding in found.values())
    assert found["people"].params["count"] == 6 + len(AWKWARD)


def test_the_check_names_a_bad_base(slapd):
    client = LdapDirectory(config(slapd, people_base="ou=nowhere,dc=acme,dc=example"))
    codes = {finding.code: finding.ok for finding in client.diagnose()}
    client.close()
    assert codes["base_missing"] is False


def test_a_group_is_found_by_name_and_by_dn_with_its_id(directory):
    [inner] = directory.find_group("inner")
    assert (inner.dn, inner.name, len(inner.id)) == (f"cn=inner,{GROUPS}", "inner", 36)
    assert directory.find_group(f"CN=Inner, {GROUPS}") == [inner]
    assert directory.find_group("nothing") == []


def test_groups_of_a_person_carry_their_ids(directory):
    [inner] = directory.find_group("inner")
    answer = directory.sign_in("zoe", "secret")
    assert isinstance(answer, Yes)
    assert inner in answer.groups


def test_a_group_is_followed_by_its_id_and_surely_gone_when_it_is(directory):
    [inner] = directory.find_group("inner")
    assert directory.group(Group("cn=elsewhere", inner.id)) == inner
    assert directory.group(Group(inner.dn)) == inner
    assert directory.group(Group(inner.dn, "00000000-0000-0000-0000-000000000000")) is None
    assert directory.group(Group(f"cn=nothing,{GROUPS}")) is None


def test_a_picker_finds_groups_by_any_part_of_their_name(directory):
    assert [group.name for group in directory.search_groups("NNE")] == ["inner"]
    assert len(directory.search_groups("e", limit=2)) == 2
    assert directory.search_groups("*)(cn=*") == []


@pytest.mark.parametrize(("group", "logins", "direct"), [
    ("inner", {"zoe"}, 2), ("outer", {"zoe"}, 1), ("unique", {"zoe"}, 1), ("posix", {"zoe"}, 1), ("others", {"eleve"}, 1),
])  # fmt: skip
def test_members_are_everybody_down_the_nesting_with_a_cycle(group, logins, direct, directory):
    [found] = directory.find_group(group)
    assert {person.login for person in directory.members(found)} == logins
    assert directory.count_members(found) == direct


@pytest.mark.parametrize("number", range(len(AWKWARD)))
def test_members_of_awkward_names(number, directory):
    [found] = directory.find_group(f"cn={AWKWARD[number]},{GROUPS}")
    assert {person.login for person in directory.members(found)} == {f"awkward{number}"}


def test_people_are_found_as_one_types_and_by_their_place(directory):
    [zoe] = [person for person in directory.search_people("ZO") if person.login == "zoe"]
    assert directory.person(zoe.dn) == zoe
    assert directory.person(f"uid=nobody,{PEOPLE}") is None
    assert len(directory.search_people("awkward", limit=3)) == 3
