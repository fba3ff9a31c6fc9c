"""What is found: without accents, endings and one mistake; what may be seen; page by page, with true counts."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select

from portal.catalog.browsing import PAGE, Wish, shelf
from portal.catalog.offers import OfferRow
from portal.catalog.words import asked_words, forms_of, near, words_of
from portal.directory.answers import Group
from portal.rights.decision import Employee, decide
from portal.rights.rules import Rule, add_rule, rules_for
from portal.rights.scopes import Scope
from tests.catalog.shelves import EVERYBODY, offer, put_on_sale

OFFERS = [
    offer("kbis", "Extrait K-bis", "Company registration extract", "L'identité d'une société, du registre.", category="entreprises"),
    offer("comptes", "Comptes annuels", "Annual accounts", "Bilan et annexes déposés au greffe.", category="entreprises"),
    offer("annuaire", "Numéro inversé", "Reverse look-up", "À qui est ce numéro de téléphone ?", category="annuaire", delivery="data"),
    offer("article", "Article de presse", "Press article", "Un article des archives économiques.", category="presse"),
    offer("bail", "Bail commercial", "Commercial lease", "Modèle à remplir : contrats et œuvres.", category="modeles"),
]  # fmt: skip


@pytest.fixture
def session(database):
    put_on_sale(database, m=OFFERS)
    with database.transaction() as opened:
        add_rule(opened, "test", EVERYBODY, Scope("all"), "browse", "allow")
    with database.reading() as opened:
        yield opened


def found(session, text="", **choices):
    return [card.offer.offer for card in shelf(session, Employee(1, KEYS), Wish(text=text, **choices)).cards]


KEYS = frozenset({EVERYBODY.key})


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("kbis", ["kbis"]), ("K-BIS", ["kbis"]), ("k bis", ["kbis"]), ("extraits", ["kbis"]), ("société", ["kbis"]),
        ("societes", ["kbis"]), ("registration", ["kbis"]), ("l'extrait du K-bis", ["kbis"]), ("ext", ["kbis"]),
        ("numero inverse", ["annuaire"]), ("numéros téléphoniques", ["annuaire"]), ("lease", ["bail"]), ("oeuvre", ["bail"]),
        ("contrat", ["bail"]), ("accounts", ["comptes"]), ("compte annuel", ["comptes"]), ("articles", ["article"]),
        ("extriat", ["kbis"]), ("comtpes", ["comptes"]), ("anuaire", ["annuaire"]), ("telephnoe", ["annuaire"]),
        ("extrait presse", []), ("xyzzy", []), ("%", []), (" ", ["kbis", "comptes", "annuaire", "article", "bail"]),
    ],
)  # fmt: skip
def test_what_is_typed_finds_what_is_meant(typed, expected, session):
    assert found(session, typed) == expected


def test_what_is_named_comes_before_what_is_described(database, session):
    put_on_sale(
        database, m=OFFERS, n=[offer("b", "Divers", summary="Avec un bilan."), offer("a", "Bilan", summary="Le vôtre.")]
    )
    with database.reading() as fresh:
        assert found(fresh, "bilan") == ["a", "comptes", "b"]


def test_what_is_withdrawn_is_not_found(database, session):
    put_on_sale(database, m=OFFERS[1:])
    with database.reading() as fresh:
        assert found(fresh, "kbis") == []
    put_on_sale(database, m=OFFERS)
    with database.reading() as fresh:
        assert found(fresh, "kbis") == ["kbis"]


def test_another_text_is_found_by_its_new_words_only(database, session):
    put_on_sale(database, m=[replace(OFFERS[0], title={"fr": "Statuts", "en": "Statutes"}), *OFFERS[1:]])
    with database.reading() as fresh:
        assert (found(fresh, "statut"), found(fresh, "kbis")) == (["kbis"], [])


def test_the_choices_and_their_counts(session):
    shown = shelf(session, Employee(1, KEYS), Wish(category="entreprises"))
    assert [card.offer.offer for card in shown.cards] == ["kbis", "comptes"]
    assert shown.found == 2
    assert shown.categories == {"annuaire": 1, "entreprises": 2, "modeles": 1, "presse": 1}
    assert shown.deliveries == {"document": 2}
    assert shelf(session, Employee(1, KEYS), Wish(text="compte", delivery="data")).categories == {}
    nothing = shelf(session, Employee(1, KEYS), Wish(text="kbis", category="presse"))
    assert (nothing.cards, nothing.categories) == ([], {"entreprises": 1, "presse": 0})


def test_a_long_catalogue_comes_page_by_page(database):
    put_on_sale(database, m=[offer(f"o{number:03}") for number in range(PAGE + 3)])
    with database.transaction() as opened:
        add_rule(opened, "test", EVERYBODY, Scope("all"), "browse", "allow")
        for wish in (Wish(), Wish(text="offre")):
            first = shelf(opened, Employee(1, KEYS), wish)
            second = shelf(opened, Employee(1, KEYS), replace(wish, page=2))
            assert (len(first.cards), first.has_more, first.found) == (PAGE, True, PAGE + 3)
            assert ([card.offer.offer for card in second.cards], second.has_more) == (["o060", "o061", "o062"], False)
        assert shelf(opened, Employee(1, KEYS), Wish(page=-3)).cards[0].offer.offer == "o000"
        assert shelf(opened, Employee(1, KEYS), Wish(page=10**9)).cards == []


SCOPES = [
    Scope("all"),
    Scope("category", "presse"),
    Scope("merchant", "m"),
    Scope("offer", "m/a"),
    Scope("offer", "n/b"),
]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    wanted=st.lists(
        st.tuples(st.sampled_from(SCOPES), st.sampled_from(["browse", "buy"]), st.sampled_from(["allow", "deny"])),
        max_size=5,
    ),
    text=st.sampled_from(["", "offre"]),
)
def test_what_is_shown_and_counted_is_what_the_rules_decide(database, wanted, text):
    """Against `decide` itself, offer by offer."""
    listed = [offer("a"), offer("b", category="annuaire"), offer("c", delivery="data")]
    put_on_sale(database, m=listed, n=listed)
    with database.transaction() as opened:
        opened.execute(delete(Rule))
        for scope, right, effect in wanted:
            add_rule(opened, "test", EVERYBODY, scope, right, effect)
        rules = rules_for(opened, KEYS)
        visible = [row for row in opened.scalars(select(OfferRow)) if decide(rules, "browse", row.wanted).allowed]
        shown = shelf(opened, Employee(1, KEYS), Wish(text=text))
        assert sorted(card.offer.slug for card in shown.cards) == sorted(row.slug for row in visible)
        counted = Counter(row.category for row in visible)
        assert (shown.found, shown.categories) == (len(visible), dict(sorted(counted.items())))


@given(word=st.text("abcdeé", min_size=4, max_size=12), data=st.data())
def test_one_mistake_is_near_and_two_words_apart_are_told_apart(word, data):
    at = data.draw(st.integers(0, len(word) - 1))
    letter = data.draw(st.sampled_from("abcde"))
    for wrong in (word[:at] + word[at + 1 :], word[:at] + letter + word[at:], word[:at] + letter + word[at + 1 :]):
        assert len(wrong) < 4 or near(word) & near(wrong)
    assert not near(word) & near(word + "xyz")


def test_words_that_tell_nothing_are_asked_for_only_alone():
    assert asked_words("le K-bis de la société") == ["k", "bis", "societe"]
    assert asked_words("de la") == ["de", "la"]
    assert words_of("L'extrait K-bis") == {"extrait", "k", "bis", "kbis"}
    assert forms_of("comptes") >= {"comptes", "compt"}


def test_nobody_sees_anything_without_a_rule(database):
    put_on_sale(database, m=OFFERS)
    with database.reading() as opened:
        shown = shelf(opened, Employee(1, frozenset({Group("cn=others,dc=acme").key})), Wish())
    assert (shown.is_open, shown.cards, shown.found) == (False, [], 0)
