"""What the directory's self-check found, in words, with what to do."""

from __future__ import annotations

from portal.commands.language import say
from portal.directory.answers import Finding

FOUND = {
    "server": say(
        "%(url)s answers and accepts the service account; certificate of %(subject)s by %(issuer)s until %(ends)s."
    ),
    "people": say("%(count)s people under %(base)s."),
    "groups": say("%(count)s groups under %(base)s."),
    "unreachable": say("it cannot be reached: %(detail)s"),
    "timeout": say("it did not answer in time: %(detail)s"),
    "tls": say("its certificate is not accepted: %(detail)s"),
    "start_tls": say("it refuses StartTLS: %(detail)s"),
    "service_account": say("it refuses the service account: %(detail)s"),
    "size_limit": say("it cuts its answers: %(detail)s"),
    "configuration": say("it cannot be asked like this: %(detail)s"),
    "answer": say("it gave an answer that cannot be used: %(detail)s"),
    "people_base": say("nobody is visible under %(base)s. %(detail)s"),
    "groups_base": say("no group is visible under %(base)s. %(detail)s"),
}
REMEDIES = {
    "unreachable": say("Check [directory] urls, the name, the port and the firewall."),
    "timeout": say("Check that the server is well, or raise [directory] timeout."),
    "tls": say(
        "Check [directory] ca_file: it must hold the authority that signed the certificate, whose name must be the server's."
    ),
    "start_tls": say("Use ldaps:// in [directory] urls, or let the server offer StartTLS."),
    "service_account": say("Check [directory] bind_dn and bind_password."),
    "size_limit": say("Raise the directory's size limit for the service account."),
    "configuration": say("Check [directory] people_base, groups_base, people_filter and start_tls."),
    "answer": say("Check that the service account may read people and groups."),
    "people_base": say("Check [directory] people_base and people_filter, and that the service account may read there."),
    "groups_base": say("Check [directory] groups_base, and that the service account may read there."),
}


def finding_in_words(finding: Finding) -> tuple[str, str]:
    """What was found, and what to do about it ("" when all is well)."""
    found = FOUND[finding.code] % {"detail": "", **finding.params}
    if finding.code == "server" and not finding.params.get("subject"):
        found = say("%(url)s answers and accepts the service account.", **finding.params)
    return found.strip(), "" if finding.ok else REMEDIES[finding.code]
