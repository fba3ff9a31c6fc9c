"""A mail is sent once its transaction is committed, once, and whatever prevents it is kept and told to no log."""

from __future__ import annotations

from functools import partial

import pytest
from sqlalchemy import select, update
from structlog.testing import capture_logs

from portal import clock, outbox
from portal.billing.worker import work_once
from portal.checkout.verification import verify
from portal.mail import messages
from portal.mail.addresses import Recipient
from portal.mail.config import MailSection
from portal.mail.messages import Mail, post
from portal.mail.sending import send
from portal.mail.submission import WHOLE_S, MailServer
from portal.outbox import LEASE_S, Task

ZOE = Recipient("zoe.dupont@acme.example", "Dupont, Zoé")
TEXT = "Bonjour Zoé,\n\nHugo demande 1 234,50 €.\n.\nÀ bientôt\n"


@pytest.fixture
def posted(installation):
    with installation.database.transaction() as session:
        return post(session, ZOE, "Une demande à décider", TEXT, "fr").key


def stored(installation, key):
    with installation.database.reading() as session:
        mail = messages.by_key(session, key)
        task = session.scalars(select(Task).where(Task.kind == "mail", Task.subject == key)).one()
    return mail, task


def test_what_a_transaction_stored_is_sent_and_its_text_forgotten(installation, company, posted, work):
    assert company.mailbox.letters() == []

    assert work() == 1

    [letter] = company.mailbox.letters()
    mail, task = stored(installation, posted)
    assert (letter.sender, letter.recipient) == ("guichet@acme.example", "zoe.dupont@acme.example")
    assert (letter.to, letter.subject, letter.text) == (
        '"Dupont, Zoé" <zoe.dupont@acme.example>', "Une demande à décider", TEXT,
    )  # fmt: skip
    assert letter.message["Message-ID"] == mail.message_id
    assert (mail.state, mail.text, bool(mail.ended_at), bool(task.done_at)) == ("sent", "", True, True)
    assert work() == 0


def test_what_was_rolled_back_is_never_sent(installation, company, work):
    def half_way(session):
        post(session, ZOE, "Une demande à décider", TEXT, "fr")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), installation.database.transaction() as session:
        half_way(session)

    assert (work(), company.mailbox.letters()) == (0, [])
    with installation.database.reading() as session:
        assert messages.recent(session) == []


@pytest.mark.parametrize("fault", ["busy", "down", "sender"])
def test_what_time_or_an_administrator_mends_is_tried_again(fault, installation, company, posted, work, later):
    company.mailbox.fault = fault
    work()
    mail, task = stored(installation, posted)
    assert (mail.state, mail.ended_at, task.done_at) == ("waiting", None, None)
    assert task.due_at > clock.now()
    company.mailbox.fault = None

    later(minutes=1)
    work()

    [letter] = company.mailbox.letters()
    assert stored(installation, posted)[0].state == "sent"
    assert letter.message["Message-ID"] == mail.message_id


def test_a_refusal_for_good_ends_it_with_its_reason(installation, company, posted, work, later):
    company.mailbox.fault = "refuse"

    assert work() == 1

    mail, task = stored(installation, posted)
    assert (mail.state, mail.code, bool(task.done_at)) == ("refused", "recipient", True)
    assert mail.reason == "550 5.1.1 <zoe.dupont@acme.example>: Recipient address rejected: User unknown"
    company.mailbox.fault = None
    later(hours=1)
    assert (work(), company.mailbox.letters()) == (0, [])


def test_after_a_day_it_is_given_up_for_all_to_see(installation, company, posted, work, later):
    company.mailbox.fault = "busy"
    work()
    later(hours=23, minutes=59)
    work()
    assert stored(installation, posted)[0].state == "waiting"

    later(minutes=10)
    with capture_logs() as lines:
        work()

    mail, task = stored(installation, posted)
    assert (mail.state, mail.code, mail.reason[:9], bool(task.done_at)) == ("given_up", "recipient", "451 4.7.1", True)
    assert [(line["event"], line["log_level"], line["status"]) for line in lines] == [
        ("mail_given_up", "error", "451 4.7.1")
    ]


