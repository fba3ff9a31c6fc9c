"""A real Active Directory domain: Samba's domain controller, provisioned on a loopback address of its own.

It needs root, because LDAP's ports cannot be chosen there; only its LDAP service is started.
"""

from __future__ import annotations

import os
import random
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import ldap3
import pytest

from demo.certificates import Authority

DOMAIN, SUFFIX = "acme.test", "DC=acme,DC=test"
PEOPLE, GROUPS = f"OU=Personnes,{SUFFIX}", f"OU=Groupes,{SUFFIX}"
ADMIN_PASSWORD, PASSWORD, SERVICE_PASSWORD = "Provision.2026", "Deux-clics.1", "Guichet.service.1"
SERVICE = f"CN=guichet,CN=Users,{SUFFIX}"
NORMAL, DISABLED = 512, 514
GLOBAL_SECURITY, GLOBAL_DISTRIBUTION = -2147483646, 2
LONG_AGO = "129000000000000000"
AWKWARD = r"O'Néill \"Zoé\"\, \<b\>R\+D\</b\> \\ אב /x"
CONFIG = """
[global]
netbios name = DC1
realm = ACME.TEST
workgroup = ACME
server role = active directory domain controller
server services = ldap
interfaces = {address}/8
bind interfaces only = yes
ldap server require strong auth = yes
tls enabled = yes
tls keyfile = {key}
tls certfile = {certificate}
tls cafile = {folder}/ca.pem
private dir = {folder}/private
state directory = {folder}/state
cache directory = {folder}/cache
lock directory = {folder}/lock
pid directory = {folder}/pid
binddns dir = {folder}/bind
ncalrpc dir = {folder}/ncalrpc
log file = {folder}/log
[sysvol]
path = {folder}/state/sysvol
read only = no
[netlogon]
path = {folder}/state/sysvol/acme.test/scripts
read only = no
"""


@dataclass
class Samba:
    """A running domain controller."""

    folder: Path
    address: str
    process: subprocess.Popen[bytes]
    admin: ldap3.Connection

    @property
    def ca_file(self) -> Path:
        """Whom its certificate is signed by."""
        return self.folder / "ca.pem"

    def stop(self) -> None:
        """End it."""
        self.admin.unbind()
        _end(self.process)

    def add(self, dn: str, kinds: str | list[str], **attributes: object) -> str:
        """One entry more; returns its DN."""
        self._do(self.admin.add(dn, kinds, attributes), dn)
        return dn

    def add_person(self, login: str, name: str = "", **attributes: object) -> str:
        """Somebody with a password; returns the DN."""
        dn = f"CN={name or login},{PEOPLE}"
        values: dict[str, object] = {
            "sAMAccountName": login, "userPrincipalName": f"{login}.long@{DOMAIN}", "userAccountControl": NORMAL,
            "unicodePwd": f'"{PASSWORD}"'.encode("utf-16-le"), **attributes,
        }  # fmt: skip
        return self.add(dn, "user", **values)

    def add_group(self, name: str, members: Iterable[str], kind: int = GLOBAL_SECURITY) -> str:
        """A group with members; returns its DN."""
        dn = f"CN={name},{GROUPS}"
        return self.add(dn, "group", groupType=kind, **({"member": list(members)} if members else {}))

    def change(self, dn: str, **values: object) -> None:
        """Replace attributes; None takes one away."""
        changes = {
            name: [(ldap3.MODIFY_REPLACE, [] if value is None else value if isinstance(value, list) else [value])]
            for name, value in values.items()
        }
        self._do(self.admin.modify(dn, changes), dn)

    def read(self, dn: str, attribute: str) -> list[bytes]:
        """An attribute as it is stored."""
        _status, _result, found, _request = self.admin.search(dn, "(objectClass=*)", ldap3.BASE, attributes=[attribute])
        return list(found[0]["raw_attributes"][attribute])

    @staticmethod
    def _do(answer: tuple[bool, dict[str, object], object, object], what: str) -> None:
        assert answer[0], f"{what}: {answer[1]}"


def require_samba() -> str:
    """The program, or the reason why these tests cannot run: a failure in CI, never a silent skip."""
    program = shutil.which("samba") or ("/usr/sbin/samba" if Path("/usr/sbin/samba").exists() else "")
    reason = ""
    if os.getuid() != 0:
        reason = "a Samba domain needs root: its LDAP ports are 389 and 636"
    elif not program or not Path("/usr/share/samba/setup/ad-schema").exists():
        reason = "Samba is missing: apt-get install samba-ad-dc samba-ad-provision"
    if reason:
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    return program


