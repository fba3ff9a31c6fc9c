"""A private slapd on free loopback ports, with people, groups and the awkward things of real directories."""

from __future__ import annotations

import base64
import os
import re
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from demo.certificates import Authority
from portal.directory.config import DirectoryConfig

BASE = "dc=acme,dc=example"
PEOPLE, GROUPS = f"ou=people,{BASE}", f"ou=groups,{BASE}"
SERVICE, SERVICE_PASSWORD = f"cn=guichet,ou=services,{BASE}", "service"
SCHEMAS = ("core", "cosine", "nis", "inetorgperson", "dyngroup")
AWKWARD = ("Dupont\\, Zoé", "R\\+D", "deux\\\\barres", "\\#dièse", 'a\\"b', "x\\;y", "L'Été", "l\\3Cg\\3E")

CONFIG = """
{schemas}
{definitions}
pidfile {folder}/slapd.pid
argsfile {folder}/slapd.args
modulepath /usr/lib/ldap
moduleload back_mdb
{modules}
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
maxsize 1073741824
{indexes}
{access}
{overlays}
"""
ACCESS = """access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="{service}" read by self read by * none"""


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
        give_up = time.monotonic() + 60
        while time.monotonic() < give_up and self.process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        self.stop()
        raise AssertionError("slapd does not answer")

    def stop(self) -> None:
        """End it."""
        if self.process:
            self.process.terminate()
            self.process.wait(60)


def free_port() -> int:
    """A port nobody listens on, and nobody but who is told of it will: it is held until this process ends."""
    held = socket.socket()
    # Held by a socket that does not listen: whoever calls is refused, and a server that reuses addresses, as all here
    # do, may listen beside it. Given back, it could be anybody's before that server has started.
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", 0))
    port = int(held.getsockname()[1])
    held.detach()
    return port


def require_slapd() -> str:
    """The program, or the reason why these tests cannot run: a failure in CI, never a silent skip."""
    program = shutil.which("slapd") or ("/usr/sbin/slapd" if Path("/usr/sbin/slapd").exists() else "")
    if not program:
        reason = "slapd is missing: apt-get install slapd"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    return program


