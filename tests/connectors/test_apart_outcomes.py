"""What becomes of a call whose process dies, hangs, floods or lies: nothing was done only where nothing has left."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest

from connectors.apart import merchant, pool
from connectors.contract import (
    BookLine,
    ContractBroken,
    Document,
    Done,
    Licence,
    Offer,
    Physical,
    Rejected,
    State,
    Unavailable,
    Unknown,
    UnknownOutcome,
)
from tests.connectors.apart_world import DOCUMENT, World, make_world, quote, suggested

ENDS = ["die", "crash", "rubbish", "another", "deep", "flood", "bytes", "close"]
"""Ways in which a process fails at once."""
HANGS = ["sleep", "spin", "half"]
RAISES = ["exit", "wild", "half a sign", "recursion", "print", "object", "eat"]
"""Ways that are an error of the code: its process goes on."""


@pytest.fixture
def world(tmp_path, monkeypatch):
    yield from make_world(tmp_path, monkeypatch)


def order(connector, ref: str, key: str = "k-1"):
    return connector.fulfil(quote(ref), key, "G-1", 120)


@pytest.mark.parametrize("how", [*ENDS, *HANGS])
def test_a_process_that_fails_is_a_doubt_only_if_something_has_left_and_is_started_again(world: World, how):
    connector = world.connector(answer=1.5 if how in HANGS else 20)
    with pytest.raises(Unavailable, match="its process failed"):
        order(connector, f"before:{how}")
    assert world.seen == []

    outcome = order(connector, f"after:{how}")
    assert isinstance(outcome, Unknown)
    assert "after a request had left" in outcome.detail
    assert world.seen == [("/orders", '{"key":"k-1"}')]

    assert order(connector, "before:done", "k-2") == Done(Licence("key of 120", 3), 120, "k-2")


@pytest.mark.parametrize("how", RAISES)
def test_what_its_code_raises_or_gives_is_no_outcome_and_its_process_goes_on(world: World, how):
    connector = world.connector()
    before = suggested(connector, "attempt", "held")
    with pytest.raises(ContractBroken):
        order(connector, f"after:{how}")
    assert suggested(connector, "attempt", "held") == before
    assert len(connector._pool._idle) == 1


@pytest.mark.parametrize("how", ["unavailable", "rejected", "not_done"])
def test_who_lost_the_answer_to_an_order_is_not_believed_that_nothing_was_done(world: World, how):
    outcome = order(world.connector(read_s=0.3), f"lost:{how}")
    assert isinstance(outcome, Unknown)
    assert "the answer was lost" in outcome.detail
    with pytest.raises(Unavailable, match="no sign-in"):
        order(world.connector(read_s=0.3), "token:")


@pytest.mark.parametrize(("what", "named"), [
    ("offer", "Quote instead of Done"), ("price", "charged_cents"), ("text", "no value of the contract"),
    ("nothing", "NoneType"), ("huge", "ValueError"), ("mark", "no value of the contract"),
])  # fmt: skip
def test_values_are_of_the_types_of_the_contract(world: World, what, named):
    with pytest.raises(ContractBroken, match=named):
        world.connector().status(what)
    with pytest.raises(ContractBroken, match="label"):
        world.connector().suggest("type", "x", "y")


def test_who_asks_for_ever_is_stopped(world: World, monkeypatch):
    outcome = world.connector().lookup("for ever")
    assert isinstance(outcome, Unknown)
    assert "more than 200 requests" in outcome.detail
    assert len(world.seen) == 200
    # Each look at the clock finds it a second later.
    monkeypatch.setattr(merchant, "time", SimpleNamespace(monotonic=count(1).__next__))
    outcome = world.connector().lookup("for ever")
    assert isinstance(outcome, Unknown)
    assert "still asking" in outcome.detail


def test_a_list_comes_in_pieces_and_what_came_before_an_error_is_kept(world: World):
    connector, came = world.connector(), []
    with pytest.raises(Unavailable) as raised:
        came.extend(connector.list_offers("raise"))
    assert raised.value.retry_after_s == 7
    with pytest.raises(Unavailable, match="exit status 3"):
        came.extend(connector.list_offers("die"))
    assert all(isinstance(each, Offer) for each in came[:1200])
    assert came[1200] == State("c1200")
    assert len(came) == 1201 + 1000
    # Long texts make short pieces, not lines that are too long.
    assert len(list(connector.list_offers("fat"))) == 61


def test_a_list_that_nobody_reads_to_its_end_leaves_no_process_behind(world: World):
    connector = world.connector()
    listing = connector.list_offers("")
    assert isinstance(next(listing), Offer)
    # Whoever reads a list may ask something else meanwhile.
    assert order(connector, "before:done") == Done(Licence("key of 120", 3), 120, "k-1")
    before = children()
    listing.close()
    assert len(before - children()) == 1
    since = datetime(2026, 11, 1, 12, 30, tzinfo=UTC)
    assert list(connector.list_orders(since)) == [BookLine("G-1", "k", 120, "EUR", "delivered", since)]


def test_documents_are_written_by_the_portal_and_measured_there(world: World, tmp_path: Path):
    connector = world.connector()
    for how in ("download /file", "here /file"):
        with (tmp_path / "document").open("w+b") as file:
            made = connector.fetch(Document("application/pdf", how, "x.pdf"), file)
        assert (tmp_path / "document").read_bytes() == DOCUMENT
        assert (made.size, made.media_type) == (len(DOCUMENT), "application/pdf")
        assert made.sha256 != "0" * 64
    written = io.BytesIO()
    assert connector.fetch(Document("application/pdf", "write", "x.pdf"), written).size == 200_005
    assert len(written.getvalue()) == 200_005
    assert connector.fetch(Document("application/pdf", "claim", "x.pdf"), io.BytesIO()).size == 0
    with pytest.raises(UnknownOutcome, match="longer than"):
        connector.fetch(Document("application/pdf", "endless", "x.pdf"), io.BytesIO())


def test_our_own_full_disk_is_no_fault_of_the_merchant(world: World):
    with open("/dev/full", "wb", buffering=0) as full, pytest.raises(OSError, match="No space left"):
        world.connector().fetch(Document("application/pdf", "download /file", "x.pdf"), full)


def test_several_threads_have_a_process_each_up_to_some(world: World, monkeypatch):
    monkeypatch.setattr(pool, "WAIT_S", 0.2)
    before, connector, said = children(), world.connector(answer=4), []

    def ask(how: str) -> None:
        try:
            said.append(type(order(connector, f"before:{how}")).__name__)
        except Unavailable as error:
            said.append(error.detail)

    threads = [threading.Thread(target=ask, args=("sleep",)) for _each in range(pool.MOST)]
    for thread in threads:
        thread.start()
    until(lambda: connector._pool._lent == pool.MOST)
    ask("done")
    assert said == ["its process failed: its 4 processes have all been busy for 0 s"]
    for thread in threads:
        thread.join()
    assert said[1:] == ["its process failed: it did not answer in time"] * pool.MOST
    monkeypatch.setattr(pool, "WAIT_S", 120)
    threads = [threading.Thread(target=ask, args=("done",)) for _each in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert said[5:] == ["Done"] * 20
    connector.close()
    assert children() <= before


def test_one_that_has_thought_long_is_replaced_between_two_calls(world: World, monkeypatch):
    connector = world.connector()
    order(connector, "before:done")
    ((_since, process),) = connector._pool._idle
    process.thought_s = pool.OLD_S
    assert order(connector, "before:done") == Done(Licence("key of 120", 3), 120, "k-1")
    assert connector._pool._idle[0][1] is not process


PARENT = """
import os, sys, time
sys.path[:0] = [{root!r}, {site!r}]
from pathlib import Path
from connectors.apart.pool import Pool
from connectors.apart.process import Code
with Pool(Code("hostile", Path({package!r}), "acme_hostile")).lent() as process:
    told = {{"context": {{"key": "x", "base_url": "", "secrets": {{}}, "manifest": {{}}}}, "http": {{"hosts": [], "max_body": 1}}}}
    process.begin(told, None)
    process.send({{"call": "1", "method": "lookup", "args": ["{how}"]}})
    print(process._popen.pid, flush=True)
    time.sleep({life})
    {end}
