"""What a server's certificate says, and what is wrong with one that is refused."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

FAULTS = (
    ("hostname mismatch", "name"), ("ip address mismatch", "name"), ("not valid for", "name"), ("has expired", "expired"),
    ("not yet valid", "expired"), ("local issuer", "authority"), ("self-signed", "authority"),
    ("self signed", "authority"), ("unable to verify", "authority"),
)  # fmt: skip


@dataclass(frozen=True)
class Certificate:
    """Whom a certificate names, who signed it, and until when it is good (UTC)."""

    subject: str
    names: tuple[str, ...]
    issuer: str
    ends_at: datetime


def certificate(shown: dict[str, Any]) -> Certificate:
    """A certificate as `SSLSocket.getpeercert` gives it."""

    def name(key: str) -> str:
        return ", ".join(str(value) for part in shown.get(key, ()) for _key, value in part)

    names = tuple(str(value) for _kind, value in shown.get("subjectAltName", ()))
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(shown["notAfter"])), UTC)
    return Certificate(name("subject"), names, name("issuer"), ends)


def fault(detail: str) -> str:
    """What OpenSSL's words mean: `name`, `expired`, `authority`, or "" for something else."""
    lower = detail.lower()
    return next((code for words, code in FAULTS if words in lower), "")
