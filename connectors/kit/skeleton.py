"""`portal connectors new`: a connector that runs and is proved already, to be changed into another, step by step."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from connectors.merchants import registry

SKELETON = Path(__file__).parent / "skeleton"
NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")


class CannotMake(Exception):
    """A skeleton that cannot be made: `code` is `name` or `there`."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def make_skeleton(name: str, parent: Path | None = None) -> Path:
    """Make the folder of a new connector; where it was made.

    Args:
        parent: where connectors are found without being installed, when it is not given.

    Raises:
        CannotMake: the name is no name, or something has it already.
    """
    if not NAME.fullmatch(name):
        raise CannotMake("name")
    folder = (parent or registry.FOLDER) / name
    if folder.exists() or name in registry.names():
        raise CannotMake("there")
    shutil.copytree(SKELETON, folder)
    for path in (folder / "connector.toml", folder / "README.md"):
        path.write_text(path.read_text(encoding="utf-8").replace("NAME", name), encoding="utf-8")
    return folder
