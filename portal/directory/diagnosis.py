"""What is wrong with the way to the directory, stage by stage, and what one login comes to, by the very same filters.

No password of a person is asked for or needed. Sentences are in `findings.py`.
"""

from __future__ import annotations

import difflib
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace

from portal import clock
from portal.directory import tls
from portal.directory.answers import Finding
from portal.directory.config import DirectoryConfig, DirectoryUnknown
from portal.directory.ldap import raw_values
from portal.directory.membership import Membership
from portal.directory.messages import Entry
from portal.directory.named import is_below
from portal.directory.servers import PAGE, LdapServers
from portal.directory.vocabulary import Vocabulary, texts

ANYTHING = "(objectClass=*)"
SOON_DAYS = 21
MOST_CHILDREN, ALIKE = 500, 0.75


def diagnose(config: DirectoryConfig, deadline: float, login: str = "") -> list[Finding]:
    """Every stage on every server, then what is seen of people and groups, then the login. Never raises.

    Args:
        deadline: a moment of `time.monotonic()`; each server is given the configured time budget at most.
    """
    findings: list[Finding] = []
    reached = []
    for url in config.urls:
        seen = list(_server(config, url, deadline))
        findings += seen
        if all(item.ok for item in seen):
            reached.append(url)
    if not reached:
        return findings
    words = Vocabulary(config)
    servers = LdapServers(replace(config, urls=reached), password_policy=words.preset.password_policy)
    try:
        sight = Sight(servers, words, deadline)
        findings += sight.counted("people", config.people_base, words.people_filter)
        if config.groups_base:
            findings += sight.counted("groups", config.groups_base, words.groups_filter)
        if login:
            findings += LoginSteps(servers, words, deadline).taken(login)
    finally:
        servers.close()
    return findings


def _server(config: DirectoryConfig, url: str, deadline: float) -> Iterator[Finding]:
    servers = LdapServers(config)
    until = min(deadline, time.monotonic() + config.timeout)
    try:
        shown = servers.greet(url, until)
    except DirectoryUnknown as error:
        stage = "certificate" if error.reason in {"tls", "ca_file"} else "connect"
        why = tls.fault(error.detail) if error.reason == "tls" else ""
        code = f"tls_{why}" if why else error.reason
        yield Finding(False, stage, code, {"url": url, "detail": error.detail, "ca_file": config.ca_file})
        return
    yield Finding(True, "connect", "connected", {"url": url})
    if shown is None:
        yield Finding(True, "certificate", "in_clear", {"url": url})
    else:
        days = (shown.ends_at - clock.now()).days
        facts = {"url": url, "subject": shown.subject or ", ".join(shown.names), "names": ", ".join(shown.names)}
        facts |= {"issuer": shown.issuer, "ends": shown.ends_at.date().isoformat()}
        yield Finding(
            True, "certificate", "certificate" if days > SOON_DAYS else "certificate_ends_soon", {**facts, "days": days}
        )
    try:
        servers.introduce(url, until)
    except DirectoryUnknown as error:
        yield Finding(False, "bind", error.reason, {"url": url, "dn": config.bind_dn, "detail": error.detail})
        return
    yield Finding(True, "bind", "bound" if config.bind_dn else "anonymous", {"url": url, "dn": config.bind_dn})


class Sight:
    """What the service account sees under a base, and why it sees nothing."""

    def __init__(self, servers: LdapServers, words: Vocabulary, deadline: float) -> None:
        self._servers, self._words, self._deadline = servers, words, deadline

    def counted(self, kind: str, base: str, test: str) -> list[Finding]:
        """How many people or groups are seen, or what stands in the way."""
        facts: dict[str, str | int] = {"base": base, "filter": test}
        total = without_id = 0
        try:
            for entry in self._servers.every(base, test, [self._words.id_attribute], self._deadline):
                total += 1
                without_id += not raw_values(entry, self._words.id_attribute)
        except DirectoryUnknown as error:
            return [self._obstacle(kind, error, {**facts, "count": total})]
        if total and without_id == total:
            return [Finding(False, kind, "no_id", {**facts, "count": total, "attribute": self._words.id_attribute})]
        if total:
            return [Finding(True, kind, kind, {**facts, "count": total})]
        return [self._nothing(kind, facts)]

    def _obstacle(self, kind: str, error: DirectoryUnknown, facts: dict[str, str | int]) -> Finding:
        base = str(facts["base"])
        if error.reason == "base":
            return self._missing(kind, base, facts)
        if error.reason == "size_limit" and not facts["count"]:
            part = self._servers.first(base, str(facts["filter"]), ["1.1"], PAGE, self._deadline)
            facts = {**facts, "count": len(part)}
        return Finding(False, kind, error.reason, {**facts, "url": "", "detail": error.detail})

    def _nothing(self, kind: str, facts: dict[str, str | int]) -> Finding:
        """Nobody passes the filter: because of the filter, or because nothing may be read there."""
        try:
            others = self._servers.first(str(facts["base"]), ANYTHING, ["1.1"], 2, self._deadline)
        except DirectoryUnknown as error:
            return self._obstacle(kind, error, {**facts, "count": 0})
        return Finding(False, kind, f"{kind}_filter" if len(others) > 1 else "nothing_to_read", facts)

    def _missing(self, kind: str, base: str, facts: dict[str, str | int]) -> Finding:
        """The base does not exist for us: how far down it does, and what it was perhaps meant to be."""
        try:
            for above, part in _upwards(base):
                if self._servers.search(above, ANYTHING, ["1.1"], self._deadline, one=True):
                    meant = self._like(part, above)
                    code = "base_typo" if meant else "base_missing"
                    return Finding(False, kind, code, {**facts, "known": above, "meant": meant})
            contexts = self._contexts()
        except DirectoryUnknown as error:
            return Finding(False, kind, error.reason, {**facts, "url": "", "detail": error.detail})
        if any(is_below(base, context) for context in contexts):
            return Finding(False, kind, "no_read_right", facts)
        return Finding(False, kind, "base_elsewhere", {**facts, "contexts": "; ".join(contexts) or "?"})

    def _like(self, part: str, above: str) -> str:
        """The entry right below one whose name is nearly this; "" for none."""
        children = self._servers.first(above, ANYTHING, ["1.1"], MOST_CHILDREN, self._deadline, below=True)
        names = {child.dn.partition(",")[0].lower(): str(child.dn) for child in children}
        near = difflib.get_close_matches(part.lower(), names, 1, ALIKE)
        return names[near[0]] if near else ""

    def _contexts(self) -> list[str]:
        root = self._servers.search("", ANYTHING, ["namingContexts"], self._deadline, one=True)
        return texts(root[0], "namingContexts") if root else []


