"""What code of others reaches from its own process: nothing of the network, of files, of the portal, of other processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from connectors.apart import isolation
from tests.connectors.acme_hostile.attempts import ATTEMPTS
from tests.connectors.apart_world import HOSTILE, SECRETS, World, make_world, suggested

IN_VAIN_ANYWAY = {"io_uring", "exec", "trace", "its memory by number", "keys", "the other table of calls", "open another way", "names"}  # fmt: skip
"""What proves nothing when it fails: it fails here without any isolation, or ends the process that tries."""
HARMFUL = {"kill", "own", "limit", "slow", "pin", "outlive", "namespace", "unlimit"}
"""What a test does not try on its own parent."""


@pytest.fixture
def world(tmp_path, monkeypatch):
    yield from make_world(tmp_path, monkeypatch)


@pytest.fixture
def site_file(tmp_path):
    """A portal.toml, as readable as it can be."""
    path = tmp_path / "instance" / "portal.toml"
    path.parent.mkdir()
    path.write_text("api_key = 'of another merchant'", encoding="utf-8")
    return path


def test_nothing_of_what_hostile_code_tries_succeeds(world: World, site_file: Path):
    connector = world.connector()
    found = {name: suggested(connector, "attempt", name, str(site_file)) for name in ATTEMPTS}
    assert {name: said for name, said in found.items() if not said.startswith("denied: ")} == {}
    assert site_file.read_text(encoding="utf-8") == "api_key = 'of another merchant'"
    assert [path.name for path in site_file.parent.iterdir()] == ["portal.toml"]
    assert world.seen == []


def test_without_isolation_the_same_attempts_succeed(site_file: Path):
    # What is removed is removed last.
    tried = [*sorted(ATTEMPTS.keys() - IN_VAIN_ANYWAY - HARMFUL - {"rename", "remove"}), "remove"]
    code = (
        "import json, sys; sys.path.insert(0, sys.argv[1]); import attempts\n"
        "print(json.dumps({name: attempts.attempt(name, sys.argv[2]) for name in sys.argv[3:]}))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(HOSTILE), str(site_file), *tried], capture_output=True, text=True, check=True)  # fmt: skip
    found = json.loads(done.stdout)
    assert {name: said for name, said in found.items() if not said.startswith("got: ")} == {}
    assert len(found) > 25


def test_there_is_nothing_to_find_in_the_process(world: World, monkeypatch, site_file: Path):
    monkeypatch.setenv("PORTAL_SECRET", "in the environment")
    connector = world.connector()
    assert suggested(connector, "attempt", "environment") in {"got: []", "got: ['LC_CTYPE']"}
    assert suggested(connector, "attempt", "held") == "got: 0:device 1:device 2:device 3:pipe 4:pipe"
    for secret in SECRETS.values():
        assert suggested(connector, "attempt", "remembered", secret[:4] + secret[4:]) == "got: 0"
    word = suggested(connector, "secret", "api_key")
    assert word.startswith("apart-")
    assert word != suggested(world.connector(), "secret", "api_key")


def test_names_and_sizes_of_files_can_be_seen_as_the_documentation_says(world: World, site_file: Path):
    assert suggested(world.connector(), "attempt", "size", str(site_file)) == f"got: {site_file.stat().st_size}"


def test_it_lives_in_a_process_of_this_one_and_knows_who_it_is(world: World):
    assert suggested(world.connector(), "attempt", "identity") == f"got: {os.getpid()}"


def test_what_this_machine_lacks_is_said():
    assert isolation.lacking() == ""


PROOF = """
import os, sys
from connectors.apart import isolation, landlock, seccomp
{broken}
try:
    isolation.give_up([os.path.dirname(os.__file__), os.getcwd()], os.getppid())
except isolation.NotIsolated as refused:
    print(refused)
else:
    print("isolated")
"""


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("", "isolated"),
        # Debian 12 speaks version 2; this machine may speak a later one.
        *((f"landlock.version = lambda: {spoken}", "isolated") for spoken in range(1, 6)),
        ("seccomp.refuse_calls = lambda: None", "seccomp: socket is still possible"),
        ("landlock.read_only = lambda paths: 1", "landlock: /proc is still possible"),
        ("landlock.CREATE_RULESET = 999", "landlock: the kernel has none, or it is not switched on"),
        ("seccomp.PR_SET_SECCOMP = 9999", "seccomp"),
        ("import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))", "isolated"),
        ("os.getppid = lambda turn=[1, 2]: turn.pop()", "the portal has ended"),
    ],
)
def test_what_the_kernel_does_not_do_is_noticed_before_others_code_is_read(broken, said):
    # Its output is a pipe: a file could not be written any more.
    done = subprocess.run([sys.executable, "-c", PROOF.format(broken=broken)], capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])  # fmt: skip
    assert done.stdout.strip() == said, done.stderr
