"""Acceptance 3: the portal over a running slapd whose groups change, and which stops in mid-session."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from pathlib import Path

import ldap3
import pytest
from sqlalchemy import select

from demo.companies import COMPANIES
from demo.company import Company
from portal import audit, settings
from portal.catalog.synchronisation import synchronise
from portal.directory import accounts
from portal.directory.answers import Group
from portal.directory.sessions import SignedSession
from portal.installation import Installation, open_installation
from portal.migrations import schema
from portal.rights.rules import add_rule
from portal.rights.scopes import Scope
from tests.conftest import Visitor
from tests.real.slapd import BASE, GROUPS, PEOPLE, SERVICE, SERVICE_PASSWORD, Slapd, make_slapd

SIREN = next(siren for siren in COMPANIES if not siren.endswith("7"))
SECTION = """[directory]
urls = ["{slapd.url}"]
start_tls = true
ca_file = "{slapd.ca_file}"
bind_dn = "{dn}"
bind_password = "{password}"
people_base = "{people}"
groups_base = "{groups}"
timeout = 5
when_down = "{when_down}"

"""


@pytest.fixture
def slapd(tmp_path: Path) -> Iterator[Slapd]:
    running = make_slapd(tmp_path / "slapd")
    yield running
    running.stop()


@pytest.fixture
def when_down(request: pytest.FixtureRequest) -> str:
    return getattr(request, "param", "browse")


@pytest.fixture
def installation(company: Company, slapd: Slapd, when_down: str, tmp_path: Path) -> Iterator[Installation]:
    """The company with a slapd for its directory; who is in `outer`, also through others, may buy."""
    section = SECTION.format(
        slapd=slapd, dn=SERVICE, password=SERVICE_PASSWORD, people=PEOPLE, groups=GROUPS, when_down=when_down
    )
    text = re.sub(r"\[directory\].*?(?=\[operator\])", section, company.configuration(8000), flags=re.DOTALL)
    path = tmp_path / "portal.toml"
    path.write_text(text, encoding="utf-8")
    house = open_installation(settings.load(path, {}))
    schema.upgrade(house.database)
    synchronise(house.database, house.merchants)
    [outer] = house.directory.find_group("outer")
    with house.database.transaction() as session:
        add_rule(session, "test", outer, Scope("all"), "buy", "allow")
    yield house
    house.close()


@pytest.fixture
def zoe(app) -> Visitor:
    someone = Visitor(app)
    assert "Zoe" in someone.sign_in("zoe", "secret")
    return someone


def change(slapd: Slapd, dn: str, **values: list[tuple[str, list[str]]]) -> None:
    admin = ldap3.Connection(
        ldap3.Server("127.0.0.1", port=slapd.port, get_info=ldap3.NONE), f"cn=root,{BASE}", "root", auto_bind=True
    )
    assert admin.modify(dn, values), admin.result
    admin.unbind()


def live_sessions(installation: Installation) -> int:
    with installation.database.reading() as session:
        return len(session.scalars(select(SignedSession).where(SignedSession.ended_at.is_(None))).all())


def test_leaving_a_group_stops_the_very_next_confirmation(zoe, slapd, installation, company):
    token = zoe.ask_price("registre-kbis", siren=SIREN)
    change(slapd, f"cn=middle,{GROUPS}", member=[("MODIFY_REPLACE", [f"uid=eleve,{PEOPLE}"])])

    assert zoe.confirm(token) == ""
    assert "Vos groupes ne vous donnent pas le droit" in zoe.text
    assert company.operator.book.charges() == []
    with installation.database.reading() as session:
        entry = session.scalars(select(audit.AuditEntry).where(audit.AuditEntry.action == "groups_changed")).one()
    assert f"cn=outer,{GROUPS}" in entry.before["groups"]
    assert f"cn=outer,{GROUPS}" not in entry.after["groups"]


def test_joining_a_group_allows_the_very_next_confirmation(zoe, slapd, app):
    change(slapd, f"cn=others,{GROUPS}", member=[("MODIFY_ADD", [f"uid=zoe,{PEOPLE}"])])
    change(slapd, f"cn=inner,{GROUPS}", member=[("MODIFY_ADD", [f"cn=others,{GROUPS}"])])

    eleve = Visitor(app)
    eleve.sign_in("eleve", "été")
    assert eleve.confirm(eleve.ask_price("registre-kbis", siren=SIREN))


def test_a_directory_that_stops_in_mid_session_lets_browse_and_deactivates_nobody(
    zoe, slapd, installation, company, later
):
    token = zoe.ask_price("registre-kbis", siren=SIREN)
    slapd.stop()
    later(minutes=6)

    assert 'id="buy-registre-kbis"' in zoe.get("/")
    assert zoe.confirm(token) == ""
    assert company.operator.book.charges() == []
    assert live_sessions(installation) == 1
    with installation.database.reading() as session:
        account = accounts.find(session, "zoe")
        assert f"cn=outer,{GROUPS}" in account.group_names
        actions = set(session.scalars(select(audit.AuditEntry.action)))
    assert "sessions_ended" not in actions
    assert "groups_changed" not in actions

    slapd.start()
    assert zoe.confirm(zoe.ask_price("registre-kbis", siren=SIREN))


def test_a_directory_that_accepts_and_never_answers_makes_one_page_wait_and_not_every_page(
    zoe, slapd, installation, later, monkeypatch
):
    zoe.get("/")
    servers = installation.directory._servers
    # However long these four pages take, none comes after its rest.
    servers.failover._cool_down_s = 600
    asked, ask = [], servers._ask
    monkeypatch.setattr(servers, "_ask", lambda *question: (asked.append(1), ask(*question))[1])
    slapd.process.send_signal(signal.SIGSTOP)
    later(minutes=6)

    try:
        waits = []
        for _page in range(4):
            asked.clear()
            assert 'id="buy-registre-kbis"' in zoe.get("/")
            waits.append(len(asked))
    finally:
        slapd.process.send_signal(signal.SIGCONT)
    assert waits == [1, 0, 0, 0]


@pytest.mark.parametrize("when_down", ["nothing"], indirect=True)
def test_where_nothing_may_be_done_on_old_groups_all_wait_and_nobody_is_put_out(
    zoe, slapd, installation, company, later
):
    token = zoe.ask_price("registre-kbis", siren=SIREN)
    slapd.stop()
    later(minutes=4)
    assert 'id="buy-registre-kbis"' in zoe.get("/")
    later(minutes=2)

    for address in ("/", "/purchases", "/offers/registre-kbis"):
        assert "L'annuaire de l'entreprise ne répond pas" in (zoe.get(address), zoe.text)[1]
        assert zoe.status == 503
    zoe.post("/confirm", token=token)
    assert zoe.status == 503
    assert company.operator.book.charges() == []
    assert live_sessions(installation) == 1

    slapd.start()
    assert 'id="buy-registre-kbis"' in zoe.get("/")


@pytest.mark.parametrize("when_down", ["nothing"], indirect=True)
def test_one_may_still_sign_out_while_all_wait(zoe, slapd, installation, later):
    zoe.get("/")
    slapd.stop()
    later(minutes=6)

    zoe.post("/sign-out")

    assert 'name="password"' in zoe.page
    assert live_sessions(installation) == 0


def test_an_account_that_expires_in_mid_session_ends_it_and_the_log_says_why(zoe, slapd, installation, later):
    change(
        slapd, f"uid=zoe,{PEOPLE}", objectClass=[("MODIFY_ADD", ["posixAccount", "shadowAccount"])],
        uidNumber=[("MODIFY_ADD", ["1"])], gidNumber=[("MODIFY_ADD", ["1"])], homeDirectory=[("MODIFY_ADD", ["/"])],
        shadowExpire=[("MODIFY_ADD", ["10"])],
    )  # fmt: skip
    later(minutes=6)

    zoe.get("/")

    assert 'name="password"' in zoe.page
    with installation.database.reading() as session:
        entry = session.scalars(select(audit.AuditEntry).where(audit.AuditEntry.action == "sessions_ended")).one()
    assert entry.after == {"reason": "expired"}
    Visitor(zoe.client.application).sign_in("zoe", "secret")


def test_a_rename_keeps_the_account_and_a_used_again_login_is_a_new_one(zoe, slapd, installation, app):
    admin = ldap3.Connection(
        ldap3.Server("127.0.0.1", port=slapd.port, get_info=ldap3.NONE), f"cn=root,{BASE}", "root", auto_bind=True
    )
    with installation.database.reading() as session:
        before = accounts.find(session, "zoe").id
    admin.modify_dn(f"uid=zoe,{PEOPLE}", "uid=zoe.martin")
    admin.add(f"uid=zoe,{PEOPLE}", "inetOrgPerson", {"cn": "Another", "sn": "X", "userPassword": "other"})
    admin.unbind()

    Visitor(app).sign_in("zoe.martin", "secret")
    Visitor(app).sign_in("zoe", "other")

    with installation.database.reading() as session:
        assert accounts.find(session, "ZOE.MARTIN").id == before
        assert accounts.find(session, "zoe").id != before


def test_a_rule_keeps_its_group_through_a_rename(zoe, slapd, installation):
    admin = ldap3.Connection(
        ldap3.Server("127.0.0.1", port=slapd.port, get_info=ldap3.NONE), f"cn=root,{BASE}", "root", auto_bind=True
    )
    admin.modify_dn(f"cn=outer,{GROUPS}", "cn=acheteurs")
    # Without the refint overlay, members that named the group are on the directory's administrator.
    admin.modify(
        f"cn=inner,{GROUPS}", {"member": [("MODIFY_REPLACE", [f"uid=zoe,{PEOPLE}", f"cn=acheteurs,{GROUPS}"])]}
    )
    admin.unbind()

    assert installation.directory.group(Group(f"cn=acheteurs,{GROUPS}")).name == "acheteurs"
    assert zoe.confirm(zoe.ask_price("registre-kbis", siren=SIREN))
