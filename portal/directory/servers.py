"""The servers of one site as if they were one: connections kept, failover, and one deadline for each question."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import TypeVar

from portal.directory.config import DirectoryConfig, DirectoryUnknown
from portal.directory.failover import Failover
from portal.directory.ldap import Broken, Link
from portal.directory.messages import CHILDREN, ENTRY, SUBTREE, Entry
from portal.directory.standing import refusal
from portal.directory.tls import Certificate

MOST_IDLE = 8
PAGE = 500
INVALID_CREDENTIALS = 49
PERSON_REFUSED = {0, 19, INVALID_CREDENTIALS, 53}
"""What a server says of a person's bind: accepted, too many failures, wrong or barred, inactivated."""

Found = TypeVar("Found")


class LdapServers:
    """Safe to use from several threads (T12: a connection serves one of them at a time).

    Deadlines are moments of `time.monotonic()`. Every method raises `DirectoryUnknown`.

    Attributes:
        on_search: told of every search that was answered: base, filter, number of entries.
    """

    def __init__(self, config: DirectoryConfig, *, password_policy: bool = False) -> None:
        self.config, self.failover = config, Failover(config.urls)
        self.on_search: Callable[[str, str, int], None] = lambda _base, _test, _count: None
        self._password_policy = password_policy
        self._idle: deque[Link] = deque()

    def search(self, base: str, test: str, attributes: list[str], deadline: float, *, one: bool = False) -> list[Entry]:
        """Entries under `base` that pass `test`, or with `one` the entry `base` itself; a list that was cut is not an answer."""
        scope = ENTRY if one else SUBTREE
        (entries, _cookie), link = self._ask(lambda link: link.search(base, test, attributes, scope), deadline)
        self._give_back(link)
        self.on_search(base, test, len(entries))
        return entries

    def first(
        self, base: str, test: str, attributes: list[str], limit: int, deadline: float, *, below: bool = False
    ) -> list[Entry]:
        """At most `limit` entries under `base`, or right `below` it, whichever come first: for lists people choose from."""
        scope = CHILDREN if below else SUBTREE
        (entries, _cookie), link = self._ask(
            lambda link: link.search(base, test, attributes, scope, limit, cut_is_fine=True), deadline
        )
        self._give_back(link)
        return entries[:limit]

    def every(self, base: str, test: str, attributes: list[str], deadline: float) -> Iterator[Entry]:
        """All entries under `base` that pass `test`, read by pages."""
        (entries, cookie), link = self._ask(lambda link: link.search(base, test, attributes, SUBTREE, PAGE), deadline)
        count = 0
        try:
            while True:
                count += len(entries)
                yield from entries
                if not cookie:
                    break
                link.hurry(deadline)
                entries, cookie = link.search(base, test, attributes, SUBTREE, PAGE, cookie)
        except Broken as error:
            link.close()
            self.failover.rest(link.url)
            raise DirectoryUnknown(error.reason, error.detail) from error
        finally:
            self._give_back(link)
        self.on_search(base, test, count)

    def count(self, base: str, test: str, deadline: float) -> int:
        """How many entries pass."""
        return sum(1 for _entry in self.every(base, test, ["1.1"], deadline))

    def bind_as(self, dn: str, password: str, deadline: float) -> str:
        """Why a person may not come in; "" when he may.

        T12: one bind, never repeated, on a connection of its own, after a server let itself be opened.
        """
        link = self._opened(lambda url, until: Link.open(self.config, url, dn, password, until), set(), deadline)
        try:
            link.hurry(deadline)
            bound = link.bind(with_policy=self._password_policy)
        except Broken as error:
            self.failover.rest(link.url)
            raise DirectoryUnknown(error.reason, error.detail) from error
        finally:
            link.close()
        if bound.code not in PERSON_REFUSED:
            raise DirectoryUnknown("answer", f"bind: {bound.message}")
        return refusal(bound.code, bound.message, bound.policy)

    def greet(self, url: str, deadline: float) -> Certificate | None:
        """Connects to one server; the certificate it showed, None without TLS."""
        link = Link.open(self.config, url, "", "", deadline)
        try:
            return link.certificate()
        finally:
            link.close()

    def introduce(self, url: str, deadline: float) -> None:
        """Binds to one server as the service account."""
        self._service(url, deadline).close()

    def close(self) -> None:
        """Close the connections nobody is using."""
        while self._idle:
            with contextlib.suppress(IndexError):
                self._idle.pop().close()

    def _ask(self, question: Callable[[Link], Found], deadline: float) -> tuple[Found, Link]:
        """Put one question, to the next server when one breaks off or is silent for its share of the time.

        T11: a connection that waited here may have gone stale; then a fresh one is asked.
        """
        tried: set[str] = set()
        while True:
            link, fresh = self._link(tried, deadline)
            link.hurry(self._share(tried, deadline))
            try:
                answer = question(link)
            except Broken as error:
                link.close()
                self.close()
                if fresh or error.reason == "timeout":
                    self._gave_up(link.url, tried, DirectoryUnknown(error.reason, error.detail))
            except DirectoryUnknown:
                self._give_back(link)
                raise
            else:
                self.failover.answered(link.url)
                return answer, link

    def _share(self, tried: set[str], deadline: float) -> float:
        """A long listing has no more patience with a silent server than a sign-in has."""
        return self.failover.share(tried, min(deadline, time.monotonic() + self.config.timeout))

    def _gave_up(self, url: str, tried: set[str], why: DirectoryUnknown) -> None:
        """A server did not answer a question; raises `why` when there is no other to ask."""
        self.failover.rest(url)
        tried.add(url)
        if self.failover.next(tried) is None:
            raise why

    def _link(self, tried: set[str], deadline: float) -> tuple[Link, bool]:
        """A connection bound as the service, and whether it is a fresh one."""
        with contextlib.suppress(IndexError):
            while True:
                link = self._idle.pop()
                if link.url not in tried and not self.failover.rests(link.url):
                    return link, False
                link.close()
        return self._opened(self._service, tried, deadline), True

    def _opened(self, opening: Callable[[str, float], Link], tried: set[str], deadline: float) -> Link:
        """The first server that lets itself be opened."""
        while url := self.failover.next(tried):
            try:
                link = opening(url, self._share(tried, deadline))
            except DirectoryUnknown as error:
                self._gave_up(url, tried, error)
            else:
                self.failover.answered(url)
                return link
        raise DirectoryUnknown("unreachable", "no server is configured")

    def _give_back(self, link: Link) -> None:
        if link.is_open and len(self._idle) < MOST_IDLE:
            self._idle.append(link)
        elif link.is_open:
            link.close()

    def _service(self, url: str, deadline: float) -> Link:
        link = Link.open(self.config, url, self.config.bind_dn, self.config.bind_password, deadline)
        if not self.config.bind_dn:
            return link
        try:
            bound = link.bind()
        except Broken as error:
            link.close()
            raise DirectoryUnknown(error.reason, error.detail) from error
        if bound.code != 0:
            link.close()
            why = refusal(bound.code, bound.message, b"")
            raise DirectoryUnknown("service_account", f"{url}: {why}: {bound.message}")
        return link
