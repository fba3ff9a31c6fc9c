"""`portal check` says which part is wrong, why, and what to do; everything else it finds well."""

from __future__ import annotations

from datetime import timedelta

import pytest

from demo.certificates import Authority
from portal import breakers, clock, outbox


def wrong(lines):
    return [(line["subject"], line["found"], line["remedy"]) for line in lines if not line["ok"]]


def test_all_is_well(furnished):
    result = furnished.run("check")

    assert result.exit_code == 0
    assert "All is well." in result.output
    subjects = [line["subject"] for line in furnished.json("check")]
    assert {"Database", "Deliveries", "Directory", "Operator", "Merchant registre", "Merchant coface", "Mail"} <= set(
        subjects
    )


@pytest.mark.parametrize(("old", "new", "subject", "found", "remedy"), [
    ('bind_password = "', 'bind_password = "not-', "Directory", "is refused", "bind_password"),
    ('bind_dn = "', 'bind_dn = "cn=nobody,', "Directory", "is refused", "bind_dn"),
    ('urls = ["ldap://127.0.0.1:', 'urls = ["ldap://127.0.0.1:1"] #', "Directory", "cannot be reached", "urls"),
    ('groups_base = "', 'groups_base = "ou=typo,', "Directory", "", "groups_base"),
    ('people_base = "', 'people_base = "ou=typo,', "Directory", "", "people_base"),
    ('client_secret = "', 'client_secret = "not-', "Operator", "refused our credentials", "client_secret"),
    ('line = "+33123456789"', 'line = ""', "Operator", "line is missing", "[operator] line"),
    ('token_url = "http://127.0.0.1:', 'token_url = "http://127.0.0.1:1" #', "Operator", "", "token_url"),
    ('connector = "registre"', 'connector = "regsitre"', "Merchant registre", "no such connector", "connectors list"),
    ('connector = "coface"', 'connector = "../coface"', "Merchant coface", "no connector.toml in this folder", "connectors list"),
])  # fmt: skip
def test_one_thing_wrong_is_named_with_why_and_what_to_do(old, new, subject, found, remedy, furnished):
    furnished.change(old, new)

    lines = furnished.json("check", code=1)

    [(named, why, what_to_do)] = wrong(lines)
    assert named == subject
    assert found in why
    assert remedy in what_to_do
    assert sum(line["ok"] for line in lines) >= 6
    assert "1 to mend." in furnished.run("check").output


MAIL_PLAIN = 'security = "starttls"'


@pytest.mark.parametrize(("old", "new", "found", "remedy"), [
    ('host = "127.0.0.1"', 'host = "nowhere.invalid"', "nowhere.invalid", "[mail] host"),
    ('host = "127.0.0.1"', 'host = "127.0.0.2"', "cannot be reached", "firewall"),
    (MAIL_PLAIN, 'security = "tls"', "does not speak TLS as configured", "port 587"),
    ('password = "courrier', 'password = "autre', "refuses our user or password: 535 5.7.8", "[mail] user and password"),
    ('user = "guichet"', 'user = ""', "refuses our sender: 530", "[mail] sender"),
])  # fmt: skip
def test_what_is_wrong_with_mail_is_named_with_what_to_do(old, new, found, remedy, furnished, company):
    furnished.change(old, new)

    [(subject, why, what_to_do)] = wrong(furnished.json("check", code=1))

    assert (subject, found in why, remedy in what_to_do) == ("Mail", True, True), (why, what_to_do)
    assert company.mailbox.letters() == []


def test_a_mail_servers_certificate_of_somebody_else_is_named(furnished, tmp_path):
    Authority.create(tmp_path / "other")
    furnished.change(f'{MAIL_PLAIN}\nca_file = "{tmp_path}', f'{MAIL_PLAIN}\nca_file = "{tmp_path}/other')

    [(subject, why, remedy)] = wrong(furnished.json("check", code=1))

    assert (subject, "certificate of 127.0.0.1" in why, "ca_file" in remedy) == ("Mail", True, True)


@pytest.mark.parametrize(("fault", "found"), [("sender", "553 5.7.1"), ("down", "cannot be reached")])
def test_a_mail_server_that_is_down_or_refuses_our_sender_is_named(fault, found, furnished, company):
    company.mailbox.fault = fault

    [(subject, why, remedy)] = wrong(furnished.json("check", code=1))

    assert (subject, found in why, "[mail]" in remedy) == ("Mail", True, True)


