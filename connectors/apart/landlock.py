"""Which files a process may still open: some folders, for reading (landlock(7)); the rest is refused by the kernel itself."""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
"""Numbers that are the same on every machine."""
ASK_VERSION, PATH_BENEATH = 1, 1
READ_FILE, READ_DIR = 1 << 2, 1 << 3
RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1, 5: (1 << 16) - 1}
"""Everything that each version of the interface can withhold from files."""
NET_VERSION, SCOPE_VERSION = 4, 6
BIND_AND_CONNECT, SOCKETS_AND_SIGNALS = 0b11, 0b11


def version() -> int:
    """The kernel's version of the interface; 0 when there is none."""
    return max(0, _call(CREATE_RULESET, None, ctypes.c_size_t(0), ASK_VERSION))


def read_only(paths: Iterable[str]) -> int:
    """From now on, for good, nothing is opened but these folders and files, for reading; returns the version.

    Raises:
        OSError: the kernel does not do it.
    """
    spoken = version()
    if not spoken:
        raise OSError(0, "landlock: the kernel has none, or it is not switched on")
    rights = RIGHTS[min(spoken, max(RIGHTS))]
    parts = [rights]
    if spoken >= NET_VERSION:
        parts.append(BIND_AND_CONNECT)
    if spoken >= SCOPE_VERSION:
        parts.append(SOCKETS_AND_SIGNALS)
    attributes = ctypes.create_string_buffer(struct.pack(f"={len(parts)}Q", *parts), 8 * len(parts))
    rules = _need(_call(CREATE_RULESET, attributes, ctypes.c_size_t(8 * len(parts)), 0))
    for path in paths:
        _allow(rules, path)
    _need(_call(RESTRICT_SELF, rules, 0))
    os.close(rules)
    return spoken


def _allow(rules: int, path: str) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    rights = READ_FILE | READ_DIR if os.path.isdir(path) else READ_FILE
    rule = ctypes.create_string_buffer(struct.pack("=Qi", rights, place))
    try:
        _need(_call(ADD_RULE, rules, PATH_BENEATH, rule, 0))
    finally:
        os.close(place)


def _call(number: int, *arguments: object) -> int:
    call = ctypes.CDLL(None, use_errno=True).syscall
    call.restype = ctypes.c_long
    made: int = call(ctypes.c_long(number), *arguments)
    return made


def _need(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), f"landlock: {os.strerror(ctypes.get_errno())}")
    return result
