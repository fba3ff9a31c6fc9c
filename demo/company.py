"""The loopback company: a directory, an operator, merchants and a mail server, on real sockets with the real protocols."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from demo import people
from demo.certificates import Authority
from demo.console import ConsoleServer
from demo.directory import DirectoryServer
from demo.mailbox import MailboxServer
from demo.merchants import MerchantsServer
from demo.operator import OperatorServer
from demo.partners import Partner

CONFIGURATION = """\
# Made by the demonstration: everything here is on this machine only.
[portal]
public_url = "http://127.0.0.1:{portal_port}"
company = "Acme SA"
contact = ""
locale = "fr"
time_zone = "Europe/Paris"

[database]
url = "sqlite:///portal.db"

[directory]
urls = ["{directory_url}"]
preset = "openldap"
start_tls = true
ca_file = "{ca_file}"
bind_dn = "{service_dn}"
bind_password = "{service_password}"
people_base = "{people_base}"
groups_base = "{groups_base}"
admin_groups = ["{admin_group}"]
finance_groups = ["{finance_group}"]
attributes = {{cost_centre = "employeeType"}}

[operator]
profile = "orange"
api_root = "{operator_url}"
token_url = "{operator_url}/oauth2/token"
client_id = "guichet-demo"
client_secret = "secret-demo"
line = "+33123456789"

[mail]
host = "127.0.0.1"
port = {mail_port}
security = "starttls"
ca_file = "{ca_file}"
user = "{mail_user}"
password = "{mail_password}"
sender = "guichet@acme.example"
"""
MERCHANT = """
[merchants.{key}]
connector = "{connector}"
base_url = "{url}/{connector}"
secrets = {secrets}
"""


@dataclass
class Company:
    """The running servers of the demonstration."""

    directory: DirectoryServer
    operator: OperatorServer
    merchants: MerchantsServer
    mailbox: MailboxServer
    console: ConsoleServer
    ca_file: Path
    partners: list[Partner] = field(default_factory=list)

    def configuration(self, portal_port: int, offline_limit: str = "") -> str:
        """A `portal.toml` that points at these servers; with `offline_limit` purchases wait for the operator up to it."""
        from demo.merchants import DEMO_MERCHANTS

        parts = [
            CONFIGURATION.format(
                portal_port=portal_port, directory_url=self.directory.url, ca_file=self.ca_file,
                service_dn=people.SERVICE_DN, service_password=people.SERVICE_PASSWORD,
                people_base=people.PEOPLE_BASE, groups_base=people.GROUPS_BASE,
                admin_group=people.GROUP_INFORMATIQUE, finance_group=people.GROUP_FINANCE,
                operator_url=self.operator.url, mail_port=self.mailbox.port,
                mail_user=people.MAIL_USER, mail_password=people.MAIL_PASSWORD,
            )
        ]  # fmt: skip
        for key, connector, secrets in DEMO_MERCHANTS:
            inline = "{" + ", ".join(f'{name} = "{value}"' for name, value in secrets.items()) + "}"
            parts.append(MERCHANT.format(key=key, connector=connector, url=self.merchants.url, secrets=inline))
        parts += [partner.configuration() for partner in self.partners]
        text = "".join(parts)
        if offline_limit:
            accepting = f'[operator]\nwhen_unreachable = "accept"\noffline_limit = "{offline_limit}"\n'
            text = text.replace("[operator]\n", accepting, 1)
        return text

    def configure(self, folder: Path, portal_port: int, offline_limit: str = "") -> Path:
        """Write that `portal.toml`, and what its merchants need beside it, into a folder."""
        for partner in self.partners:
            for name, text in partner.files().items():
                (folder / name).write_text(text, encoding="utf-8")
        path = folder / "portal.toml"
        path.write_text(self.configuration(portal_port, offline_limit), encoding="utf-8")
        return path

    def stop(self) -> None:
        """End every server, all at once: each waits until its loop looks up."""
        servers = (self.console, self.mailbox, self.merchants, self.operator, self.directory, *self.partners)
        with ThreadPoolExecutor(len(servers)) as pool:
            list(pool.map(lambda server: server.stop(), servers))


def start_company(folder: Path, console_port: int = 0, partners: Sequence[Callable[[], Partner]] = ()) -> Company:
    """Start every server on free loopback ports; certificates are written to `folder`. `partners` are merchants besides."""
    authority = Authority.create(folder)
    certificate = authority.issue(["127.0.0.1", "localhost"])
    directory = DirectoryServer(people.sample_tree(), certificate=certificate)
    operator, merchants = OperatorServer(), MerchantsServer()
    mailbox = MailboxServer(people.MAIL_USER, people.MAIL_PASSWORD, certificate=certificate)
    others = [make() for make in partners]
    for server in (directory, operator, merchants, mailbox, *others):
        server.start()
    console = ConsoleServer(directory, operator, merchants, mailbox, others, port=console_port)
    console.start()
    return Company(directory, operator, merchants, mailbox, console, folder / "ca.pem", others)
