"""What is sold for a time: its end before the second click, kept or disputed after it, and nothing that renews itself."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from connectors.contract import Access, ContractBroken, Document, Done, Licence, Link
from demo.companies import COMPANIES
from portal import clock
from portal.billing.charges import Charge
from portal.catalog import site
from portal.catalog.offers import find
from portal.checkout import disputes, orders, terms
from portal.checkout.books import compare
from portal.checkout.orders import Order
from portal.checkout.outcomes import require_usable
from portal.checkout.verification import verify
from portal.outbox import Task
from portal.rights.ceilings import Terms, add_ceiling
from portal.rights.scopes import Scope
from tests.conftest import Visitor

PARIS = ZoneInfo("Europe/Paris")
SIREN = next(siren for siren in COMPANIES if not siren.endswith("7"))
SOLD = {
    "lesechos-pass-24h": ({}, "24 heures", "24 hours", "3,99"), "lesechos-pass-7j": ({}, "7 jours", "7 days", "12,90"),
    "coface-veille-30j": ({"siren": SIREN}, "30 jours", "30 days", "10,80"),
    "coface-veille-1an": ({"siren": SIREN}, "un an", "one year", "82,80"),
    "netpme-juriste": ({}, "un mois", "one month", "58,80"),
}  # fmt: skip
NOON = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)


@pytest.fixture
def at(monkeypatch, company, buyer):
    """Both sides' clocks say this: `at(datetime)`; whoever had signed in does so anew."""

    def run(moment):
        ahead = moment - datetime.now(UTC)
        company.merchants.ahead = ahead
        monkeypatch.setattr(clock, "now", lambda: datetime.now(UTC) + ahead)
        buyer.sign_in("chloe.lefevre")

    return run


def order_of(installation, number):
    with installation.database.reading() as session:
        return orders.by_number(session, number)


def shown(buyer) -> list[datetime]:
    """Every time on the page."""
    return [datetime.fromisoformat(each) for each in re.findall(r'<time datetime="([^"]+)"', buyer.page)]


