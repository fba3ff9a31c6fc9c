"""Seats: how many of a process may wait for one other side."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack

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


def test_who_hangs_is_waited_for_no_longer_than_the_patience_of_the_first():
    seats, held = Seats(1), threading.Event()
    with ExitStack() as stack:
        stack.enter_context(seats.waiting())
        begun = time.monotonic()
        waits = [threading.Thread(target=lambda: held.set() if seats.take() else None) for _each in range(5)]
        for thread in waits:
            thread.start()
        for thread in waits:
            thread.join(5)
        assert time.monotonic() - begun < 2 * waiting.PATIENCE_S, "they waited beside each other"
        assert not held.is_set()


def test_one_that_answers_quickly_serves_everybody_and_never_more_than_its_seats():
    seats, lock = Seats(2), threading.Lock()
    inside, most, served = [0], [0], [0]

    def ask():
        with seats.waiting():
            with lock:
                inside[0] += 1
                most[0] = max(most[0], inside[0])
            time.sleep(0.02)
            with lock:
                inside[0] -= 1
                served[0] += 1

    threads = [threading.Thread(target=ask) for _each in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert (served, most) == ([20], [2])


def test_a_seat_is_free_again_whatever_went_wrong():
    seats = Seats(1)
    for _time in range(3):
        with pytest.raises(ZeroDivisionError), seats.waiting():
            raise ZeroDivisionError
    assert seats.take() is not None
