"""What differs between directory products: one preset each, any part of which `portal.toml` may replace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

COMMON_ATTRIBUTES = {
    "name": "cn",
    "mail": "mail",
    "department": "departmentNumber",
    "cost_centre": "",
    "manager": "manager",
    "language": "preferredLanguage",
}


@dataclass(frozen=True)
class Preset:
    """Defaults for one product. `id_attribute` is the identifier that survives a rename."""

    id_attribute: str
    login_attributes: tuple[str, ...]
    people_filter: str
    attributes: Mapping[str, str] = field(default_factory=lambda: COMMON_ATTRIBUTES)


PRESETS = {
    "openldap": Preset("entryUUID", ("uid",), "(objectClass=person)"),
    "active_directory": Preset(
        "objectGUID",
        ("sAMAccountName", "userPrincipalName"),
        # Bit 2 of userAccountControl is a disabled account.
        "(&(objectCategory=person)(objectClass=user)(!(userAccountControl:1.2.840.113556.1.4.803:=2)))",
        {**COMMON_ATTRIBUTES, "name": "displayName", "department": "department"},
    ),
    "freeipa": Preset("ipaUniqueID", ("uid",), "(objectClass=posixAccount)"),
    "lldap": Preset("entryUUID", ("uid",), "(objectClass=person)", {**COMMON_ATTRIBUTES, "department": ""}),
}
