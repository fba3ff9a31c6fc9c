"""The whole portal on PostgreSQL: the same tables, the same two clicks, the same invariants, and sentences when it is away."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from sqlalchemy import select, text
from sqlalchemy.exc import OperationalError

from demo.companies import COMPANIES
from portal import audit, clock, outbox
from portal.audit import AuditEntry
from portal.catalog import changes
from portal.catalog.browsing import Wish, shelf
from portal.catalog.lists import Lists
from portal.checkout.books import compare
from portal.checkout.verification import verify
from portal.database import Database
from portal.directory.accounts import Account, remember
from portal.directory.answers import Person, Yes
from portal.mail.addresses import Recipient
from portal.mail.messages import Mail, post
from portal.migrations import schema
from portal.outbox import LEASE_S, LeaseLost
from portal.rights.decision import Employee
from portal.rights.rules import add_rule
from portal.rights.scopes import Scope
from tests.catalog.shelves import EVERYBODY, merchants, offer, put_on_sale
from tests.checkout.other_sides import ANYWHERE
from tests.checkout.test_state_machines import DONE, Purchases, assert_rest
from tests.checkout.world import PostgresTemplate, World, furnish
from tests.conftest import Visitor
from tests.real.postgres import NOT_DURABLE, Postgres, private_postgresql
from tests.real.slapd import free_port
from tests.real.test_serving import Server, wait_until

ROOT = Path(__file__).parents[2]
SIREN = next(siren for siren in COMPANIES if not siren.endswith("7"))


@pytest.fixture
def database_url(postgres: Postgres) -> str:
    """Every installation of this file is on PostgreSQL."""
    return postgres.url(postgres.make())


@pytest.fixture
def database(postgres: Postgres, migrated: str) -> Iterator[Database]:
    """Tables with nothing in them."""
    made = Database(postgres.url(postgres.make(migrated)))
    yield made
    made.close()


@pytest.fixture(scope="module")
def template(postgres: Postgres) -> PostgresTemplate:
    return PostgresTemplate(postgres, postgres.furnished(furnish))


def portal(*words: str, configuration: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """One command in a process of its own."""
    chosen = {name: value for name, value in os.environ.items() if not name.startswith(("PORTAL_", "LC_", "LANG"))}
    return subprocess.run(
        [sys.executable, "-m", "portal", *words], env={**chosen, "PORTAL_CONFIG": str(configuration), **environment},
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip


# --- The same tables, the same two clicks, the same invariants ----------------------------------------


def test_migrations_make_exactly_our_tables(database):
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "render_as_batch": True})
        assert compare_metadata(context, schema.metadata()) == []


def test_lists_are_read_put_on_hold_agreed_to_and_searched(database):
    with database.transaction() as session:
        add_rule(session, "test", EVERYBODY, Scope("all"), "buy", "allow")
    offers = [offer(f"o{number}", f"Contrat {number}") for number in range(70)]
    lists = Lists(database, merchants(m=offers), lambda _key: timedelta(hours=1))
    lists.look()
    for reading in lists._readings.values():
        reading.join(120)
    [standing] = lists.standing()
    assert (standing.offers, standing.problem, standing.is_read_now) == (70, "", False)
    put_on_sale(database, m=[*offers[:60], *(replace(each, currency="USD") for each in offers[60:])])
    with database.reading() as session:
        seen = shelf(session, Employee(1, frozenset({EVERYBODY.key})), Wish(text="contra", category="presse"))
        assert (seen.found, len(seen.cards), seen.categories, seen.has_more) == (60, 60, {"presse": 60}, False)
        [change] = changes.listing(session)
        assert (change.offers, changes.waiting(session)) == (10, 1)
    with database.transaction() as session:
        changes.refuse(session, "account 1", change.change)
    with database.transaction() as session:
        changes.agree(session, "account 1", change.change)
    with database.reading() as session:
        seen = shelf(session, Employee(1, frozenset({EVERYBODY.key})), Wish(text="contrats", page=2))
        assert (seen.found, len(seen.cards), seen.has_more) == (70, 10, False)
    assert schema.is_current(database)


def test_two_machines_that_start_at_one_moment_migrate_once(postgres):
    url = postgres.url(postgres.make())

    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as pool:
        versions = list(pool.map(upgraded, [url] * 4))

    assert len(set(versions)) == 1
    assert versions[0]


def upgraded(url):
    database = Database(url)
    schema.upgrade(database)
    version = schema.version(database)
    database.close()
    return version


def test_two_clicks_deliver_and_charge_once(buyer, company, installation, work):
    token = buyer.ask_price("registre-kbis", siren=SIREN)
    number = buyer.confirm(token)
    work()

    assert buyer.confirm(token) == number
    assert buyer.states() == ["delivered"]
    assert [charge.state for charge in company.operator.book.charges()] == ["succeeded"]
    assert compare(installation.means).differences == []
    assert verify(installation.database, installation.storage) == []


def test_a_mail_is_stored_and_sent(company, installation, work):
    with installation.database.transaction() as session:
        post(session, Recipient("zoe@acme.example", "Dupont, Zoé"), "É" * 300, "Bonjour\x00 Zoé\n", "fr")
    work()

    assert [letter.text for letter in company.mailbox.letters()] == ["Bonjour Zoé\n"]
    with installation.database.reading() as session:
        assert session.scalars(select(Mail.state)).all() == ["sent"]


def test_whatever_is_typed_is_answered_as_on_sqlite(buyer):
    nothing_found = buyer.get("/?q=%00")

    assert buyer.status == 200
    assert 'id="buy-' not in nothing_found
    for address in ("/offers/registre%00kbis", "/purchases/G-%00", f"/purchases/{'G' * 5000}"):
        buyer.get(address)
        assert buyer.status == 404
    buyer.get("/?q=k%25zz")
    assert "registre-kbis" not in buyer.page
    buyer.get("/?q=KBIS")
    assert "registre-kbis" in buyer.page
    buyer.post("/confirm", token="\0" * 300)
    assert buyer.status == 410


def test_a_login_of_any_length_or_letters_is_a_refusal(visitor):
    for login in ("x" * 10_000, "a\0b", "\u202eabc", "'; DROP TABLE accounts; --"):
        visitor.sign_in(login)
        assert visitor.status < 500


def test_any_order_of_events_keeps_the_invariants(template):
    Purchases.template = template
    run_state_machine_as_test(Purchases, settings=settings(
        max_examples=12, stateful_step_count=10, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True,
    ))  # fmt: skip


@pytest.mark.parametrize("fault", ANYWHERE)
def test_each_loss_stall_and_death_ends_as_it_must(fault, template, tmp_path):
    world = World(template, tmp_path)
    world.operator.faults.coming.append(fault)
    world.merchant.faults.coming.append(fault)

    world.confirm(world.ask_price(1, 1_000), 1)

    assert_rest(world)
    assert list(world.ends().values()) == [DONE]
    world.close()


# --- What several processes do at one moment ------------------------------------------------------------


def test_six_processes_never_take_the_same_task(database):
    with database.transaction() as session:
        for number in range(60):
            outbox.enqueue(session, "capture", f"G-{number}")
    url = database.url.render_as_string(hide_password=False)

    with ProcessPoolExecutor(6, mp_context=get_context("spawn")) as pool:
        taken = list(pool.map(take_all, [url] * 6))

    assert sorted(subject for share in taken for subject in share) == sorted(f"G-{number}" for number in range(60))


def take_all(url):
    """Claim until nothing is left, and finish every second task at once, as workers do."""
    database, taken = Database(url), []
    while True:
        with database.transaction() as session:
            lease = outbox.claim(session, f"process {os.getpid()}")
        if lease is None:
            database.close()
            return taken
        taken.append(lease.subject)
        if len(taken) % 2:
            with database.transaction() as session:
                outbox.finish(session, lease)


def test_a_claim_does_not_wait_for_a_task_that_somebody_is_working_on(database):
    for number in range(2):
        with database.transaction() as session:
            outbox.enqueue(session, "capture", f"G-{number}")
    with database.transaction() as session:
        first = outbox.claim(session, "one")

    # A renewal not yet committed keeps its row; the next to ask passes it by instead of waiting for it.
    with database.transaction() as renewing:
        outbox.renew(renewing, first)
        with database.transaction() as session:
            second = outbox.claim(session, "two")
        with database.transaction() as session:
            assert outbox.claim(session, "three") is None

    assert {first.subject, second.subject} == {"G-0", "G-1"}


def test_a_lease_that_ran_out_and_was_taken_writes_nothing(database, later):
    with database.transaction() as session:
        outbox.enqueue(session, "capture", "G-1")
    with database.transaction() as session:
        first = outbox.claim(session, "one")
    later(seconds=LEASE_S + 1)
    with database.transaction() as session:
        second = outbox.claim(session, "two")

    with pytest.raises(LeaseLost), database.transaction() as session:
        outbox.finish(session, first)
    with database.transaction() as session:
        outbox.finish(session, second)


def test_the_journal_of_many_at_one_moment_is_one_chain(database):
    def act(number):
        with database.transaction() as session:
            for action in ("begun", "ended"):
                audit.record(session, f"account {number}", action, f"thing {number}", after={"é": number})
            session.execute(text("SELECT pg_sleep(0.01)"))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(act, range(40)))

    with database.reading() as session:
        assert audit.first_broken(session) is None
        entries = session.scalars(select(AuditEntry).order_by(AuditEntry.id)).all()
    assert len({entry.previous_hash for entry in entries}) == len(entries) == 80
    pairs = [(entries[at].subject, entries[at + 1].subject) for at in range(0, 80, 2)]
    assert all(first == second for first, second in pairs)


def test_whoever_writes_the_journal_waits_for_nobody_before_the_end(database):
    """Two that need each other's row after their entry would wait for each other for ever, were the chain kept that long."""
    with database.transaction() as first:
        audit.record(first, "one", "acted", "a")
        with database.transaction() as second:
            audit.record(second, "two", "acted", "b")

    with database.reading() as session:
        assert audit.first_broken(session) is None
        assert session.scalars(select(AuditEntry.actor).order_by(AuditEntry.id)).all() == ["two", "one"]