def test_no_mail_server_is_said_and_is_no_fault(furnished):
    furnished.change('host = "127.0.0.1"', 'host = ""')

    [line] = [line for line in furnished.json("check") if line["subject"] == "Mail"]

    assert (line["ok"], line["found"]) == (True, "no host is set, so none is sent.")


def test_the_check_sends_nothing(furnished, company):
    assert furnished.run("check").exit_code == 0
    assert (company.mailbox.letters(), company.mailbox.sign_ins) == ([], [True])


def test_a_wrong_authority_is_named(furnished, company, tmp_path):
    (tmp_path / "other").mkdir()
    Authority.create(tmp_path / "other")
    furnished.change(str(company.ca_file), str(tmp_path / "other" / "ca.pem"))

    [(subject, why, remedy)] = wrong(furnished.json("check", code=1))

    assert (subject, "an authority that is not trusted" in why, "ca_file" in remedy) == ("Directory", True, True)


def test_a_ca_file_that_is_not_there_is_named(furnished, company):
    furnished.change(str(company.ca_file), "/nowhere/ca.pem")

    [(subject, why, remedy)] = wrong(furnished.json("check", code=1))

    assert (subject, "/nowhere/ca.pem" in why, "ca_file" in remedy) == ("Directory", True, True)


def test_an_operator_that_is_down_is_named(furnished, company):
    company.operator.fault = "down"

    [(subject, why, remedy)] = wrong(furnished.json("check", code=1))

    assert subject == "Operator"
    assert company.operator.url.partition("//")[2] in why
    assert "proxy" in remedy


def test_a_merchant_that_is_down_or_refuses_our_secret_is_named(furnished, company):
    company.merchants.set_fault("lesechos", "down")
    furnished.change('token = "', 'token = "not-')

    found = wrong(furnished.json("check", code=1))

    assert [subject for subject, _why, _remedy in found] == ["Merchant lesechos", "Merchant netpme"]
    assert "secrets" in found[1][2]


def test_everything_wrong_at_once_is_named_one_by_one(furnished, company):
    company.operator.fault = "down"
    company.directory.fault = "down"
    for name in ("registre", "lesechos", "quidonc", "coface", "netpme"):
        company.merchants.set_fault(name, "down")

    assert len(wrong(furnished.json("check", code=1))) == 7


def test_a_worker_that_does_not_work_is_named(furnished, installation):
    with installation.database.transaction() as session:
        outbox.enqueue(session, "capture", "G-1")
        session.get_one(outbox.Task, 1).due_at = clock.now() - timedelta(minutes=11)

    [(subject, why, _remedy)] = wrong(furnished.json("check", code=1))

    assert (subject, "11 minutes" in why) == ("Worker", True)


def test_a_database_that_is_not_there_yet_is_named(terminal):
    [(subject, _why, remedy)] = wrong(terminal.json("check", code=1))

    assert (subject, "db upgrade" in remedy) == ("Database", True)


def test_the_terminal_speaks_french(furnished):
    import subprocess
    import sys
    from pathlib import Path

    done = subprocess.run(
        [sys.executable, "-m", "portal", "check"], env={"PORTAL_CONFIG": str(furnished.configuration), "LANG": "fr_FR.UTF-8"},
        cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "Tout va bien."), done.stderr


def test_it_says_who_has_been_away_and_asks_anyway(furnished, installation, company):
    lane = installation.breakers.of(outbox.OPERATOR)
    company.operator.fault = "down"
    for _ in range(breakers.THRESHOLD):
        lane.failed("ConnectError")

    with installation.database.transaction() as session:
        outbox.enqueue(session, "capture", "G-1")
        session.get_one(outbox.Task, 1).due_at = clock.now() - timedelta(minutes=11)

    said = wrong(furnished.json("check", code=1))
    assert any("no answer since" in found for _subject, found, _remedy in said)
    assert not any(subject == "Worker" for subject, _found, _remedy in said)
    with installation.database.transaction() as session:
        session.delete(session.get_one(outbox.Task, 1))
    company.operator.fault = None

    assert wrong(furnished.json("check")) == []
    with installation.database.reading() as session:
        assert breakers.standing(session) == []
