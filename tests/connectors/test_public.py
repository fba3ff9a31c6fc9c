"""The connectors of public interfaces, each in front of a server that answers in the published shapes."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from connectors.contract import (
    AuthFailed,
    Buyer,
    ContractBroken,
    Data,
    Document,
    Done,
    MerchantConnector,
    NotDone,
    NotFound,
    NotOffered,
    Offer,
    Quote,
    Rejected,
    Unavailable,
    Unknown,
    UnknownOutcome,
)
from connectors.http import Network
from connectors.kit import gold, prove
from connectors.merchants import registry
from connectors.merchants.legifrance.references import day, fields, parsed, plain
from connectors.merchants.registry import ConnectorBroken, LoadedMerchant, load_merchant
from demo.companies import COMPANIES
from demo.entreprises import Entreprises
from demo.laws import LAWS
from demo.legifrance import Legifrance
from demo.pappers import Pappers
from tests.connectors.kit_recording import SHIPPED
from tests.connectors.public_recording import PUBLIC, record_public, section

ACME = Buyer("Acme SA")
GARAGE = "806569182"
WITHOUT_STATUTES = next(siren for siren in COMPANIES if siren.endswith("1"))
CLOSED = next(siren for siren in COMPANIES if siren.endswith("3"))
KNOWN = next(siren for siren, company in COMPANIES.items() if company.form == "SAS" and siren[-1] not in "13")


def load(partner, **more) -> LoadedMerchant:
    """A partner's connector as the portal loads it."""
    given = section(partner)
    return load_merchant(
        given["connector"], partner.name, given["base_url"], given.get("secrets", {}), Network(), **more
    )


def running(make: Callable[[], object]) -> Iterator[object]:
    partner = make()
    partner.start()
    yield partner
    partner.stop()


@pytest.fixture
def directory() -> Iterator[Entreprises]:
    yield from running(Entreprises)


@pytest.fixture
def pappers() -> Iterator[Pappers]:
    yield from running(Pappers)


@pytest.fixture
def library() -> Iterator[Legifrance]:
    yield from running(Legifrance)


def ask(connector: MerchantConnector, offer: str, **inputs: str) -> Quote:
    """A quote as the core hands it to `fulfil`."""
    return replace(connector.quote(offer, inputs, ACME), offer_id=offer, inputs=inputs)


def order(connector: MerchantConnector, quote: Quote):
    return connector.fulfil(quote, "key-1", "G-1", quote.gross_cents)


def shown(done: Done) -> dict[str, str]:
    """The rows of a delivery by their French labels."""
    assert isinstance(done, Done)
    assert isinstance(done.delivery, Data)
    return {label["fr"]: value for label, value in done.delivery.rows}