def test_a_person_who_signs_in_twice_at_one_moment_is_one_account(database):
    person = Person(
        id="u-1", dn="uid=x", login="x", name="X", mail="", department="", cost_centre="", language="fr",
    )  # fmt: skip

    def arrive(_number):
        with database.transaction() as session:
            return remember(session, Yes(person, ())).id

    with ThreadPoolExecutor(8) as pool:
        numbers = list(pool.map(arrive, range(16)))

    assert len(set(numbers)) == 1
    with database.reading() as session:
        assert len(session.scalars(select(Account)).all()) == 1


def test_reading_sees_one_moment_and_writes_nothing(database):
    with database.transaction() as session:
        outbox.enqueue(session, "capture", "G-1")
    with database.reading() as session:
        before = outbox.open_subjects(session)
        with database.transaction() as other:
            outbox.enqueue(other, "void", "G-2")
        assert outbox.open_subjects(session) == before == {"G-1"}
        with pytest.raises(Exception, match="read-only"):
            outbox.enqueue(session, "void", "G-3")
    with database.transaction() as session:
        assert outbox.open_subjects(session) == {"G-1", "G-2"}


def test_a_moment_comes_back_as_it_was_whatever_the_servers_zone(postgres, migrated):
    name = postgres.make(migrated)
    postgres.run(f"ALTER DATABASE {name} SET timezone TO 'Pacific/Auckland'")
    database, at = Database(postgres.url(name)), clock.now()
    with database.transaction() as session:
        audit.record(session, "somebody", "acted", "é", before={"b": 1, "a": [None, "\0"]})

    with database.reading() as session:
        entry = session.scalars(select(AuditEntry)).one()
        assert audit.first_broken(session) is None
    assert abs((entry.at - at).total_seconds()) < 1800
    assert list(entry.before) == ["b", "a"]
    database.close()


