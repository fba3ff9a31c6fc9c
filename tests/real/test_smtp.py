"""Mail over real sockets: verified TLS or nothing, one sign-in, one limit of time, and each failure by its name."""

from __future__ import annotations

import contextlib
import socket
import threading
import time

import pytest

from demo.certificates import Authority
from demo.mailbox import MailboxServer
from portal.mail import submission
from portal.mail.config import MailSection
from portal.mail.submission import MailServer, Taken
from tests.real.slapd import free_port

USER, PASSWORD = "guichet", "mot de passe très secret"
MAIL = b"To: zoe@acme.example\r\n\r\nBonjour\r\n.\r\n..\r\n"


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority.create(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def mailbox(authority):
    with running(authority) as server:
        yield server


@contextlib.contextmanager
def running(authority, names=("127.0.0.1", "localhost"), *, user=USER, encrypted=True, expired=False, **how):
    certificate = authority.issue(list(names), expired=expired) if encrypted else None
    server = MailboxServer(user, PASSWORD, certificate=certificate, **how)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@contextlib.contextmanager
def speaking(talk):
    """A server of a few words: `talk(connection)` for each client."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        with contextlib.suppress(OSError):
            while True:
                connection, _address = listener.accept()
                with connection, contextlib.suppress(OSError):
                    talk(connection)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(60)


def client(port, authority=None, **keys):
    keys = {
        "host": "127.0.0.1",
        "user": USER,
        "password": PASSWORD,
        "sender": "guichet@acme.example",
        "timeout": 20,
    } | keys
    ca_files = (str(authority.folder / "ca.pem"),) if authority else ()
    return MailServer(MailSection(port=port, **keys), ca_files)


def code(server):
    """What a mail and what the check come to: always the same."""
    found = server.check()
    sent = server.submit("zoe@acme.example", MAIL)
    assert (found is None) == isinstance(sent, Taken)
    if found is None:
        return "well"
    assert sent.code == found.code
    assert not sent.final
    return found.code


def test_start_tls_signs_in_and_hands_over_every_line(mailbox, authority):
    assert code(client(mailbox.port, authority)) == "well"

    [letter] = mailbox.letters()
    assert letter.content == MAIL
    assert mailbox.sign_ins == [True, True]


def test_tls_from_the_first_byte(authority):
    with running(authority, implicit=True) as mailbox:
        assert code(client(mailbox.port, authority, security="tls")) == "well"
        assert len(mailbox.letters()) == 1


def test_a_name_is_compared_with_the_certificate(authority):
    with running(authority, ["localhost"]) as mailbox:
        assert code(client(mailbox.port, authority, host="localhost")) == "well"
        assert code(client(mailbox.port, authority)) == "certificate"
        assert mailbox.sign_ins == [True, True]


def test_a_server_on_this_machine_may_need_neither_encryption_nor_password(authority):
    with running(authority, user="", encrypted=False) as mailbox:
        assert code(client(mailbox.port, security="none", user="", password="")) == "well"


@pytest.mark.parametrize("implicit", [False, True])
def test_a_certificate_of_somebody_else_gets_neither_password_nor_mail(implicit, authority, tmp_path):
    other = Authority.create(tmp_path)
    with running(authority, implicit=implicit) as mailbox:
        security = "tls" if implicit else "starttls"
        assert code(client(mailbox.port, other, security=security)) == "certificate"
        assert code(client(mailbox.port, security=security)) == "certificate"
        assert (mailbox.sign_ins, mailbox.letters()) == ([], [])


def test_an_expired_certificate_is_not_accepted(authority):
    with running(authority, expired=True) as mailbox:
        assert code(client(mailbox.port, authority)) == "certificate"


def test_a_server_without_encryption_gets_neither_password_nor_mail(authority):
    with running(authority, encrypted=False) as mailbox:
        assert code(client(mailbox.port, authority)) == "no_tls"
        assert code(client(mailbox.port, authority, security="tls")) == "tls"
        assert (mailbox.sign_ins, mailbox.letters()) == ([], [])


def test_a_wrong_password_costs_one_sign_in(mailbox, authority):
    server = client(mailbox.port, authority, password="wrong")

    outcome = server.submit("zoe@acme.example", MAIL)

    assert (outcome.code, outcome.status, outcome.final) == ("credentials", "535 5.7.8", False)
    assert server.submit("zoe@acme.example", MAIL) == outcome
    assert mailbox.sign_ins == [False]


def test_no_sign_in_where_the_server_wants_one_is_named(mailbox, authority):
    assert code(client(mailbox.port, authority, user="", password="")) == "sender"


def test_a_sign_in_where_the_server_knows_none_is_named(authority):
    def talk(connection):
        connection.sendall(b"220 hello\r\n")
        connection.recv(100)
        connection.sendall(b"250-me\r\n250 SIZE 1000\r\n")
        connection.recv(100)

    with speaking(talk) as port:
        assert code(client(port, security="none")) == "no_sign_in"


def test_the_older_sign_in_is_spoken_where_it_is_the_only_one():
    heard = []

    def talk(connection):
        connection.sendall(b"220 hello\r\n")
        for answer in (
            b"250-me\r\n250 AUTH CRAM-MD5 LOGIN",
            b"334 UGFzc3dvcmQ6",
            b"235 2.7.0 Ok",
            b"550 no",
        ):
            heard.append(connection.recv(200))
            connection.sendall(answer + b"\r\n")

    with speaking(talk) as port:
        assert client(port, security="none").submit("zoe@acme.example", MAIL).code == "sender"
    assert heard[1:3] == [b"AUTH LOGIN Z3VpY2hldA==\r\n", b"bW90IGRlIHBhc3NlIHRyw6hzIHNlY3JldA==\r\n"]
    assert heard[3].lower().startswith(b"mail from:<guichet@acme.example>")


@pytest.mark.parametrize(("fault", "final", "status"), [
    ("busy", False, "451 4.7.1"), ("refuse", True, "550 5.1.1"), ("sender", False, "553 5.7.1"), ("cut_reply", False, ""),
])  # fmt: skip
def test_each_refusal_says_whether_it_is_for_good(fault, final, status, mailbox, authority):
    mailbox.fault = fault

    outcome = client(mailbox.port, authority).submit("zoe@acme.example", MAIL)

    assert (outcome.final, outcome.status) == (final, status)


def test_the_check_asks_about_the_sender_and_sends_nothing(mailbox, authority):
    mailbox.fault = "sender"
    assert client(mailbox.port, authority).check().code == "sender"
    for fault in (None, "busy", "refuse"):
        mailbox.fault = fault
        assert client(mailbox.port, authority).check() is None
    assert mailbox.letters() == []


def test_a_sender_that_is_judged_only_with_a_recipient_is_found_out():
    def talk(connection):
        connection.sendall(b"220 hello\r\n")
        for answer in (b"250 me", b"250 2.1.0 Ok", b"553 5.7.1 <guichet@acme.example>: not owned by user guichet"):
            connection.recv(200)
            connection.sendall(answer + b"\r\n")

    with speaking(talk) as port:
        assert client(port, security="none", user="").check().code == "sender"


def test_nobody_at_the_port_and_a_name_nobody_knows():
    port = free_port()
    assert code(client(port)) == "unreachable"
    assert code(client(port, host="a" * 64 + ".invalid")) == "unreachable"


@pytest.mark.parametrize(("greeting", "found"), [
    (b"554 5.7.1 No mail from you\r\n", "turned_away"), (b"421 too busy\r\n", "turned_away"), (b"", "cut"),
])  # fmt: skip
def test_a_server_that_does_not_want_us(greeting, found):
    with speaking(lambda connection: connection.sendall(greeting)) as port:
        assert code(client(port)) == found


def test_a_server_that_never_answers_costs_the_timeout():
    # It says nothing until its client has gone.
    with speaking(lambda connection: connection.recv(1000)) as port:
        assert client(port, timeout=0.3).check().code == "silent"


def test_a_server_that_answers_a_byte_at_a_time_is_left_at_the_end(monkeypatch):
    monkeypatch.setattr(submission, "WHOLE_S", 0.6)
    left = threading.Event()

    def talk(connection):
        connection.sendall(b"220 hello\r\n")
        try:
            for _ in range(400):
                connection.sendall(b"250-and more\r\n")
                time.sleep(0.05)
        except OSError:
            left.set()

    with speaking(talk) as port:
        assert client(port, security="none").check().code == "cut"
        assert left.wait(60)


def test_a_server_that_takes_the_mail_and_never_says_so_is_left_at_the_end(mailbox, authority, monkeypatch):
    monkeypatch.setattr(submission, "WHOLE_S", 4)
    mailbox.fault = "hang"

    outcome = client(mailbox.port, authority).submit("zoe@acme.example", MAIL)

    assert (outcome.code, outcome.final, len(mailbox.letters())) == ("cut", False, 1)
