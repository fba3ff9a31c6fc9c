"""Billing over an operator that takes files: whole pages, the worker's rounds, and what the operator refuses."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from sqlalchemy import select

from demo.companies import COMPANIES
from portal import clock, settings
from portal.billing import charges, refunds, rounds, usage
from portal.billing.charges import Charge, ChargeEvent
from portal.billing.rounds import Round
from portal.billing.worker import run_worker
from portal.checkout.books import compare
from portal.checkout.verification import verify
from portal.installation import open_installation
from portal.migrations import schema
from tests.connectors.usage_reader import Reader, answer

SIREN = next(siren for siren in COMPANIES if not siren.endswith("7"))


@pytest.fixture
def installation(installation, tmp_path):
    """The same company, whose operator takes files."""
    path = tmp_path / "portal.toml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('profile = "orange"', 'profile = "sfr"\nadapter = "usage_file"\nusage_folder = "out"'))
    (tmp_path / "out").mkdir()
    house = open_installation(settings.load(path, {}))
    assert schema.is_current(house.database)
    house.operator.files.public_key()
    yield house
    house.close()


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


@pytest.fixture
def go_round(installation, later):
    """A round of the worker, a day later."""

    def go() -> None:
        later(days=1)
        usage.go_round(installation.database, installation.operator.files, installation.settings.portal.zone)

    return go


def buy(buyer, work) -> str:
    number = buyer.confirm(buyer.ask_price("registre-kbis", siren=SIREN))
    work()
    return number


def state_of(installation, number) -> str:
    with installation.database.reading() as session:
        return charges.of_order(session, number).state


def test_two_clicks_put_a_line_into_the_file_of_the_day(buyer, work, go_round, installation, out):
    number = buy(buyer, work)
    assert state_of(installation, number) == "captured"
    assert list(out.iterdir()) == []

    go_round()

    reader = Reader(installation.operator.files.public_key())
    [_name] = reader.read_folder(out)
    [line] = reader.billed.values()
    with installation.database.reading() as session:
        charge = charges.of_order(session, number)
        assert (line["reference"], line["key"], line["line"]) == (number, charge.key, "+33123456789")
        assert int(line["amount"].replace(".", "")) == charge.amount_cents
    assert compare(installation.means).differences == []
    assert verify(installation.database, installation.storage) == []


def test_rounds_without_anything_new_change_nothing(buyer, work, go_round, installation, out):
    buy(buyer, work)
    go_round()
    before = {path.name: path.read_bytes() for path in out.iterdir()}

    go_round()
    go_round()

    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_a_line_the_operator_refuses_becomes_a_dispute_once(buyer, work, go_round, installation, out):
    refused, billed = buy(buyer, work), buy(buyer, work)
    go_round()
    [path] = out.glob("*.csv")
    with installation.database.reading() as session:
        key = charges.of_order(session, refused).key
    position = next(n for n, line in enumerate(path.read_text().splitlines()) if key in line)
    answer(path, [(position, key, "LINE_CLOSED", "ligne résiliée")])

    go_round()
    go_round()

    assert (state_of(installation, refused), state_of(installation, billed)) == ("disputed", "captured")
    with installation.database.reading() as session:
        charge = charges.of_order(session, refused)
        query = select(ChargeEvent).where(ChargeEvent.charge_id == charge.id, ChargeEvent.state == "disputed")
        [event] = session.scalars(query)
        assert (event.evidence["code"], event.evidence["detail"], event.evidence["file"]) == (
            "LINE_CLOSED",
            "ligne résiliée",
            1,
        )


def test_a_refused_refund_is_noted_with_its_charge(buyer, work, go_round, installation, out):
    number = buy(buyer, work)
    with installation.database.reading() as session:
        ref = charges.of_order(session, number).operator_ref
    installation.operator.refund(ref, 100, "a refund")
    go_round()
    [path] = out.glob("*.csv")
    answer(path, [(2, "a refund", "NO", "")])

    go_round()
    go_round()

    assert state_of(installation, number) == "captured"
    with installation.database.reading() as session:
        [event] = session.scalars(select(ChargeEvent).where(ChargeEvent.event == "line_rejected"))
        assert event.evidence["line_key"] == "a refund"


def test_a_refusal_met_by_the_capture_itself_is_left_to_it(buyer, work, go_round, installation, out):
    """The worker died between the spool's commit and the portal's, and the file was refused meanwhile."""
    number = buy(buyer, work)
    go_round()
    with installation.database.transaction() as session:
        charges.of_order(session, number).state = "reserved"
        key = charges.of_order(session, number).key
    answer(next(out.glob("*.csv")), [(1, key, "NO", "")])

    go_round()
    assert state_of(installation, number) == "reserved"
    assert installation.operator.find(key, clock.now()).state == "denied"


def test_a_line_of_nobody_here_is_logged_and_stops_nothing(buyer, work, go_round, installation, out):
    number = buy(buyer, work)
    go_round()
    with installation.database.transaction() as session:
        session.scalars(select(Charge)).one().order_number = "G-ELSE"
    [path] = out.glob("*.csv")
    answer(path, [(1, path.read_text().split("\n")[1].split(",")[2], "NO", "")])

    go_round()

    assert state_of(installation, "G-ELSE") == "captured"
    assert number


def test_a_place_that_is_away_stops_nothing_else(buyer, work, go_round, installation, out):
    number = buy(buyer, work)
    out.rename(out.with_name("elsewhere"))

    go_round()
    assert state_of(installation, number) == "captured"
    out.with_name("elsewhere").rename(out)
    go_round()

    assert len(list(out.glob("*.csv"))) == 1


def test_a_worker_goes_round_by_itself(buyer, work, installation, out, later, monkeypatch):
    buy(buyer, work)
    later(days=1)
    monkeypatch.setattr(usage, "ROUND_S", 0.01)
    stop = threading.Event()
    worker = threading.Thread(
        target=run_worker, args=(installation.database, installation.handlers, stop, 1, installation.rounds)
    )
    worker.start()
    for _try in range(5000):
        if any(path.suffix == ".csv" for path in out.iterdir()):
            break
        stop.wait(0.02)
    stop.set()
    worker.join(60)

    assert not worker.is_alive()
    assert len(list(out.glob("guichet-*.csv"))) == 1


def test_a_round_that_fails_is_tried_again():
    stop, times = threading.Event(), []

    def work() -> None:
        times.append(1)
        if len(times) == 2:
            stop.set()
        raise RuntimeError

    for thread in rounds.start_rounds([Round("test", 0.001, work)], stop):
        thread.join(60)

    assert len(times) == 2


def test_the_day_ends_at_the_companys_midnight(buyer, work, installation, out, later):
    buy(buyer, work)
    files, zone = installation.operator.files, installation.settings.portal.zone
    usage.go_round(installation.database, files, zone)
    assert files.listing() == []

    midnight = clock.next_period_start("day", clock.now(), zone)
    later(seconds=(midnight - clock.now() + timedelta(seconds=1)).total_seconds())
    usage.go_round(installation.database, files, zone)

    assert len(files.listing()) == 1


def test_a_refund_is_a_line_of_the_next_file_and_the_books_agree(buyer, work, go_round, installation, out):
    number = buy(buyer, work)
    with installation.database.transaction() as session:
        refunds.ask(session, "finance", charges.locked(session, number), None, "wrong company")
    work()
    assert state_of(installation, number) == "refunded"

    go_round()

    reader = Reader(installation.operator.files.public_key())
    reader.read_folder(out)
    assert [line["kind"] for line in reader.billed.values()] == ["C", "R"]
    assert reader.total == 0
    assert compare(installation.means).differences == []
    assert verify(installation.database, installation.storage) == []
