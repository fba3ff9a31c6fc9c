"""The demonstration directory is spoken to by ldap3 itself, and never gives a password away."""

from __future__ import annotations

import socket
import ssl

import ldap3
import pytest

from demo import people
from demo.certificates import Authority
from demo.directory import DirectoryServer
from demo.directory_tree import BASE

CHLOE = f"uid=chloe.lefevre,{people.PEOPLE_BASE}"


@pytest.fixture
def server(tmp_path):
    authority = Authority.create(tmp_path)
    made = DirectoryServer(people.sample_tree(), certificate=authority.issue(["127.0.0.1", "localhost"]))
    made.start()
    yield made
    made.stop()


@pytest.fixture
def connection(server):
    """Bound as the portal's service account, over StartTLS."""
    tls = ldap3.Tls(validate=ssl.CERT_NONE)
    made = ldap3.Connection(
        ldap3.Server("127.0.0.1", server.port, tls=tls, get_info=ldap3.NONE),
        people.SERVICE_DN, people.SERVICE_PASSWORD, check_names=False,
    )  # fmt: skip
    assert made.start_tls()
    assert made.bind()
    yield made
    made.unbind()


def logins(connection, test, base=people.PEOPLE_BASE, **how):
    connection.search(base, test, attributes=["uid"], **how)
    return [entry["attributes"]["uid"][0] for entry in connection.response if entry.get("attributes", {}).get("uid")]


@pytest.mark.parametrize(("test", "found"), [
    ("(uid=chloe.lefevre)", ["chloe.lefevre"]), ("(UID=CHLOE.LEFEVRE)", ["chloe.lefevre"]),
    ("(cn=chloé lefèvre)", ["chloe.lefevre"]), ("(cn=Martin, Zoé)", ["zoe.martin"]),
    ("(sn=*zz*)", []), ("(sn=O'N*)", ["loic.oneill"]), ("(cn=Chlo*Lef*vre)", ["chloe.lefevre"]), ("(sn=*rez)", ["jose.perez"]),
    ("(&(uid=chloe*)(!(uid=hugo*)))", ["chloe.lefevre"]), ("(|(uid=hugo.garcon)(uid=nobody))", ["hugo.garcon"]),
    ("(uid=\\2a)", []), ("(uid=*\\00*)", []), ("(&(objectClass=person)(employeeType=CC-010))",
     ["marie-helene.dacosta", "francois-xavier.le-goff"]),
    (f"(memberOf={people.GROUP_STAGIAIRES})", ["amelie.noel"]), ("(nothing=*)", []), ("(userPassword=*)", []),
    (f"(&(uid=*)(manager=uid=Marie-Helene.DaCosta, {people.PEOPLE_BASE})(employeeType=CC-420))", ["hugo.garcon", "solene.riviere"]),
])  # fmt: skip
def test_filters_answer_as_a_directory_does(test, found, connection):
    assert logins(connection, test) == found


def test_nested_groups_are_read_by_member(connection):
    connection.search(people.GROUPS_BASE, f"(member={people.GROUP_STAGIAIRES})", attributes=["cn"])

    assert [entry["dn"] for entry in connection.response] == [people.GROUP_ACHATS]


@pytest.mark.parametrize("attributes", [["*"], ["userPassword"], ["*", "+"], ["USERPASSWORD"], []])
def test_no_search_returns_a_password(attributes, connection):
    connection.search(BASE, "(objectClass=*)", attributes=attributes)

    assert connection.response
    for entry in connection.response:
        # ldap3 itself adds an empty value for whatever was asked for and not given.
        assert "userpassword" not in {name.lower() for name, value in entry.get("attributes", {}).items() if value}
        assert people.PASSWORD.encode() not in repr(entry).encode()


def test_pages_give_everybody_once(connection):
    pages = connection.extend.standard.paged_search(
        people.PEOPLE_BASE, "(uid=*)", attributes=["uid"], paged_size=7, generator=False
    )

    names = [entry["attributes"]["uid"][0] for entry in pages]
    assert len(names) == len(set(names)) == len(people.PEOPLE_OF_ACME)


def test_a_size_limit_cuts_and_says_so(connection):
    assert len(logins(connection, "(uid=*)", size_limit=3)) == 3
    assert connection.result["description"] == "sizeLimitExceeded"


def test_a_base_that_is_not_there_says_so(connection):
    logins(connection, "(uid=*)", base="ou=nobody,dc=acme,dc=example")

    assert connection.result["description"] == "noSuchObject"


@pytest.mark.parametrize(("dn", "password", "result"), [
    (CHLOE, people.PASSWORD, "success"), (CHLOE.upper(), people.PASSWORD, "success"),
    (CHLOE, "wrong", "invalidCredentials"), ("uid=nobody,dc=acme,dc=example", "x", "invalidCredentials"),
])  # fmt: skip
def test_a_bind_is_right_or_wrong(dn, password, result, server):
    tls = ldap3.Tls(validate=ssl.CERT_NONE)
    made = ldap3.Connection(ldap3.Server("127.0.0.1", server.port, tls=tls, get_info=ldap3.NONE), dn, password)
    made.start_tls()
    made.bind()

    assert made.result["description"] == result
    made.unbind()


def test_nobody_reads_without_a_bind(server):
    made = ldap3.Connection(ldap3.Server("127.0.0.1", server.port, get_info=ldap3.NONE), check_names=False)
    made.bind()
    made.search(people.PEOPLE_BASE, "(uid=*)")

    assert made.result["description"] != "success" or not made.response
    made.unbind()


@pytest.mark.parametrize(
    "sent", [b"GET / HTTP/1.1\r\n\r\n", b"\x30\x84\xff\xff\xff\xff", b"\x30\x05\x02\x01\x01\x63\x00", b"\x00" * 50]
)
def test_garbage_ends_its_own_conversation_only(sent, server, connection):
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as caller:
        caller.sendall(sent)
        caller.shutdown(socket.SHUT_WR)
        while caller.recv(4096):
            pass

    assert logins(connection, "(uid=hugo.garcon)") == ["hugo.garcon"]
