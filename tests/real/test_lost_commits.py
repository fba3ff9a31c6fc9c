"""PostgreSQL lost at every commit of a purchase, before it or with its answer: whether it was written is looked up, never assumed."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

import pytest
from structlog.testing import capture_logs

from portal.billing.worker import work_once
from tests.real.test_database_trouble import SIREN, books_agree, go_on, until_delivered

HOW = ["before", "answer", "terminated"]


class Wire:
    """Passes bytes to a PostgreSQL, and counts the commits that pass; one of them can be where the connection breaks.

    `before`: the commit never arrives. `answer`: it is carried out, and nobody hears of it. `terminated`: the server
    ends the session, as an administrator's pg_terminate_backend does, just before the commit.
    """

    def __init__(self, server) -> None:
        self.server, self.commits, self.broken_at, self.how, self.broke = server, 0, 0, "", threading.Event()
        self._lock, self._deaf = threading.Lock(), set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def break_at(self, commit: int, how: str) -> None:
        """Break at the so manieth commit from now on (0: never)."""
        with self._lock:
            self.commits, self.broken_at, self.how = 0, commit, how
            self.broke.clear()

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _address = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.server.port))
            for pump in (self._ask, self._answer):
                threading.Thread(target=pump, args=(client, server), daemon=True).start()

    def _ask(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while chunk := client.recv(65536):
                if b"COMMIT\0" in chunk and self._breaks_now():
                    if self.how == "before":
                        break
                    if self.how == "answer":
                        self._deaf.add(server)
                    else:
                        self.server.run(
                            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'idle in transaction'"
                        )
                server.sendall(chunk)
        self._end(client, server)

    def _answer(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while chunk := server.recv(65536):
                if server in self._deaf:
                    break
                client.sendall(chunk)
        self._end(client, server)

    def _breaks_now(self) -> bool:
        with self._lock:
            self.commits += 1
            breaks = self.commits == self.broken_at
        if breaks:
            self.broke.set()
        return breaks

    def _end(self, *sockets: socket.socket) -> None:
        for each in sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


@pytest.fixture
def wire(postgres):
    made = Wire(postgres)
    yield made
    made.close()


@pytest.fixture
def database_url(postgres, wire):
    return postgres.url(postgres.make()).replace(f":{postgres.port}/", f":{wire.port}/")


def purchase(buyer, installation, token):
    """Click 2, and a worker until there is nothing more to do."""
    buyer.post("/confirm", token=token)
    answered = buyer.status
    with capture_logs():
        for _ in range(3):
            with suppress(Exception):
                while work_once(installation.database, "worker", installation.handlers):
                    pass
    return answered


@pytest.mark.parametrize("how", HOW)
def test_a_commit_lost_anywhere_leaves_one_purchase_and_one_charge(how, buyer, installation, company, wire):
    wire.break_at(0, how)
    purchase(buyer, installation, buyer.ask_price("registre-kbis", siren=SIREN))
    commits = wire.commits
    assert commits > 12

    # To be told to go, and never to be heard, look the same from here: a sample is enough of one.
    chosen = range(1, commits + 1, 3 if how == "terminated" else 1)
    for commit in chosen:
        token = buyer.ask_price("registre-kbis", siren=SIREN)
        wire.break_at(commit, how)
        answered = purchase(buyer, installation, token)
        assert answered in {200, 503}, commit
        wire.break_at(0, how)
        number = buyer.confirm(token)
        go_on(installation)

        assert number, commit
        assert buyer.confirm(token) == number
        assert set(buyer.states()) == {"delivered"}, commit

    bought = len(chosen) + 1
    assert len(buyer.states()) == bought
    assert [line.state for line in company.operator.book.charges()] == ["succeeded"] * bought
    assert len(company.merchants.book.orders()) == bought
    assert books_agree(installation)


@pytest.mark.parametrize("how", HOW)
def test_a_click_whose_commit_is_lost_looks_and_goes_on_at_once(how, buyer, installation, wire):
    """Reading the groups again is the click's first commit, accepting the order its second."""
    token = buyer.ask_price("registre-kbis", siren=SIREN)
    wire.break_at(2, how)
    with capture_logs() as said:
        number = buyer.confirm(token)

    assert wire.broke.is_set()
    assert "confirmation_in_doubt" in [line["event"] for line in said]
    assert (buyer.status, bool(number)) == (200, True)
    until_delivered(buyer)
    assert buyer.confirm(token) == number
    assert buyer.states() == ["delivered"]
    go_on(installation)
    assert books_agree(installation)
