"""The outbox's work on a mail: hand it over, try again for a day, and end visibly.

A mail is handed over outside any transaction, under a lease, and its Message-ID is stored before the first byte leaves.
What remains is a crash, or a lost answer, between the server's yes and our commit: the mail then goes a second time,
under the same Message-ID and with the same bytes, so that mailboxes that look at it show one.
"""

from __future__ import annotations

from datetime import timedelta

from portal import clock, logs, outbox
from portal.database import Database
from portal.mail import messages
from portal.mail.composition import composed, message_id
from portal.mail.messages import Mail
from portal.mail.submission import MailServer, NotTaken, Outcome, Taken
from portal.outbox import Lease

log = logs.get(__name__)

DEADLINE = timedelta(hours=24)


def send(database: Database, server: MailServer, lease: Lease) -> None:
    """One attempt. Raises `LeaseLost`."""
    mail = _prepared(database, server, lease)
    if mail is None:
        return
    outcome = server.submit(mail.to_address, composed(mail, server.config.sender))
    _recorded(database, lease, outcome)


def _prepared(database: Database, server: MailServer, lease: Lease) -> Mail | None:
    """The mail with its Message-ID stored; None when nothing is to be sent any more."""
    with database.transaction() as session:
        outbox.renew(session, lease)
        mail = messages.by_key(session, lease.subject)
        if mail.state == "waiting" and not server.config.host:
            messages.move(mail, "switched_off")
            log.info("mail_unsent", mail=mail.key)
        if mail.state != "waiting":
            outbox.finish(session, lease)
            return None
        mail.message_id = mail.message_id or message_id(mail, server.config.sender)
        return mail


def _recorded(database: Database, lease: Lease, outcome: Outcome) -> None:
    with database.transaction() as session:
        outbox.renew(session, lease)
        mail = messages.by_key(session, lease.subject)
        if isinstance(outcome, Taken):
            messages.move(mail, "taken", reason=outcome.answer)
            log.info("mail_sent", mail=mail.key, attempts=lease.attempts)
            return outbox.finish(session, lease)
        facts = {"mail": mail.key, "code": outcome.code, "status": outcome.status, "attempts": lease.attempts}
        if outcome.final:
            messages.move(mail, "refused", outcome.code, _reason(outcome))
            log.error("mail_refused", **facts)
            return outbox.finish(session, lease)
        if clock.now() - mail.created_at >= DEADLINE:
            messages.move(mail, "too_late", outcome.code, _reason(outcome))
            log.error("mail_given_up", **facts)
            return outbox.finish(session, lease)
        mail.code, mail.reason = outcome.code, _reason(outcome)
        log.warning("mail_waits", **facts)
        return outbox.postpone(session, lease, outbox.back_off_s(lease.attempts), outcome.code)


def _reason(outcome: NotTaken) -> str:
    # An enhanced status stands in the answer already.
    return f"{outcome.status.partition(' ')[0]} {outcome.answer}".strip()[:500]