"""


@pytest.mark.parametrize(
    ("how", "end"), [("sleep", "kill"), ("spin", "kill"), ("sleep", "os._exit(0)"), ("close", "sys.exit(0)")]
)
def test_it_dies_with_the_portal_even_when_it_hangs(world: World, how, end):
    root = str(Path(__file__).parents[2])
    script = PARENT.format(root=root, site=str(world.package.parent), package=str(world.package), how=how, life=60 if end == "kill" else 0.3, end="pass" if end == "kill" else end)  # fmt: skip
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    child = int(parent.stdout.readline())
    if end == "kill":
        assert Path(f"/proc/{child}").exists()
        parent.send_signal(signal.SIGKILL)
    parent.wait(60)
    parent.stdout.close()
    try:
        until(lambda: not alive(child))
    except AssertionError:
        os.kill(child, signal.SIGKILL)
        pytest.fail("it outlived its parent")


FORK = """
import os, sys
sys.path[:0] = [{root!r}]
from pathlib import Path
from connectors.apart.pool import Pool
from connectors.apart.process import Code
pool = Pool(Code("hostile", Path({package!r}), "acme_hostile"))
with pool.lent() as first:
    pass
if (forked := os.fork()) == 0:
    with pool.lent() as other:
        print(other._popen.pid != first._popen.pid, flush=True)
    pool.close()
    os._exit(0)
os.waitpid(forked, 0)
with pool.lent() as again:
    print(again is first and again.idle, flush=True)
"""


def test_a_fork_of_the_portal_has_processes_of_its_own(world: World):
    script = FORK.format(root=str(Path(__file__).parents[2]), package=str(world.package))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=300)
    assert done.stdout.split() == ["True", "True"]


def test_a_refusal_keeps_its_words(world: World):
    with pytest.raises(Rejected) as raised:
        world.connector().quote("refuse", {}, None)  # type: ignore[arg-type]
    assert raised.value.words == {"fr": "Non."}
    assert raised.value.field == "siren"


def test_what_would_be_shipped_is_said_to_be(world: World):
    with pytest.raises(Physical, match="3 kg") as raised:
        world.connector().quote("ship", {}, None)  # type: ignore[arg-type]
    assert raised.value.words == {"fr": "Un objet."}


def test_who_reads_what_he_asked_for_as_slowly_as_he_can_is_ended(world: World):
    outcome = world.connector(answer=1, call=1).lookup("dawdle")

    assert isinstance(outcome, Unknown)
    assert "does not read what it asked for" in outcome.detail


def until(condition: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.02)


def alive(process: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{process}/stat").read_text(encoding="utf-8")
    except OSError:
        return False


def children() -> set[str]:
    """Processes that this one has started, and that live."""
    threads = Path("/proc/self/task").glob("*/children")
    return {child for each in threads for child in each.read_text(encoding="utf-8").split() if alive(int(child))}