# --- All three ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_what_is_recorded_from_the_demonstration_proves_the_connector(name, tmp_path, monkeypatch):
    monkeypatch.setattr(gold, "MANY", 3_000)
    partner = PUBLIC[name]()
    partner.start()
    written = record_public(name, partner, tmp_path)
    partner.stop()

    report = prove(SHIPPED / name, name)

    assert {result.check.id: result.why["en"] for result in report.failed} == {}
    assert report.tier == "gold"
    for path in written:
        assert path.read_text(encoding="utf-8") == (SHIPPED / name / "fixtures" / path.name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_on_this_machine_it_is_a_demonstration_that_signs_in_and_has_no_book(name):
    for partner in running(PUBLIC[name]):
        loaded = load(partner)
        assert loaded.manifest.sandbox
        assert loaded.connector.check() == []
        with pytest.raises(NotOffered):
            list(loaded.connector.list_orders(None))


def test_where_the_interface_stands_says_who_is_contacted_and_what_is_a_demonstration():
    secrets = {"client_id": "a", "client_secret": "b"}

    def at(base_url: str) -> tuple[set[str], bool]:
        loaded = load_merchant("legifrance", "legifrance", base_url, secrets, Network())
        return loaded.connector.context.http.hosts, loaded.manifest.sandbox

    real, test_system = (
        {"api.piste.gouv.fr", "oauth.piste.gouv.fr"},
        {"sandbox-api.piste.gouv.fr", "sandbox-oauth.piste.gouv.fr"},
    )
    assert at("") == (real, False)
    assert at("https://api.piste.gouv.fr/dila/legifrance/lf-engine-app") == (real, False)
    assert at("https://sandbox-api.piste.gouv.fr/dila/legifrance/lf-engine-app") == (test_system, True)
    assert at("https://gateway.acme.example/piste") == ({"gateway.acme.example"}, False)
    assert at("http://127.0.0.1:9/x") == ({"127.0.0.1:9"}, True)
    assert at("http://localhost:9/x")[1]


# --- Pappers ------------------------------------------------------------------------------------------


def test_pappers_prices_are_the_manifests_line_by_line(pappers):
    connector = load(pappers).connector
    prices = {
        offer.id: (offer.net_cents, offer.vat_cents, offer.gross_cents)
        for offer in connector.list_offers()
        if isinstance(offer, Offer)
    }
    assert prices == {"statuts": (50, 10, 60), "comptes": (100, 20, 120)}
    quote = ask(connector, "comptes", siren=GARAGE, annee="")
    assert [(line.net_cents, line.vat_cents) for line in quote.lines] == [(10, 2), (90, 18)]
    assert (quote.gross_cents, quote.subject) == (120, f"GARAGE MARTIN ({GARAGE})")
    assert (
        connector.quote("statuts", {"siren": GARAGE}, Buyer("Acme SA", "en")).lines[0].description.startswith("Look at")
    )
    # Neither completion nor a price costs a credit.
    assert [each.value for each in connector.suggest("statuts", "siren", "garage martin")] == [GARAGE]
    assert pappers.used == 0


def test_pappers_a_site_writes_the_prices_of_its_contract(pappers, tmp_path):
    own = tmp_path / "pappers.toml"
    text = (SHIPPED / "pappers" / "connector.toml").read_text(encoding="utf-8")
    changed = text.replace('call = "0.10"', 'call = "0"').replace('statuts = "0.40"', 'statuts = "0.33"')
    own.write_text(changed, encoding="utf-8")
    quote = ask(load(pappers, site=own).connector, "statuts", siren=GARAGE)
    assert (quote.net_cents, quote.vat_cents, quote.gross_cents, len(quote.lines)) == (33, 7, 40, 1)

    for old, new, why in [
        ('comptes = "0.90"', 'bilan = "0.90"', "a price to each of comptes, statuts"),
        ('call = "0.10"', 'call = "0.101"', "prices.call"),
        ('id = "pappers"', 'id = "papers"', "its manifest says id = “papers”"),
    ]:
        own.write_text(text.replace(old, new), encoding="utf-8")
        with pytest.raises(ConnectorBroken, match=why):
            load(pappers, site=own)
    with pytest.raises(ConnectorBroken, match="a manifest of its own"):
        load_merchant("coface", "coface", "", {"client_id": "a", "client_secret": "b"}, Network(), site=own)


@pytest.mark.parametrize(("offer", "inputs", "filename"), [
    ("statuts", {}, f"STATUTS-{KNOWN}.pdf"), ("comptes", {"annee": ""}, f"COMPTES-{KNOWN}-2025.pdf"),
    ("comptes", {"annee": "2023"}, f"COMPTES-{KNOWN}-2023.pdf"),
])  # fmt: skip
def test_pappers_a_document_is_found_and_downloaded(offer, inputs, filename, pappers):
    connector = load(pappers).connector
    done = order(connector, ask(connector, offer, siren=KNOWN, **inputs))
    assert isinstance(done, Done)
    assert isinstance(done.delivery, Document)
    assert (done.delivery.filename, pappers.used, pappers.downloads()) == (filename, 1, 0)
    body = io.BytesIO()
    connector.fetch(done.delivery, body)
    assert body.getvalue().startswith(b"%PDF-")
    assert (pappers.used, pappers.downloads()) == (2, 1)


def test_pappers_the_latest_accounts_are_the_latest_that_anybody_may_read(pappers):
    connector = load(pappers).connector
    # Of an EURL the last year is confidential.
    done = order(connector, ask(connector, "comptes", siren=GARAGE, annee=""))
    assert done.delivery.filename == f"COMPTES-{GARAGE}-2024.pdf"
    no = order(connector, ask(connector, "comptes", siren=GARAGE, annee="2025"))
    assert isinstance(no, NotDone)
    assert "confidential" in no.words["en"]


def test_pappers_what_it_does_not_have_is_a_no_and_nothing_is_downloaded(pappers):
    connector = load(pappers).connector
    missing = [("statuts", {"siren": WITHOUT_STATUTES}), ("comptes", {"siren": KNOWN, "annee": "1999"})]
    for offer, inputs in missing:
        no = order(connector, ask(connector, offer, **inputs))
        assert isinstance(no, NotDone), offer
        assert "Rien n’est facturé" in no.words["fr"]
    pappers.break_("no_document")
    for offer in ("statuts", "comptes"):
        assert isinstance(order(connector, ask(connector, offer, siren=KNOWN, annee="")), NotDone)
    assert pappers.downloads() == 0
    with pytest.raises(Rejected) as refused:
        ask(connector, "statuts", siren="732829320")
    assert refused.value.field == "siren"


def test_pappers_a_partial_answer_is_never_taken_for_the_whole(pappers):
    connector = load(pappers).connector
    quote = ask(connector, "statuts", siren=KNOWN)
    pappers.break_("partial")
    no = order(connector, quote)
    # The statutes stood in it; whether they are the latest, nothing says.
    assert isinstance(no, NotDone)
    assert (no.code, pappers.downloads()) == ("partial", 0)
    assert "incomplete" in no.words["en"]


@pytest.mark.parametrize(("fault", "outcome"), [
    ("cut", UnknownOutcome), ("cut_before", UnknownOutcome), ("error500", Unknown), ("down", Unknown), ("another_company", Unknown),
    ("busy", Unavailable),
])  # fmt: skip
def test_pappers_a_doubt_is_a_persons_with_the_counter_as_evidence(fault, outcome, pappers):
    connector = load(pappers).connector
    quote = ask(connector, "statuts", siren=KNOWN)
    pappers.break_(fault)
    try:
        said = order(connector, quote)
    except (UnknownOutcome, Unavailable) as error:
        said = error
    assert isinstance(said, outcome)
    pappers.break_("")
    found = connector.lookup_sent(quote, "key-1")
    assert isinstance(found, Unknown)
    assert found.needs_admin
    assert f"0/0, now: {pappers.used}/0" in found.detail
    assert sum(path.startswith("/v2/entreprise") for path in pappers.seen) == 1


def test_pappers_without_credits_nothing_is_offered_for_confirmation(pappers):
    connector = load(pappers).connector
    pappers.break_("exhausted")
    with pytest.raises(Rejected) as refused:
        ask(connector, "statuts", siren=KNOWN)
    assert "épuisés" in refused.value.words["fr"]
    assert not any(path.startswith("/v2/entreprise") for path in pappers.seen)


def test_pappers_a_wrong_key_is_found_before_anything_is_bought(pappers):
    connector = load_merchant(
        "pappers", "pappers", f"{pappers.server.url}/v2", {"api_key": "wrong"}, Network()
    ).connector
    assert "secrets" in connector.check()[0].remedy["en"]
    with pytest.raises(AuthFailed):
        ask(connector, "statuts", siren=KNOWN)


# --- The directory of companies -----------------------------------------------------------------------


def test_directory_a_card_is_free_and_names_no_birthday(directory):
    connector = load(directory).connector
    assert [(offer.id, offer.gross_cents, offer.delivery) for offer in connector.list_offers()] == [
        ("fiche", 0, "data")
    ]
    quote = ask(connector, "fiche", siren=GARAGE)
    assert (quote.gross_cents, quote.vat_cents, quote.subject) == (0, 0, f"GARAGE MARTIN ({GARAGE})")
    done = order(connector, quote)
    rows = shown(done)
    assert done.charged_cents == 0
    assert rows["Forme juridique"] == "SARL unipersonnelle (EURL)"
    assert rows["Dirigeants"] == "Camille MARTIN – Gérant\nAUDIT DE DÉMONSTRATION – Commissaire aux comptes titulaire"
    assert (rows["Créée le"], rows["État"]) == ("03/09/2019", "En activité / active")
    assert "Fermée le" not in rows
    assert "1964" not in str(rows)
    closed = shown(order(connector, ask(connector, "fiche", siren=CLOSED)))
    assert (closed["État"], closed["Fermée le"]) == ("Cessée / closed", "30/06/2025")


def test_directory_completes_names_from_the_third_letter(directory):
    connector = load(directory).connector
    found = connector.suggest("fiche", "siren", "garage martin")
    assert [(each.value, each.label, each.detail) for each in found] == [(GARAGE, "GARAGE MARTIN", f"{GARAGE} · NÎMES")]
    asked = len(directory.seen)
    assert connector.suggest("fiche", "siren", "ga ") == []
    assert len(directory.seen) == asked


def test_directory_only_the_company_itself_is_an_answer(directory):
    connector = load(directory).connector
    quote = ask(connector, "fiche", siren=GARAGE)
    for fault in ("another_company", "gone"):
        directory.break_(fault)
        with pytest.raises(Rejected) as refused:
            ask(connector, "fiche", siren=GARAGE)
        assert refused.value.field == "siren"
        no = order(connector, quote)
        assert isinstance(no, NotDone)
        assert no.words["fr"].startswith("L’annuaire ne montre aucune entreprise")


def test_directory_a_lost_answer_is_read_again_and_a_limit_waited_for(directory):
    connector = load(directory).connector
    quote = ask(connector, "fiche", siren=GARAGE)
    directory.break_("cut")
    with pytest.raises(UnknownOutcome):
        order(connector, quote)
    directory.break_("")
    assert connector.lookup_sent(quote, "key-1") == NotFound()
    directory.limit = 7

    def hurry() -> None:
        for _turn in range(12):
            order(connector, quote)

    with pytest.raises(Unavailable) as waiting:
        hurry()
    assert waiting.value.retry_after_s == 1


# --- Légifrance ---------------------------------------------------------------------------------------


def test_library_an_article_as_people_write_it(library):
    connector = load(library).connector
    for typed in (
        "article L1221-1 du code du travail",
        "Art. L. 1221-1, Code du travail",
        "L1221-1 code du travail",
        "code du travail article l 1221-1",
    ):
        quote = ask(connector, "texte", reference=typed)
        assert (quote.ref, quote.gross_cents) == (LAWS[0].id, 0), typed
    rows = shown(order(connector, quote))
    assert rows["Article"] == "Article L1221-1 – Code du travail (démonstration)"
    assert (
        rows["Texte"].splitlines()[1]
        == "Les parties choisissent la forme qu’elles adoptent\N{NO-BREAK SPACE}; elle peut être numérique."
    )
    assert rows["Version en vigueur depuis le"] == "01/05/2008"
    assert rows["Sur Légifrance"] == f"https://www.legifrance.gouv.fr/codes/article_lc/{LAWS[0].id}"
    assert "Jusqu’au" not in rows
    assert "<" not in rows["Texte"]


@pytest.mark.parametrize(("typed", "number", "rest"), [
    ("article L1221-1 du code du travail", "L1221-1", "code du travail"), ("Art. R. *123-4, code de l’urbanisme", "R*123-4", "code de l’urbanisme"),
    ("code général des impôts, 279-0 bis", "279-0 bis", "code général des impôts"), ("39 duodecies A du CGI", "39 duodecies A", "CGI"),
    ("l 441-10 Code de commerce", "L441-10", "Code de commerce"), ("article 1er du code civil", "1er", "code civil"),
    ("44 sexies-0 A", "44 sexies-0 A", ""), ("Article L123-4 du Code de commerce (démonstration)", "L123-4", "Code de commerce (démonstration)"),
    ("période d’essai", "", "période d’essai"), ("", "", ""), ("D. 1", "D1", ""), ("L.1221-1 – Code du travail.", "L1221-1", "Code du travail"),
])  # fmt: skip
def test_library_numbers_as_people_write_them(typed, number, rest):
    assert parsed(typed) == (number, rest)
    assert [each["typeChamp"] for each in fields(typed)] == [
        *(["NUM_ARTICLE"] if number else []),
        *([("TITLE" if number else "ARTICLE")] if rest else []),
    ]


@pytest.mark.parametrize(("given", "written"), [
    (1_209_600_000_000, "01/05/2008"), ("2019-04-26", "26/04/2019"), ("2008-05-01T00:00:00.000+0000", "01/05/2008"),
    (32_472_144_000_000, ""), (None, ""), ("2999-01-01", ""), (10**30, ""), (True, ""), ("demain", ""),
])  # fmt: skip
def test_library_dates_as_they_come(given, written):
    assert day(given) == written


def test_library_html_becomes_text_and_nothing_else():
    said = plain(
        "<p>Un&nbsp;: <b>gras</b>,\n suite</p><ul><li>a</li><li>b</li></ul><script>x()</script><p></p>1 &lt; 2<br/>fin"
    )
    assert said == "Un\N{NO-BREAK SPACE}: gras, suite\na\nb\n1 < 2\nfin"


def test_library_the_version_of_today_and_what_is_repealed_later(library):
    connector = load(library).connector
    today = shown(order(connector, ask(connector, "texte", reference="L3121-1 du code du travail")))
    assert (today["Version en vigueur depuis le"], "directives" in today["Texte"]) == ("10/08/2016", True)
    later = shown(order(connector, ask(connector, "texte", reference="L441-10 code de commerce")))
    assert (later["Jusqu’au"], later["Nota"]) == ("01/01/2099", "Abrogé à une date à venir.")
    with pytest.raises(Rejected):
        ask(connector, "texte", reference="D450-1 code de commerce")


def test_library_a_number_of_several_codes_is_asked_back(library):
    connector = load(library).connector
    with pytest.raises(Rejected) as refused:
        ask(connector, "texte", reference="L123-4")
    assert "Article L123-4 du Code de commerce (démonstration)" in refused.value.words["fr"]
    assert ask(connector, "texte", reference="L123-4 du code de commerce").ref == LAWS[7].id
    # What completion proposes designates that article and no other.
    for each in connector.suggest("texte", "reference", "L123-4"):
        assert ask(connector, "texte", reference=each.value).subject == each.label
    for nothing in ("code du travail", "L9999-9 du code du travail", "bonjour"):
        with pytest.raises(Rejected) as refused:
            ask(connector, "texte", reference=nothing)
        assert refused.value.field == "reference"


def test_library_an_article_of_another_code_is_not_what_was_meant(library):
    connector = load(library).connector
    library.break_("loose")
    with pytest.raises(Rejected):
        ask(connector, "texte", reference="L1221-1 du code civil")
    assert ask(connector, "texte", reference="L123-4 du Code de commerce").ref == LAWS[7].id
    assert ask(connector, "texte", reference="l1221-1 CODE DU TRAVAIL").ref == LAWS[0].id


def test_library_completes_by_number_code_and_words(library):
    connector = load(library).connector
    # What designates one article is not asked to be picked.
    [only] = connector.suggest("texte", "reference", "l1221-1 travail")
    assert (only.value, only.label) == ("l1221-1 travail", "Article L1221-1 du Code du travail (démonstration)")
    assert [each.label for each in connector.suggest("texte", "reference", "faute dommage")] == [
        "Article 1240 du Code civil (démonstration)"
    ]
    assert connector.suggest("texte", "reference", "L") == []


def test_library_signs_in_once_and_again_when_its_token_has_expired(library):
    connector = load(library).connector
    quote = ask(connector, "texte", reference="1240 code civil")
    order(connector, quote)
    assert library.signed_in == 1
    library.expire()
    assert isinstance(order(connector, quote), Done)
    assert library.signed_in == 2
    base = section(library)["base_url"]
    wrong = load_merchant(
        "legifrance", "x", base, {"client_id": "acme-piste", "client_secret": "no"}, Network()
    ).connector
    assert "secrets" in wrong.check()[0].remedy["en"]


def test_library_another_article_is_a_doubt_and_none_a_no(library):
    connector = load(library).connector
    quote = ask(connector, "texte", reference="1240 code civil")
    library.break_("another_article")
    assert isinstance(order(connector, quote), Unknown)
    assert connector.lookup_sent(quote, "key-1") == NotFound()
    library.break_("gone")
    assert isinstance(order(connector, quote), NotDone)
    library.break_("busy")
    with pytest.raises(Unavailable) as waiting:
        order(connector, quote)
    assert waiting.value.retry_after_s == 2
    library.break_("garbage")
    with pytest.raises(ContractBroken):
        ask(connector, "texte", reference="1240 code civil")


def test_registry_knows_all_three_by_name():
    assert set(PUBLIC) <= set(registry.names())
    assert all((SHIPPED / name / "README.md").read_text(encoding="utf-8").count("Not verified") == 1 for name in PUBLIC)
    assert Path(SHIPPED / "pappers" / "connector.toml").read_text(encoding="utf-8").count("[prices]") > 1