def plain(buyer) -> str:
    """The page as one line, without tags and with plain spaces."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", buyer.text))


@pytest.mark.parametrize("slug", SOLD)
def test_two_clicks_with_the_end_on_the_first_and_one_charge_in_the_end(slug, buyer, company, installation, work):
    inputs, french, english, total = SOLD[slug]
    buyer.get("/")
    assert f"pour {french}" in plain(buyer)
    token = buyer.ask_price(slug, **inputs)

    said = plain(buyer)
    assert f"Durée{french} — jusqu'au " in said.replace("Durée ", "Durée")
    assert "si vous confirmez maintenant" in said
    assert "Ne se renouvelle pas : rien n'est facturé ensuite." in said
    assert f"Confirmer : {total} €" in said
    assert "TVA à" in said
    [promised] = shown(buyer)

    buyer.post("/language", language="en", next=f"/offers/{slug}?quote={token}")
    said = plain(buyer)
    assert english in said
    assert "if you confirm now" in said
    assert "It does not renew itself: nothing is charged afterwards." in said

    number = buyer.confirm(token)
    work()
    order = order_of(installation, number)
    assert order.state == "delivered"
    assert abs(order.ends_at - promised) < timedelta(minutes=2)
    assert "Until" in plain(buyer)
    assert "/entry/" in buyer.page
    assert [charge.state for charge in company.operator.book.charges()] == ["succeeded"]
    assert compare(installation.means).differences == []
    assert verify(installation.database, installation.storage) == []
    buyer.get(f"/purchases/{number}/receipt")
    assert f"{english}, until " in plain(buyer)
    assert "nothing is charged afterwards" in plain(buyer)


def test_the_order_keeps_its_term_when_the_offer_has_another(buyer, installation):
    token = buyer.ask_price("netpme-juriste")
    with installation.database.transaction() as session:
        find(session, "netpme-juriste").term = "P1Y"
    buyer.get(f"/offers/netpme-juriste?quote={token}")
    assert "un mois — jusqu'au" in plain(buyer)

    order = order_of(installation, buyer.confirm(token))

    assert (order.pricing, order.term) == ("subscription", "P1M")
    assert order.ends_at < order.created_at + timedelta(days=32)


@pytest.mark.parametrize(("start", "slug", "end"), [
    (datetime(2027, 1, 31, 9, 0, tzinfo=UTC), "netpme-juriste", "28 févr. 2027, 10:00"),
    (datetime(2027, 3, 25, 22, 30, tzinfo=UTC), "lesechos-pass-7j", "1 avr. 2027, 23:30"),
    (datetime(2026, 10, 24, 12, 3, tzinfo=UTC), "lesechos-pass-24h", "25 oct. 2026, 13:03"),
])  # fmt: skip
def test_the_end_is_shown_on_the_companys_clock_over_months_and_changing_clocks(start, slug, end, at, buyer, work):
    at(start)
    token = buyer.ask_price(slug)
    assert f"jusqu'au {end} si vous confirmez maintenant" in plain(buyer)

    buyer.confirm(token)
    work()

    buyer.get("/purchases")
    assert f"Jusqu'au {end}" in plain(buyer)


def test_nothing_is_ever_charged_again_however_much_time_passes(buyer, company, installation, work, at):
    at(NOON)
    for slug in ("netpme-juriste", "lesechos-pass-24h"):
        buyer.confirm(buyer.ask_price(slug))
    work()
    assert len(company.operator.book.charges()) == 2

    for month in range(1, 15):
        at(NOON + timedelta(days=31 * month))
        for each in installation.rounds:
            each.work()
        work()

    charges = company.operator.book.charges()
    assert [charge.state for charge in charges] == ["succeeded", "succeeded"]
    assert len(company.merchants.book.orders()) == 2
    with installation.database.reading() as session:
        assert session.scalars(select(Charge.state)).all() == ["captured", "captured"]
        assert session.scalars(select(Task.kind).where(Task.done_at.is_(None))).all() == []
        assert len(session.scalars(select(Order.id)).all()) == 2
    assert compare(installation.means).differences == []
    assert verify(installation.database, installation.storage) == []


def of_coface(installation, what):
    with installation.database.transaction() as session:
        what(session, "test", "coface")


def test_a_price_of_a_merchant_who_is_paused_since_cannot_be_confirmed_any_more(buyer, installation):
    token = buyer.ask_price("coface-veille-30j", siren=SIREN)
    of_coface(installation, site.pause)
    for why in ("", "&why=pack_used_up"):
        buyer.get(f"/offers/coface-veille-30j?quote={token}{why}")
        assert "un administrateur l’a suspendu" in buyer.text
        assert "Confirmer" not in buyer.text


def test_what_has_ended_cannot_be_entered_and_is_renewed_by_a_purchase_of_its_own(
    buyer, company, installation, work, at
):
    at(NOON)
    number = buyer.confirm(buyer.ask_price("coface-veille-30j", siren=SIREN))
    work()
    buyer.get("/purchases")
    assert ("Entrer" in plain(buyer), "Renouveler" in plain(buyer)) == (True, False)

    at(NOON + timedelta(days=25))
    buyer.get("/purchases")
    assert ("Entrer" in plain(buyer), "Renouveler" in plain(buyer)) == (True, True)
    of_coface(installation, site.pause)
    buyer.get("/purchases")
    assert ("Entrer" in plain(buyer), "Renouveler" in plain(buyer)) == (True, False)
    of_coface(installation, site.resume)

    at(NOON + timedelta(days=30, minutes=1))
    for page in ("/purchases", f"/purchases/{number}"):
        buyer.get(page)
        assert "/entry/" not in buyer.page
        assert "Terminé le 26 déc. 2026, 13:00" in plain(buyer)
    buyer.get("/purchases")
    renew = re.search(
        r'<form method="post" action="(/offers/coface-veille-30j/quote)">.*?name="siren" value="(\d+)"',
        buyer.page,
        re.S,
    )
    assert renew[2] == SIREN
    buyer.post(renew[1], ask="1", siren=SIREN)
    token = re.search(r'name="token" value="([^"]+)"', buyer.page)[1]
    assert "Vous y avez déjà accès" not in plain(buyer)
    assert len(company.operator.book.charges()) == 1
    buyer.confirm(token)
    work()

    assert len(company.operator.book.charges()) == 2
    buyer.get("/purchases")
    running = plain(buyer).partition("Tous mes achats")[0]
    assert ("Terminé le" in running, "Jusqu'au 25 janv. 2027" in running) == (False, True)


def test_what_one_has_already_is_said_and_may_be_bought_again(buyer, company, work, at):
    at(NOON)
    first = buyer.confirm(buyer.ask_price("coface-veille-30j", siren=SIREN))
    work()
    other = next(siren for siren in COMPANIES if siren != SIREN and not siren.endswith("7"))
    buyer.ask_price("coface-veille-30j", siren=other)
    assert "déjà accès" not in plain(buyer)

    token = buyer.ask_price("coface-veille-30j", siren=SIREN)

    assert "Vous y avez déjà accès jusqu'au 26 déc. 2026, 13:00." in plain(buyer)
    assert f"Voir la commande {first}" in plain(buyer)
    buyer.confirm(token)
    work()
    assert len(company.operator.book.charges()) == 2


def test_a_colleagues_access_is_nobody_elses_business(buyer, app, at):
    at(NOON)
    buyer.confirm(buyer.ask_price("lesechos-pass-24h"))
    colleague = Visitor(app)
    colleague.sign_in("benoit.besson")
    colleague.ask_price("lesechos-pass-24h")

    assert "déjà accès" not in plain(colleague)


@pytest.fixture
def shortened(buyer, company, installation, work):
    """The number of an order whose access ends half as late as promised."""
    company.merchants.fault_once("netpme", "short_access")
    number = buyer.confirm(buyer.ask_price("netpme-juriste"))
    work()
    return number


def decide(installation, number, choice):
    with installation.database.transaction() as session:
        disputes.decide(session, "account 5", disputes.locked(session, number), choice, "called them")


def test_an_access_shorter_than_promised_waits_for_a_person_and_is_not_charged(shortened, buyer, company, installation):
    with installation.database.reading() as session:
        (case,) = disputes.open_cases(session)
        assert (case.number, case.reason["code"]) == (shortened, "access_shorter")
        assert disputes.choices(case) == ["ask_again", "accept_shorter", "give_up"]
        evidence = disputes.events(session, case)[-1].evidence
    until, promised = (datetime.fromisoformat(evidence[name]) for name in ("until", "promised"))
    assert until < promised - timedelta(days=10)
    assert "L'accès du marchand se termine plus tôt que promis." in plain(buyer)
    assert "/entry/" not in buyer.page
    assert [charge.state for charge in company.operator.book.charges()] == ["reserved"]
    assert verify(installation.database, installation.storage) == []


@pytest.mark.parametrize(("choice", "state", "charged"), [
    ("ask_again", "disputed", "reserved"), ("accept_shorter", "delivered", "succeeded"), ("give_up", "failed", "cancelled"),
])  # fmt: skip
def test_what_a_person_decides_of_a_shorter_access(choice, state, charged, shortened, company, installation, work):
    decide(installation, shortened, choice)
    work()

    order = order_of(installation, shortened)
    assert order.state == state
    assert [charge.state for charge in company.operator.book.charges()] == [charged]
    assert len(company.merchants.book.orders()) == 1
    if state == "delivered":
        assert order.ends_at < order.created_at + timedelta(days=20)
    assert verify(installation.database, installation.storage) == []


def test_an_access_found_again_only_after_its_end_is_not_charged(buyer, company, installation, work, later):
    company.merchants.fault_once("lesechos", "cut_reply")
    number = buyer.confirm(buyer.ask_price("lesechos-pass-24h"))
    later(hours=25)
    work()

    order = order_of(installation, number)
    assert (order.state, order.reason["code"]) == ("disputed", "access_ended")
    with installation.database.reading() as session:
        (case,) = disputes.open_cases(session)
        assert disputes.choices(case) == ["ask_again", "give_up"]
    assert [charge.state for charge in company.operator.book.charges()] == ["reserved"]


@pytest.mark.parametrize(("term", "early", "is_disputed"), [
    ("PT24H", timedelta(minutes=9), False), ("PT24H", timedelta(minutes=11), True), ("PT30M", timedelta(minutes=4), True),
    ("P7D", timedelta(minutes=69), False), ("P7D", timedelta(minutes=71), True), ("P1M", timedelta(days=1), True),
    ("P1M", timedelta(days=-5), False),
])  # fmt: skip
def test_how_much_earlier_than_promised_an_end_may_be(term, early, is_disputed):
    end = terms.promised_end(term, NOON, PARIS)

    assert (early > terms.tolerance(term, end - NOON)) is is_disputed


UNTIL = datetime(2027, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(("delivery", "end"), [
    (Access("https://x", UNTIL), UNTIL), (Link("https://x", UNTIL), UNTIL), (Link("https://x"), None), (Licence("k", 0, UNTIL), UNTIL),
    (Licence("k"), None), (Licence("k", 0, datetime(9999, 12, 31, tzinfo=UTC)), None), (Document("application/pdf", "u", "f"), None),
    (Access("https://x", UNTIL.astimezone(PARIS)), UNTIL),
])  # fmt: skip
def test_the_end_of_each_delivery(delivery, end):
    assert terms.end_of(delivery) == end


def test_an_end_without_a_zone_is_a_doubt():
    good = Done(Access("https://x.example", UNTIL), 100)
    require_usable(good)
    with pytest.raises(ContractBroken, match="no time zone"):
        require_usable(replace(good, delivery=Access("https://x.example", UNTIL.replace(tzinfo=None))))


def test_a_new_price_comes_with_its_end_as_well(buyer, company, work):
    company.merchants.fault_once("netpme", "price_change")
    buyer.confirm(buyer.ask_price("netpme-juriste"))
    work()

    assert "Nouveau prix : 70,56 €" in plain(buyer)
    assert "un mois — jusqu'au " in plain(buyer)
    assert "Ne se renouvelle pas : rien n'est facturé ensuite." in plain(buyer)


@pytest.fixture
def received(buyer, installation, work, at):
    """An order of today as if it had brought this: `received(kind, ends_at, **content)` gives its number."""
    at(NOON)

    def run(kind, ends_at, **content):
        number = buyer.confirm(buyer.ask_price("quidonc-inverse", phone="01 42 68 53 00"))
        work()
        with installation.database.transaction() as session:
            order = orders.by_number(session, number)
            order.ends_at, order.deliveries[0].kind, order.deliveries[0].content = (
                ends_at,
                kind,
                {"kind": kind, **content},
            )
        return number

    return run


def test_a_link_is_open_until_it_expires(received, buyer, at):
    number = received("link", NOON + timedelta(hours=2), url="https://lire.example/a")
    buyer.get(f"/purchases/{number}")
    assert ('href="https://lire.example/a"' in buyer.page, "Jusqu'au 26 nov. 2026, 15:00" in plain(buyer)) == (
        True,
        True,
    )
    assert "renouvelle" not in plain(buyer)

    at(NOON + timedelta(hours=2))
    buyer.get(f"/purchases/{number}")
    assert ("lire.example" in buyer.page, "Terminé le 26 nov. 2026, 15:00" in plain(buyer)) == (False, True)
    buyer.get("/purchases")
    # Nobody renews one page that was read; it stands among all purchases.
    assert ("Renouveler" in plain(buyer), "En cours" in plain(buyer)) == (False, False)
    assert "terminé le 26 nov. 2026, 15:00" in plain(buyer)


def test_a_key_can_be_read_and_copied(received, buyer):
    number = received("licence", None, key="AAAA-<b>", units=0)
    buyer.get(f"/purchases/{number}")

    assert '<code class="key" aria-labelledby="key-of-' in buyer.page
    assert 'data-copy="AAAA-&lt;b&gt;"' in buyer.page
    buyer.get("/purchases")
    assert "Voir la clé" in plain(buyer)


def test_what_gives_no_end_of_its_own_lasts_from_its_delivery(monkeypatch):
    order = Order(term="PT24H", created_at=NOON, ends_at=NOON + timedelta(days=1))
    monkeypatch.setattr(clock, "now", lambda: NOON + timedelta(days=2))

    assert terms.final_end(order, Licence("k")) == NOON + timedelta(days=3)
    assert terms.final_end(order, Licence("k", 0, UNTIL)) == UNTIL
    assert terms.final_end(Order(term="", created_at=NOON), Licence("k")) is None


def test_whoever_asks_to_pass_a_ceiling_asks_for_a_time(buyer, installation):
    with installation.database.transaction() as session:
        add_ceiling(session, "test", None, Terms("everyone", Scope("all"), "month", 1_000))

    buyer.ask_price("netpme-juriste")

    assert "58,80 € pour un mois" in plain(buyer)


def test_two_windows_buy_one_period_until_somebody_says_that_he_wants_two(buyer, company, work, at):
    at(NOON)
    first, second = (buyer.ask_price("netpme-juriste") for _window in range(2))
    buyer.confirm(first)

    buyer.post("/confirm", token=second)

    assert buyer.status == 409
    assert "Vous avez acheté cela depuis l'affichage de ce prix" in plain(buyer)
    work()
    assert len(company.operator.book.charges()) == 1
    again = re.search(r'name="token" value="([^"]+)"', buyer.page)[1]
    assert again not in {first, second}
    buyer.confirm(again)
    work()
    assert len(company.operator.book.charges()) == 2


def test_what_is_on_its_way_is_said_before_it_is_bought_again(buyer, company, installation, work, at):
    at(NOON)
    company.merchants.fault_once("netpme", "cut_reply")
    number = buyer.confirm(buyer.ask_price("netpme-juriste"))
    assert order_of(installation, number).is_open

    buyer.ask_price("netpme-juriste")

    assert "Vous avez déjà commandé cela" in plain(buyer)
    assert f"Voir la commande {number}" in plain(buyer)
