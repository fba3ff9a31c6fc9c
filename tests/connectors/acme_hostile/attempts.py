# ruff: noqa: S103, S606, SIM115 - it is about what is forbidden
"""What hostile code tries to reach from its process: each is a function of what a test gives it; what it gives back is its booty."""

from __future__ import annotations

import ctypes
import fcntl
import gc
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

X32 = 0x40000000


def _system(number: int, *arguments: Any) -> str:
    """A call of the kernel by its number; what a library would never do."""
    libc = ctypes.CDLL(None, use_errno=True)
    made = libc.syscall(ctypes.c_long(number), *(ctypes.c_long(each) for each in arguments))
    if made == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return str(made)


def _owned(_given: str) -> str:
    """Have the kernel send the parent a signal of our choice when the pipe is ready."""
    fcntl.fcntl(3, fcntl.F_SETOWN, os.getppid())
    return "the parent owns our pipe"


def _held(_given: str) -> str:
    """Everything that is still open."""
    found = []
    for number in range(64):
        try:
            kind = os.fstat(number).st_mode >> 12
        except OSError:
            continue
        found.append(f"{number}:{ {1: 'pipe', 2: 'device'}.get(kind, kind) }")
    return " ".join(found)


def _remembered(given: str) -> str:
    """Every text in memory that holds what was given."""
    mine = {id(given), id(sys._getframe(1).f_locals)}
    return str(sum(given in each for each in gc.get_objects() if isinstance(each, str) and id(each) not in mine))


def _thread(_given: str) -> str:
    threading.Thread(target=print).start()
    return "a thread"


def _child(_given: str) -> str:
    if os.fork() == 0:
        os._exit(0)
    return "a child"


def _append(given: str) -> str:
    with open(given, "a", encoding="utf-8") as file:
        return str(file.write("x"))


ATTEMPTS: dict[str, Callable[[str], Any]] = {
    # network
    "internet": lambda _: socket.socket(socket.AF_INET, socket.SOCK_STREAM),
    "datagrams": lambda _: socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
    "local": lambda _: socket.socket(socket.AF_UNIX, socket.SOCK_STREAM),
    "pair": lambda _: socket.socketpair(),
    "names": lambda _: socket.getaddrinfo("merchant.example", 443),
    "io_uring": lambda _: _system(425, 1, 0),
    # processes
    "fork": _child,
    "program": lambda _: subprocess.run(["/bin/true"], check=True),
    "spawn": lambda _: os.posix_spawn("/bin/true", ["true"], {}),
    "exec": lambda _: os.execv("/bin/true", ["true"]),
    "thread": _thread,
    "namespace": lambda _: _system(272, 0x10000000),
    "the other table of calls": lambda _: _system(X32 | 41, 2, 1, 0),
    # the portal
    "kill": lambda _: os.kill(os.getppid(), signal.SIGTERM),
    "own": _owned,
    "limit": lambda _: resource.prlimit(os.getppid(), resource.RLIMIT_NOFILE, (1, 1)),
    "unlimit": lambda _: resource.setrlimit(resource.RLIMIT_CORE, (0, 0)),
    "slow": lambda _: os.setpriority(os.PRIO_PROCESS, os.getppid(), 19),
    "pin": lambda _: os.sched_setaffinity(os.getppid(), {0}),
    "trace": lambda _: _system(101, 16, os.getppid(), 0, 0),
    "memory of the portal": lambda _: open(f"/proc/{os.getppid()}/mem", "rb"),
    "its memory by number": lambda _: _system(310, os.getppid(), 0, 0, 0, 0, 0),
    "environment of the portal": lambda _: open(f"/proc/{os.getppid()}/environ", "rb").read(),
    "command of the portal": lambda _: open(f"/proc/{os.getppid()}/cmdline", "rb").read(),
    "folder of the portal": lambda _: os.readlink(f"/proc/{os.getppid()}/cwd"),
    "files of the portal": lambda _: os.listdir(f"/proc/{os.getppid()}/fd"),
    "handle of the portal": lambda _: os.pidfd_open(os.getppid()),
    "outlive": lambda _: _system(157, 1, 0),
    "shared memory": lambda _: _system(29, 1, 4096, 0o1666),
    "keys": lambda _: _system(250, 0, -4, 0),
    # files
    "read": lambda path: open(path, encoding="utf-8").read(),
    "list": lambda path: os.listdir(os.path.dirname(path)),
    "passwords": lambda _: open("/etc/passwd", encoding="utf-8").read(),
    "append": _append,
    "make": lambda path: open(path + ".new", "x"),
    "truncate": lambda path: os.truncate(path, 0),
    "remove": lambda path: os.unlink(path),
    "rename": lambda path: os.rename(path, path + ".old"),
    "mode": lambda path: os.chmod(path, 0o777),
    "date": lambda path: os.utime(path),
    "link": lambda path: os.symlink("/etc/passwd", path + ".link"),
    "folder": lambda path: os.mkdir(path + ".d"),
    "unnamed": lambda path: os.open(os.path.dirname(path), os.O_TMPFILE | os.O_RDWR),
    "memory file": lambda _: os.memfd_create("x"),
    "open another way": lambda path: _system(437, -100, id(path), 0, 24),
}
HARMLESS: dict[str, Callable[[str], Any]] = {
    "environment": lambda _: sorted(os.environ),
    "held": _held,
    "remembered": _remembered,
    "size": lambda path: os.stat(path).st_size,
    "identity": lambda _: os.getppid(),
}
"""What succeeds, for what it brings."""


def attempt(name: str, given: str) -> str:
    """Try it; an error of the kernel is given back by its name."""
    try:
        return f"got: { ({**ATTEMPTS, **HARMLESS}[name](given)) }"
    except (OSError, RuntimeError, ValueError) as error:
        return f"denied: {type(error).__name__}: {error}"
