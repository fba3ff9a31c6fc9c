"""One process of a connector, as the portal holds it: started, asked, waited for as long as it is worth, and ended."""

from __future__ import annotations

import contextlib
import os
import selectors
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from secrets import token_hex
from typing import Any

import connectors
from connectors.apart.wire import Rubbish, line, message

HOUSE = Path(connectors.__file__).resolve().parent
START = "import sys; sys.path.insert(0, sys.argv[1]); from connectors.apart.child import main; main()"
SYSTEM = (
    "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache", "/etc/localtime",
    "/usr/share/zoneinfo", "/dev/null", "/dev/urandom",
)  # fmt: skip
LONGEST_LINE = 2_000_000
"""Bytes; far more than a piece of a list, or the form of an order. What is read of it takes some twenty times as much."""


Answering = Callable[[dict[str, Any]], Iterator[bytes]]


class Gone(Exception):
    """The process died, hung, or said what may not be said; it is ended, and the message says which."""


class Refuses(Gone):
    """It will not work whoever asks: it could not be isolated, or its code does not load."""


@dataclass(frozen=True)
class Code:
    """Where a connector's code is: a folder with `connector.py`, and its module when it is an installed package."""

    name: str
    folder: Path
    module: str = ""

    @property
    def readable(self) -> list[str]:
        """What its process may read: Python, what is installed beside the portal, this package, and its own package."""
        paths = sysconfig.get_paths()
        own = self.folder.resolve().parents[self.module.count(".") - 1] if "." in self.module else self.folder.resolve()
        python = [paths["stdlib"], paths["platstdlib"], str(sysconfig.get_config_var("LIBDIR") or "")]
        return [each for each in (*python, *packages(), *SYSTEM, str(HOUSE), str(own)) if each]


@dataclass(frozen=True)
class Patience:
    """How long a process may think, in seconds: until it is ready, for one answer, and for one call in all."""

    start: float = 15
    answer: float = 10
    call: float = 120


def packages() -> list[str]:
    """Where installed packages are."""
    paths = sysconfig.get_paths()
    return list(dict.fromkeys([paths["purelib"], paths["platlib"]]))


