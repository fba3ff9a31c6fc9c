"""The usage-file adapter: the contract's outcomes, and files that a stranger's reader can bill from."""

from __future__ import annotations

import random
import stat
import subprocess
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from connectors.contract import (
    ContractBroken,
    NotFound,
    OperatorCharge,
    Rejected,
    Unavailable,
    Unknown,
    Unreachable,
)
from connectors.operators import profiles
from tests.connectors.conftest import charge
from tests.connectors.usage_office import NOON, open_office
from tests.connectors.usage_reader import Refused as ReaderRefused
from tests.connectors.usage_reader import answer


@pytest.fixture
def office(tmp_path):
    return open_office(tmp_path)


def test_a_charge_is_reserved_captured_and_found_by_its_key(office):
    asked = charge()

    reserved = office.adapter.prepare(asked)
    captured = office.adapter.confirm(reserved.ref)

    assert (reserved.state, captured.state, captured.ref) == ("reserved", "captured", reserved.ref)
    assert office.adapter.find(asked.key, NOON) == office.adapter.status(reserved.ref) == captured
    assert office.adapter.find("another", NOON) == NotFound()
    assert list(office.adapter.list_charges(NOON)) == [captured]
    assert list(office.adapter.list_charges(NOON + timedelta(seconds=1))) == []


def test_the_same_key_never_makes_a_second_line(office):
    asked = charge()

    assert office.adapter.prepare(asked) == office.adapter.prepare(asked)
    assert office.adapter.charge(asked).state == office.adapter.charge(asked).state == "captured"
    assert isinstance(office.adapter.prepare(charge(999, key=asked.key)), Unknown)
    assert len(list(office.adapter.list_charges(NOON))) == 1


@pytest.mark.parametrize(("step", "state"), [("confirm", "captured"), ("cancel", "voided")])
def test_a_second_step_done_twice_or_crosswise_reports_the_state_that_holds(step, state, office):
    ref = office.adapter.prepare(charge()).ref
    other = {"confirm": "cancel", "cancel": "confirm"}[step]

    assert [getattr(office.adapter, name)(ref).state for name in (step, step, other)] == [state] * 3
    elsewhere = getattr(office.adapter, step)("nothing")
    assert isinstance(elsewhere, Unknown)
    assert "usage_spool" in elsewhere.detail


def test_only_what_is_captured_is_ever_in_a_file(office):
    office.adapter.prepare(charge())
    office.adapter.cancel(office.adapter.prepare(charge()).ref)
    bought = charge()
    office.adapter.charge(bought)

    office.send()
    office.reader.read_folder(office.out)

    assert list(office.reader.billed) == [bought.key]


def test_an_empty_day_makes_no_file(office):
    assert office.send() == []
    assert office.adapter.files.listing() == []


