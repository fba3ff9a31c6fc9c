"""`portal mail list` says what became of every mail, and `portal check` that some came to nothing."""

from __future__ import annotations

import pytest

from portal.commands import mail_words
from portal.mail.addresses import Recipient
from portal.mail.messages import post
from portal.mail.submission import NotTaken

CODES = (
    "unreachable", "silent", "cut", "certificate", "tls", "no_tls", "turned_away", "credentials", "no_sign_in", "sender",
)  # fmt: skip


@pytest.fixture
def refused(furnished, installation, company, work):
    company.mailbox.fault = "refuse"
    with installation.database.transaction() as session:
        post(session, Recipient("zoe@acme.example", "Zoé"), "Une demande", "Bonjour", "fr")
    work()
    company.mailbox.fault = None
    return furnished


def test_nothing_yet_is_said(furnished):
    assert furnished.json("mail", "list") == []
    assert "no mail yet" in furnished.run("mail", "list").output


def test_what_was_refused_is_listed_with_its_reason_and_found_by_the_check(refused):
    [line] = refused.json("mail", "list")

    assert (line["to"], line["subject"], line["state"], line["code"]) == (
        "zoe@acme.example", "Une demande", "refused", "recipient",
    )  # fmt: skip
    assert line["reason"].startswith("550 5.1.1")
    assert "550 5.1.1" in refused.run("mail", "list").output
    [wrong] = [line for line in refused.json("check", code=1) if not line["ok"]]
    assert (wrong["subject"], wrong["found"]) == ("Mail", "1 could not be delivered since yesterday.")
    assert "portal mail list" in wrong["remedy"]


def test_yesterdays_are_no_longer_found_by_the_check(refused, later):
    later(hours=25)

    assert refused.run("check").exit_code == 0


@pytest.mark.parametrize("code", CODES)
def test_every_outcome_of_the_check_has_its_words_and_its_remedy(code):
    sentence = mail_words.found_in_words(NotTaken(code, status="535 5.7.8", answer="5.7.8 no"), "mail.acme.example:587")

    assert "mail.acme.example:587" in sentence
    assert "%(" not in sentence
    assert mail_words.REMEDIES[code]
