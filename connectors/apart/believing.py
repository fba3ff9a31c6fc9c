"""What is believed of a connector's process: values of the right types, errors of the contract, bytes that were counted here."""

from __future__ import annotations

import dataclasses
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


def typed(value: Any, takes: tuple[type, ...]) -> Any:
    """A value of the contract made again with every type checked. Raises `ContractBroken`."""
    if type(value) not in takes:
        wanted = ", ".join(kind.__name__ for kind in takes)
        raise ContractBroken(f"{type(value).__name__} instead of {wanted}")
    try:
        return _adapter(type(value).__name__).validate_python(dataclasses.asdict(value))
    except ValidationError as error:
        first = error.errors()[0]
        raise ContractBroken(f"{'.'.join(map(str, first['loc']))}: {first['msg']}"[:300]) from error


@cache
def _adapter(kind: str) -> TypeAdapter[Any]:
    return TypeAdapter(wire.KINDS[kind])


def told(said: Mapping[str, Any], name: str) -> Any:
    """The value that was given, or what was raised instead. Raises `ContractBroken` for rubbish."""
    try:
        if "raised" in said:
            raise wire.decode_error(said["raised"])
        return wire.decode(said[name])
    except (wire.Rubbish, KeyError) as error:
        raise ContractBroken(f"its process gave {error}") from error
