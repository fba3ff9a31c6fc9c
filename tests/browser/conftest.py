"""A real Chromium before the portal served for real, with its worker."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from flask import Flask
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from werkzeug.serving import make_server

from demo import people
from demo.company import Company
from portal.billing.worker import run_worker
from portal.installation import Installation
from portal.outbox import open_subjects

ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
LONGEST_MS = 60_000
"""Of waiting for what must come, on whatever machine; by itself an expectation waits 5 s."""
expect.set_options(timeout=LONGEST_MS)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One browser for all tests; each has its own profile."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert program, "Chromium is missing. As root: apt-get install chromium"
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def address(app: Flask, installation: Installation) -> Iterator[str]:
    """Where the portal answers, with a worker beside it."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    stop = threading.Event()
    working = threading.Thread(target=run_worker, args=(installation.database, installation.handlers, stop))
    serving = threading.Thread(target=server.serve_forever)
    for thread in (working, serving):
        thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    stop.set()
    server.shutdown()
    for thread in (working, serving):
        thread.join()
    server.server_close()


@dataclass
class Desk:
    """Somebody at a browser. Every host asked and every complaint of the browser is noted."""

    page: Page
    address: str
    company: Company
    installation: Installation
    hosts: set[str] = field(default_factory=set)
    complaints: list[str] = field(default_factory=list)

    def sign_in(self, login: str = "chloe.lefevre") -> None:
        """Through the page."""
        self.page.goto(self.address)
        self.page.get_by_label("Identifiant").fill(login)
        self.page.get_by_label("Mot de passe").fill(people.PASSWORD)
        self.page.get_by_role("button", name="Se connecter").click()
        self.page.wait_for_selector("h1:has-text('De quoi avez-vous besoin')")

    def charges(self) -> list[str]:
        """The states of the operator's charges."""
        return [charge.state for charge in self.company.operator.book.charges()]

    def wait_for_charges(self, count: int) -> None:
        """Until the operator has captured so many charges and the worker has nothing left to do."""
        for _ in range(1200):
            with self.installation.database.reading() as session:
                idle = not open_subjects(session)
            if idle and self.charges().count("succeeded") >= count:
                return
            self.page.wait_for_timeout(50)
        raise AssertionError(self.charges())


def sit_down(
    chromium: Browser, address: str, company: Company, installation: Installation, **options: object
) -> tuple[Desk, BrowserContext]:
    """A fresh profile with one page."""
    context = chromium.new_context(**{"locale": "fr-FR", "viewport": {"width": 1280, "height": 900}, **options})  # type: ignore[arg-type]
    context.set_default_timeout(LONGEST_MS)
    desk = Desk(context.new_page(), address, company, installation)
    context.on(
        "request", lambda request: desk.hosts.add(request.url.split("/")[2]) if request.url.startswith("http") else None
    )
    context.on("console", lambda message: desk.complaints.append(message.text) if message.type == "error" else None)
    return desk, context


@pytest.fixture
def desk(chromium: Browser, address: str, company: Company, installation: Installation) -> Iterator[Desk]:
    """With JavaScript."""
    made, context = sit_down(chromium, address, company, installation)
    yield made
    context.close()


@pytest.fixture
def plain_desk(chromium: Browser, address: str, company: Company, installation: Installation) -> Iterator[Desk]:
    """With JavaScript switched off."""
    made, context = sit_down(chromium, address, company, installation, java_script_enabled=False)
    yield made
    context.close()