@pytest.mark.parametrize("way", ["cut_reply", "killed"])
def test_a_repeat_after_a_lost_yes_is_the_very_same_mail(way, installation, company, posted, work, later, monkeypatch):
    if way == "killed":
        monkeypatch.setattr("portal.mail.sending._recorded", lambda *_args: None)
    else:
        company.mailbox.fault = "cut_reply"
    work()
    monkeypatch.undo()
    company.mailbox.fault = None
    later(seconds=LEASE_S + 1)
    work()

    first, second = company.mailbox.letters()
    assert first.content == second.content
    assert stored(installation, posted)[0].state == "sent"
    assert work() == 0


def test_whoever_lost_the_lease_sends_nothing(installation, company, posted):
    with installation.database.transaction() as session:
        late = outbox.claim(session, "late")
        session.execute(update(Task).values(lease_until=clock.now()))
        outbox.claim(session, "another", kind="mail", subject=posted)

    with pytest.raises(outbox.LeaseLost):
        installation.handlers["mail"](late)

    assert company.mailbox.letters() == []


def test_a_lease_outlives_the_longest_conversation():
    assert WHOLE_S < LEASE_S


def test_without_a_server_nothing_is_sent_and_nothing_waits(installation, company, posted):
    handlers = {"mail": partial(send, installation.database, MailServer(MailSection()))}

    assert work_once(installation.database, "test", handlers)

    mail, task = stored(installation, posted)
    assert (mail.state, mail.text, bool(task.done_at), company.mailbox.letters()) == ("unsent", "", True, [])


def test_a_server_that_is_down_is_left_alone_for_a_while(installation, company, work, later):
    company.mailbox.fault = "down"
    with installation.database.transaction() as session:
        for number in range(5):
            post(session, ZOE, f"Mail {number}", TEXT, "fr")
    work()
    company.mailbox.fault = None

    later(seconds=3)
    work()
    assert company.mailbox.letters() == []

    later(seconds=60)
    work()
    assert len(company.mailbox.letters()) == 5


def test_a_wrong_password_is_shown_to_the_server_once_and_not_by_every_mail(installation, company, work, later):
    company.mailbox.password = "another"
    with installation.database.transaction() as session:
        for number in range(5):
            post(session, ZOE, f"Mail {number}", TEXT, "fr")
    work()
    later(minutes=2)
    work()
    assert company.mailbox.sign_ins == [False]

    company.mailbox.password = installation.settings.mail.password.get_secret_value()
    later(minutes=10)
    work()
    assert len(company.mailbox.letters()) == 5


@pytest.mark.parametrize("fault", [None, "down", "busy", "refuse", "sender", "cut_reply"])
def test_no_address_and_no_content_reaches_a_log(fault, installation, company, posted, work):
    company.mailbox.fault = fault
    with capture_logs() as lines:
        work()

    assert len(lines) == 1
    assert [
        word for word in ("zoe", "Zoé", "acme.example", "demande", "Hugo", "1 234", "courrier") if word in str(lines)
    ] == []
    with installation.database.reading() as session:
        assert "zoe" not in str(session.scalars(select(Task.last_detail)).all())


def test_a_text_loses_what_no_reader_can_show_and_a_long_subject_its_end(installation, company, work):
    with installation.database.transaction() as session:
        post(session, Recipient("zoe.dupont@acme.example"), "é" * 500, "un\r\ndeux\x00\x1b[31m\ud800\ttrois\r", "fr")
    work()

    [letter] = company.mailbox.letters()
    assert (letter.to, letter.subject) == ("zoe.dupont@acme.example", "é" * 199 + "…")
    assert letter.text == "un\ndeux[31m\ttrois\n"


def test_a_mail_that_nobody_will_send_is_found_by_the_proof(installation, posted):
    assert verify(installation.database, installation.storage) == []
    with installation.database.transaction() as session:
        session.execute(update(Task).values(done_at=clock.now()))

    [breach] = verify(installation.database, installation.storage)

    assert (breach.invariant, breach.subject) == (8, f"mail {posted}")


def test_a_mail_that_has_ended_cannot_end_again(installation, posted, work):
    work()
    with pytest.raises(KeyError), installation.database.transaction() as session:
        messages.move(messages.by_key(session, posted), "refused")
    with installation.database.reading() as session:
        assert session.scalars(select(Mail.state)).all() == ["sent"]
