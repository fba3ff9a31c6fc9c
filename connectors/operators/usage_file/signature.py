"""Detached Ed25519 signatures (RFC 8032) of usage files, and of the operator's answers when it signs them."""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from connectors.contract import ContractBroken


def make_key(path: Path) -> None:
    """A new private key in a file only we can read; a key that is there stays. Raises `OSError`."""
    if path.exists():
        return
    pem = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with open(temporary, "wb", opener=lambda name, flags: os.open(name, flags | os.O_EXCL, 0o600)) as file:
        file.write(pem)
        file.flush()
        os.fsync(file.fileno())
    try:
        # A link, unlike a rename, never takes the place of a key that another process has made meanwhile.
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        temporary.unlink()


def private_key(path: Path) -> Ed25519PrivateKey:
    """The key files are signed with. Raises `ContractBroken` when there is none of this kind."""
    try:
        found = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise ContractBroken(f"{path}: {error.strerror}") from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ContractBroken(f"{path}: {error}") from error
    if not isinstance(found, Ed25519PrivateKey):
        raise ContractBroken(f"{path}: not an Ed25519 key")
    return found


def public_pem(path: Path) -> str:
    """The public key that belongs to a private one. Raises `ContractBroken`."""
    public = private_key(path).public_key()
    return public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


def public_key(path: Path) -> Ed25519PublicKey:
    """The operator's key. Raises `ContractBroken`."""
    try:
        found = serialization.load_pem_public_key(path.read_bytes())
    except OSError as error:
        raise ContractBroken(f"{path}: {error.strerror}") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ContractBroken(f"{path}: {error}") from error
    if not isinstance(found, Ed25519PublicKey):
        raise ContractBroken(f"{path}: not an Ed25519 key")
    return found


def verifies(key: Ed25519PublicKey, signature: bytes, content: bytes) -> bool:
    """Whether a signature is that of a content."""
    try:
        key.verify(signature, content)
    except InvalidSignature:
        return False
    return True
