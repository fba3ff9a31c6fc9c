"""Merchants as every process has them: loaded anew when they change, kept while they do not, closed when nobody uses them."""

from __future__ import annotations

import gc
import threading
from dataclasses import replace

import pytest
from sqlalchemy import select, update

from connectors.contract import Problem
from portal.catalog import connecting, consent, facets, offers, runs, site
from portal.catalog.consent import MerchantAgreement
from portal.catalog.following import Draft
from portal.catalog.lists import ON_HOLD
from portal.catalog.offers import OfferRow
from portal.catalog.runs import Superseded
from portal.catalog.search import OfferWord
from portal.catalog.site import MerchantRow
from portal.catalog.synchronisation import synchronise
from portal.refusals import Refused
from portal.rights.scopes import Scope
from portal.settings import MerchantSection
from tests.admin.sites import SECRETS, make_site


@pytest.fixture
def place(company, tmp_path, ready_database):
    made = make_site(company, tmp_path / "site", ready_database, "coface")
    yield made
    made.close()


@pytest.fixture
def house(place):
    return place.houses[0]


@pytest.fixture
def draft(company):
    return Draft("coface", "coface", f"{company.merchants.url}/coface", secrets=SECRETS)


def connect(house, draft):
    connecting.connect(house.database, house.merchants, "test", draft)


def test_what_has_not_changed_is_not_loaded_again(place, house, draft):
    other = place.process()
    connect(house, draft)
    first = other.merchants.merchant("coface")
    registre = other.merchants.merchant("registre")
    connecting.change(
        house.database, house.merchants, "test", Draft("coface", "coface", draft.base_url, secrets=SECRETS)
    )
    second = other.merchants.merchant("coface")
    with house.database.transaction() as session:
        site.pause(session, "test", "coface")

    assert second is not first
    assert other.merchants.merchant("coface") is second
    assert other.merchants.merchant("registre") is registre


def test_a_connector_that_is_replaced_is_closed_when_its_last_user_lets_go(house, draft):
    connect(house, draft)
    used = house.merchants.merchant("coface")
    http = used.connector.context.http
    with house.database.transaction() as session:
        site.disconnect(session, "test", "coface")
    with pytest.raises(Refused):
        house.merchants.merchant("coface")
    assert not http._client.is_closed
    assert used.connector.check() == []
    del used
    gc.collect()

    assert http._client.is_closed


def test_many_threads_ask_while_it_is_changed_and_each_gets_one_that_works(place, house, draft):
    other, wrong = place.process(), []
    connect(house, draft)
    done = threading.Event()

    def ask() -> None:
        while not done.is_set():
            try:
                assert other.merchants.merchant("coface").manifest.id == "coface"
            except Exception as error:
                wrong.append(error)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(5):
        connecting.change(house.database, house.merchants, "test", draft)
    done.set()
    for thread in threads:
        thread.join()

    assert wrong == []


def test_while_the_database_cannot_tell_what_was_last_known_stands(house, draft, tmp_path):
    connect(house, draft)
    assert "coface" in house.merchants.loaded
    (tmp_path / "site" / "portal.db").rename(tmp_path / "gone.db")
    house.database.close()

    assert {"coface", "registre"} <= set(house.merchants.loaded)


def test_portal_toml_wins_over_what_was_connected_under_the_same_name(place, house, draft):
    connect(house, draft)
    text = place.configuration.read_text(encoding="utf-8")
    place.configuration.write_text(
        f'{text}\n[merchants.coface]\nconnector = "coface"\nbase_url = "http://127.0.0.1:9/x"\n'
        'secrets = {client_id = "a", client_secret = "b"}\n', encoding="utf-8",
    )  # fmt: skip
    other = place.process()

    assert other.merchants.merchant("coface").connector.context.base_url == "http://127.0.0.1:9/x"
    assert isinstance(other.merchants.configured["coface"], MerchantSection)


def test_code_that_fails_on_loading_breaks_its_own_merchant_only(house, draft, monkeypatch):
    connect(house, draft)

    def broken(*_asked, **_more):
        raise RuntimeError("a bad day")

    monkeypatch.setattr("portal.catalog.following.load_merchant", broken)
    with house.database.transaction() as session:
        session.execute(update(MerchantRow).where(MerchantRow.key == "coface").values(revision=99))

    assert "a bad day" in house.merchants.broken["coface"].words["en"]
    assert "registre" in house.merchants.loaded


