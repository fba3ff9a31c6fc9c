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
GROUP_CLASSES = (
    "groupOfNames", "groupOfUniqueNames", "groupOfMembers", "groupOfEntries", "groupOfURLs", "posixGroup", "group",
)  # fmt: skip
ANY_GROUP = "".join(f"(objectClass={name})" for name in GROUP_CLASSES)


@dataclass(frozen=True)
class Preset:
    """Defaults for one product.

    Attributes:
        id_attribute: the identifier that survives a rename.
        dn_attribute: an indexed attribute by which entries are found by their DN; "" where there is none.
        security_ids: groups are told by the SIDs in `tokenGroups` and `primaryGroupID`.
        member_of_is_sure: the server itself keeps `memberOf` true; elsewhere it is believed of groups
            that show no list of members without him, since OpenLDAP's overlay may lag behind such a list.
        member_of_is_effective: `memberOf` also names the groups one is in through others.
        password_policy: the server says by a control why a bind is refused, or must be followed by a change.
    """

    id_attribute: str
    login_attributes: tuple[str, ...]
    people_filter: str
    groups_filter: str
    dn_attribute: str = ""
    security_ids: bool = False
    member_of_is_sure: bool = True
    member_of_is_effective: bool = False
    password_policy: bool = False
    attributes: Mapping[str, str] = field(default_factory=lambda: COMMON_ATTRIBUTES)


PRESETS = {
    "openldap": Preset(
        "entryUUID", ("uid",), "(objectClass=person)", f"(|{ANY_GROUP})",
        member_of_is_sure=False, password_policy=True,
    ),
    "active_directory": Preset(
        "objectGUID", ("sAMAccountName", "userPrincipalName"), "(&(objectCategory=person)(objectClass=user))",
        "(objectCategory=group)", dn_attribute="distinguishedName", security_ids=True,
        attributes={**COMMON_ATTRIBUTES, "name": "displayName", "department": "department"},
    ),
    "freeipa": Preset(
        "ipaUniqueID", ("uid",), "(objectClass=posixAccount)", f"(|(objectClass=ipaUserGroup){ANY_GROUP})",
        member_of_is_effective=True, password_policy=True,
    ),
    "lldap": Preset(
        "entryUUID", ("uid",), "(objectClass=person)", "(objectClass=groupOfUniqueNames)",
        attributes={**COMMON_ATTRIBUTES, "department": ""},
    ),
}  # fmt: skip
