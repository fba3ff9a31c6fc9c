"""Seats: how many of a process may wait for one other side."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from connectors import waiting
from connectors.waiting import Full, Seats


def test_who_finds_all_seats_taken_for_long_is_told_at_once(monkeypatch):
    seats = Seats(2)
    with seats.waiting(), seats.waiting():
        time.sleep(0.2)
        monkeypatch.setattr(waiting, "PATIENCE_S", 0.1)
        monkeypatch.setattr(seats._changed, "wait", lambda _seconds: pytest.fail("it waited"))
        with pytest.raises(Full), seats.waiting():
            pass
    with seats.waiting():
        pass


def test_who_hangs_is_waited_for_no_longer_than_the_patience_of_the_first(monkeypatch):
    now, waits = [0.0], []
    monkeypatch.setattr(waiting, "time", SimpleNamespace(monotonic=lambda: now[0]))
    seats, beside = Seats(1), threading.Barrier(5)

    def wait(seconds: float) -> None:
        waits.append(seconds)
        seats._changed.release()
        # Nobody's patience ends before all five wait: beside each other, not one after the other.
        beside.wait(60)
        now[0] = waiting.PATIENCE_S
        seats._changed.acquire()

    monkeypatch.setattr(seats._changed, "wait", wait)
    with seats.waiting(), ThreadPoolExecutor(5) as pool:
        now[0] = 0.5
        taken = [pool.submit(seats.take) for _each in range(5)]
        assert [each.result() for each in taken] == [None] * 5
    assert waits == [waiting.PATIENCE_S - 0.5] * 5


def test_one_that_answers_quickly_serves_everybody_and_never_more_than_its_seats(monkeypatch):
    monkeypatch.setattr(waiting, "PATIENCE_S", 120.0)
    seats, lock, two = Seats(2), threading.Lock(), threading.Barrier(2)
    inside, most, served = [0], [0], [0]

    def ask():
        with seats.waiting():
            with lock:
                inside[0] += 1
                most[0] = max(most[0], inside[0])
            # Whoever is inside stays until another is: there is always room for two.
            two.wait(60)
            with lock:
                inside[0] -= 1
                served[0] += 1

    threads = [threading.Thread(target=ask) for _each in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (served, most) == ([20], [2])


def test_a_seat_is_free_again_whatever_went_wrong():
    seats = Seats(1)
    for _time in range(3):
        with pytest.raises(ZeroDivisionError), seats.waiting():
            raise ZeroDivisionError
    assert seats.take() is not None
