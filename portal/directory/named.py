"""Entries whose DNs are known, read with as few questions as their directory allows."""

from __future__ import annotations

from collections.abc import Iterator

from portal.directory.ldap import Entry, escape
from portal.directory.names import normalise
from portal.directory.servers import LdapServers

AT_ONCE = 50
FEW = 200
"""So many entries are read one by one; for more, where DNs cannot be searched for, everything is read by pages."""


def is_below(dn: str, base: str) -> bool:
    """Whether an entry is a base or stands somewhere under it."""
    key, top = normalise(dn), normalise(base)
    return key == top or key.endswith("," + top)


def read_named(
    servers: LdapServers, dn_attribute: str, base: str, test: str, dns: list[str], attributes: list[str], deadline: float
) -> Iterator[Entry]:  # fmt: skip
    """Those of the named entries under `base` that pass a filter. Raises `DirectoryUnknown`."""
    if dn_attribute and len(dns) > 1:
        found = False
        for at in range(0, len(dns), AT_ONCE):
            named = "".join(f"({dn_attribute}={escape(dn)})" for dn in dns[at : at + AT_ONCE])
            for entry in servers.search(base, f"(&{test}(|{named}))", attributes, deadline):
                found = True
                yield entry
        if found:
            return
    # Also when nothing was found: not every server that is called OpenLDAP knows entryDN (RFC 5020).
    if len(dns) <= FEW:
        for dn in dns:
            yield from servers.search(dn, test, attributes, deadline, one=True)
        return
    wanted = {normalise(dn) for dn in dns}
    for entry in servers.every(base, test, attributes, deadline):
        if normalise(entry["dn"]) in wanted:
            yield entry
