"""The numbers of the kernel's calls that others' code may make are those of the kernel's own headers (linux-libc-dev)."""

from __future__ import annotations

import platform
import re
from pathlib import Path

import pytest

from connectors.apart import seccomp

# ARM64 has the generic numbers, whose header is on every machine; that of x86-64 is only on its own.
HEADERS = {"aarch64": Path("/usr/include/asm-generic/unistd.h")}
if platform.machine() == "x86_64":
    HEADERS["x86_64"] = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")


@pytest.mark.parametrize(("machine", "header"), HEADERS.items())
def test_the_numbers_of_calls_are_those_of_the_kernel(machine, header):
    found = re.findall(r"#define __NR(?:3264)?_(\w+) (\d+)", header.read_text(encoding="utf-8"))
    numbers = {name: int(number) for name, number in found}
    numbers.setdefault("newfstatat", numbers.get("fstatat", -1))
    known = {**seccomp.PLAIN[machine], **seccomp.ASKED[machine]}
    assert {name: number for name, number in known.items() if numbers[name] != number} == {}
