"""The buyers of the storm: over real HTTP, with cookies and forms, and pressing again what brought no page."""

from __future__ import annotations

import collections
import random
import re
import threading
import time
from dataclasses import dataclass, field

import httpx2
from sqlalchemy import select

from demo import people
from demo.articles import ARTICLES
from demo.companies import COMPANIES
from portal.billing import charges, refunds
from portal.billing.charges import Charge
from portal.installation import Installation
from portal.refusals import Refused

SIREN = next(siren for siren in COMPANIES if not siren.endswith("7"))
BASKETS: tuple[tuple[str, dict[str, str]], ...] = (
    ("registre-kbis", {"siren": SIREN}),
    ("lesechos-article", {"article": next(iter(ARTICLES))}),
    ("quidonc-inverse", {"phone": "01 42 00 00 01"}),
    ("coface-rapport", {"siren": SIREN}),
    ("coface-avis", {"siren": SIREN}),
)
"""Documents, data, and a report that takes its merchant some seconds."""


@dataclass
class Log:
    """What happened, counted."""

    counts: collections.Counter[str] = field(default_factory=collections.Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, what: str) -> None:
        """One more of something."""
        with self.lock:
            self.counts[what] += 1

    def __str__(self) -> str:
        return ", ".join(f"{times} {what}" for what, times in sorted(self.counts.items()))


class Buyer(threading.Thread):
    """Somebody with things to buy, and no patience with error pages."""

    def __init__(self, login: str, url: str, log: Log, shopping: list[int], seed: str) -> None:
        super().__init__(name=login, daemon=True)
        self.login, self._log, self._shopping = login, log, shopping
        self._random = random.Random(seed)
        self._http = httpx2.Client(base_url=url, follow_redirects=True, timeout=30)
        self._page = ""

    def run(self) -> None:
        """Sign in, then buy until nothing is left on the common list."""
        with self._http:
            while not self._send("POST", "/sign-in", login=self.login, password=people.PASSWORD, before="/sign-in"):
                time.sleep(1)
            while self._next():
                self._buy(*self._random.choice(BASKETS))
                self._log.add("purchases")

    def _next(self) -> bool:
        with self._log.lock:
            return bool(self._shopping) and self._shopping.pop() >= 0

    def _buy(self, slug: str, inputs: dict[str, str]) -> None:
        token = ""
        while True:
            while not token:
                if self._send("POST", f"/offers/{slug}/quote", before=f"/offers/{slug}", ask="1", **inputs):
                    token = self._token()
                if not token:
                    self._again("price asked again")
            answer = self._send("POST", "/confirm", token=token)
            if answer and re.search(r"/purchases/G-", str(answer.url)):
                return
            if answer and answer.status_code in {409, 410}:
                token = self._token()
            self._again("confirmed again")

    def _again(self, what: str) -> None:
        self._log.add(what)
        time.sleep(self._random.uniform(0.2, 1.0))

    def _token(self) -> str:
        found = re.search(r'name="token" value="([^"]+)"', self._page)
        return found[1] if found else ""

    def _send(self, method: str, address: str, *, before: str = "", **fields: str) -> httpx2.Response | None:
        """A form of the page at hand, or of the page at `before`; None when no page came back."""
        try:
            if before:
                self._page = self._http.get(before).text
            secret = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', self._page)
            answer = self._http.request(method, address, data={**fields, "csrf_token": secret[1] if secret else ""})
        except httpx2.HTTPError as error:
            self._log.add(f"page lost: {type(error).__name__}")
            time.sleep(0.5)
            return None
        self._log.add(f"page {answer.status_code}")
        if answer.status_code < 500:
            self._page = answer.text
        return answer


class Finance(threading.Thread):
    """Somebody who has a part of some purchase given back, every second or so, until it is over."""

    def __init__(self, house: Installation, log: Log, over: threading.Event, seed: str) -> None:
        super().__init__(name="finance", daemon=True)
        self._house, self._log, self._over, self._random = house, log, over, random.Random(seed)

    def run(self) -> None:
        """Ten cents of a captured charge each time."""
        while not self._over.wait(1):
            with self._house.database.reading() as session:
                captured = list(session.scalars(select(Charge.order_number).where(Charge.state == "captured")))
            if captured:
                self._give_back(self._random.choice(captured))
        self._house.close()

    def _give_back(self, number: str) -> None:
        try:
            with self._house.database.transaction() as session:
                refunds.ask(session, "storm", charges.locked(session, number), 10, "not what was wanted")  # type: ignore[arg-type]
            self._log.add("refunds asked")
        except Refused as refused:
            self._log.add(f"refund refused: {refused.reason.code}")
