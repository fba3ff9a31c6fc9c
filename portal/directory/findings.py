"""What a diagnosis of the directory found, as sentences with what to do: the same on screen and in a terminal."""

from __future__ import annotations

from collections.abc import Callable

from portal.directory.answers import Finding


def _(text: str) -> str:
    """Marks a sentence for translation; it is translated when it is said."""
    return text


FOUND = {
    "connected": _("%(url)s answers."),
    "in_clear": _("%(url)s is on this machine: nothing is encrypted, and nothing leaves it."),
    "certificate": _("its certificate of %(subject)s, by %(issuer)s, is good until %(ends)s."),
    "certificate_ends_soon": _("its certificate of %(subject)s, by %(issuer)s, ends in %(days)s days, on %(ends)s."),
    "bound": _("%(url)s accepts the service account %(dn)s."),
    "anonymous": _("%(url)s is asked without a service account."),
    "unreachable": _("%(url)s cannot be reached: %(detail)s"),
    "timeout": _("no answer in time: %(detail)s"),
    "start_tls": _("%(url)s refuses StartTLS: %(detail)s"),
    "tls": _("no encryption could be agreed with %(url)s: %(detail)s"),
    "tls_authority": _("the certificate of %(url)s is signed by an authority that is not trusted here: %(detail)s"),
    "tls_name": _("the certificate of %(url)s names another server: %(detail)s"),
    "tls_expired": _("the certificate of %(url)s is out of its dates: %(detail)s"),
    "ca_file": _("the file of authorities cannot be read: %(detail)s"),
    "service_account": _("the service account %(dn)s is refused: %(detail)s"),
    "configuration": _("it cannot be asked like this: %(detail)s"),
    "answer": _("it gave an answer that cannot be used: %(detail)s"),
    "size_limit": _("it cuts its answers after %(count)s entries under %(base)s: %(detail)s"),
    "base": _("this place is not in the directory: %(detail)s"),
    "people": _("%(count)s people seen under %(base)s by %(filter)s."),
    "groups": _("%(count)s groups seen under %(base)s by %(filter)s."),
    "no_id": _("%(count)s entries seen under %(base)s, but not their %(attribute)s, by which accounts and rules are kept."),
    "people_filter": _("there are entries under %(base)s, but none passes the filter for people, %(filter)s."),
    "groups_filter": _("there are entries under %(base)s, but none passes the filter for groups, %(filter)s."),
    "nothing_to_read": _("%(base)s exists, but nothing under it can be seen: it is empty, or may not be read."),
    "no_read_right": _("the directory holds %(base)s or what is above it, but the service account may not read it."),
    "base_typo": _("%(base)s does not exist. Perhaps %(meant)s is meant."),
    "base_missing": _("%(base)s does not exist, or may not be seen; %(known)s does exist."),
    "base_elsewhere": _("%(base)s is not in this directory, which holds %(contexts)s."),
    "asked": _("searched %(base)s for %(filter)s: %(count)s found."),
    "login_found": _("%(login)s is %(name)s, %(dn)s, with the id %(id)s."),
    "login_unknown": _("nobody under %(base)s has the login %(login)s."),
    "login_filtered": _("%(dn)s has this login, but the filter for people leaves it out: %(filter)s."),
    "login_elsewhere": _("%(dn)s has this login, but is not under %(base)s."),
    "login_ambiguous": _("several entries have the login %(login)s, so none of them can sign in: %(dns)s."),
    "login_disabled": _("the account %(login)s is disabled."),
    "login_expired": _("the account %(login)s has expired."),
    "attributes_missing": _("%(dn)s has no %(attributes)s."),
    "in_group": _("in %(dn)s, with the id %(id)s."),
    "in_group_without_id": _("in %(dn)s, whose id cannot be read: after a rename, rules no longer know it."),
    "in_no_group": _("in no group under %(base)s."),
}  # fmt: skip
REMEDIES = {
    "certificate_ends_soon": _("Renew it before it ends: nobody signs in afterwards."),
    "unreachable": _("Check [directory] urls, the name, the port and the firewall."),
    "timeout": _("Check that the server is well, or raise [directory] timeout."),
    "start_tls": _("Use ldaps:// in [directory] urls, or let the server offer StartTLS."),
    "tls": _("Check that this port speaks TLS: ldaps:// is usually port 636, StartTLS port 389."),
    "tls_authority": _("Put the authority's certificate into the file of [directory] ca_file."),
    "tls_name": _("Write the server in [directory] urls by the name its certificate has."),
    "tls_expired": _("Renew the server's certificate, and check the clocks of both machines."),
    "ca_file": _("Check [directory] ca_file: a readable file in PEM format."),
    "service_account": _("Check [directory] bind_dn and bind_password, and that the account is neither locked nor expired."),
    "configuration": _("Check [directory] people_filter, groups_filter, login_attributes and start_tls."),
    "answer": _("Look into the directory's own log, and check [directory] preset."),
    "size_limit": _("Raise the directory's size limit for the service account, also for searches by pages."),
    "base": _("Check [directory] people_base and groups_base."),
    "no_id": _("Let the service account read this attribute, or choose the right [directory] preset."),
    "people_filter": _("Check [directory] people_filter and preset."),
    "groups_filter": _("Check [directory] groups_filter and preset."),
    "nothing_to_read": _("Give the service account the right to read there, or correct the base in [directory]."),
    "no_read_right": _("Give the service account the right to read there."),
    "base_typo": _("Correct people_base or groups_base in [directory]."),
    "base_missing": _("Correct people_base or groups_base in [directory]."),
    "base_elsewhere": _("Correct people_base or groups_base in [directory]."),
    "login_unknown": _("Check how the login is written, and [directory] login_attributes."),
    "login_filtered": _("Change [directory] people_filter if this person should sign in."),
    "login_elsewhere": _("Widen [directory] people_base if this person should sign in."),
    "login_ambiguous": _("Give each person a login of his own, or narrow [directory] people_base."),
    "login_disabled": _("Enable it in the directory if this person should sign in."),
    "login_expired": _("Give it a later end in the directory if this person should sign in."),
    "in_group_without_id": _("Let the service account read this attribute, or choose the right [directory] preset."),
}  # fmt: skip


def found(finding: Finding, translate: Callable[[str], str]) -> str:
    """What was found, as a sentence; `translate` gives a sentence in the reader's language."""
    facts = {"detail": "", "url": "", "dn": "", "base": "", "filter": "", "count": "?", **finding.params}
    return (translate(FOUND[finding.code]) % facts).strip()


def remedy(finding: Finding, translate: Callable[[str], str]) -> str:
    """What to do about it; "" when nothing needs doing."""
    return translate(REMEDIES[finding.code]) if finding.code in REMEDIES else ""