def test_a_day_of_two_hundred_charges_is_read_by_a_stranger_and_the_totals_agree(office):
    chance = random.Random(4)
    asked = [charge(chance.randint(1, 9999), reference=f"G-{n:05d}-TEST") for n in range(200)]
    asked = [charge(item.amount_cents, item.amount_cents // 6, reference=item.reference) for item in asked]
    refs = [office.adapter.charge(item).ref for item in asked]
    back = [
        office.adapter.refund(ref, amount, f"refund {ref}")
        for ref, amount in zip(refs[:5], (1, 1, 1, 1, 1), strict=True)
    ]

    [path] = office.send()
    office.reader.read(path)

    [file] = office.adapter.files.listing()
    owed = sum(item.amount_cents for item in asked) - sum(item.amount_cents for item in back)
    assert (file.charges, file.refunds, file.net_cents, file.state) == (200, 5, owed, "delivered")
    assert office.reader.total == Decimal(owed) / 100
    booked = {line["reference"]: line["amount"] for line in office.reader.billed.values() if line["kind"] == "C"}
    assert booked == {item.reference: f"{item.amount_cents / 100:.2f}" for item in asked}
    vat = sum(Decimal(line["vat"]) for line in office.reader.billed.values() if line["kind"] == "C")
    assert vat == Decimal(sum(item.vat_cents for item in asked)) / 100


def test_a_lost_and_a_repeated_file_do_no_harm(office):
    for _day in range(3):
        office.adapter.charge(charge())
        office.send()
        office.next_day()
    lost = office.there()[1]
    content = lost.read_bytes()
    lost.unlink()
    lost.with_name(lost.name + ".sig").unlink()
    office.reader.read_folder(office.out)
    assert office.reader.missing() == {2}

    office.adapter.files.reissue(2)
    office.adapter.files.reissue(1)
    assert office.reader.read_folder(office.out) == [lost.name.replace(".csv", "-r1.csv")]

    assert office.reader.missing() == set()
    assert office.reader.total == Decimal("12.72")
    assert (office.out / lost.name.replace(".csv", "-r1.csv")).read_bytes() == content
    assert [file.repeats for file in office.adapter.files.listing()] == [1, 1, 0]


def test_a_file_that_was_touched_or_cut_short_is_refused_by_the_reader(office):
    office.adapter.charge(charge())
    [path] = office.send()
    content = path.read_bytes()

    for touched in (content.replace(b"4.24", b"4.25"), content[: content.rindex(b"T,")]):
        path.write_bytes(touched)
        with pytest.raises(ReaderRefused):
            office.reader.read(path)
    assert office.reader.total == 0


def test_openssl_verifies_the_signature_as_the_page_says(office, tmp_path):
    office.adapter.charge(charge())
    [path] = office.send()
    (tmp_path / "sender.pem").write_text(office.adapter.files.public_key())
    command = [
        "openssl",
        "pkeyutl",
        "-verify",
        "-pubin",
        "-inkey",
        "sender.pem",
        "-rawin",
        "-in",
        path,
        "-sigfile",
        f"{path}.sig",
    ]

    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode == 0
    path.write_bytes(path.read_bytes() + b"x")
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode == 1


@pytest.mark.parametrize("text", [
    '=HYPERLINK("http://x")', "+33", "@x", "-1", "two\r\nlines", 'a "quoted", text', "é\u2028\x00\x85 end", ";|\t", "",
])  # fmt: skip
def test_whatever_a_merchant_writes_a_record_stays_a_line(text, office):
    office.adapter.charge(charge(description=text, merchant_name=text, product_id=text))
    [path] = office.send()

    office.reader.read(path)

    [line] = office.reader.billed.values()
    assert not line["description"].startswith(("=", "+", "-", "@"))
    assert path.read_bytes().count(b"\r\n") == 3


def test_a_day_is_the_companys_and_each_day_has_a_file_of_its_own(office):
    # 22:59 UTC is 23:59 in Paris, 23:01 UTC is the next day there.
    for at in (datetime(2026, 11, 25, 22, 59, tzinfo=UTC), datetime(2026, 11, 25, 23, 1, tzinfo=UTC)):
        office.at = at
        office.adapter.charge(charge())

    made = office.adapter.files.close(datetime(2026, 11, 26, tzinfo=UTC).date())
    assert [(file.day.isoformat(), file.charges) for file in made] == [("2026-11-25", 1)]
    office.next_day()
    office.send()

    assert [file.day.isoformat() for file in office.adapter.files.listing()] == ["2026-11-25", "2026-11-26"]
    assert len(office.reader.read_folder(office.out)) == 2


@pytest.mark.parametrize("night", [datetime(2026, 10, 25, tzinfo=UTC), datetime(2026, 3, 29, tzinfo=UTC)])
def test_the_nights_of_summer_time_lose_and_double_nothing(night, office):
    for hours in range(-3, 27):
        office.at = night + timedelta(hours=hours)
        office.adapter.charge(charge())
    office.next_day()
    office.send()

    assert len(office.reader.read_folder(office.out)) == 3
    assert len(office.reader.billed) == 30


def test_each_currency_has_a_file_of_its_own(office):
    office.adapter.charge(charge())
    office.adapter.charge(charge(currency="CHF"))

    assert len(office.send()) == 2
    assert len(office.reader.read_folder(office.out)) == 2


def test_parts_given_back_hold_exactly_the_vat_of_the_whole(office):
    bought = office.adapter.charge(charge(1000, 167))
    for number, cents in enumerate((333, 333, 334)):
        assert office.adapter.refund(bought.ref, cents, f"r{number}").state == "done"
    assert office.adapter.status(bought.ref).refunded_cents == 1000
    assert [item.amount_cents for item in office.adapter.list_refunds(bought.ref)] == [333, 333, 334]
    office.send()
    office.reader.read_folder(office.out)

    back = [line for line in office.reader.billed.values() if line["kind"] == "R"]
    assert sum(Decimal(line["vat"]) for line in back) == Decimal("1.67")
    assert office.reader.total == 0


def test_no_more_is_given_back_than_was_charged_and_never_twice_under_one_key(office):
    bought, other = office.adapter.charge(charge(1000, 0)), office.adapter.charge(charge(1000, 0))
    reserved = office.adapter.prepare(charge())

    assert office.adapter.refund(bought.ref, 400, "r1") == office.adapter.refund(bought.ref, 400, "r1")
    assert office.adapter.refund(bought.ref, 601, "r2").code == "amount"
    assert office.adapter.refund(bought.ref, 0, "r3").code == "amount"
    assert isinstance(office.adapter.refund(other.ref, 400, "r1"), Unknown)
    assert isinstance(office.adapter.refund(bought.ref, 100, bought.key), Unknown)
    assert office.adapter.refund(reserved.ref, 1, "r4").code == "denied"
    assert isinstance(office.adapter.refund("nothing", 1, "r5"), Unknown)


def test_limits_of_the_profile_are_kept(tmp_path, monkeypatch):
    limits = profiles.ProfileLimits(largest="50.00", month="100.00")
    load = profiles.load_profile
    monkeypatch.setattr(
        "connectors.operators.registry.load_profile", lambda name: load(name).model_copy(update={"limits": limits})
    )
    office = open_office(tmp_path)

    assert office.adapter.prepare(charge(5001, 0)).code == "amount"
    assert office.adapter.charge(charge(5000, 0)).state == "captured"
    dropped = office.adapter.prepare(charge(5000, 0))
    assert office.adapter.prepare(charge(1, 0)).code == "threshold"
    office.adapter.cancel(dropped.ref)
    assert office.adapter.prepare(charge(5000, 0)).state == "reserved"
    office.at = datetime(2026, 11, 30, 23, 1, tzinfo=UTC)
    assert office.adapter.prepare(charge(5000, 0)).state == "reserved", "a new month in Paris"


def test_a_spool_that_cannot_be_written_is_certainly_nothing_done(office):
    bought = office.adapter.charge(charge())
    (office.folder / "spool" / "usage.db").write_bytes(b"not a database at all" * 100)

    assert isinstance(office.adapter.prepare(charge()), Unreachable)
    assert isinstance(office.adapter.status(bought.ref), Unreachable)
    with pytest.raises(Unavailable):
        list(office.adapter.list_charges(NOON))
    assert any("usage_spool" in problem.remedy["en"] for problem in office.adapter.check())


def test_a_name_taken_by_other_bytes_is_never_written_over(office):
    office.adapter.charge(charge())
    files = office.adapter.files
    [made] = files.close(office.today + timedelta(days=1))
    (office.out / made.name).write_bytes(b"another portal's")

    with pytest.raises(ContractBroken, match="another content"):
        files.deliver()

    assert (office.out / made.name).read_bytes() == b"another portal's"
    assert files.listing()[0].state == "closed"


def test_a_file_that_cannot_be_put_keeps_no_other_from_being_delivered(office):
    office.adapter.charge(charge())
    [first] = office.adapter.files.close(office.today + timedelta(days=1))
    (office.out / first.name).write_bytes(b"another portal's")
    office.adapter.charge(charge())

    with pytest.raises(ContractBroken):
        office.send()

    assert [file.state for file in office.adapter.files.listing()] == ["closed", "delivered"]


def test_a_spool_begun_anew_never_takes_the_numbers_of_the_old_one(office):
    office.adapter.charge(charge())
    office.send()
    for path in (office.folder / "spool").iterdir():
        path.unlink()

    office.adapter.charge(charge())

    assert len(office.send()) == 2
    assert len(office.reader.read_folder(office.out)) == 2


def test_the_spool_itself_forbids_a_line_a_second_file(office):
    import sqlite3

    office.adapter.charge(charge())
    office.send()
    connection = sqlite3.connect(office.folder / "spool" / "usage.db")
    for statement in ("UPDATE lines SET file_number = NULL, position = NULL", "DELETE FROM lines", "DELETE FROM files",
                      "UPDATE files SET content = x''"):  # fmt: skip
        with pytest.raises(sqlite3.IntegrityError):
            connection.execute(statement)
    connection.close()


def test_a_place_that_is_missing_delays_the_file_and_nothing_else(office):
    office.out.rename(office.folder / "elsewhere")
    assert office.adapter.charge(charge()).state == "captured"
    with pytest.raises(Unavailable):
        office.send()

    (office.folder / "elsewhere").rename(office.out)
    office.adapter.files.deliver()

    assert len(office.reader.read_folder(office.out)) == 1


def test_the_key_pair_is_made_once_and_for_us_alone(office):
    first = office.adapter.files.public_key()

    assert office.adapter.files.public_key() == first
    assert stat.S_IMODE((office.folder / "key.pem").stat().st_mode) == 0o600


def test_check_says_what_is_wrong_and_makes_nothing(office, tmp_path):
    assert office.adapter.check() == []
    assert list(office.out.iterdir()) == []

    key = office.folder / "key.pem"
    key.chmod(0o644)
    assert "chmod 600" in office.adapter.check()[0].remedy["en"]
    key.unlink()
    office.out.rmdir()
    keys, place = office.adapter.check()
    assert "portal usage key" in keys.remedy["en"]
    assert "usage_folder" in place.remedy["en"]

    nowhere = office.again(folder=None)
    assert "needs a contract" in nowhere.check()[-1].what["en"]
    odd = office.again(answer_key=tmp_path / "nowhere.pem")
    assert any("usage_answer_key_file" in problem.remedy["fr"] for problem in odd.check())


def test_without_its_key_no_file_is_made_and_every_line_waits(office):
    office.adapter.charge(charge())
    (office.folder / "key.pem").unlink()

    with pytest.raises(ContractBroken):
        office.send()
    assert office.adapter.files.listing() == []
    office.adapter.files.public_key()
    assert len(office.send()) == 1


# --- Answers -----------------------------------------------------------------------------------------


@pytest.fixture
def sent(office):
    """Three charges in a file that was delivered."""
    asked = [charge(reference=f"G-{n}") for n in range(3)]
    for item in asked:
        office.adapter.charge(item)
    [office.path] = office.send()
    office.asked = asked
    return office


def state(office) -> str:
    return office.adapter.files.listing()[0].state


def test_an_acknowledged_file_is_final(sent):
    answer(sent.path, [])

    assert sent.adapter.files.read_answers() == []
    assert state(sent) == "accepted"
    answer(sent.path, [(1, sent.asked[0].key, "LATE", "too late")])
    [late] = sent.adapter.files.read_answers()
    assert "accepted already" in late.what["en"]
    assert (state(sent), sent.adapter.files.rejected()) == ("accepted", [])


def test_a_rejected_line_is_denied_and_the_others_are_accepted(sent):
    first, second, _third = sent.asked
    answer(sent.path, [(2, second.key, "LINE_CLOSED", "ligne résiliée")])

    assert sent.adapter.files.read_answers() == []
    assert state(sent) == "accepted_in_part"
    states = {item.key: item.state for item in sent.adapter.list_charges(NOON)}
    assert (states[second.key], states[first.key]) == ("denied", "captured")
    assert sent.adapter.find(second.key, NOON).state == "denied"
    [line] = sent.adapter.files.rejected()
    assert (line.key, line.reference, line.code, line.detail) == (second.key, "G-1", "LINE_CLOSED", "ligne résiliée")
    assert sent.adapter.files.read_answers() == []
    assert sent.adapter.refund(sent.adapter.find(second.key, NOON).ref, 1, "r").code == "denied"


def test_a_rejected_refund_names_its_charge_and_gives_nothing_back(sent):
    first = sent.adapter.find(sent.asked[0].key, NOON)
    sent.adapter.refund(first.ref, 100, "refund key")
    path = sent.send()[1]
    answer(path, [(1, "refund key", "TOO_LATE", "")])
    sent.adapter.files.read_answers()

    [line] = sent.adapter.files.rejected()
    assert (line.key, line.refund_key) == (first.key, "refund key")
    assert sent.adapter.status(first.ref).refunded_cents == 0
    assert sent.adapter.status(first.ref).state == "captured"
    assert sent.adapter.refund(first.ref, 100, "refund key").state == "denied"
    assert sent.adapter.find_refund(first.ref, "refund key").state == "denied"
    assert sent.adapter.find_refund(first.ref, "another") == NotFound()


def test_an_unknown_line_is_reported_and_the_good_ones_stand(sent):
    answer(
        sent.path,
        [(9, "nobody's", "X", ""), (1, sent.asked[1].key, "X", "wrong place"), (3, sent.asked[2].key, "X", "")],
    )

    found = sent.adapter.files.read_answers()

    assert ["does not have: 9 nobody's" in found[0].what["en"], "does not have: 1 " in found[1].what["en"]] == [
        True,
        True,
    ]
    assert [line.key for line in sent.adapter.files.rejected()] == [sent.asked[2].key]
    assert state(sent) == "delivered"
    assert sent.adapter.files.read_answers() == [], "told once"
    assert len(sent.adapter.files.answers()[0].problems) == 2


@pytest.mark.parametrize(("spoil", "says"), [
    (lambda text: text.replace(b"J,1", b"J,one"), "line 2 cannot be read"),
    (lambda text: text.replace(b"J,1,", b'J,"1,'), "line 2 cannot be read"),
    (lambda text: text.replace(b"J,1,", b"J,1,\xff,"), "line 2 cannot be read"),
    (lambda text: text.replace(b"J,1,", b"J,1,,,,"), "line 2 cannot be read"),
    (lambda text: text.replace(b"J,1,", b"K,1,"), "line 2 cannot be read"),
])  # fmt: skip
def test_a_bad_row_is_reported_and_the_good_ones_stand(spoil, says, sent):
    first, second, _third = sent.asked
    path = answer(sent.path, [(1, first.key, "A", ""), (2, second.key, "B", "")])
    path.write_bytes(spoil(path.read_bytes()))

    found = sent.adapter.files.read_answers()

    assert [says in problem.what["en"] for problem in found] == [True]
    assert [line.key for line in sent.adapter.files.rejected()] == [second.key]
    assert state(sent) == "delivered", "the bad row may have refused another line"
    answer(
        sent.path, [(1, first.key, "A", ""), (2, second.key, "B", "")], name=path.name.replace(".reject", ".2.reject")
    )
    assert sent.adapter.files.read_answers() == []
    assert state(sent) == "accepted_in_part"
    assert len(sent.adapter.files.rejected()) == 2


def test_an_answer_without_its_last_line_does_not_end_a_file_and_is_read_again_once_it_has_grown(sent):
    path = answer(sent.path, [(1, sent.asked[0].key, "A", "")], last=False)

    [found] = sent.adapter.files.read_answers()
    assert "may be incomplete" in found.what["en"]
    assert state(sent) == "delivered"

    path.write_bytes(path.read_bytes() + b"T,1\r\n")
    assert sent.adapter.files.read_answers() == []
    assert state(sent) == "accepted_in_part"


@pytest.mark.parametrize("content", [
    b"", b"\x00\xff", b"<html>", b"H,guichet-usage-answer,2,C-10042,x,1,y,z\r\nT,0\r\n", b"T,0\r\n",
    b"H,guichet-usage-answer,1,C-10042,x,1e9,y,z\r\nT,0\r\n", "H,guichet-usage-answer,1,C-10042,x,²,y,z\r\n".encode(),
])  # fmt: skip
def test_an_answer_that_is_none_is_reported_and_changes_nothing(content, sent):
    name = sent.path.name.replace(".csv", ".ack.csv")
    (sent.out / name).write_bytes(content)

    [found] = sent.adapter.files.read_answers()

    assert "cannot be read" in found.what["en"]
    assert (state(sent), sent.adapter.files.rejected()) == ("delivered", [])


@pytest.mark.parametrize(("field", "value"), [(3, "C-1"), (4, "00000000"), (5, "7")])
def test_an_answer_to_a_file_of_somebody_else_is_reported(field, value, sent):
    path = answer(sent.path, [])
    head, *rest = path.read_text().splitlines()
    fields = head.split(",")
    fields[field] = value
    path.write_text("\n".join([",".join(fields), *rest, ""]))

    [found] = sent.adapter.files.read_answers()

    assert "that file is not ours" in found.what["en"]
    assert state(sent) == "delivered"


def test_an_answer_to_other_bytes_is_reported(sent):
    path = answer(sent.path, [])
    path.write_bytes(path.read_bytes().replace(sent.adapter.files.listing()[0].sha256.encode(), b"0" * 64))

    assert "hash" in sent.adapter.files.read_answers()[0].what["en"]
    assert state(sent) == "delivered"


def test_a_file_refused_as_a_whole_bills_nothing_and_is_issued_again(sent):
    answer(sent.path, [(0, "", "SIGNATURE", "clé inconnue")])

    [found] = sent.adapter.files.read_answers()
    assert "whole file is refused" in found.what["en"]
    assert (state(sent), sent.adapter.files.rejected()) == ("refused", [])
    assert "reissue 1" in sent.adapter.check()[0].remedy["en"]

    assert sent.adapter.files.reissue(1).state == "delivered"
    assert sent.adapter.files.read_answers() == []
    answer(sent.there()[0], [], name=sent.path.name.replace(".csv", "-r1.ack.csv"))
    sent.adapter.files.read_answers()
    assert state(sent) == "accepted"


def test_with_the_operators_key_an_answer_counts_only_when_it_is_signed(sent, tmp_path):
    (tmp_path / "theirs").mkdir()
    theirs = open_office(tmp_path / "theirs")
    (tmp_path / "operator.pem").write_text(theirs.adapter.files.public_key())
    from connectors.operators.usage_file.signature import private_key

    files = sent.again(answer_key=tmp_path / "operator.pem").files
    path = answer(sent.path, [])
    signature = path.with_name(path.name + ".sig")

    assert "signature is missing" in files.read_answers()[0].what["en"]
    assert files.read_answers() == [], "told once"
    signature.write_bytes(b"x" * 64)
    assert files.read_answers() == []
    assert state(sent) == "delivered"
    signature.write_bytes(private_key(theirs.folder / "key.pem").sign(path.read_bytes()))
    assert files.read_answers() == []
    assert state(sent) == "accepted"


def test_a_file_nobody_answers_is_named_after_the_agreed_days(sent):
    patient = sent.again(answer_days=3)
    assert patient.check() == []
    sent.at += timedelta(days=4)

    assert "has had no answer" in patient.check()[0].what["en"]
    assert sent.adapter.check() == [], "0 days: no answers are expected"


def test_a_file_that_does_not_exist_cannot_be_issued_again(office):
    with pytest.raises(Rejected):
        office.adapter.files.reissue(1)


def test_a_captured_charge_keeps_the_operators_view(sent):
    found = sent.adapter.find(sent.asked[0].key, NOON)

    assert isinstance(found, OperatorCharge)
    assert (found.amount_cents, found.currency, found.reference, found.created_at) == (424, "EUR", "G-0", NOON)


def test_an_answer_that_cannot_be_had_or_is_endless_keeps_no_other_from_being_read(sent, monkeypatch):
    monkeypatch.setattr("connectors.operators.usage_file.answers.MOST_BYTES", 1000)
    stem = sent.path.name.removesuffix(".csv")
    (sent.out / f"{stem}.a.ack.csv").write_bytes(b"x" * 1001)
    (sent.out / f"{stem}.b.ack.csv").symlink_to("/etc/hostname")
    (sent.out / f"{stem}.c.ack.csv").mkdir()
    answer(sent.path, [])

    [found] = sent.adapter.files.read_answers()

    assert "longer than" in found.what["en"]
    assert state(sent) == "accepted"


def test_a_link_put_in_our_way_is_not_written_through(office, tmp_path):
    office.adapter.charge(charge())
    [made] = office.adapter.files.close(office.today + timedelta(days=1))
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (office.out / f".{made.name}.part").symlink_to(victim)
    (office.out / ".guichet-check.part").symlink_to(victim)

    assert office.adapter.check() == []
    office.adapter.files.deliver()

    assert victim.read_text() == "precious"
    assert office.reader.read_folder(office.out) == [made.name]


def test_a_file_keeps_the_account_it_was_made_for(sent):
    renamed = sent.again(account="C-2")
    answer(sent.path, [])

    assert renamed.files.read_answers() == []
    assert state(sent) == "accepted"


def test_a_spool_of_another_version_is_left_alone(office):
    import sqlite3

    office.adapter.charge(charge())
    spool = sqlite3.connect(office.folder / "spool" / "usage.db")
    spool.execute("UPDATE about SET version = 2")
    spool.commit()
    spool.close()

    outcome = office.adapter.prepare(charge())

    assert isinstance(outcome, Unreachable)
    assert "another version" in outcome.detail


def test_an_answer_that_takes_a_refusal_back_is_for_people_to_settle(sent):
    first = sent.asked[0]
    answer(sent.path, [(1, first.key, "A", "")], last=False)
    sent.adapter.files.read_answers()
    answer(sent.path, [])

    [found] = sent.adapter.files.read_answers()

    assert f"an earlier answer refused: {first.key}" in found.what["en"]
    assert (state(sent), len(sent.adapter.files.rejected())) == ("delivered", 1)


def test_what_an_answer_says_cannot_move_the_cursor_of_a_terminal(sent):
    answer(sent.path, [(7, "\x1b[2J", "\x1b[2J", "\x1b[2J")])

    [found] = sent.adapter.files.read_answers()

    assert "\x1b" not in found.what["en"] + found.what["fr"]
