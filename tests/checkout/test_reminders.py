"""One mail before a subscription ends, to whoever bought it: that it ends, and that it does not go on by itself."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from demo.companies import COMPANIES
from portal import clock
from portal.catalog import site
from portal.catalog.merchants import Known
from portal.catalog.offers import OfferRow
from portal.checkout import reminders
from portal.checkout.orders import Order
from portal.checkout.quotes import QuoteRow
from portal.checkout.reminders import remind
from portal.directory.accounts import Account
from portal.mail.config import MailSection
from portal.mail.messages import Mail
from tests.checkout.test_terms import NOON, at

SIREN = next(siren for siren in COMPANIES if not siren.endswith("7"))

__all__ = ["at"]


@pytest.fixture
def bought(at, buyer, work):
    """The number of a subscription of a month, bought at noon on 26 November 2026."""
    at(NOON)
    number = buyer.confirm(buyer.ask_price("netpme-juriste"))
    work()
    return number


@pytest.fixture
def look(installation, company, work):
    """What a worker does at intervals and with what waits; the mails that have arrived since the beginning."""

    def run():
        next(each for each in installation.rounds if each.name == "reminders").work()
        work()
        return company.mailbox.letters()

    return run


def test_it_is_written_once_within_the_last_week(bought, at, look):
    at(NOON + timedelta(days=22))
    assert look() == []

    at(NOON + timedelta(days=24))
    [letter] = look()
    assert letter.recipient == "chloe.lefevre@acme.example"
    assert letter.subject == "« Permanence juridique, un mois » se termine le 26 décembre 2026, 13:00"
    assert f"commande {bought}" in letter.text
    assert "L'achat ne se renouvelle pas : rien n'est facturé ensuite" in plain(letter.text)
    assert "/purchases\n" in letter.text

    at(NOON + timedelta(days=26))
    assert len(look()) == 1
    at(NOON + timedelta(days=90))
    assert len(look()) == 1


def plain(text):
    return text.replace("\n", " ").replace("\u202f", " ").replace("\xa0", " ").replace("’", "'")


def test_the_page_it_leads_to_has_the_button_from_that_moment_on(bought, at, look, buyer, installation):
    at(NOON + timedelta(days=22, hours=23))
    buyer.get("/purchases")
    assert "Renouveler" not in buyer.text
    at(NOON + timedelta(days=23, hours=1))
    assert "rachetez une période ici" in look()[0].text
    buyer.get("/purchases")

    assert "Renouveler" in buyer.text
    assert "Entrer" in buyer.text


def withdrawn(installation):
    with installation.database.transaction() as session:
        session.execute(update(OfferRow).where(OfferRow.slug == "netpme-juriste").values(removed_at=clock.now()))


def paused(installation):
    with installation.database.transaction() as session:
        site.pause(session, "test", "netpme")


def gone(installation):
    known = installation.merchants.now()
    rest = {key: merchant for key, merchant in known.loaded.items() if key != "netpme"}
    installation.merchants._known = Known(rest, known.broken)


@pytest.mark.parametrize("close", [paused, withdrawn, gone])
@pytest.mark.parametrize(("language", "said", "not_said"), [
    ("fr", "netPME Démo SAS ne vendait pas ce service ici", "rachetez"),
    ("en", "netPME Démo SAS did not sell it here, and no further period could be bought. Should that change", "buy a further"),
])  # fmt: skip
def test_what_cannot_be_bought_again_ends_all_the_same_and_nobody_is_sent_to_buy_it(
    close, language, said, not_said, bought, at, look, installation
):
    at(NOON + timedelta(days=24))
    close(installation)
    with installation.database.transaction() as session:
        session.execute(update(Account).values(language=language))
    [letter] = look()

    assert bought in letter.text
    assert ("rien n'est facturé ensuite" if language == "fr" else "nothing is charged afterwards") in plain(letter.text)
    assert said in plain(letter.text)
    assert not_said not in letter.text
    assert letter.text.endswith("/purchases\n")


def test_who_sells_again_after_the_mail_has_the_button_that_it_told_of(bought, at, look, buyer, installation):
    at(NOON + timedelta(days=24))
    paused(installation)
    assert "« Renouveler »" in plain(look()[0].text)
    buyer.get("/purchases")
    assert "Renouveler" not in buyer.text
    with installation.database.transaction() as session:
        site.resume(session, "test", "netpme")
    buyer.get("/purchases")

    assert "Renouveler" in buyer.text


def test_it_is_in_the_language_of_whoever_reads_it(bought, at, look, installation):
    with installation.database.transaction() as session:
        session.execute(update(Account).values(language="en-GB"))
    at(NOON + timedelta(days=24))
    with installation.database.transaction() as session:
        session.execute(update(Account).values(language="en-GB"))

    [letter] = look()

    assert letter.subject == "“Legal desk, one month” ends on 26 December 2026, 13:00"
    assert "It does not renew itself: nothing is charged afterwards" in letter.text


def test_eight_workers_at_one_moment_write_it_once(bought, at, installation):
    at(NOON + timedelta(days=24))
    with ThreadPoolExecutor(8) as pool:
        zone = installation.settings.portal.zone
        written = list(
            pool.map(lambda _n: remind(installation.database, installation.merchants, zone, "http://x", "fr"), range(8))
        )

    assert sorted(written) == [0] * 7 + [1]
    with installation.database.reading() as session:
        assert len(session.scalars(select(Mail)).all()) == 1


def test_a_worker_that_was_away_until_the_end_writes_nothing(bought, at, look):
    at(NOON + timedelta(days=31))

    assert look() == []


def test_what_is_short_or_was_bought_again_needs_no_reminder(at, buyer, work, look):
    at(NOON)
    buyer.confirm(buyer.ask_price("lesechos-pass-7j"))
    buyer.confirm(buyer.ask_price("coface-veille-30j", siren=SIREN))
    work()
    at(NOON + timedelta(days=20))
    buyer.confirm(buyer.ask_price("coface-veille-30j", siren=SIREN))
    work()
    for day in (21, 24, 27, 31):
        at(NOON + timedelta(days=day))
        assert look() == []

    at(NOON + timedelta(days=45))
    [letter] = look()
    assert "15 janvier 2027" in letter.subject


def test_without_a_mail_server_nothing_is_stored_and_nothing_marked(bought, at, installation):
    at(NOON + timedelta(days=24))
    object.__setattr__(installation.settings, "mail", MailSection())
    next(each for each in installation.rounds if each.name == "reminders").work()

    with installation.database.reading() as session:
        assert session.scalars(select(Mail)).all() == []
        assert session.scalars(select(Order.reminded_at)).all() == [None]


@pytest.mark.parametrize("address", ["", "not an address"])
def test_whoever_has_no_address_is_written_nothing(address, bought, at, look, installation):
    at(NOON + timedelta(days=24))
    with installation.database.transaction() as session:
        session.execute(update(Account).values(mail=address))

    assert look() == []


def test_many_short_passes_hide_no_subscription(bought, at, look, installation, monkeypatch):
    monkeypatch.setattr(reminders, "BATCH", 2)
    at(NOON + timedelta(days=24))
    with installation.database.transaction() as session:
        first = session.scalars(select(Order)).one()
        kept = {column.name: getattr(first, column.name) for column in Order.__table__.columns if column.name != "id"}
        for number in range(5):
            quoted = session.scalars(select(QuoteRow)).first()
            values = {each.name: getattr(quoted, each.name) for each in QuoteRow.__table__.columns if each.name != "id"}
            session.add(QuoteRow(**values | {"token": f"t{number}"}))
            session.flush()
            unlike = {"number": f"G-{number}", "token": f"t{number}", "key": f"k{number}"}
            unlike |= {
                "created_at": clock.now() - timedelta(days=21),
                "ends_at": clock.now() + timedelta(minutes=number),
            }
            session.add(Order(**kept | unlike))

    assert [letter.subject for letter in look()] == [
        "« Permanence juridique, un mois » se termine le 26 décembre 2026, 13:00"
    ]
