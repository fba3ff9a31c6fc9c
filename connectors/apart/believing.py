"""What is believed of a connector's process: values of the right types, errors of the contract, bytes that were counted here."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from typing import Any, BinaryIO

from pydantic import TypeAdapter, ValidationError

from connectors.apart import wire
from connectors.contract import ContractBroken, UnknownOutcome


class Kept:
    """The file that a document goes into, with its size and hash as they are; our own disk's failure is kept."""

    def __init__(self, into: BinaryIO, most: int) -> None:
        self._into, self._most = into, most
        self.size, self.digest = 0, hashlib.sha256()
        self.failed: OSError | None = None

    def write(self, content: bytes) -> int:
        """Write, within the limit of size. Raises `UnknownOutcome`, or `ContractBroken` for what the disk did."""
        self.size += len(content)
        if self.size > self._most:
            raise UnknownOutcome(f"the document is longer than {self._most} bytes")
        try:
            self._into.write(content)
        except OSError as error:
            self.failed = error
            raise ContractBroken("the portal cannot keep it") from error
        self.digest.update(content)
        return len(content)


def typed(content: Any, takes: tuple[type, ...]) -> Any:
    """A value of the contract made of what was sent, every type checked. Raises `ContractBroken`."""
    kind = str(content.get(wire.MARK)) if isinstance(content, dict) else type(content).__name__
    if kind not in {each.__name__ for each in takes}:
        raise ContractBroken(f"{kind} instead of {', '.join(each.__name__ for each in takes)}"[:300])
    try:
        return _adapter(kind).validate_python(wire.parts_of(content))
    except wire.Rubbish as error:
        raise ContractBroken(str(error)) from error
    except ValidationError as error:
        first = error.errors()[0]
        raise ContractBroken(f"{'.'.join(map(str, first['loc']))}: {first['msg']}"[:300]) from error


@cache
def _adapter(kind: str) -> TypeAdapter[Any]:
    return TypeAdapter(wire.KINDS[kind])


def told(said: Mapping[str, Any], name: str) -> Any:
    """What was given, as it was sent. Raises what was raised instead, or `ContractBroken` for rubbish."""
    try:
        if "raised" in said:
            raise wire.decode_error(said["raised"])
        return said[name]
    except (wire.Rubbish, KeyError) as error:
        raise ContractBroken(f"its process gave {error}") from error