# --- The database away ----------------------------------------------------------------------------------


def test_commands_work_and_serve_serves(installation, buyer, company, tmp_path):
    buyer.confirm(buyer.ask_price("registre-kbis", siren=SIREN))
    server = Server(tmp_path / "portal.toml", free_port())
    try:
        assert wait_until(lambda: [line.state for line in company.operator.book.charges()] == ["succeeded"])
        checked = portal("check", configuration=tmp_path / "portal.toml")
        proved = portal("verify", "--books", configuration=tmp_path / "portal.toml")
    finally:
        server.stop()

    assert (checked.returncode, checked.stdout.splitlines()[-1]) == (0, "All is well."), checked.stdout
    assert (proved.returncode, proved.stdout.splitlines()[-1]) == (0, "Everything agrees."), proved.stdout
    password = installation.database.url.password
    assert password
    assert password not in (tmp_path / "serve.log").read_text() + checked.stdout + proved.stdout


def refused(company, url, folder, *words):
    """What a command says of a database that it cannot use: one sentence, exit code 2."""
    path = folder / "portal.toml"
    path.write_text(company.configuration(8000).replace("sqlite:///portal.db", url), encoding="utf-8")
    done = portal(*words, configuration=path)
    assert (done.returncode, done.stdout) == (2, ""), done
    [sentence] = done.stderr.splitlines()
    assert sentence.startswith("The database cannot be used: ")
    assert "[database] url" in sentence
    return sentence


@pytest.mark.parametrize("words", [["serve", "--bind", "127.0.0.1:0"], ["worker"], ["verify"], ["db", "upgrade"]])
def test_a_server_that_does_not_answer_is_one_sentence(words, company, tmp_path):
    port = free_port()

    sentence = refused(company, f"postgresql+psycopg://guichet:s3cret-word@127.0.0.1:{port}/x", tmp_path, *words)

    assert f"port {port} failed: Connection refused" in sentence
    assert "s3cret" not in sentence


