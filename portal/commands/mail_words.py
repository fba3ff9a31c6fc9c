"""What became of a conversation with the mail server, in words, with what to do."""

from __future__ import annotations

from portal.commands.language import say
from portal.mail.submission import NotTaken

FOUND = {
    "unreachable": say("%(server)s cannot be reached: %(detail)s"),
    "silent": say("%(server)s did not answer in time."),
    "cut": say("%(server)s closed the connection."),
    "certificate": say("the certificate of %(server)s is not accepted: %(detail)s"),
    "tls": say("%(server)s does not speak TLS as configured: %(detail)s"),
    "no_tls": say("%(server)s offers no STARTTLS. %(detail)s"),
    "turned_away": say("%(server)s turns us away: %(detail)s"),
    "credentials": say("%(server)s refuses our user or password: %(detail)s"),
    "no_sign_in": say("%(server)s offers no sign-in that we know."),
    "sender": say("%(server)s refuses our sender: %(detail)s"),
    "recipient": say("%(server)s refuses the recipient: %(detail)s"),
    "content": say("%(server)s refuses the content: %(detail)s"),
}
REMEDIES = {
    "unreachable": say("Check [mail] host, its name, the port and the firewall."),
    "silent": say(
        'Check [mail] host and port: port 465 usually wants security = "tls", port 587 security = "starttls".'
    ),
    "cut": say("Check in the mail server's log whether this machine may connect."),
    "certificate": say(
        "Check [mail] host, which must be the name in the certificate, and ca_file, which must hold the authority that signed it."
    ),
    "tls": say('Check [mail] port and security: port 465 usually wants "tls", port 587 "starttls".'),
    "no_tls": say('Let the server offer STARTTLS, or use its TLS port with security = "tls".'),
    "turned_away": say("Check in the mail server's log whether this machine may connect."),
    "credentials": say("Check [mail] user and password, and that this user may send by SMTP."),
    "no_sign_in": say("Let the server offer AUTH PLAIN or LOGIN, or leave [mail] user empty."),
    "sender": say("Check [mail] sender, and that [mail] user may send with it."),
}


def found_in_words(outcome: NotTaken, server: str) -> str:
    """What happened, with what the server said."""
    detail = f"{outcome.status.partition(' ')[0]} {outcome.answer}".strip()
    return (FOUND[outcome.code] % {"server": server, "detail": detail}).strip()