class LoginSteps:
    """One login, step by step, as a sign-in takes them."""

    def __init__(self, servers: LdapServers, words: Vocabulary, deadline: float) -> None:
        self._servers, self._words, self._deadline = servers, words, deadline
        self._config = servers.config
        self._found: list[Finding] = []
        self._stage = "login"
        servers.on_search = self._note

    def taken(self, login: str) -> list[Finding]:
        """Each search with its filter, and what it came to."""
        try:
            self._take(login)
        except DirectoryUnknown as error:
            self._say(False, error.reason, {"url": "", "base": self._config.people_base, "detail": error.detail})
        return self._found

    def _take(self, login: str) -> None:
        words, base = self._words, self._config.people_base
        found = self._servers.search(
            base, words.people_test(words.login_test(login)), words.person_attributes, self._deadline
        )
        if len(found) > 1:
            self._say(False, "login_ambiguous", {"login": login, "dns": "; ".join(entry.dn for entry in found)})
        elif not found:
            self._seek(login)
        else:
            self._resolve(found[0])

    def _resolve(self, entry: Entry) -> None:
        person, why = self._words.person(entry), self._words.barred(entry)
        if person is None:
            self._say(False, "no_id", {"base": entry.dn, "count": 1, "attribute": self._words.id_attribute})
            return
        facts = {"dn": person.dn, "id": person.id, "login": person.login, "name": person.name, "mail": person.mail}
        self._say(True, "login_found", facts)
        if why:
            self._say(False, f"login_{why}", facts)
        missing = [
            attribute for attribute in self._words.attributes.values() if attribute and not raw_values(entry, attribute)
        ]
        if missing:
            self._say(True, "attributes_missing", {"dn": person.dn, "attributes": ", ".join(missing)})
        self._stage = "membership"
        groups = Membership(self._servers, self._words).of(entry, self._deadline)
        for group in groups:
            self._say(bool(group.id), "in_group" if group.id else "in_group_without_id", group.as_dict())
        if not groups:
            self._say(True, "in_no_group", {"dn": person.dn, "base": self._config.groups_base})

    def _seek(self, login: str) -> None:
        """Nobody: perhaps the filter leaves the person out, or the base does."""
        test = self._words.login_test(login)
        for code, base in (("login_filtered", self._config.people_base), ("login_elsewhere", self._suffix())):
            found = self._servers.search(base, test, ["1.1"], self._deadline) if base else []
            if found:
                self._say(False, code, {"login": login, "dn": found[0].dn, "filter": self._words.people_filter,
                                        "base": self._config.people_base})  # fmt: skip
                return
        self._say(False, "login_unknown", {"login": login, "base": self._config.people_base})

    def _suffix(self) -> str:
        """The whole directory around the people."""
        root = self._servers.search("", ANYTHING, ["namingContexts"], self._deadline, one=True)
        contexts = texts(root[0], "namingContexts") if root else []
        return next((context for context in contexts if is_below(self._config.people_base, context)), "")

    def _note(self, base: str, test: str, count: int) -> None:
        if base:
            self._say(True, "asked", {"base": base, "filter": test, "count": count})

    def _say(self, ok: bool, code: str, facts: Mapping[str, str | int]) -> None:
        self._found.append(Finding(ok, self._stage, code, dict(facts)))


def _upwards(dn: str) -> Iterator[tuple[str, str]]:
    """What is above a DN, nearest first, each with the part that stands right below it."""
    parts = [part.strip() for part in dn.split(",")]
    for at in range(1, len(parts)):
        yield ",".join(parts[at:]), parts[at - 1]
