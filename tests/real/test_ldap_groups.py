"""Groups of every kind, of every size and of every name, up and down, against a real slapd."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from portal.directory import lookup, named
from portal.directory.answers import Group, No, Yes
from portal.directory.ldap import Link
from portal.directory.lookup import LdapDirectory
from tests.real.slapd import BASE, GROUPS, PEOPLE, Slapd, entry, group, line, make_slapd, person, site

STRANGE = (
    "guillemets \\\"doubles\\\"", "a\\, b\\, c", "R/D\\\\x/y", "\u05d0\u05d1\u05d2 \u0645\u0631\u062d\u0628\u0627",
    "\\<b onclick=\\\"x\\\"\\>gras\\</b\\>", "\\#1 (tous) * | & !", "\u202eevil", "plus\\+moins\\=z\u00e9ro",
)  # fmt: skip
IPA = """
attributetype ( 2.16.840.1.113730.3.8.3.1 NAME 'ipaUniqueID' EQUALITY caseExactMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 2.16.840.1.113730.3.1.610 NAME 'nsAccountLock' EQUALITY booleanMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.7 SINGLE-VALUE )
attributetype ( 2.16.840.1.113719.1.301.4.42.1 NAME 'krbPrincipalExpiration' EQUALITY generalizedTimeMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.24 SINGLE-VALUE )
objectclass ( 2.16.840.1.113730.3.8.4.1 NAME 'ipaObject' SUP top AUXILIARY MAY ( ipaUniqueID $ nsAccountLock $ krbPrincipalExpiration ) )
objectclass ( 2.16.840.1.113730.3.8.4.2 NAME 'ipaUserGroup' SUP top AUXILIARY )
"""
POSIX = ("posixAccount",)


def posix_person(login: str, gid: int, *more: str, classes: tuple[str, ...] = POSIX) -> str:
    attributes = (f"uidNumber: {gid}", f"gidNumber: {gid}", "homeDirectory: /", *more)
    return person(login, more=attributes, classes=classes)


def member_of(*names: str) -> tuple[str, ...]:
    return tuple(f"memberOf: cn={name},{GROUPS}" for name in names)


MORE = "\n".join([
    posix_person("primary", 700), posix_person("second", 701),
    entry(f"cn=seven hundred,{GROUPS}", "objectClass: posixGroup", "cn: seven hundred", "gidNumber: 700", "memberUid: zoe"),
    group(f"cn=over posix,{GROUPS}", f"cn=seven hundred,{GROUPS}"),
    entry(f"uid=two.names,{PEOPLE}", "objectClass: inetOrgPerson", "uid: first.name", "uid: two.names", "cn: Two", "sn: X",
          "userPassword: secret"),
    entry(f"cn=of second names,{GROUPS}", "objectClass: posixGroup", "cn: of second names", "gidNumber: 702",
          "memberUid: two.names"),
    entry(f"cn=dynamic,{GROUPS}", "objectClass: groupOfURLs", "cn: dynamic"),
    group(f"cn=over dynamic,{GROUPS}", f"cn=dynamic,{GROUPS}"),
    group(f"cn=left,{GROUPS}", f"uid=zoe,{PEOPLE}"),
    person("claims", more=member_of("dynamic", "left", "vanished")),
    entry(f"cn=mixed,{GROUPS}", "objectClass: groupOfNames", "cn: mixed", f"member: uid=zoe,{PEOPLE}",
          f"member: cn=inner,{GROUPS}", f"member: uid=gone,{PEOPLE}", f"member: uid=outside,ou=elsewhere,{BASE}"),
    posix_person("ipa.zoe", 800, "ipaUniqueID: AAAA-1", *member_of("ipa direct", "ipa above"), classes=(*POSIX, "ipaObject")),
    posix_person("ipa.locked", 801, "ipaUniqueID: AAAA-2", "nsAccountLock: TRUE", classes=(*POSIX, "ipaObject")),
    posix_person("ipa.ended", 802, "ipaUniqueID: AAAA-3", "krbPrincipalExpiration: 20200101000000Z", classes=(*POSIX, "ipaObject")),
    posix_person("ipa.later", 803, "ipaUniqueID: AAAA-4", "krbPrincipalExpiration: 29990101000000Z", classes=(*POSIX, "ipaObject")),
    entry(f"cn=ipa direct,{GROUPS}", "objectClass: groupOfNames", "objectClass: ipaObject", "objectClass: ipaUserGroup",
          "cn: ipa direct", f"member: uid=ipa.zoe,{PEOPLE}", "ipaUniqueID: BBBB-1"),
    entry(f"cn=ipa above,{GROUPS}", "objectClass: groupOfNames", "objectClass: ipaObject", "objectClass: ipaUserGroup",
          "cn: ipa above", f"member: cn=ipa direct,{GROUPS}", "ipaUniqueID: BBBB-2"),
    entry(f"cn=both,{GROUPS}", "objectClass: groupOfUniqueNames", "cn: both", f"uniqueMember: uid=zoe,{PEOPLE}",
          f"uniqueMember: uid=primary,{PEOPLE}"),
    *(group(f"cn={name},{GROUPS}", f"uid=awkward{number},{PEOPLE}", f"uid=primary,{PEOPLE}") for number, name in enumerate(STRANGE)),
])  # fmt: skip


@pytest.fixture(scope="module")
def slapd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slapd]:
    # The overlay's module brings memberOf; nothing keeps it, so that it may say what no list does.
    running = make_slapd(tmp_path_factory.mktemp("groups"), more=MORE, modules=("memberof",), definitions=IPA)
    yield running
    running.stop()


@pytest.fixture
def directory(slapd: Slapd) -> Iterator[LdapDirectory]:
    client = LdapDirectory(site(slapd))
    yield client
    client.close()


def names(answer: object) -> set[str]:
    assert isinstance(answer, Yes), answer
    return {group.name for group in answer.groups}


def members(client: LdapDirectory, name: str) -> set[str]:
    [found] = client.find_group(name)
    return {person.login for person in client.members(found)}


def test_a_primary_group_by_its_number_and_what_is_above_it(directory):
    assert {"seven hundred", "over posix"} <= names(directory.sign_in("primary", "secret"))
    assert {"seven hundred", "over posix"} <= names(directory.sign_in("zoe", "secret"))
    assert "seven hundred" not in names(directory.sign_in("second", "secret"))


def test_members_by_primary_number_by_login_and_above(directory):
    assert members(directory, "seven hundred") == members(directory, "over posix") == {"primary", "zoe"}
    [found] = directory.find_group("seven hundred")
    assert directory.count_members(found) == 2


def test_a_second_login_counts_in_a_list_of_logins(directory):
    assert names(directory.sign_in("two.names", "secret")) == {"of second names"}
    assert members(directory, "of second names") == {"first.name"}


def test_member_of_counts_where_no_list_contradicts_it(directory):
    assert names(directory.sign_in("claims", "secret")) == {"dynamic", "over dynamic"}
    assert members(directory, "dynamic") == members(directory, "over dynamic") == {"claims"}
    assert members(directory, "left") == {"zoe"}


def test_without_nesting_only_the_groups_one_is_in_by_oneself(slapd):
    client = LdapDirectory(site(slapd, nested=False))

    assert {"inner", "unique", "posix"} <= names(client.sign_in("zoe", "secret"))
    assert "middle" not in names(client.sign_in("zoe", "secret"))
    assert members(client, "middle") == set()
    client.close()


def test_a_list_that_names_groups_strangers_and_people_gone_gives_those_who_may_come_in(directory):
    assert members(directory, "mixed") == {"zoe"}


def test_freeipa_by_its_own_id_with_member_of_and_locked_accounts(slapd):
    client = LdapDirectory(site(slapd, preset="freeipa"))
    answer = client.sign_in("ipa.zoe", "secret")

    assert names(answer) == {"ipa direct", "ipa above"}
    assert (answer.person.id, {group.id for group in answer.groups}) == ("aaaa-1", {"bbbb-1", "bbbb-2"})
    assert client.sign_in("ipa.locked", "secret") == No("disabled")
    assert client.sign_in("ipa.ended", "secret") == No("expired")
    assert isinstance(client.sign_in("ipa.later", "secret"), Yes)
    assert members(client, "ipa above") == {"ipa.zoe"}
    client.close()


def test_freeipa_without_nesting_does_not_believe_a_member_of_that_is_effective(slapd):
    client = LdapDirectory(site(slapd, preset="freeipa", nested=False))

    assert names(client.sign_in("ipa.zoe", "secret")) == {"ipa direct"}
    client.close()


def test_lldap_by_unique_members(slapd):
    client = LdapDirectory(site(slapd, preset="lldap"))

    assert {"unique", "both"} <= names(client.sign_in("zoe", "secret"))
    assert members(client, "both") == {"zoe", "primary"}
    assert {found.name for found in client.search_groups("")} == {"unique", "both"}
    client.close()


@pytest.mark.parametrize("number", range(len(STRANGE)))
def test_a_strange_name_is_found_matched_and_listed(number, directory):
    dn = f"cn={STRANGE[number]},{GROUPS}"
    [found] = directory.find_group(dn)

    assert directory.find_group(found.name) == [found]
    assert found in directory.search_groups(found.name[1:-1])
    assert found in directory.sign_in("primary", "secret").groups
    assert directory.group(Group(dn)) == directory.group(found) == found
    assert members(directory, found.dn) == {"primary"}


@pytest.mark.parametrize("text", ["", " ", "*", "(", ")(cn=*", "\\", "\\2a", "=", "cn=", "a=b,c", "x" * 5000, "\0"])
def test_whatever_is_typed_into_a_picker_is_text(text, directory):
    assert all(isinstance(found, Group) for found in directory.search_groups(text, limit=5))
    assert isinstance(directory.search_people(text, limit=5), list)
    assert directory.find_group(text) == []


def test_a_group_outside_the_base_is_not_one(directory):
    assert directory.find_group(f"cn=default,ou=policies,{BASE}") == []
    assert directory.find_group(f"uid=zoe,{PEOPLE}") == []
    assert directory.group(Group(f"uid=zoe,{PEOPLE}")) is None


def test_people_and_groups_under_one_base_are_told_apart(slapd):
    client = LdapDirectory(site(slapd, people_base=BASE, groups_base=BASE))

    assert {"inner", "middle", "outer", "unique", "posix"} <= names(client.sign_in("zoe", "secret"))
    assert members(client, "outer") == {"zoe"}
    assert members(client, "mixed") == {"zoe", "outside"}
    assert [found.name for found in client.search_groups("dupont")] == ["Dupont, Zo\u00e9"]
    client.close()


def test_more_members_than_the_size_limit_are_still_listed_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(named, "MANY", 100)
    logins = [f"n{number}" for number in range(150)]
    more = [
        *(person(login) for login in logins),
        group(f"cn=many,{GROUPS}", *(f"uid={login},{PEOPLE}" for login in logins)),
    ]
    limited = make_slapd(tmp_path / "limited", more="\n".join(more), sizelimit=60)
    client = LdapDirectory(site(limited))
    try:
        assert members(client, "many") == set(logins)
    finally:
        client.close()
        limited.stop()


CROWD, MANY = 50_000, 5_000


def _crowd() -> Iterator[str]:
    for number in range(CROWD):
        yield f"dn: uid=p{number},{PEOPLE}\nobjectClass: inetOrgPerson\nuid: p{number}\ncn: P {number}\nsn: X\n"
    listed = "\n".join(f"member: uid=p{number},{PEOPLE}" for number in range(CROWD))
    yield f"dn: cn=everybody,{GROUPS}\nobjectClass: groupOfNames\ncn: everybody\nmember: uid=zoe,{PEOPLE}\n{listed}\n"
    yield f"dn: cn=above everybody,{GROUPS}\nobjectClass: groupOfNames\ncn: above everybody\nmember: cn=everybody,{GROUPS}\n"
    for number in range(MANY):
        yield entry(
            f"cn=team {number},{GROUPS}", "objectClass: groupOfNames", f"cn: team {number}", line("description", "Équipe"),
            f"member: uid=p{number},{PEOPLE}",
        )  # fmt: skip


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slapd]:
    running = make_slapd(
        tmp_path_factory.mktemp("crowd"), more="\n".join(_crowd()), sizelimit="unlimited", indexes="objectClass,uid,cn,member,entryUUID eq",
    )  # fmt: skip
    yield running
    running.stop()


def test_a_group_of_50_000_is_listed_whole_and_costs_a_sign_in_nothing(crowded, monkeypatch):
    monkeypatch.setattr(lookup, "LONGEST_LISTING_S", 600.0)
    client = LdapDirectory(site(crowded, timeout=60))
    [everybody] = client.find_group("everybody")
    [above] = client.find_group("above everybody")

    found = client.members(above)
    assert len(found) == CROWD + 1
    received, search = [0], Link.search

    def counted(link, *asked, **how):
        entries, cookie = search(link, *asked, **how)
        received[0] += sum(len(values) for entry in entries for values in entry.attributes.values())
        return entries, cookie

    monkeypatch.setattr(Link, "search", counted)
    assert {"everybody", "above everybody"} <= names(client.sign_in("zoe", "secret"))
    assert 0 < received[0] < 200
    monkeypatch.setattr(Link, "search", search)
    assert client.count_members(everybody) == CROWD + 1
    assert all(person.id for person in found)
    client.close()


def test_5_000_groups_are_searched_and_resolved_as_one_types(crowded):
    client = LdapDirectory(site(crowded, timeout=60))

    assert len(client.search_groups("team")) == 20
    assert len(client.search_groups("équipe", limit=50)) == 50
    [found] = client.find_group("team 4999")
    assert client.group(found) == found
    assert members(client, "team 4999") == {"p4999"}
    client.close()
