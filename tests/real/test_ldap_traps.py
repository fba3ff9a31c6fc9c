"""The rest of ldap3's traps, T2 … T18, each against a real slapd; those of Active Directory are in test_samba.py."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime

import ldap3
import pytest

from portal.directory.answers import No, Unknown, Yes
from portal.directory.ldap import Link
from portal.directory.lookup import LdapDirectory
from tests.real.relay import Relay
from tests.real.slapd import BASE, GROUPS, PEOPLE, Slapd, entry, make_slapd, person, site

POLICIES = "\n".join([
    entry(f"ou=policies,{BASE}", "objectClass: organizationalUnit", "ou: policies"),
    entry(f"cn=default,ou=policies,{BASE}", "objectClass: device", "objectClass: pwdPolicy", "cn: default",
          "pwdAttribute: userPassword", "pwdMustChange: TRUE", "pwdMaxAge: 86400", "pwdLockout: TRUE", "pwdMaxFailure: 3"),
    entry(f"cn=graceful,ou=policies,{BASE}", "objectClass: device", "objectClass: pwdPolicy", "cn: graceful",
          "pwdAttribute: userPassword", "pwdMaxAge: 86400", "pwdGraceAuthNLimit: 5"),
    person("reset", more=("pwdReset: TRUE",)), person("aged", more=("pwdChangedTime: 20200101000000Z",)),
    person("graceful", more=("pwdChangedTime: 20200101000000Z", f"pwdPolicySubentry: cn=graceful,ou=policies,{BASE}")),
    person("failing"),
])  # fmt: skip
TODAY = int(datetime.now(UTC).timestamp()) // 86_400


def shadow(login: str, day: int) -> str:
    """A person with an end."""
    more = ("uidNumber: 1", "gidNumber: 1", "homeDirectory: /", f"shadowExpire: {day}")
    return person(login, more=more, classes=("posixAccount", "shadowAccount"))


MORE = "\n".join(
    [POLICIES, shadow("past", TODAY), shadow("future", TODAY + 2), shadow("never", -1), shadow("long.past", 0)]
)


@pytest.fixture(scope="module")
def slapd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slapd]:
    running = make_slapd(
        tmp_path_factory.mktemp("traps"), more=MORE, modules=("ppolicy",),
        overlays=f'overlay ppolicy\nppolicy_default "cn=default,ou=policies,{BASE}"\nppolicy_use_lockout',
    )  # fmt: skip
    yield running
    running.stop()


@pytest.fixture
def directory(slapd: Slapd) -> Iterator[LdapDirectory]:
    client = LdapDirectory(site(slapd))
    yield client
    client.close()


@pytest.mark.parametrize("secure", [True, False])
def test_the_certificate_of_an_ip_address_is_checked_without_match_hostname_t2(secure, slapd, monkeypatch):
    # As on Python 3.12: ldap3's own copy of this function would refuse every IP address.
    monkeypatch.delattr(ssl, "match_hostname", raising=False)
    client = LdapDirectory(site(slapd, urls=[slapd.tls_url if secure else slapd.url], start_tls=not secure))

    assert isinstance(client.sign_in("zoe", "secret"), Yes)
    client.close()


@pytest.mark.parametrize("secure", [True, False])
def test_no_sign_in_waits_for_delayed_acknowledgements_t3(secure, slapd, monkeypatch):
    """The kernel delays an acknowledgement by 40 ms; without TCP_NODELAY every sign-in waits for one."""
    opened, at_once = Link.open, []

    def opening(*how: object) -> Link:
        link = opened(*how)  # type: ignore[arg-type]
        at_once.append(link._connection.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0)
        return link

    monkeypatch.setattr(Link, "open", opening)
    client = LdapDirectory(site(slapd, urls=[slapd.tls_url if secure else slapd.url], start_tls=not secure))

    assert isinstance(client.sign_in("zoe", "secret"), Yes)

    # The service's connection, and the person's own.
    assert at_once == [True, True]
    client.close()


def test_an_attribute_the_schema_does_not_know_breaks_nothing_t4(slapd):
    client = LdapDirectory(site(slapd, attributes={"cost_centre": "acmeCostCentre", "department": "noSuchAttribute"}))

    answer = client.sign_in("zoe", "secret")

    assert isinstance(answer, Yes)
    assert (answer.person.cost_centre, answer.person.name) == ("", "Zoe")
    client.close()


def test_no_schema_is_read_and_ids_arrive_whole_t4(slapd):
    relay = Relay(slapd.port)
    client = LdapDirectory(site(slapd, urls=[relay.url], start_tls=False))

    answer = client.sign_in("zoe", "secret")

    assert isinstance(answer, Yes)
    assert len(answer.person.id) == 36
    assert b"subschema" not in relay.seen
    assert b"cn=Subschema" not in relay.seen
    client.close()
    relay.close()


@pytest.mark.parametrize(("login", "password"), [
    ("", "secret"), ("zoe", ""), (" ", "secret"), ("\u00a0", "secret"), ("zoe\0", "secret"), ("zoe", "secret\0"),
    ("zoe\n", "secret"), ("zoe", "sec\tret"), ("zoe\x7f", "secret"), ("zoe\x85", "secret"), ("zoe\ud800", "secret"),
    ("zoe", "secret\udfff"), ("z" * 257, "secret"), ("zoe", "s" * 1025),
])  # fmt: skip
def test_what_is_empty_or_controls_never_reaches_the_directory_t8_t10(login, password, slapd):
    relay = Relay(slapd.port)
    client = LdapDirectory(site(slapd, urls=[relay.url], start_tls=False))

    assert isinstance(client.sign_in(login, password), No)
    assert relay.connections == 0
    relay.close()


def test_an_empty_service_name_is_never_taken_for_a_person_t8(slapd):
    # ldap3 binds anonymously, and says yes, when the name is empty; here that is only the service's way in.
    client = LdapDirectory(site(slapd, bind_dn="", bind_password="", timeout=2))

    assert isinstance(client.sign_in("zoe", "secret"), No | Unknown)
    client.close()


def test_a_group_dn_written_otherwise_is_the_same_group_t14(slapd, directory):
    [group] = directory.find_group(f"cn=Dupont\\, Zoé,{GROUPS}")

    for written in (
        f"CN=dupont\\2C zo\\C3\\A9 , {GROUPS.upper()}",
        f'cn="Dupont, Zoé",{GROUPS}',
        f"2.5.4.3=Dupont\\, Zoe\u0301,{GROUPS}",
    ):
        assert directory.find_group(written) == [group]


def test_a_renamed_group_keeps_its_id_t14(slapd, directory):
    before = directory.sign_in("awkward1", "secret")
    admin = ldap3.Connection(
        ldap3.Server("127.0.0.1", port=slapd.port, get_info=ldap3.NONE), f"cn=root,{BASE}", "root", auto_bind=True
    )
    [group] = before.groups
    admin.modify_dn(group.dn, "cn=renamed")

    [after] = directory.read(before.person.id).groups

    assert (after.id, after.name) == (group.id, "renamed")
    assert group.key == after.key
    admin.modify_dn(after.dn, "cn=R\\+D")
    admin.unbind()


@pytest.mark.parametrize(("login", "reason"), [("reset", "must_change"), ("aged", "password_expired")])
def test_the_password_policy_says_why_t17(login, reason, directory):
    assert directory.sign_in(login, "secret") == No(reason)
    assert directory.sign_in(login, "wrong") == No("wrong_password")


def test_an_expired_password_with_logins_left_still_signs_in_t17(directory):
    assert isinstance(directory.sign_in("graceful", "secret"), Yes)


def test_a_locked_account_is_told_apart_where_the_directory_tells_t17(directory):
    reasons = [directory.sign_in("failing", "wrong") for _ in range(3)]

    assert set(reasons) == {No("wrong_password")}
    assert directory.sign_in("failing", "secret") == No("locked")


@pytest.mark.parametrize("login", ["past", "long.past"])
def test_an_account_past_its_shadow_end_is_expired(login, slapd):
    relay = Relay(slapd.port)
    client = LdapDirectory(site(slapd, urls=[relay.url], start_tls=False))

    assert client.sign_in(login, "a-right-or-wrong-password") == No("expired")
    assert b"a-right-or-wrong-password" not in relay.seen
    client.close()
    relay.close()


@pytest.mark.parametrize("login", ["future", "never"])
def test_an_account_before_its_shadow_end_signs_in(login, directory):
    answer = directory.sign_in(login, "secret")

    assert isinstance(answer, Yes)
    assert directory.read(answer.person.id) == answer


def test_a_tls_fault_has_one_reason_however_it_arrives_t18(slapd, tmp_path):
    other = make_slapd(tmp_path / "other")
    try:
        for changes in ({"urls": [other.tls_url], "start_tls": False}, {"urls": [other.url]}):
            answer = LdapDirectory(site(slapd, **changes)).sign_in("zoe", "secret")
            assert (answer.reason, "local issuer" in answer.detail or "self-signed" in answer.detail) == ("tls", True)
    finally:
        other.stop()


def test_a_server_that_refuses_starttls_is_told_apart_and_given_no_password_t18(company):
    # The demonstration's directory without a certificate: it answers that it does not support StartTLS.
    from demo.directory import DirectoryServer

    plain = DirectoryServer(company.directory.tree)
    plain.start()
    try:
        config = site(Slapd(company.ca_file.parent, plain.port, 0, company.ca_file), people_base=PEOPLE)
        answer = LdapDirectory(config).sign_in("zoe", "secret")
    finally:
        plain.stop()
    assert isinstance(answer, Unknown)
    assert answer.reason == "start_tls"


def test_a_port_that_speaks_no_tls_is_a_fault_of_tls_t18(slapd):
    answer = LdapDirectory(site(slapd, urls=[f"ldaps://127.0.0.1:{slapd.port}"], start_tls=False)).sign_in("zoe", "x")

    assert isinstance(answer, Unknown)
    assert answer.reason in {"tls", "unreachable"}
