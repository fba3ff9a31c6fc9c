"""Portals over the demonstration's company whose `portal.toml` lacks some of its merchants, and more processes of one."""

from __future__ import annotations

import re
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import update

from demo import people
from demo.company import Company
from portal import clock, create_app, settings
from portal.billing.worker import work_once
from portal.catalog.synchronisation import synchronise
from portal.checkout import orders
from portal.directory.answers import Group
from portal.installation import Installation, open_installation
from portal.outbox import Task
from portal.rights.rules import add_rule
from portal.rights.scopes import Scope
from tests.conftest import Visitor

SECRETS = {"client_id": "acme", "client_secret": "credit-demo"}
"""Those of the demonstration's Coface."""


@dataclass
class Site:
    """One `portal.toml` with its database; every call of `process` is one more process over it."""

    company: Company
    folder: Path
    houses: list[Installation] = field(default_factory=list)

    @property
    def configuration(self) -> Path:
        """Where it stands."""
        return self.folder / "portal.toml"

    def process(self) -> Installation:
        """One more, as it would start now."""
        self.houses.append(open_installation(settings.load(self.configuration, {})))
        return self.houses[-1]

    def remove(self, key: str) -> None:
        """A merchant is struck out of `portal.toml`."""
        text = self.configuration.read_text(encoding="utf-8")
        left = re.sub(rf"\n\[merchants\.{key}\]\n(?:[^\n]+\n)+", "\n", text)
        assert left != text
        self.configuration.write_text(left, encoding="utf-8")

    def close(self) -> None:
        """End every process."""
        for house in self.houses:
            house.close()

    @property
    def coface(self) -> dict[str, str]:
        """What an administrator types to connect the demonstration's Coface."""
        return {"key": "coface", "base_url": f"{self.company.merchants.url}/coface"} | secret_fields(SECRETS)


def secret_fields(secrets: dict[str, str]) -> dict[str, str]:
    """Credentials as the form names them."""
    return {f"secret.{name}": value for name, value in secrets.items()}


def make_site(company: Company, folder: Path, ready_database: Path, *without: str) -> Site:
    """A site with its rules and its catalogue, without some merchants."""
    site = Site(company, folder)
    folder.mkdir()
    site.configuration.write_text(company.configuration(8000), encoding="utf-8")
    for key in without:
        site.remove(key)
    shutil.copy(ready_database, folder)
    house = site.process()
    synchronise(house.database, house.merchants)
    with house.database.transaction() as session:
        add_rule(session, "test", Group(people.GROUP_ACHATS), Scope("all"), "buy", "allow")
    return site


def at(house: Installation, login: str) -> Visitor:
    """Somebody signed in at one process."""
    visitor = Visitor(create_app(installation=house))
    visitor.sign_in(login)
    return visitor


def work_off(house: Installation) -> None:
    """Everything that is due now, as a worker would."""
    while work_once(house.database, "test worker", house.handlers):
        pass


def finish(house: Installation, number: str) -> str:
    """Work until an order has ended, whenever its task is due; returns its state."""
    for _ in range(25):
        with house.database.transaction() as session:
            session.execute(update(Task).where(Task.subject == number).values(due_at=clock.now()))
        work_off(house)
        with house.database.reading() as session:
            order = orders.by_number(session, number)
        if not order.is_open:
            return order.state
        time.sleep(0.1)
    return order.state