class Process:
    """A process that answers one call after another; used by one thread at a time.

    Raises:
        Refuses: it was started, and will not work.
        Gone: it could not be started, or ended.
    """

    def __init__(self, code: Code, patience: Patience) -> None:
        self.patience = patience
        self.thought_s = 0.0
        """How long it has thought in its life: never less than the processor's time it used."""
        self._told: Mapping[str, Any] = {}
        self._held = bytearray()
        self._began = 0.0
        try:
            self._popen = _spawner(os.getpid()).submit(_start, code.name).result()
        except (OSError, RuntimeError) as error:
            raise Gone(f"it cannot be started: {error}") from error
        self._ended = False
        self._in, self._out = self._pipe(self._popen.stdout), self._pipe(self._popen.stdin)
        try:
            self._load(code)
        except BaseException:
            self.end()
            raise

    def _load(self, code: Code) -> None:
        self._began = self.thought_s
        try:
            self.send({"readable": code.readable, "packages": packages(), "parent": os.getpid()})
            said = self.receive(self.patience.start)
            if "isolated" not in said:
                raise Refuses(f"it cannot be isolated here: {said.get('refused')}"[:500])
            self.send({"module": code.module, "folder": str(code.folder)})
            said = self.receive(self.patience.start)
        except Refuses:
            raise
        except (Gone, Rubbish) as error:
            raise Refuses(f"its code does not load: {error}"[:500]) from error
        if said.get("loaded") is not True:
            raise Refuses(f"its code does not load: {said.get('failed')}"[:500])

    def begin(self, told: Mapping[str, Any], answering: Answering) -> None:
        """Make its connector for a merchant: its context and its client's limits. Raises `Refuses` and `Gone`."""
        if self._told is told:
            return
        said = self.converse({"call": token_hex(8), **told}, answering)
        if said.get("begun") is not True:
            self.end()
            raise Refuses(f"its connector cannot be made: {said.get('failed')}"[:500])
        self._told = told

    @staticmethod
    def _pipe(file: Any) -> int:
        os.set_blocking(file.fileno(), False)
        number: int = file.fileno()
        return number

    def converse(self, asked: Mapping[str, Any], answering: Answering) -> dict[str, Any]:
        """Say something, do what is asked meanwhile, and give what is said in the end.

        Args:
            answering: what is sent for something that is asked in the middle of a call. Raises `Rubbish`.

        Raises:
            Gone: it is ended.
        """
        call = asked["call"]
        if "more" not in asked or "method" in asked:
            self._began = self.thought_s
        try:
            self.send(asked)
            while True:
                said = self.receive(self.patience.answer)
                if said.get("call") != call:
                    raise Rubbish("an answer to another question")
                if "ask" not in said:
                    return said
                for piece in answering(said):
                    self._write(piece)
        except Rubbish as error:
            self.end()
            raise Gone(f"it said what may not be said: {error}"[:500]) from error
        except BaseException:
            # Whoever stops in the middle of a call leaves a process behind that waits for an answer of this one.
            self.end()
            raise

    def send(self, said: Mapping[str, Any]) -> None:
        """One message. Raises `Gone`."""
        self._write(line(said))

    def receive(self, patience_s: float) -> dict[str, Any]:
        """The next message. Raises `Gone` and `Rubbish`."""
        until = time.monotonic() + patience_s
        searched = 0
        while (end := self._held.find(b"\n", searched)) < 0:
            searched = len(self._held)
            if searched > LONGEST_LINE:
                raise Rubbish(f"more than {LONGEST_LINE} bytes in one line")
            self._read(until)
        text = bytes(self._held[:end])
        del self._held[: end + 1]
        return message(text)

    def take(self, size: Any) -> bytes:
        """Bytes that a message announced. Raises `Gone` and `Rubbish`."""
        if type(size) is not int or not 0 <= size <= LONGEST_LINE:
            raise Rubbish("bytes without a size")
        until = time.monotonic() + self.patience.answer
        while len(self._held) < size:
            self._read(until)
        content = bytes(self._held[:size])
        del self._held[:size]
        return content

    @property
    def idle(self) -> bool:
        """Whether it lives and has said nothing that nobody asked for."""
        if self._ended or self._held or self._popen.poll() is not None:
            return False
        return not self._ready(self._in, selectors.EVENT_READ, 0)

    def end(self) -> None:
        """End it at once; it has nothing to put in order."""
        # Its pipes' numbers are somebody else's as soon as they are closed.
        self._ended = True
        with contextlib.suppress(OSError):
            self._popen.kill()
        for pipe in (self._popen.stdin, self._popen.stdout):
            if pipe:
                with contextlib.suppress(OSError):
                    pipe.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(5)

    def forget(self) -> None:
        """Let go of it after a fork: it is the parent's."""
        self._ended = True
        for pipe in (self._popen.stdin, self._popen.stdout):
            if pipe:
                with contextlib.suppress(OSError):
                    pipe.close()
        self._popen.returncode = 0

    # --- The pipes --------------------------------------------------------------------------------

    def _read(self, until: float) -> None:
        began = time.monotonic()
        ready = self._ready(self._in, selectors.EVENT_READ, min(until - began, self._left()))
        self.thought_s += time.monotonic() - began
        if not ready:
            raise Gone("it did not answer in time")
        content = os.read(self._in, 1 << 18)
        if not content:
            raise Gone(f"it ended ({self._how()})")
        self._held += content

    def _write(self, content: bytes) -> None:
        view = memoryview(content)
        while view:
            began = time.monotonic()
            ready = self._ready(self._out, selectors.EVENT_WRITE, min(self.patience.answer, self._left()))
            # Or it could make one answer last for ever, a piece at a time.
            self.thought_s += time.monotonic() - began
            if not ready:
                raise Gone("it does not read what it asked for")
            try:
                view = view[os.write(self._out, view) :]
            except BlockingIOError:
                continue
            except BrokenPipeError:
                raise Gone(f"it ended ({self._how()})") from None

    def _left(self) -> float:
        return self.patience.call - (self.thought_s - self._began)

    def _ready(self, pipe: int, event: int, seconds: float) -> bool:
        if self._ended:
            raise Gone("it was ended")
        with selectors.DefaultSelector() as selector:
            selector.register(pipe, event)
            return bool(selector.select(max(0.0, seconds)))

    def _how(self) -> str:
        try:
            code = self._popen.wait(1)
        except subprocess.TimeoutExpired:
            return "it closed its pipe"
        return f"signal {-code}" if code < 0 else f"exit status {code}"


@cache
def _spawner(process: int) -> ThreadPoolExecutor:
    """The one thread that starts processes: they end with the thread that started them, so it lives as long as we do."""
    return ThreadPoolExecutor(1, f"apart-{process}")


def _start(name: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-I", "-S", "-X", "utf8", "-c", START, str(HOUSE.parent), name]
    return subprocess.Popen(  # noqa: S603 - our own program; nothing of it is a connector's
        command, env={}, cwd="/", stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
