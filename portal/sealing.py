"""The portal's secret key: it signs cookies, and what is derived from it keeps stored credentials unreadable at rest."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

VERSION = "1."
NONCE = 12


class Unreadable(Exception):
    """What was sealed cannot be opened: the secret key is another one, or the text was touched or put elsewhere."""


class Seal:
    """Keeps texts secret wherever they are stored (AES-256-GCM, NIST SP 800-38D); the key file is read when first needed."""

    def __init__(self, key_file: Path) -> None:
        self._key_file = key_file

    def close(self, text: str, about: str) -> str:
        """Seal a text; only with the same `about` is it opened again."""
        nonce = os.urandom(NONCE)
        sealed = nonce + self._cipher().encrypt(nonce, text.encode(), about.encode())
        return VERSION + urlsafe_b64encode(sealed).decode("ascii")

    def open(self, sealed: str, about: str) -> str:
        """The text again. Raises `Unreadable`, also when the key file cannot be read."""
        try:
            content = urlsafe_b64decode(sealed.removeprefix(VERSION))
            return self._cipher().decrypt(content[:NONCE], content[NONCE:], about.encode()).decode()
        except (InvalidTag, ValueError, OSError) as error:
            raise Unreadable(about) from error

    def _cipher(self) -> AESGCM:
        # The cookies' key itself is used for nothing else.
        derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"guichet: stored credentials")
        return AESGCM(derived.derive(secret_key(self._key_file).encode("ascii")))


def secret_key(path: Path) -> str:
    """The key that signs cookies, made on first start and readable by the portal's user only.

    Several processes may start at once: whoever comes first makes it, and nobody takes an empty file for a key.
    """
    with contextlib.suppress(FileNotFoundError):
        known = path.read_text(encoding="ascii").strip()
        if known:
            return known
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        known = file.read().strip()
        if not known:
            known = secrets.token_hex(32)
            file.write(known)
            file.flush()
            os.fsync(file.fileno())
    return known