def make_samba(folder: Path) -> Samba:
    """A new domain, provisioned, started, with the people and groups below."""
    program, address = require_samba(), _own_address()
    issued = Authority.create(folder, "CA of the Samba domain").issue([address, f"dc1.{DOMAIN}"])
    config = folder / "smb.conf"
    config.write_text(CONFIG.format(address=address, folder=folder, key=issued.key_path, certificate=issued.cert_path))
    for name in ("lock", "pid", "cache", "ncalrpc"):
        (folder / name).mkdir()
    done = subprocess.run(
        ["samba-tool", "domain", "provision", "--realm=ACME.TEST", "--domain=ACME", "--server-role=dc", "--dns-backend=NONE",
         f"--adminpass={ADMIN_PASSWORD}", "--host-name=dc1", f"--host-ip={address}", f"--configfile={config}"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    process = subprocess.Popen(
        [program, "-i", "-M", "single", "-s", str(config)], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        _wait_for(address, process)
        admin = _administrator(address)
    except BaseException:
        _end(process)
        raise
    made = Samba(folder, address, process, admin)
    try:
        _furnish(made)
    except BaseException:
        made.stop()
        raise
    return made


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait(60)
    if process.stdin:
        process.stdin.close()


def _furnish(domain: Samba) -> None:
    for base in (PEOPLE, GROUPS):
        domain.add(base, "organizationalUnit")
    secret = f'"{SERVICE_PASSWORD}"'.encode("utf-16-le")
    domain.add(SERVICE, "user", sAMAccountName="guichet", userAccountControl=NORMAL, unicodePwd=secret)
    boss = domain.add_person("patronne", displayName="La patronne", mail="patronne@acme.test")
    zoe = domain.add_person("zoe", displayName="Zoé Martin", mail="zoe@acme.test", department="Juridique", manager=boss)
    domain.add_person("disabled", userAccountControl=DISABLED)
    domain.add_person("expired", accountExpires=LONG_AGO)
    domain.add_person("must", pwdLastSet="0")
    domain.add_person("locked")
    awkward = domain.add_person("awkward", AWKWARD)
    inner = domain.add_group("inner", [zoe])
    middle = domain.add_group("middle", [inner])
    outer = domain.add_group("outer", [middle])
    domain.change(inner, member=[zoe, outer])
    primary = domain.add_group("primary", [zoe])
    domain.change(zoe, primaryGroupID=str(int.from_bytes(domain.read(primary, "objectSid")[0][-4:], "little")))
    domain.add_group("above primary", [primary])
    domain.add_group("list", [zoe], GLOBAL_DISTRIBUTION)
    domain.add_group("list of lists", [outer], GLOBAL_DISTRIBUTION)
    domain.add_group("nobody", [])
    domain.add_group("without the barred", [f"CN={name},{PEOPLE}" for name in ("disabled", "expired", "patronne")])
    domain.add_group(AWKWARD, [awkward])
    domain.change(SUFFIX, lockoutThreshold="3")


def _administrator(address: str) -> ldap3.Connection:
    # Our own link to our own server; ldap3 would check the certificate by ways that Python has closed (T2).
    tls = ldap3.Tls(validate=ssl.CERT_NONE)
    server = ldap3.Server(address, port=636, use_ssl=True, tls=tls, get_info=ldap3.NONE)
    connection = ldap3.Connection(
        server, f"Administrator@{DOMAIN}", ADMIN_PASSWORD, client_strategy=ldap3.SAFE_SYNC, check_names=False,
        auto_referrals=False, auto_bind=ldap3.AUTO_BIND_NONE,
    )  # fmt: skip
    connection.open(read_server_info=False)
    if not connection.bind(read_server_info=False)[0]:
        connection.unbind()
        raise AssertionError("the domain's administrator cannot bind")
    return connection


def _own_address() -> str:
    """A loopback address on which nobody speaks LDAP."""
    for _attempt in range(50):
        address = f"127.{random.randint(2, 250)}.{random.randint(1, 250)}.{random.randint(2, 250)}"
        with socket.socket() as probe:
            try:
                probe.bind((address, 389))
            except OSError:
                continue
        return address
    raise AssertionError("no loopback address is free")


def _wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    give_up = time.monotonic() + 180
    while time.monotonic() < give_up and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex((address, 636)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError("Samba does not answer")