@pytest.mark.parametrize(("old", "new", "says"), [
    ("//guichet:", "//guichet:not-", 'password authentication failed for user "guichet"'),
    ("//guichet:", "//nobody:", 'password authentication failed for user "nobody"'),
    ("/portal", "/no_such_portal", "does not exist"),
    ("//guichet:", "//guest:", "permission denied"),
    ("/portal", "/?sslmode=require&dbname=portal", "SSL was required"),
    ("/portal", "/?sslmood=require&dbname=portal", 'invalid connection option "sslmood"'),
    ("/portal", "/latin_portal", "encoded in LATIN1"),
    ("@127.0.0.1", "@no-such-host.invalid", "no-such-host.invalid"),
])  # fmt: skip
def test_a_connection_the_server_refuses_is_one_sentence(old, new, says, company, postgres, tmp_path):
    url = postgres.url(postgres.make())
    if new == "//guest:":
        postgres.run(f"DROP ROLE IF EXISTS guest; CREATE ROLE guest LOGIN PASSWORD '{postgres.password}'")

    if new == "/latin_portal":
        name = url.rpartition("/")[2]
        postgres.run(f"CREATE DATABASE latin_{name} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")

    sentence = refused(company, url.replace(old, new, 1), tmp_path, "db", "upgrade")

    assert says in sentence
    assert postgres.password not in sentence


@pytest.mark.parametrize("url", [
    "postgresql+psycopg://guichet:s3cret@word@127.0.0.1/x", "postgresql+psycopg://guichet:s3cret@127.0.0.1:port/x",
    "mysql://guichet:s3cret@127.0.0.1/x",
])  # fmt: skip
def test_a_url_that_names_no_database_is_a_line_without_its_password(url, company, tmp_path):
    path = tmp_path / "portal.toml"
    path.write_text(company.configuration(8000).replace("sqlite:///portal.db", url), encoding="utf-8")

    done = portal("check", configuration=path)

    assert done.returncode == 2
    assert "[database] url: it must name a database" in done.stderr
    assert "s3cret" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_check_names_a_server_that_does_not_answer_and_goes_on(installation, tmp_path):
    url = f"postgresql+psycopg://guichet:s3cret@127.0.0.1:{free_port()}/x"

    done = portal("check", configuration=tmp_path / "portal.toml", PORTAL_DATABASE__URL=url)

    assert done.returncode == 1
    assert "wrong  Database: connection to server at" in done.stdout
    assert "ok     Directory" in done.stdout
    assert "s3cret" not in done.stdout + done.stderr


@pytest.fixture(scope="module")
def mortal_server():
    """A server that a test may kill."""
    with private_postgresql(*NOT_DURABLE) as server:
        yield server


class TestAServerThatDies:
    """What employees see while it is away, and afterwards."""

    @pytest.fixture
    def database_url(self, mortal_server):
        return mortal_server.url(mortal_server.make())

    def test_a_page_says_so_and_works_again_by_itself(self, app, buyer, mortal_server, company, work):
        token = buyer.ask_price("registre-kbis", siren=SIREN)
        mortal_server.stop(signal.SIGQUIT)
        buyer.get("/")
        away, said = buyer.status, buyer.text
        buyer.post("/confirm", token=token)
        still_away = buyer.status
        mortal_server.start()
        back = Visitor(app)
        back.client = buyer.client
        back.get("/")

        assert (away, still_away, back.status) == (503, 503, 200)
        assert "psycopg" not in said
        assert mortal_server.password not in said
        assert back.confirm(token)
        work()
        assert [charge.state for charge in company.operator.book.charges()] == ["succeeded"]

    def test_a_worker_goes_on_when_it_is_back(self, installation, buyer, mortal_server, company, tmp_path):
        server = Server(tmp_path / "portal.toml", free_port())
        try:
            mortal_server.stop(signal.SIGQUIT)
            assert wait_until(lambda: "database_unavailable" in (tmp_path / "serve.log").read_text())
            mortal_server.start()
            buyer.confirm(buyer.ask_price("registre-kbis", siren=SIREN))
            assert wait_until(lambda: [line.state for line in company.operator.book.charges()] == ["succeeded"])
        finally:
            server.stop()
        assert mortal_server.password not in (tmp_path / "serve.log").read_text()


def test_nobody_waits_for_a_lock_for_ever(postgres, migrated):
    url = postgres.url(postgres.make(migrated))
    database, impatient = Database(url), Database(url + "?options=-c%20lock_timeout%3D100")
    with database.transaction() as session:
        audit.record(session, "one", "acted", "a")
        audit._link(session)
        with pytest.raises(OperationalError, match="lock timeout"), impatient.transaction() as other:
            audit.record(other, "two", "acted", "b")

    with database.reading() as session:
        assert session.scalars(select(AuditEntry.actor)).all() == ["one"]
        assert session.scalar(text("SHOW lock_timeout")) == "10s"
    database.close()
    impatient.close()
