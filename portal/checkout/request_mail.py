"""The mails of requests: to whom it falls to decide, and to who asked, each in his own language."""

from __future__ import annotations

from flask_babel import force_locale, gettext
from sqlalchemy.orm import Session

from portal import logs, money
from portal.checkout.requests import PurchaseRequest
from portal.directory.answers import Person
from portal.languages import LANGUAGES, in_language
from portal.mail.addresses import Recipient, Unmailable
from portal.mail.messages import post

log = logs.get(__name__)


def tell_deciders(session: Session, request: PurchaseRequest, people: list[Person], address: str, default: str) -> None:
    """Ask each of them to decide; `address` is where, and `default` the language of those of whom none is known."""
    for person in people:
        language = person.language[:2].lower() if person.language[:2].lower() in LANGUAGES else default
        with force_locale(language):
            facts = _facts(request, language)
            subject = gettext("%(who)s asks for “%(what)s” (%(amount)s)", **facts)
            text = gettext(
                "%(who)s asks for “%(what)s” at %(amount)s, which a ceiling does not let pass:\n\n"
                "    %(words)s\n\nAllow or decline it here, in two clicks:\n%(address)s\n\n"
                "Without an answer the request expires by itself.\n",
                words=request.words, address=address, **facts,
            )  # fmt: skip
        _post(session, person.name or person.login, person.mail, subject, text, language)


def tell_asker(session: Session, request: PurchaseRequest, address: str, default: str) -> None:
    """Say what was decided, by whom and why."""
    account, decider = request.account, request.decided_by
    language = account.language[:2].lower() if account.language[:2].lower() in LANGUAGES else default
    with force_locale(language):
        facts = _facts(request, language)
        by = (decider.name or decider.login) if decider else gettext("The administrator")
        if request.state == "allowed":
            subject = gettext("Allowed: “%(what)s” (%(amount)s)", **facts)
            text = gettext("%(by)s allows this one purchase. Buy it here:\n%(address)s\n", by=by, address=address)
        else:
            subject = gettext("Declined: “%(what)s” (%(amount)s)", **facts)
            text = gettext("%(by)s has declined it. Nothing was bought.\n", by=by)
        if request.answer:
            text += f"\n    {request.answer}\n"
    _post(session, account.name or account.login, account.mail, subject, text, language)


def _facts(request: PurchaseRequest, language: str) -> dict[str, str]:
    account = request.account
    return {
        "who": account.name or account.login, "what": in_language(request.offer.title, language),
        "amount": money.format_money(request.gross_cents, request.currency, language),
    }  # fmt: skip


def _post(session: Session, name: str, address: str, subject: str, text: str, language: str) -> None:
    if not address:
        return
    try:
        post(session, Recipient(address, " ".join(name.split())), " ".join(subject.split()), text, language)
    except Unmailable as error:
        # The request stands on screen all the same.
        log.warning("request_not_mailed", detail=str(error))
