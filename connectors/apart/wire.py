"""What crosses the pipe: one JSON object in a line, bytes after the line that announces them, and the contract's own values.

A value is written as JSON; what JSON does not have is an object with the mark `$` and the name of its kind. Only the
kinds of the contract are ever made of it, and whoever reads says which of them it takes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from connectors import contract
from connectors.contract import ConnectorError, Rejected, Unavailable
from connectors.exchange import Answer, Download, fraction

MARK = "$"
KINDS: Mapping[str, type] = {
    kind.__name__: kind
    for kind in (
        contract.Input, contract.Suggestion, contract.Offer, contract.Removed, contract.State, contract.Unfit,
        contract.QuoteLine, contract.Quote, contract.Buyer, contract.Document, contract.Link, contract.Data,
        contract.Licence, contract.Access, contract.Done, contract.Pending, contract.NotDone, contract.Unknown,
        contract.NotFound, contract.Problem, contract.BookLine, Answer, Download,
    )
}  # fmt: skip
ERRORS: Mapping[str, type[ConnectorError]] = {
    error.__name__: error
    for error in (
        contract.Physical, contract.Rejected, contract.Unavailable, contract.AuthFailed, contract.UnknownOutcome, contract.ContractBroken,
        contract.NotOffered,
    )
}  # fmt: skip
"""The narrower before the wider: an author's own error is told as the first that it is."""
SIMPLE: Mapping[type, Any] = {Decimal: fraction, datetime: datetime.fromisoformat, date: date.fromisoformat}
READ: Mapping[str, Any] = {kind.__name__: read for kind, read in SIMPLE.items()}
NESTED = {list, dict}
AS_IT_IS = {str, int, float, bool, type(None)}
NAMES: Mapping[type, tuple[str, ...]] = {kind: tuple(each.name for each in fields(kind)) for kind in KINDS.values()}
LONGEST_DETAIL = 500


class Rubbish(Exception):
    """What came over the pipe is nothing that may come."""


def line(message: Any) -> bytes:
    """One message as it is sent. Raises `ValueError` for text that cannot be stored, or numbers that are none."""
    return json.dumps(message, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode() + b"\n"


def message(text: bytes) -> dict[str, Any]:
    """One message as it was received. Raises `Rubbish`."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Rubbish(f"no JSON: {text[:100]!r}") from error
    if not isinstance(content, dict):
        raise Rubbish(f"no message: {text[:100]!r}")
    return content


def encode(value: Any) -> Any:
    """A value as JSON. Raises `TypeError` for what is no part of the contract."""
    kind = type(value)
    if kind in AS_IT_IS:
        return value
    if kind in NAMES:
        return {MARK: kind.__name__, **{name: encode(getattr(value, name)) for name in NAMES[kind]}}
    if kind is list:
        return [encode(each) for each in value]
    if kind is tuple:
        return {MARK: "tuple", "of": [encode(each) for each in value]}
    if isinstance(value, Mapping) and MARK not in value and all(isinstance(name, str) for name in value):
        return {name: encode(each) for name, each in value.items()}
    if kind in SIMPLE:
        return {MARK: kind.__name__, "of": str(value) if kind is Decimal else value.isoformat()}
    raise TypeError(f"{kind.__name__} is no value of the contract")


def decode(content: Any) -> Any:
    """The value again, its parts of whatever type was sent. Raises `Rubbish`."""
    return _whole(content, lambda name, parts: KINDS[name](**parts))


def parts_of(content: Any) -> Any:
    """The parts of a value, of whatever type was sent, for whoever makes it with every type checked. Raises `Rubbish`."""
    return _whole(content, lambda name, parts: KINDS[name] and parts)


def _whole(content: Any, made: Callable[[str, dict[str, Any]], Any]) -> Any:
    try:
        return _read(content, made)
    except RecursionError as error:
        raise Rubbish("nested deeper than anything of the contract") from error


def _read(content: Any, made: Callable[[str, dict[str, Any]], Any]) -> Any:
    if isinstance(content, list):
        return [_read(each, made) for each in content]
    if not isinstance(content, dict):
        return content
    if MARK not in content:
        return {name: _read(each, made) if type(each) in NESTED else each for name, each in content.items()}
    name, parts = content[MARK], {key: _read(each, made) if type(each) in NESTED else each for key, each in content.items() if key != MARK}  # fmt: skip
    try:
        if name == "tuple":
            return tuple(parts["of"])
        return READ[name](parts["of"]) if name in READ else made(name, parts)
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        raise Rubbish(f"no {name!r}: {type(error).__name__}: {error}"[:LONGEST_DETAIL]) from error


def encode_error(error: Exception) -> dict[str, Any]:
    """An error of the contract as JSON; any other is told by its name, and taken as the core takes it: a broken contract."""
    kind = next((each for each in ERRORS.values() if isinstance(error, each)), None)
    if kind is None:
        return {"kind": "ContractBroken", "detail": f"{type(error).__name__}: {error}"[:LONGEST_DETAIL]}
    told: dict[str, Any] = {"kind": kind.__name__, "detail": str(error)[:LONGEST_DETAIL]}
    if isinstance(error, Rejected):
        told |= {"words": encode(dict(error.words)), "field": error.field}
    if isinstance(error, Unavailable):
        told["retry_after_s"] = error.retry_after_s
    return told


def decode_error(content: Any) -> ConnectorError:
    """The error again, every part of the type it must have. Raises `Rubbish`."""
    content = content if isinstance(content, dict) else {}
    kind, detail = ERRORS.get(str(content.get("kind"))), content.get("detail")
    if kind is None or not isinstance(detail, str):
        raise Rubbish(f"no error: {content!r}"[:LONGEST_DETAIL])
    detail = detail[:LONGEST_DETAIL]
    if issubclass(kind, Rejected):
        words, field = content.get("words", {}), content.get("field", "")
        if not _is_words(words) or not isinstance(field, str):
            raise Rubbish("no words in a refusal")
        return kind(detail, words=words, field=field)
    if issubclass(kind, Unavailable):
        wait_s = content.get("retry_after_s")
        if wait_s is not None and type(wait_s) is not int:
            raise Rubbish("no wait in seconds")
        return kind(detail, retry_after_s=wait_s)
    return kind(detail)


def _is_words(words: Any) -> bool:
    return isinstance(words, dict) and all(isinstance(each, str) for pair in words.items() for each in pair)
