"""The tiers that were proved on this machine, kept in one file: a tier is told as long as nothing in the folder has changed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

KIT_VERSION = 3
FILE = "connectors.json"
"""Beside `portal.toml`: what a package says of itself in its own folder would be believed too easily."""


def remember(place: Path, connector: str, folder: Path, tier: str) -> None:
    """Keep what a whole proof has shown. Raises `OSError`."""
    kept = _read(place)
    kept[connector] = {"tier": tier, "proof": _proof_of(folder)}
    path = place / FILE
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")
    fresh.rename(path)


def tier_of(place: Path, connector: str, folder: Path) -> str | None:
    """The tier that was proved, "" for none; None when it was not proved as it is now."""
    kept = _read(place).get(connector)
    return str(kept["tier"]) if isinstance(kept, dict) and kept.get("proof") == _proof_of(folder) else None


def _read(place: Path) -> dict[str, Any]:
    try:
        content = json.loads((place / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _proof_of(folder: Path) -> str:
    """A hash of everything that was proved, and of how."""
    digest = hashlib.sha256(f"kit {KIT_VERSION}".encode())
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(f"\0{path.relative_to(folder).as_posix()}\0".encode() + path.read_bytes())
    return digest.hexdigest()
