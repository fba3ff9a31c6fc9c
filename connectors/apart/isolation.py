"""What a connector's process gives up before it reads a line of others' code, and the proof that it is gone."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from connectors.apart import landlock, seccomp

PR_SET_PDEATHSIG = 1
LIMITS: Mapping[str, int] = {
    "AS": 1 << 29, "CPU": 600, "NOFILE": 64, "NPROC": 0, "FSIZE": 0, "CORE": 0, "MEMLOCK": 0, "MSGQUEUE": 0,
}  # fmt: skip
"""By the names of setrlimit(2): half a GB of memory, ten minutes of processor in a life, no file, no process."""


class NotIsolated(Exception):
    """This machine does not isolate a process as it must be; the message says what it lacks."""


def lacking() -> str:
    """What this machine lacks, as far as it can be asked without giving anything up; "" when it lacks nothing."""
    if not hasattr(os, "uname") or os.uname().sysname != "Linux":
        return "Linux (seccomp, Landlock)"
    if not seccomp.known_machine():
        return f"seccomp ({os.uname().machine})"
    return "" if landlock.version() else "Landlock (Linux 5.13, lsm=landlock)"


def give_up(readable: Iterable[str], parent: int) -> int:
    """Leave everything behind, for good; returns the version of Landlock.

    Args:
        readable: folders and files that may still be read.
        parent: with this process it ends, even if it hangs.

    Raises:
        NotIsolated: the kernel does not do it, or did not mean it.
    """
    import resource  # There is none where there is no setrlimit(2), and there `lacking` says so.

    try:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            raise NotIsolated("the portal has ended")
        for name, most in LIMITS.items():
            limit = getattr(resource, f"RLIMIT_{name}")
            hard = resource.getrlimit(limit)[1]
            # Nobody but root may raise a limit that was set before.
            least = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.setrlimit(limit, (least, least))
        # Landlock asks for this, too; it outlives every exec, which there is none of.
        ctypes.CDLL(None).prctl(seccomp.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        spoken = landlock.read_only(readable)
        seccomp.refuse_calls()
    except (OSError, ValueError) as error:
        raise NotIsolated(getattr(error, "strerror", "") or str(error)) from error
    _prove()
    return spoken


def _prove() -> None:
    """Try what must fail: a kernel that takes a filter and ignores it must not be believed."""
    tries: Mapping[str, Callable[[], Any]] = {
        "seccomp: socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM),
        "seccomp: fork": _fork,
        "landlock: /proc": lambda: os.open("/proc/self/status", os.O_RDONLY),
        "seccomp: open for writing": lambda: os.open("/dev/null", os.O_WRONLY),
    }
    for name, attempt in tries.items():
        try:
            attempt()
        except OSError:
            continue
        raise NotIsolated(f"{name} is still possible")


def _fork() -> None:
    if os.fork() == 0:
        os._exit(0)
