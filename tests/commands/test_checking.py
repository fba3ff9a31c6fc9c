"""`portal check` says which part is wrong, why, and what to do; everything else it finds well."""

from __future__ import annotations

from datetime import timedelta

import pytest

from demo.certificates import Authority
from portal import clock
from portal.billing import outbox


def wrong(lines):
    return [(line["subject"], line["found"], line["remedy"]) for line in lines if not line["ok"]]


def test_all_is_well(furnished):
    result = furnished.run("check")

    assert result.exit_code == 0
    assert "All is well." in result.output
    subjects = [line["subject"] for line in furnished.json("check")]
    assert {"Database", "Deliveries", "Directory", "Operator", "Merchant registre", "Merchant coface"} <= set(subjects)


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
    ('connector = "coface"', 'connector = "../coface"', "Merchant coface", "no such connector", "connectors list"),
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
