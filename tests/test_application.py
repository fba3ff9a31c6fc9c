"""The key that signs cookies is one, however many processes start at the same moment."""

from __future__ import annotations

import multiprocessing
import threading
from pathlib import Path

from portal.sealing import secret_key


def read(path: Path, ready, found) -> None:
    ready.wait()
    found.put(secret_key(path))


def test_processes_that_start_at_once_have_one_key(tmp_path):
    context = multiprocessing.get_context("fork")
    for attempt in range(20):
        path = tmp_path / f"key{attempt}"
        ready, found = context.Barrier(4), context.SimpleQueue()
        started = [context.Process(target=read, args=(path, ready, found)) for _each in range(4)]
        for process in started:
            process.start()
        keys = {found.get() for _each in started}
        for process in started:
            process.join()
        assert len(keys) == 1
        assert len(keys.pop()) == 64
        assert path.stat().st_mode & 0o777 == 0o600


def test_a_file_that_is_still_empty_is_no_key(tmp_path):
    """What another process has just opened, or was killed before it wrote."""
    path = tmp_path / "key"
    path.touch(mode=0o600)
    keys = set()
    threads = [threading.Thread(target=lambda: keys.add(secret_key(path))) for _each in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert keys == {path.read_text(encoding="ascii")}
    assert "" not in keys


def test_a_key_that_is_given_is_only_read(tmp_path):
    path = tmp_path / "key"
    path.write_text("given\n", encoding="ascii")
    path.chmod(0o400)
    assert secret_key(path) == "given"
    assert path.read_text(encoding="ascii") == "given\n"
