"""A configuration that cannot be used ends a command with exit code 2 and a line for each thing to mend."""

from __future__ import annotations

import pytest

from portal.database import Database
from portal.migrations import schema


@pytest.mark.parametrize(("old", "new", "where", "what"), [
    ('preset = "openldap"', 'preset = "openldap"\ncolour = "blue"', "line 15, [directory] colour", "does not exist"),
    ('preset = "openldap"', 'preset = "novell"', "line 14, [directory] preset", "'openldap'"),
    ('start_tls = true', 'start_tls = "perhaps"', "[directory] start_tls", "true or false"),
    ('company = "Acme SA"', 'company = 3', "line 4, [portal] company", "must be text"),
    ('time_zone = "Europe/Paris"', 'time_zone = "Europe/Pari"', "[portal] time_zone", "Europe/Paris"),
    ('public_url = "http', 'public_url = "htp', "[portal] public_url", "address like https"),
    ('line = "+33123456789"', 'line = "01 23 45 67 89"', "[operator] line", "international form"),
    ('line = "+33123456789"', 'offline_limit = "a lot"', "[operator] offline_limit", "amount of money"),
    ('profile = "orange"', 'profile = "citron"', "[operator] profile", "there are: alice, aol, bouygues-telecom"),
    ('url = "sqlite:///portal.db"', 'url = "portal.db"', "[database] url", "sqlite:///"),
    ('url = "sqlite:///portal.db"', 'url = "sqlite:///portal.db"\n[storage]\nurl = "s3://x"', "[storage] url", "file:"),
    ('[directory]', '[directory]\ntimeout = 0', "[directory] timeout", "greater than 0"),
    ('[directory]', '[network]\nca_file = "no.pem"\n[directory]', "[network] ca_file", "cannot be read"),
    ('urls = ["ldap://127.0.0.1:', 'urls = ["ldap://127.0.0.1:9', "[directory] urls", "ldaps://ldap1.example"),
    ('urls = ["ldap:', 'urls = ["http:', "[directory] urls", "ldaps://ldap1.example"),
    ('urls = ["', 'urls = [] # "', "[directory] urls", "must not be empty"),
    ('token_url = "http://', 'token_url = "', "[operator] token_url", "https://name.example"),
    ('token_url = "http://', 'token_url = "http://user:secret@', "[operator] token_url", "https://name.example"),
    ('/coface"', ':x/coface"', "[merchants.coface] base_url", "https://name.example"),
    ('host = "127.0.0.1"', 'host = "smtp://mail.acme.example"', "[mail] host", "like smtp.acme.example"),
    ('host = "127.0.0.1"', 'host = "mail.acme.example"\ntimeout = 600', "[mail] timeout", "at most 20"),
    ('security = "starttls"', 'security = "ssl"', "[mail] security", "'starttls'"),
    ('sender = "guichet@acme.example"', 'sender = "Guichet"', "[mail] sender", "like guichet@acme.example"),
    ('sender = "guichet@acme.example"', '', "[mail] sender", "like guichet@acme.example"),
    ('password = "courrier-dématérialisé"', 'password_file = "nowhere"', "[mail] password_file", "cannot be read"),
    ('line = "+33', 'usage_sftp = "ftp://x@y/z"\nline = "+33', "[operator] usage_sftp", "sftp://user@"),
    ('line = "+33', 'usage_sftp = "sftp://x:secret@y/z"\nline = "+33', "[operator] usage_sftp", "without a password"),
    ('line = "+33', 'usage_sftp = "sftp://y/z"\nline = "+33', "[operator] usage_sftp", "sftp://user@"),
    ('line = "+33', 'usage_folder = "a"\nusage_sftp = "sftp://x@y/z"\nline = "+33', "[operator] usage_sftp", "not both"),
    ('line = "+33', 'usage_sftp = "sftp://x@y/z"\nline = "+33', "[operator] usage_sftp_host_key", "no server is spoken to"),
    ('line = "+33', 'usage_sftp_host_key = "SHA256:abc"\nline = "+33', "[operator] usage_sftp_host_key", "ssh-ed25519 AAAA"),
    ('line = "+33', 'usage_sftp_password_file = "no"\nline = "+33', "[operator] usage_sftp_password_file", "cannot be read"),
    ('line = "+33', 'usage_answer_days = -1\nline = "+33', "[operator] usage_answer_days", "at least 0"),
    ('line = "+33', 'usage_account = "a,b"\nline = "+33', "[operator] usage_account", "customer number"),
    ('line = "+33', 'adapter = "fax"\nline = "+33', "[operator] adapter", "'usage_file'"),
    ('line = "+33', 'identify_by = "name"\nline = "+33', "[operator] identify_by", "'token'"),
    ('[portal]', '[[portal', "portal.toml", "not TOML"),
    ('[operator]', '[operater]', "[operater]", "does not exist"),
])  # fmt: skip
def test_each_fault_names_its_place_and_what_to_write(old, new, where, what, terminal):
    terminal.change(old, new)

    result = terminal.run("catalog", "list")

    assert result.exit_code == 2
    assert where in result.stderr
    assert what in result.stderr
    assert "correct the lines above" in result.stderr


