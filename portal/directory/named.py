"""Entries whose DNs are known, read with as few questions as their directory allows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from portal.directory.config import DirectoryUnknown
from portal.directory.ldap import escape
from portal.directory.messages import Entry
from portal.directory.names import first_part, normalise
from portal.directory.servers import LdapServers

AT_ONCE = 50
FEW = 20
"""So many entries are read one by one; more are searched for, or found by reading everything by pages."""
MANY = 2_000
"""For more than so many, everything is read by pages first, where the directory's size limit allows it."""


def is_below(dn: str, base: str) -> bool:
    """Whether an entry is a base or stands somewhere under it."""
    key, top = normalise(dn), normalise(base)
    return key == top or key.endswith("," + top)


def read_named(
    servers: LdapServers, indexed: Sequence[str], base: str, test: str, dns: list[str], attributes: list[str],
    deadline: float,
) -> Iterator[Entry]:  # fmt: skip
    """Those of the named entries under `base` that pass a filter; one may come twice. Raises `DirectoryUnknown`.

    Args:
        indexed: attributes by which the directory finds entries fast: `distinguishedName` on Active Directory, and
            those of logins, by which people are usually named.
    """
    if len(dns) <= FEW and "distinguishedName" not in indexed:
        for dn in dns:
            yield from servers.search(dn, test, attributes, deadline, one=True)
        return
    tests = _tests(indexed, dns)
    wanted = {normalise(dn) for dn in dns}
    if tests is None or len(dns) > MANY:
        try:
            yield from _among(servers.every(base, test, attributes, deadline), wanted)
        except DirectoryUnknown as error:
            if tests is None or error.reason != "size_limit":
                raise
        else:
            return
    for at in range(0, len(tests), AT_ONCE):
        part = f"(&{test}(|{''.join(tests[at : at + AT_ONCE])}))"
        yield from _among(servers.search(base, part, attributes, deadline), wanted)


def _tests(indexed: Sequence[str], dns: list[str]) -> list[str] | None:
    """A filter part for each DN; None when one of them is not named by an indexed attribute."""
    if "distinguishedName" in indexed:
        return [f"(distinguishedName={escape(dn)})" for dn in dns]
    fast = {name.lower() for name in indexed if name}
    tests = []
    for dn in dns:
        name, value = first_part(dn)
        if name not in fast:
            return None
        tests.append(f"({name}={escape(value)})")
    return tests


def _among(entries: Iterable[Entry], wanted: set[str]) -> Iterator[Entry]:
    return (entry for entry in entries if normalise(entry.dn) in wanted)
