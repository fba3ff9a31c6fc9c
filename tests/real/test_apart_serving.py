"""Connectors that run apart, below a real `portal serve`: each web process has its own, and they end with it."""

from __future__ import annotations

import os
import re
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from portal.checkout.books import compare
from tests.real.test_serving import SIREN, family, parents, remote_buyer, server, wait_until
from tests.test_apart_two_clicks import company

__all__ = ["company", "remote_buyer", "server"]


def connectors(process: int) -> dict[int, int]:
    """The processes of connectors below a process, with their parents."""
    parent_of, found = parents(), {}
    for member in family(process):
        try:
            command = Path(f"/proc/{member}/cmdline").read_bytes()
        except OSError:
            continue
        if b"connectors.apart.child" in command:
            found[member] = parent_of[member]
    return found


def test_they_serve_threads_and_end_with_the_process_that_started_them(remote_buyer, server, installation, company):
    remote_buyer.confirm(remote_buyer.ask_price("registre-kbis", siren=SIREN))
    assert wait_until(lambda: remote_buyer.states() == ["delivered"])
    remote_buyer.get("/offers/registre-kbis")
    csrf = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', remote_buyer.page)
    fields = {"ask": "1", "siren": SIREN, "csrf_token": csrf[1]}

    def priced() -> bool:
        answer = remote_buyer.client.post("/offers/registre-kbis/quote", fields, follow_redirects=True)
        return 'name="token"' in answer.get_data(as_text=True)

    def first_click(_turn: int) -> bool:
        # On a slow machine all seats before the merchant are taken for long, which whoever asks is told.
        return wait_until(priced)

    with ThreadPoolExecutor(8) as clicking:
        assert all(clicking.map(first_click, range(24)))
    started = connectors(server.process.pid)
    assert started

    # The worker may have one of its own, for the lists: without it the whole server ends, which is another test.
    web_process = next(parent for parent in started.values() if parent != server.worker())
    os.kill(web_process, signal.SIGKILL)
    orphans = {child for child, parent in started.items() if parent == web_process}
    assert wait_until(lambda: not orphans & parents().keys())
    # Its children may end before its last thread does; until it is collected, its connections look alive.
    assert wait_until(lambda: not Path(f"/proc/{web_process}").exists())

    assert wait_until(server.is_ready)
    remote_buyer.confirm(remote_buyer.ask_price("registre-kbis", siren=SIREN))
    assert wait_until(lambda: remote_buyer.states() == ["delivered", "delivered"])
    again = connectors(server.process.pid)
    assert again
    os.kill(server.process.pid, signal.SIGTERM)
    assert server.process.wait(60) == 0
    assert wait_until(lambda: not again.keys() & parents().keys())
    assert len(company.merchants.book.orders()) == 2
    assert compare(installation.means).differences == []