def test_mail_in_the_clear_goes_to_this_machine_only(terminal):
    terminal.change('security = "starttls"', 'security = "none"')
    assert "[mail]" not in terminal.run("catalog", "list").stderr

    terminal.change('host = "127.0.0.1"', 'host = "mail.acme.example"')
    result = terminal.run("catalog", "list")

    assert (result.exit_code, "[mail] security: mail leaves this machine encrypted only" in result.stderr) == (2, True)


def test_a_ca_file_for_mail_that_cannot_be_read_is_named(terminal, company):
    terminal.change(
        f'security = "starttls"\nca_file = "{company.ca_file}', 'security = "starttls"\nca_file = "nowhere.pem'
    )

    result = terminal.run("catalog", "list")

    assert (result.exit_code, "[mail] ca_file: it cannot be read" in result.stderr) == (2, True)


def test_every_fault_is_named_at_once(terminal):
    terminal.change('preset = "openldap"', 'preset = "novell"\ncolour = "blue"')
    terminal.change("[portal]", '[portal]\nshape = "round"')

    assert len(terminal.run("db", "upgrade").stderr.splitlines()) == 4


@pytest.mark.parametrize("name", ["PORTAL_DIRECTORY__COLOUR", "PORTAL_NOTHING__URL", "PORTAL_DIRECTORY"])
def test_a_variable_that_is_no_setting_is_named(name, terminal):
    result = terminal.run("catalog", "list", **{name: "x"})

    assert (result.exit_code, name in result.stderr) == (2, True)


def test_a_variable_wins_and_is_named_when_it_is_wrong(terminal):
    assert (
        "PORTAL_DIRECTORY__TIMEOUT: it must be a number"
        in terminal.run("catalog", "list", PORTAL_DIRECTORY__TIMEOUT="soon").stderr
    )


def test_a_secret_is_read_from_its_file_and_a_missing_file_is_named(terminal, tmp_path):
    (tmp_path / "password").write_text("deux-clics-service\n", encoding="utf-8")
    terminal.change('bind_password = "', 'bind_password_file = "nowhere" # "')

    result = terminal.run("catalog", "list")

    assert (result.exit_code, "[directory] bind_password_file" in result.stderr) == (2, True)


def test_no_configuration_at_all_is_named(terminal, tmp_path):
    result = terminal.run("check", PORTAL_CONFIG=str(tmp_path / "nowhere.toml"))

    assert (result.exit_code, "nowhere.toml: it cannot be read" in result.stderr) == (2, True)


@pytest.mark.parametrize("words", [("catalog", "list"), ("rights", "list"), ("charges", "push"), ("verify",)])
def test_a_database_of_another_version_is_not_touched(words, terminal):
    result = terminal.run(*words)

    assert (result.exit_code, "db upgrade" in result.stderr) == (2, True)


def test_a_database_of_a_later_version_is_refused(furnished, installation):
    with installation.database.transaction() as session:
        session.connection().exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")

    for words in (("db", "upgrade"), ("serve", "--bind", "127.0.0.1:0")):
        result = furnished.run(*words)
        assert (result.exit_code, "later version of Guichet (9999)" in result.stderr) == (2, True), result.output


@pytest.mark.parametrize("url", ["sqlite:////nowhere/portal.db", "sqlite:////dev/full", "sqlite:////etc/hostname"])
def test_a_database_that_cannot_be_used_is_named(url, terminal):
    result = terminal.run("db", "upgrade", PORTAL_DATABASE__URL=url)

    assert (result.exit_code, "[database] url" in result.stderr) == (2, True), result.output


def test_an_upgrade_runs_once_and_says_where_it_stands(terminal, tmp_path):
    first, second = terminal.run("db", "upgrade"), terminal.run("db", "upgrade")

    assert (first.exit_code, second.exit_code, first.output) == (0, 0, second.output)
    database = Database(f"sqlite:///{tmp_path}/portal.db")
    assert schema.version(database) in first.output
    database.close()


def test_a_port_that_is_taken_is_named(furnished, company):
    result = furnished.run("serve", "--bind", f"127.0.0.1:{company.operator.port}")

    assert (result.exit_code, "--bind" in result.stderr) == (2, True)
