"""Which questions a process may still ask the kernel: a list of what is allowed, everything else is refused (seccomp(2)).

A list of what is forbidden would let through every call that a later kernel adds. A call is refused with
EPERM, so that a library which merely tries something goes on.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterator

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
KILL_PROCESS, REFUSE, ALLOW = 0x80000000, 0x00050000 | 1, 0x7FFF0000
LOAD, SAME, AND, RETURN = 0x20, 0x15, 0x54, 0x06
NUMBER, ARCHITECTURE, ARGUMENTS = 0, 4, 16
Instruction = tuple[int, int, int, int]

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
# fmt: off
PLAIN = {
    "x86_64": {
        "read": 0, "write": 1, "close": 3, "stat": 4, "fstat": 5, "lstat": 6, "poll": 7, "lseek": 8, "mmap": 9,
        "mprotect": 10, "munmap": 11, "brk": 12, "rt_sigaction": 13, "rt_sigprocmask": 14, "rt_sigreturn": 15,
        "pread64": 17, "readv": 19, "writev": 20, "access": 21, "select": 23, "sched_yield": 24, "mremap": 25,
        "madvise": 28, "dup": 32, "dup2": 33, "nanosleep": 35, "getpid": 39, "exit": 60, "uname": 63, "getcwd": 79,
        "readlink": 89, "gettimeofday": 96, "getrlimit": 97, "getrusage": 98, "times": 100, "getuid": 102, "getgid": 104,
        "geteuid": 107, "getegid": 108, "getppid": 110, "getgroups": 115, "sigaltstack": 131, "gettid": 186, "time": 201,
        "futex": 202, "sched_getaffinity": 204, "getdents64": 217, "restart_syscall": 219, "clock_gettime": 228,
        "clock_getres": 229, "clock_nanosleep": 230, "exit_group": 231, "newfstatat": 262, "readlinkat": 267,
        "faccessat": 269, "pselect6": 270, "ppoll": 271, "set_robust_list": 273, "dup3": 292, "preadv": 295,
        "getrandom": 318, "membarrier": 324, "statx": 332, "rseq": 334, "close_range": 436, "faccessat2": 439,
    },
    "aarch64": {
        "getcwd": 17, "dup": 23, "dup3": 24, "faccessat": 48, "close": 57, "getdents64": 61, "lseek": 62, "read": 63,
        "write": 64, "readv": 65, "writev": 66, "pread64": 67, "preadv": 69, "pselect6": 72, "ppoll": 73, "readlinkat": 78,
        "newfstatat": 79, "fstat": 80, "exit": 93, "exit_group": 94, "futex": 98, "set_robust_list": 99, "nanosleep": 101,
        "clock_gettime": 113, "clock_getres": 114, "clock_nanosleep": 115, "sched_getaffinity": 123, "sched_yield": 124,
        "restart_syscall": 128, "sigaltstack": 132, "rt_sigaction": 134, "rt_sigprocmask": 135, "rt_sigreturn": 139,
        "times": 153, "getgroups": 158, "uname": 160, "getrlimit": 163, "getrusage": 165, "gettimeofday": 169, "getpid": 172,
        "getppid": 173, "getuid": 174, "geteuid": 175, "getgid": 176, "getegid": 177, "gettid": 178, "brk": 214,
        "munmap": 215, "mremap": 216, "mmap": 222, "mprotect": 226, "madvise": 233, "getrandom": 278, "membarrier": 283,
        "statx": 291, "rseq": 293, "close_range": 436, "faccessat2": 439,
    },
}
# fmt: on
"""Calls that reach nothing but the process itself, what it holds open, and names and sizes of files."""

ASKED = {
    "x86_64": {"openat": 257, "fcntl": 72, "ioctl": 16, "prlimit64": 302},
    "aarch64": {"openat": 56, "fcntl": 25, "ioctl": 29, "prlimit64": 261},
}
"""Calls that are harmless only with some arguments: an owner set by fcntl would be sent signals, its parent too."""

# What opens a file for anything but reading.
WRITES = os.O_ACCMODE | os.O_CREAT | os.O_TRUNC | os.O_APPEND | (getattr(os, "O_TMPFILE", 0) & ~os.O_DIRECTORY)
DUPFD, GETFD, SETFD, GETFL, DUPFD_CLOEXEC = 0, 1, 2, 3, 1030
TCGETS, TIOCGWINSZ, FIONCLEX, FIOCLEX = 0x5401, 0x5413, 0x5450, 0x5451


def known_machine() -> bool:
    """Whether the numbers of this machine's calls are known here."""
    return os.uname().machine in ARCHITECTURES


def refuse_calls() -> None:
    """From now on, for good, this process and whatever it could become may ask for the listed calls alone. Raises `OSError`."""
    program = list(_program(os.uname().machine))
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *each) for each in program))
    header = ctypes.create_string_buffer(struct.pack("@HP", len(program), ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "no_new_privs")
    if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, header, 0, 0):
        raise OSError(ctypes.get_errno(), "seccomp")


def _program(machine: str) -> Iterator[Instruction]:
    """The filter (seccomp(2), struct seccomp_data); a call made the way of another architecture ends the process."""
    yield (LOAD, 0, 0, ARCHITECTURE)
    yield (SAME, 1, 0, ARCHITECTURES[machine])
    yield (RETURN, 0, 0, KILL_PROCESS)
    yield (LOAD, 0, 0, NUMBER)
    for number in PLAIN[machine].values():
        yield (SAME, 0, 1, number)
        yield (RETURN, 0, 0, ALLOW)
    asked = ASKED[machine]
    opening = [*_word(2), (AND, 0, 0, WRITES), *_one_of(0)]
    yield from _if_called(asked["openat"], opening)
    yield from _if_called(asked["fcntl"], [*_word(1), *_one_of(DUPFD, GETFD, SETFD, GETFL, DUPFD_CLOEXEC)])
    yield from _if_called(asked["ioctl"], [*_word(1), *_one_of(TCGETS, TIOCGWINSZ, FIONCLEX, FIOCLEX)])
    # Its own limits may be read: no process but itself (0), no new limit (a null pointer, in both halves).
    mine = [step for at in (_word(0), _word(2), _word(2, upper=True)) for step in (*at, (SAME, 1, 0, 0), _refuse())]
    yield from _if_called(asked["prlimit64"], [*mine, (RETURN, 0, 0, ALLOW)])
    yield _refuse()


def _if_called(number: int, then: list[Instruction]) -> Iterator[Instruction]:
    yield (SAME, 0, len(then), number)
    yield from then


def _word(argument: int, *, upper: bool = False) -> Iterator[Instruction]:
    """Load half of an argument; both machines write the lower half first."""
    yield (LOAD, 0, 0, ARGUMENTS + 8 * argument + 4 * upper)


def _one_of(*values: int) -> Iterator[Instruction]:
    for value in values:
        yield (SAME, 0, 1, value)
        yield (RETURN, 0, 0, ALLOW)
    yield _refuse()


def _refuse() -> Instruction:
    return (RETURN, 0, 0, REFUSE)
