"""A mail some days before a subscription ends: that it ends, that it does not go on by itself, and whether it can be bought again."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from babel.dates import format_datetime
from babel.support import NullTranslations, Translations
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from connectors.terms import LASTING
from portal import clock, logs
from portal.catalog.merchants import Merchants
from portal.checkout.orders import Order
from portal.checkout.quotes import unsold
from portal.checkout.running import BEFORE, SHORTEST
from portal.database import Database
from portal.directory.accounts import Account
from portal.languages import LANGUAGES, in_language
from portal.mail.addresses import Recipient, Unmailable
from portal.mail.messages import post

log = logs.get(__name__)

LOOK_S = 3600
BATCH = 100
TRANSLATIONS = Path(__file__).parent.parent / "translations"


def remind(database: Database, merchants: Merchants, zone: ZoneInfo, address: str, default: str) -> int:
    """Write to whoever has a subscription that ends within a week, once for each; how many were written to.

    Args:
        address: of the portal, without a slash at its end.
        default: the language of those of whom none is known.
    """
    written, more = 0, True
    # Whoever was connected since is loaded now, and not while others wait for the transaction below.
    merchants.now()
    while more:
        with database.transaction() as session:
            due = _due(session)
            more = len(due) == BATCH
            taken = [order for order in due if _take(session, order)]
            written += sum(_write(session, order, merchants, zone, address, default) for order in taken)
    return written


def _due(session: Session) -> list[Order]:
    now = clock.now()
    query = (
        select(Order)
        .where(
            Order.ends_at > now, Order.ends_at <= now + BEFORE, Order.state == "delivered",
            Order.created_at <= now + BEFORE - SHORTEST, Order.reminded_at.is_(None), Order.pricing.in_(LASTING),
        ).order_by(Order.ends_at).limit(BATCH)
    )  # fmt: skip
    return list(session.scalars(query))


def _take(session: Session, order: Order) -> bool:
    """Whether nobody else is writing about it; one conditional update, so that it is written about once."""
    mark = update(Order).where(Order.id == order.id, Order.reminded_at.is_(None)).values(reminded_at=clock.now())
    return session.execute(mark.returning(Order.id)).first() is not None


def _write(
    session: Session, order: Order, merchants: Merchants, zone: ZoneInfo, address: str, default: str
) -> bool:  # fmt: skip
    account = session.get_one(Account, order.account_id)
    is_short = order.ends_at is None or order.ends_at - order.created_at < SHORTEST
    if is_short or not account.mail or _is_renewed(session, order):
        return False
    preferred = account.language[:2].lower()
    language = preferred if preferred in LANGUAGES else default
    words, facts = _words(language), _facts(order, zone, address, language)
    subject = words.gettext("“%(what)s” ends on %(end)s") % facts
    text = words.gettext(
        "“%(what)s”, which you bought on %(bought)s (order %(number)s), ends on %(end)s.\n\n"
        "It does not renew itself: nothing is charged afterwards, and you have nothing to do.\n"
    )
    if _is_sold(session, order, merchants):
        text += words.gettext("If you still need it, buy a further period here:\n%(address)s\n")
    else:
        text += words.gettext(
            "When this was written, %(merchant)s did not sell it here, and no further period could be bought. "
            "Should that change, you will find “Renew” beside it here:\n%(address)s\n"
        )
    try:
        to = Recipient(account.mail, " ".join((account.name or account.login).split()))
        post(session, to, " ".join(subject.split()), text % facts, language)
    except Unmailable as error:
        # The end stands under “My purchases” all the same.
        log.warning("reminder_not_mailed", order=order.number, detail=str(error))
        return False
    log.info("reminder_mailed", order=order.number)
    return True


def _is_sold(session: Session, order: Order, merchants: Merchants) -> bool:
    return order.offer.removed_at is None and unsold(session, merchants, order.offer) is None


def _is_renewed(session: Session, order: Order) -> bool:
    query = select(Order).where(
        Order.account_id == order.account_id, Order.offer_id == order.offer_id, Order.state == "delivered",
        Order.ends_at > order.ends_at,
    )  # fmt: skip
    return any(other.inputs == order.inputs for other in session.scalars(query))


def _facts(order: Order, zone: ZoneInfo, address: str, language: str) -> dict[str, str]:
    what = in_language(order.title, language) + (f" - {order.subject}" if order.subject else "")

    def moment(at: datetime) -> str:
        return str(format_datetime(at.astimezone(zone), "d MMMM y, HH:mm", locale=language))

    return {
        "what": what, "number": order.number, "address": f"{address}/purchases",
        "merchant": order.seller["name"],
        "end": moment(order.ends_at or order.created_at), "bought": moment(order.created_at),
    }  # fmt: skip


@cache
def _words(language: str) -> NullTranslations:
    """A worker shows no page, so it knows no page's language."""
    return Translations.load(TRANSLATIONS, [language])