def make_slapd(
    folder: Path, *, sizelimit: int | str = 500, names: tuple[str, ...] = ("127.0.0.1", "localhost"), expired: bool = False,
    more: str = "", modules: tuple[str, ...] = (), overlays: str = "", access: str = ACCESS, definitions: str = "",
    indexes: str = "",
) -> Slapd:  # fmt: skip
    """A slapd with the sample directory and `more` LDIF, started."""
    program = require_slapd()
    folder.mkdir(parents=True, exist_ok=True)
    issued = Authority.create(folder, f"CA of {folder.name}").issue(list(names), expired=expired)
    (folder / "db").mkdir()
    schemas = "\n".join(f"include /etc/ldap/schema/{name}.schema" for name in SCHEMAS)
    config = folder / "slapd.conf"
    config.write_text(
        CONFIG.format(
            schemas=schemas,
            definitions=definitions,
            modules="\n".join(f"moduleload {name}" for name in modules),
            overlays=overlays,
            indexes=f"index {indexes}" if indexes else "",
            access=access.format(service=SERVICE),
            folder=folder,
            base=BASE,
            certificate=issued.cert_path,
            key=issued.key_path,
            sizelimit=sizelimit,
        )
    )
    ldif = folder / "people.ldif"
    ldif.write_text(_ldif() + "\n" + more, encoding="utf-8")
    slapadd = program.replace("slapd", "slapadd") if "sbin" in program else "slapadd"
    done = subprocess.run(
        [slapadd, "-q", "-f", str(config), "-l", str(ldif)], check=False, capture_output=True, text=True,
        env={**os.environ, "PATH": os.environ.get("PATH", "") + ":/usr/sbin"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
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


def site(slapd: Slapd, **changes: object) -> DirectoryConfig:
    """How a portal is told of this server."""
    values: dict[str, object] = {
        "urls": [slapd.url], "start_tls": True, "ca_file": str(slapd.ca_file), "bind_dn": SERVICE,
        "bind_password": SERVICE_PASSWORD, "people_base": PEOPLE, "groups_base": GROUPS, "timeout": 10,
    }  # fmt: skip
    return DirectoryConfig(**{**values, **changes})  # type: ignore[arg-type]


def entry(dn: str, *lines: str) -> str:
    """An entry, in LDIF."""
    return "\n".join([f"dn:: {base64.b64encode(dn.encode()).decode()}", *lines, ""])


def line(name: str, value: str) -> str:
    """An attribute of any content, in LDIF."""
    return f"{name}:: {base64.b64encode(value.encode()).decode()}"


def person(
    login: str, dn: str = "", password: str = "secret", more: tuple[str, ...] = (), classes: tuple[str, ...] = ()
) -> str:
    """Somebody, in LDIF."""
    kinds = [f"objectClass: {name}" for name in ("inetOrgPerson", *classes)]
    return entry(
        dn or f"uid={login},{PEOPLE}", *kinds, line("uid", login), line("cn", login.title()), "sn: X",
        line("userPassword", password), *more,
    )  # fmt: skip


def group(dn: str, *members: str) -> str:
    """A group of DNs, in LDIF."""
    return entry(
        dn, "objectClass: groupOfNames", line("cn", _plain(dn)), *(line("member", member) for member in members)
    )


def _plain(dn: str) -> str:
    """The value of a DN's first part, without its escapes."""
    value = re.match(r"[^=]+=((?:\\[0-9A-Fa-f]{2}|\\.|[^,])*)", dn)
    assert value, dn
    return re.sub(
        r"\\([0-9A-Fa-f]{2}|.)",
        lambda found: bytes.fromhex(found[1]).decode() if len(found[1]) == 2 else found[1],
        value[1],
    )


def _ldif() -> str:
    entries = [
        entry(BASE, "objectClass: dcObject", "objectClass: organization", "dc: acme", "o: Acme"),
        *(entry(f"ou={name},{BASE}", "objectClass: organizationalUnit", f"ou: {name}") for name in ("people", "groups", "services", "elsewhere")),
        entry(f"ou=branch,{PEOPLE}", "objectClass: organizationalUnit", "ou: branch"),
        entry(SERVICE, "objectClass: person", "cn: guichet", "sn: guichet", f"userPassword: {SERVICE_PASSWORD}"),
        person("zoe"), person("eleve", password="\u00e9t\u00e9"), person("decompose", password="e\u0301te\u0301"),
        person("double"), person("double", f"uid=double,ou=branch,{PEOPLE}"),
        person("outside", f"uid=outside,ou=elsewhere,{BASE}"), person("am\u00e9lie"),
        entry(f"uid=alias,{PEOPLE}", "objectClass: alias", "objectClass: extensibleObject", "uid: alias", f"aliasedObjectName: uid=outside,ou=elsewhere,{BASE}"),
        entry(f"ou=referral,{PEOPLE}", "objectClass: referral", "objectClass: extensibleObject", "ou: referral", "ref: ldap://127.0.0.1:1/dc=other"),
        group(f"cn=inner,{GROUPS}", f"uid=zoe,{PEOPLE}", f"cn=outer,{GROUPS}"),
        group(f"cn=middle,{GROUPS}", f"cn=inner,{GROUPS}"),
        group(f"cn=outer,{GROUPS}", f"cn=middle,{GROUPS}"),
        group(f"cn=others,{GROUPS}", f"uid=eleve,{PEOPLE}"),
        entry(f"cn=unique,{GROUPS}", "objectClass: groupOfUniqueNames", "cn: unique", f"uniqueMember: uid=zoe,{PEOPLE}"),
        entry(f"cn=posix,{GROUPS}", "objectClass: posixGroup", "cn: posix", "gidNumber: 100", "memberUid: zoe"),
    ]  # fmt: skip
    for number, name in enumerate(AWKWARD):
        attributes = (f"uid: awkward{number}", line("cn", _plain(f"cn={name},ou=x")), "sn: X", "userPassword: secret")
        entries.append(entry(f"cn={name},{PEOPLE}", "objectClass: inetOrgPerson", *attributes))
        entries.append(group(f"cn={name},{GROUPS}", f"cn={name},{PEOPLE}"))
    return "\n".join(entries)
