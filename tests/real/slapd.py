"""A private slapd on free loopback ports, with people, groups and the awkward things of real directories."""

from __future__ import annotations

import base64
import os
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from demo.certificates import Authority

BASE = "dc=acme,dc=example"
PEOPLE, GROUPS = f"ou=people,{BASE}", f"ou=groups,{BASE}"
SERVICE, SERVICE_PASSWORD = f"cn=guichet,ou=services,{BASE}", "service"
SCHEMAS = ("core", "cosine", "nis", "inetorgperson")
AWKWARD = ("Dupont\\, Zoé", "R\\+D", "deux\\\\barres", "\\#dièse", 'a\\"b', "x\\;y", "L'Été", "l\\3Cg\\3E")

CONFIG = """
{schemas}
pidfile {folder}/slapd.pid
argsfile {folder}/slapd.args
modulepath /usr/lib/ldap
moduleload back_mdb
TLSCACertificateFile {folder}/ca.pem
TLSCertificateFile {certificate}
TLSCertificateKeyFile {key}
sizelimit {sizelimit}
idletimeout 0
database mdb
suffix "{base}"
rootdn "cn=root,{base}"
rootpw root
directory {folder}/db
maxsize 33554432
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="{service}" read by self read by * none
"""


@dataclass
class Slapd:
    """A running slapd."""

    folder: Path
    port: int
    tls_port: int
    ca_file: Path
    process: subprocess.Popen[bytes] | None = None
    command: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Plain, or StartTLS."""
        return f"ldap://127.0.0.1:{self.port}"

    @property
    def tls_url(self) -> str:
        """LDAPS."""
        return f"ldaps://127.0.0.1:{self.tls_port}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        give_up = time.monotonic() + 10
        while time.monotonic() < give_up:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        raise AssertionError("slapd does not answer")

    def stop(self) -> None:
        """End it."""
        if self.process:
            self.process.terminate()
            self.process.wait(10)


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def require_slapd() -> str:
    """The program, or the reason why these tests cannot run: a failure in CI, never a silent skip."""
    program = shutil.which("slapd") or ("/usr/sbin/slapd" if Path("/usr/sbin/slapd").exists() else "")
    if not program:
        reason = "slapd is missing: apt-get install slapd"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    return program


def make_slapd(
    folder: Path, *, sizelimit: int = 500, names: tuple[str, ...] = ("127.0.0.1", "localhost"), expired: bool = False
) -> Slapd:
    """A slapd with the sample directory, started."""
    program = require_slapd()
    folder.mkdir(parents=True, exist_ok=True)
    issued = Authority.create(folder, f"CA of {folder.name}").issue(list(names), expired=expired)
    (folder / "db").mkdir()
    schemas = "\n".join(f"include /etc/ldap/schema/{name}.schema" for name in SCHEMAS)
    config = folder / "slapd.conf"
    config.write_text(
        CONFIG.format(
            schemas=schemas,
            folder=folder,
            base=BASE,
            service=SERVICE,
            certificate=issued.cert_path,
            key=issued.key_path,
            sizelimit=sizelimit,
        )
    )
    ldif = folder / "people.ldif"
    ldif.write_text(_ldif(), encoding="utf-8")
    subprocess.run(
        [
            program.replace("slapd", "slapadd") if "sbin" in program else "slapadd",
            "-q",
            "-f",
            str(config),
            "-l",
            str(ldif),
        ],
        check=True,
        capture_output=True,
        env={**os.environ, "PATH": os.environ.get("PATH", "") + ":/usr/sbin"},
    )
    port, tls_port = free_port(), free_port()
    made = Slapd(folder, port, tls_port, folder / "ca.pem")
    made.command = [
        program,
        "-d",
        "0",
        "-f",
        str(config),
        "-h",
        f"ldap://127.0.0.1:{port}/ ldaps://127.0.0.1:{tls_port}/",
    ]
    made.start()
    return made


def _entry(dn: str, *lines: str) -> str:
    return "\n".join([f"dn:: {base64.b64encode(dn.encode()).decode()}", *lines, ""])


def _line(name: str, value: str) -> str:
    return f"{name}:: {base64.b64encode(value.encode()).decode()}"


def _person(login: str, dn: str = "", password: str = "secret") -> str:
    dn = dn or f"uid={login},{PEOPLE}"
    return _entry(
        dn,
        "objectClass: inetOrgPerson",
        _line("uid", login),
        _line("cn", login.title()),
        "sn: X",
        _line("userPassword", password),
    )


def _group(dn: str, *members: str) -> str:
    return _entry(
        dn, "objectClass: groupOfNames", _line("cn", _plain(dn)), *(_line("member", member) for member in members)
    )


def _plain(dn: str) -> str:
    value = dn.split("=", 1)[1].split(",ou=")[0]
    return value.replace("\\3C", "<").replace("\\3E", ">").replace("\\", "") if "\\\\" not in value else "deux\\barres"


def _ldif() -> str:
    entries = [
        _entry(BASE, "objectClass: dcObject", "objectClass: organization", "dc: acme", "o: Acme"),
        *(_entry(f"ou={name},{BASE}", "objectClass: organizationalUnit", f"ou: {name}") for name in ("people", "groups", "services", "elsewhere")),
        _entry(f"ou=branch,{PEOPLE}", "objectClass: organizationalUnit", "ou: branch"),
        _entry(SERVICE, "objectClass: person", "cn: guichet", "sn: guichet", f"userPassword: {SERVICE_PASSWORD}"),
        _person("zoe"), _person("eleve", password="\u00e9t\u00e9"), _person("decompose", password="e\u0301te\u0301"),
        _person("double"), _person("double", f"uid=double,ou=branch,{PEOPLE}"),
        _person("outside", f"uid=outside,ou=elsewhere,{BASE}"), _person("am\u00e9lie"),
        _entry(f"uid=alias,{PEOPLE}", "objectClass: alias", "objectClass: extensibleObject", "uid: alias", f"aliasedObjectName: uid=outside,ou=elsewhere,{BASE}"),
        _entry(f"ou=referral,{PEOPLE}", "objectClass: referral", "objectClass: extensibleObject", "ou: referral", "ref: ldap://127.0.0.1:1/dc=other"),
        _group(f"cn=inner,{GROUPS}", f"uid=zoe,{PEOPLE}", f"cn=outer,{GROUPS}"),
        _group(f"cn=middle,{GROUPS}", f"cn=inner,{GROUPS}"),
        _group(f"cn=outer,{GROUPS}", f"cn=middle,{GROUPS}"),
        _group(f"cn=others,{GROUPS}", f"uid=eleve,{PEOPLE}"),
        _entry(f"cn=unique,{GROUPS}", "objectClass: groupOfUniqueNames", "cn: unique", f"uniqueMember: uid=zoe,{PEOPLE}"),
        _entry(f"cn=posix,{GROUPS}", "objectClass: posixGroup", "cn: posix", "gidNumber: 100", "memberUid: zoe"),
    ]  # fmt: skip
    for number, name in enumerate(AWKWARD):
        attributes = (f"uid: awkward{number}", _line("cn", _plain(f"cn={name},ou=x")), "sn: X", "userPassword: secret")
        entries.append(_entry(f"cn={name},{PEOPLE}", "objectClass: inetOrgPerson", *attributes))
        entries.append(_group(f"cn={name},{GROUPS}", f"cn={name},{PEOPLE}"))
    return "\n".join(entries)