def test_what_a_merchant_says_of_our_secrets_is_masked(house, draft, monkeypatch):
    made = house.merchants.prepare(draft)
    said = {"fr": f"Refusé : {SECRETS['client_secret']}", "en": f"Refused: {SECRETS['client_secret']}"}
    monkeypatch.setattr(made.connector, "check", lambda: [Problem(said, {"fr": "?", "en": "?"})])
    [found] = connecting.try_out("coface", made)

    assert found.what["fr"] == "Refusé : •••"


def test_disconnecting_ends_a_reading_that_goes_on(house, draft):
    connect(house, draft)
    with house.database.transaction() as session:
        run = runs.begin(session, "coface")
        runs.note(session, run, 1, "half way")
    with house.database.transaction() as session:
        site.disconnect(session, "test", "coface")

    with house.database.transaction() as session, pytest.raises(Superseded):
        runs.note(session, run, 2)
    with house.database.transaction() as session:
        assert runs.begin(session, "coface").cursor == ""


def test_a_name_under_which_another_merchant_once_sold_is_refused_also_when_only_its_offers_tell(house, draft):
    with house.database.transaction() as session:
        session.execute(update(MerchantRow).where(MerchantRow.key == "registre").values(identity=""))
    taken = Draft("registre", draft.connector, draft.base_url, secrets=draft.secrets)
    house.merchants._settings.merchants.pop("registre")
    with pytest.raises(Refused) as refused:
        connect(house, taken)

    assert (refused.value.reason.code, refused.value.reason.facts["identity"]) == (
        "merchant_key_other",
        "Registre Démo SAS",
    )


def on_sale_of_coface(house):
    with house.database.reading() as session:
        shown = {row.offer for row in offers.on_sale(session, Scope("merchant", "coface"))}
        assert facets.on_sale(session, "coface") == len(shown)
        return shown


def test_who_is_connected_is_agreed_whoever_sold_under_that_name_before(house, draft):
    connect(house, draft)
    assert synchronise(house.database, house.merchants, "coface")[0].problem == ""
    sold = on_sale_of_coface(house)
    assert not consent.notice(house.database, "coface", house.merchants.merchant("coface"))
    with house.database.transaction() as session:
        row = session.get_one(MerchantAgreement, "coface")
        row.agreed = {**row.agreed, "hosts": ["elsewhere.example"]}
    assert consent.notice(house.database, "coface", house.merchants.merchant("coface"))
    with house.database.transaction() as session:
        site.disconnect(session, "test", "coface")
        assert offers.find(session, "coface-avis") is None
        assert session.scalars(select(OfferRow.id).where(OfferRow.held_at.is_not(None))).all() == []
    connect(house, draft)

    assert on_sale_of_coface(house) == set()
    assert not consent.notice(house.database, "coface", house.merchants.merchant("coface"))
    assert synchronise(house.database, house.merchants, "coface")[0].problem == ""
    assert on_sale_of_coface(house) == sold
    with house.database.reading() as session:
        words = session.scalars(select(OfferWord.offer_id).join(OfferRow).where(OfferRow.merchant == "coface")).all()
    assert len(set(words)) == len(sold)


def test_an_address_that_an_administrator_has_changed_himself_is_agreed(house, draft):
    connect(house, draft)
    assert house.lists.now("coface", lambda _key, _read: None).problem == ""
    moved = replace(draft, base_url=draft.base_url.replace("127.0.0.1", "localhost"))
    connecting.change(house.database, house.merchants, "test", moved)

    assert house.lists.now("coface", lambda _key, _read: None).problem == ""
    assert on_sale_of_coface(house)
    with house.database.transaction() as session:
        row = session.get_one(MerchantAgreement, "coface")
        row.agreed = {**row.agreed, "name": "Another"}
    assert house.lists.now("coface", lambda _key, _read: None).problem == ON_HOLD
    connecting.change(house.database, house.merchants, "test", draft)
    assert house.lists.now("coface", lambda _key, _read: None).problem == ON_HOLD
