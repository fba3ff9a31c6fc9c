"""The connector's own process, one file: it gives everything up, loads the code of others, and answers one call after another.

The portal starts it as `python -I` with an empty environment and two pipes. Nothing of the portal is in its memory: it
was never forked from it without a new program.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO, cast

from connectors.apart import client, wire
from connectors.apart.isolation import NotIsolated, give_up
from connectors.contract import Context, MerchantConnector
from connectors.exchange import Answer

STREAMS = {"list_offers", "list_orders"}
LONGEST_PIECE = 1 << 18
"""Bytes of a list after which it is given, however few they are."""


class Pipe:
    """Messages to and from the portal; it ends the process when the portal has gone."""

    def __init__(self, incoming: BinaryIO, outgoing: BinaryIO) -> None:
        self._in, self._out = incoming, outgoing
        self.call = ""

    def send(self, message: Mapping[str, Any], content: bytes = b"") -> None:
        """One message about the call that is being answered."""
        size = {"bytes": len(content)} if content else {}
        self._out.write(wire.line({"call": self.call, **message, **size}) + content)
        self._out.flush()

    def send_some(self, some: list[bytes], message: Mapping[str, Any]) -> None:
        """A message with a piece of a list, each of it written already."""
        text = wire.line({"call": self.call, **message})
        self._out.write(b'{"some":[' + b",".join(some) + b"]," + text[1:])
        self._out.flush()

    def receive(self) -> dict[str, Any]:
        """The next message."""
        text = self._in.readline()
        if not text.endswith(b"\n"):
            os._exit(0)
        return wire.message(text)

    def read(self, size: int) -> bytes:
        """Bytes that were announced."""
        content = self._in.read(size)
        if len(content) != size:
            os._exit(0)
        return content

    def ask(self, message: Mapping[str, Any], content: bytes, into: BinaryIO | None) -> Any:
        """Ask the portal for something in the middle of a call. Raises the error it answers."""
        self.send(message, content)
        said = self.receive()
        if into is not None:
            left = said.get("bytes", 0)
            while left:
                piece = self.read(min(left, client.PIECE))
                into.write(piece)
                left -= len(piece)
        if "raised" in said:
            raise wire.decode_error(said["raised"])
        if message["ask"] == "request":
            return Answer(said["status"], said["headers"], self.read(said.get("bytes", 0)))
        return wire.decode(said["gave"])


def main() -> None:
    """Live until the portal ends."""
    incoming, outgoing = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    # What others print is nobody's answer.
    nothing = os.open("/dev/null", os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nothing, standard)
    os.close(nothing)
    pipe = Pipe(incoming, outgoing)
    wanted = pipe.receive()
    try:
        spoken = give_up(wanted["readable"], wanted["parent"])
    except NotIsolated as refused:
        pipe.send({"refused": str(refused)})
        return
    sys.dont_write_bytecode = True
    pipe.send({"isolated": spoken})
    sys.path[:] = [*sys.path[1:], *wanted["packages"]]
    sys.modules["connectors.http"] = client
    asked = pipe.receive()
    try:
        made = _code(asked["module"], Path(asked["folder"])).Connector
    except BaseException as error:
        pipe.send({"failed": _in_short(error)})
        return
    pipe.send({"loaded": True})
    connector: MerchantConnector | None = None
    while True:
        asked = pipe.receive()
        if "context" in asked:
            connector = _begin(made, pipe, asked)
        elif connector:
            _answer(connector, pipe, asked)


def _begin(made: Callable[[Context], MerchantConnector], pipe: Pipe, asked: Mapping[str, Any]) -> MerchantConnector:
    """A connector with what it may know: words in place of secrets, and a client that asks the portal."""
    pipe.call = asked["call"]
    http = cast(Any, client.GuardedClient(pipe.ask, asked["http"]))
    try:
        connector = made(Context(http=http, **wire.decode(asked["context"])))
    except BaseException as error:
        pipe.send({"failed": _in_short(error)})
        os._exit(1)
    pipe.send({"begun": True})
    return connector


def _in_short(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[: wire.LONGEST_DETAIL]


def _code(module: str, folder: Path) -> ModuleType:
    """The module `connector` of a folder or of an installed package, whose parent folders need not be readable."""
    if not module and not (folder / "__init__.py").exists():
        return _from_file("loose_connector", folder / "connector.py", None)
    module = module or folder.name.replace(".", "_")
    first, *rest = module.split(".")
    top = folder.parents[len(rest) - 1] if rest else folder
    found = importlib.util.find_spec(first)
    if found is None or str(top) not in (found.submodule_search_locations or ()):
        if (top / "__init__.py").exists():
            _from_file(first, top / "__init__.py", [str(top)])
        else:
            bare = ModuleType(first)
            bare.__path__ = [str(top)]
            sys.modules[first] = bare
    return importlib.import_module(f"{module}.connector")


def _from_file(name: str, path: Path, within: list[str] | None) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path, submodule_search_locations=within)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _answer(connector: MerchantConnector, pipe: Pipe, asked: Mapping[str, Any]) -> None:
    pipe.call, name = asked["call"], asked["method"]
    try:
        given = [wire.decode(each) for each in asked["args"]]
        if name == "fetch":
            given.append(client.Elsewhere(pipe.ask))
        made = getattr(connector, name)(*given)
        if name in STREAMS:
            _stream(iter(made), pipe, asked["more"])
            return
        pipe.send({"gave": wire.encode(made)})
    except BaseException as error:
        pipe.send({"raised": _told(error)})


def _stream(made: Iterator[Any], pipe: Pipe, wanted: int) -> None:
    """A list as it is wanted, some at a time; what was listed before an error is given before it."""
    while True:
        some: list[bytes] = []
        size = 0
        said: dict[str, Any] = {"end": True}
        try:
            for each in made:
                some.append(wire.line(wire.encode(each))[:-1])
                size += len(some[-1])
                if len(some) == wanted or size > LONGEST_PIECE:
                    said = {"end": False}
                    break
        except BaseException as error:
            said = {"raised": _told(error)}
        pipe.send_some(some, said)
        if said != {"end": False}:
            return
        wanted = pipe.receive()["more"]


def _told(error: BaseException) -> dict[str, Any]:
    """What is told of an error, in text that can be sent."""
    try:
        told = wire.encode_error(error if isinstance(error, Exception) else RuntimeError(type(error).__name__))
        wire.line(told)
    except Exception:
        return {"kind": "ContractBroken", "detail": type(error).__name__}
    return told
