"""What the portal asks the directory: who signs in, who is this, in which groups, who is in a group.

Every answer is yes, no or unknown; one question costs at most the configured time budget over all servers.
"""

from __future__ import annotations

import time
import unicodedata

from portal.directory import diagnosis
from portal.directory.answers import Answer, Finding, Group, No, Person, Unknown, Yes
from portal.directory.config import DirectoryConfig, DirectoryUnknown
from portal.directory.ldap import escape
from portal.directory.members import Groups
from portal.directory.membership import Membership
from portal.directory.messages import Entry
from portal.directory.servers import LdapServers
from portal.directory.vocabulary import Vocabulary

LONGEST_LOGIN, LONGEST_PASSWORD = 256, 1024
LONGEST_LISTING_S = 60.0
"""Reading a group of thousands is asked for by an administrator, who waits for it; no sign-in does."""


class LdapDirectory:
    """The directory of one site; safe to use from several threads. Methods without an `Answer` raise `DirectoryUnknown`."""

    def __init__(self, config: DirectoryConfig) -> None:
        self.config = config
        self._words = Vocabulary(config)
        self._servers = LdapServers(config, password_policy=self._words.preset.password_policy)
        self._membership = Membership(self._servers, self._words)
        self._groups = Groups(self._servers, self._words)

    @property
    def is_down(self) -> bool:
        """Whether every server failed a moment ago: what can wait need not be asked now."""
        return self._servers.failover.all_rest

    def sign_in(self, login: str, password: str) -> Answer:
        """Search as the service, then one bind as the person, on one server, on a connection thrown away."""
        refused = _unusable(login, password)
        if refused:
            return refused
        deadline = self._deadline()
        try:
            found = self._people(self._words.login_test(login), deadline)
            if len(found) != 1:
                return No("ambiguous" if found else "unknown_person")
            why = self._words.barred(found[0]) or self._servers.bind_as(found[0].dn, password, deadline)
            return No(why) if why else self._with_groups(found[0], deadline)
        except DirectoryUnknown as error:
            return Unknown(error.reason, error.detail)

    def read(self, directory_id: str) -> Answer:
        """A person and his groups at this moment, by the stable id."""
        deadline = self._deadline()
        test = self._words.id_test(directory_id)
        try:
            found = self._people(test, deadline) if test else []
            if len(found) != 1:
                return No("ambiguous" if found else "gone")
            why = self._words.barred(found[0])
            return No(why) if why else self._with_groups(found[0], deadline)
        except DirectoryUnknown as error:
            return Unknown(error.reason, error.detail)

    def find_people(self, login: str) -> list[Person]:
        """Everybody with a login; more than one is a fault of the directory."""
        found = map(self._words.person, self._people(self._words.login_test(login), self._deadline()))
        return [person for person in found if person]

    def find_group(self, name_or_dn: str) -> list[Group]:
        """The groups with a name, or the group with a DN."""
        return self._groups.find(name_or_dn, self._deadline())

    def group(self, reference: Group) -> Group | None:
        """A group as it is now; None when it surely does not exist any more."""
        return self._groups.current(reference, self._deadline())

    def search_groups(self, text: str, limit: int = 20) -> list[Group]:
        """The first groups whose name or description holds a text."""
        return self._groups.search(text, limit, self._deadline())

    def count_members(self, group: Group) -> int:
        """How many people and groups stand in a group directly."""
        return self._groups.count(group, self._deadline())

    def members(self, group: Group) -> frozenset[Person]:
        """Everybody who is effectively in a group and may come in, with id, login and name; thousands take some seconds."""
        return self._groups.members(group, self._deadline(LONGEST_LISTING_S))

    def search_people(self, text: str, limit: int = 20) -> list[Person]:
        """The first people whose login, name or address holds a text."""
        value = escape(text.strip())
        words = self._words
        named = [*words.login_attributes, words.attributes.get("name", ""), words.attributes.get("mail", "")]
        tests = "".join(f"({name}=*{value}*)" for name in dict.fromkeys(filter(None, named)))
        test = words.people_test(f"(|{tests})") if value else words.people_filter
        found = self._servers.first(self.config.people_base, test, words.person_attributes, limit, self._deadline())
        return [person for person in map(words.employee, found) if person]

    def person(self, dn: str) -> Person | None:
        """The person with a DN; None when there is nobody who could sign in."""
        if not dn:
            return None
        words = self._words
        entries = self._servers.search(dn, words.people_filter, words.person_attributes, self._deadline(), one=True)
        return words.employee(entries[0]) if entries else None

    def diagnose(self, login: str = "") -> list[Finding]:
        """Each stage of a sign-in on each server, without anybody's password, and what a login comes to. Never raises."""
        return diagnosis.diagnose(self.config, self._deadline(LONGEST_LISTING_S), login)

    def close(self) -> None:
        """Close the connections nobody is using."""
        self._servers.close()

    def _deadline(self, at_least_s: float = 0) -> float:
        return time.monotonic() + max(self.config.timeout, at_least_s)

    def _people(self, test: str, deadline: float) -> list[Entry]:
        words = self._words
        return self._servers.search(self.config.people_base, words.people_test(test), words.person_attributes, deadline)

    def _with_groups(self, entry: Entry, deadline: float) -> Yes:
        person = self._words.person(entry)
        if person is None:
            text = f"an entry has no {self._words.id_attribute} that the service account may read"
            raise DirectoryUnknown("answer", text)
        return Yes(person, self._membership.of(entry, deadline))


def _unusable(login: str, password: str) -> No | None:
    """T8, T10: what must never reach a directory."""
    if not login.strip() or not password:
        return No("empty")
    if len(login) > LONGEST_LOGIN or len(password) > LONGEST_PASSWORD:
        return No("bad_characters", "too long")
    if any(unicodedata.category(letter) in {"Cc", "Cs"} for letter in login + password):
        return No("bad_characters")
    return None
