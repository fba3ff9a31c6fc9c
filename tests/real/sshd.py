"""OpenSSH's own server on a free loopback port, for one test: SFTP only, two host keys, one user's key."""

from __future__ import annotations

import getpass
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.real.slapd import free_port

PROGRAM = "/usr/sbin/sshd"
CONFIGURATION = """\
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host_rsa
HostKey {folder}/host_ed25519
AuthorizedKeysFile {folder}/user.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
Subsystem sftp internal-sftp
ForceCommand internal-sftp
"""


@dataclass(frozen=True)
class Sshd:
    """A running server."""

    port: int
    folder: Path

    @property
    def url(self) -> str:
        """Where files go."""
        return f"sftp://{getpass.getuser()}@127.0.0.1:{self.port}{self.folder}/out"

    def host_key(self, kind: str = "ed25519") -> str:
        """A public host key, as an operator would hand it over."""
        return (self.folder / f"host_{kind}.pub").read_text(encoding="ascii").strip()


@contextmanager
def running_sshd(folder: Path) -> Iterator[Sshd]:
    """Start it, wait until it listens, end it."""
    (folder / "out").mkdir(exist_ok=True)
    for name, kind in (("host_rsa", "rsa"), ("host_ed25519", "ed25519"), ("user", "ed25519"), ("stranger", "ed25519")):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", name, "-f", folder / name],
            check=True, capture_output=True, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    port = free_port()
    (folder / "sshd_config").write_text(CONFIGURATION.format(port=port, folder=folder), encoding="utf-8")
    if os.getuid() == 0:
        # Debian makes it when the service starts.
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    with (folder / "sshd.log").open("wb") as log:
        server = subprocess.Popen([PROGRAM, "-D", "-e", "-f", str(folder / "sshd_config")], stderr=log, stdout=log)
        try:
            _wait(port, server, folder)
            yield Sshd(port, folder)
        finally:
            server.terminate()
            server.wait(60)


def _wait(port: int, server: subprocess.Popen[bytes], folder: Path) -> None:
    ends = time.monotonic() + 60
    while time.monotonic() < ends and server.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=10).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError((folder / "sshd.log").read_text(encoding="utf-8", errors="replace")[-2000:])
