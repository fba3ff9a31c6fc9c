"""`run` itself, on folders of its own: it makes, repairs and finds its environment, or says what to do."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# Of the system, not of the environment these tests run in.
PYTHON = getattr(sys, "_base_executable", sys.executable)


@pytest.fixture
def bootstrap():
    """The file as a module."""
    sys.dont_write_bytecode, before = True, sys.dont_write_bytecode
    module = module_from_spec(spec_from_loader("bootstrap", SourceFileLoader("bootstrap", str(ROOT / "run"))))
    module.__loader__.exec_module(module)
    sys.dont_write_bytecode = before
    return module


def made_clone(folder):
    """A clone with nothing to install."""
    (folder / "portal").mkdir(parents=True)
    shutil.copy(ROOT / "run", folder / "run")
    (folder / "requirements.lock").write_text("# nothing\n", encoding="utf-8")
    (folder / "portal" / "__main__.py").write_text(
        "import sys, os\nprint(sys.prefix, sys.argv[1:], os.environ.get('PIP_USER'))\n", encoding="utf-8"
    )
    return folder


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A clone in a folder with a space and an accent, whose environment has been made once."""
    folder = made_clone(tmp_path_factory.mktemp("bootstrap") / "mon portail é")
    first = run(folder, "check", "--json", PIP_USER="1", PIP_REQUIRE_VIRTUALENV="1", PYTHONPATH="/nowhere")
    assert first.returncode == 0, first.stderr
    assert first.stdout == f"{folder}/.venv ['check', '--json'] None\n"
    assert "Setting up, once" in first.stderr
    return folder


def run(clone, *arguments, folder="/", **variables):
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "HTTPS_PROXY", "TMPDIR") if name in os.environ}
    return subprocess.run(
        [PYTHON, str(clone / "run"), *arguments], env={**kept, **variables}, cwd=folder, capture_output=True, text=True,
        check=False,
    )  # fmt: skip


def test_the_environment_is_made_once_and_found_again(clone):
    made = (clone / ".venv" / "pyvenv.cfg").stat()

    again = run(clone)

    assert (again.returncode, again.stderr, again.stdout) == (0, "", f"{clone}/.venv ['help'] None\n")
    found = (clone / ".venv" / "pyvenv.cfg").stat()
    assert (found.st_ino, found.st_mtime_ns) == (made.st_ino, made.st_mtime_ns)


def test_another_portal_where_the_command_is_typed_is_not_run(clone, tmp_path):
    (tmp_path / "portal").mkdir()
    (tmp_path / "portal" / "__main__.py").write_text("print('the wrong one')\n", encoding="utf-8")

    assert run(clone, folder=tmp_path).stdout.startswith(str(clone))


@pytest.mark.parametrize("damage", ["interrupted", "python gone", "another lock"])
def test_an_environment_that_is_not_whole_or_not_ours_is_made_again(damage, clone):
    folder = clone / ".venv"
    if damage == "interrupted":
        shutil.rmtree(folder / "lib")
        (folder / "guichet.stamp").unlink()
    elif damage == "python gone":
        (folder / "bin" / "python").unlink()
    else:
        with (clone / "requirements.lock").open("a", encoding="utf-8") as lock:
            lock.write("# something else\n")

    again = run(clone)

    assert (again.returncode, "Setting up, once" in again.stderr) == (0, True), again.stderr
    assert run(clone).stderr == ""


def test_packages_that_cannot_be_had_are_a_sentence(tmp_path):
    clone = made_clone(tmp_path / "clone")
    (clone / "requirements.lock").write_text("nothing==1 --hash=sha256:" + "0" * 64, encoding="utf-8")

    result = run(clone, LC_ALL="fr_FR.UTF-8", PIP_INDEX_URL="http://127.0.0.1:9/simple", PIP_RETRIES="0")

    assert result.returncode == 2
    assert "n'ont pas pu être installés" in result.stderr
    assert "HTTPS_PROXY" in result.stderr
    assert "Traceback" not in result.stderr


def test_two_starts_at_once_make_one_environment(tmp_path):
    clone = made_clone(tmp_path / "clone")
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(run, [clone, clone]))

    assert [done.returncode for done in both] == [0, 0], both
    assert sum("Setting up" in done.stderr for done in both) == 1


def test_a_python_that_is_too_old_is_a_sentence(bootstrap, monkeypatch, capsys):
    monkeypatch.setattr(sys, "version_info", (3, 9, 2, "final", 0))

    with pytest.raises(SystemExit) as ended:
        bootstrap.main(["demo"])

    assert ended.value.code == 2
    assert "3.11" in capsys.readouterr().err


def test_a_clone_that_cannot_be_written_uses_a_cache_folder_of_ours(bootstrap, monkeypatch, tmp_path):
    cannot = {str(ROOT), bootstrap.ROOT}
    access = os.access
    monkeypatch.setattr(bootstrap.os, "access", lambda path, mode: str(path) not in cannot and access(path, mode))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert bootstrap.environment_folder().startswith(str(tmp_path / "cache" / "guichet-"))

    monkeypatch.setenv("GUICHET_VENV", str(tmp_path / "mine"))
    assert bootstrap.environment_folder() == str(tmp_path / "mine")


def test_a_shared_folder_of_somebody_else_lends_us_no_programs(bootstrap, tmp_path):
    ours, open_to_all, link = tmp_path / "ours", tmp_path / "open", tmp_path / "link"
    ours.mkdir(mode=0o700)
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    link.symlink_to(ours)

    assert bootstrap.is_private(str(ours))
    assert not bootstrap.is_private(str(open_to_all))
    assert not bootstrap.is_private(str(link))


def test_what_the_tests_lack_is_named_and_fails_where_nobody_watches():
    command = [
        sys.executable,
        "-m",
        "portal",
        "test",
        "--collect-only",
        "-q",
        "tests/real/test_ldap.py",
        "tests/test_clock.py",
    ]
    environment = {**os.environ, "GUICHET_TESTS_MISSING": "slapd", "LC_ALL": "C.UTF-8"}
    environment.pop("CI", None)

    alone = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    watched = subprocess.run(
        command, env={**environment, "CI": "true"}, cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert "test_ldap.py" not in alone.stdout
    assert "test_clock.py" in alone.stdout
    assert "Left out for want of slapd. As root: apt-get install slapd" in alone.stderr
    assert (alone.returncode, watched.returncode) == (0, 1)
