"""Load the code of a connector."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path

from connectors.contract import MerchantConnector


def code_of(module: str, folder: Path) -> type[MerchantConnector]:
    """The class `Connector` of a package, or of a folder that is none (`module` is "" then). Raises whatever loading it raises."""
    made: type[MerchantConnector]
    if module:
        made = importlib.import_module(f"{module}.connector").Connector
        return made
    spec = importlib.util.spec_from_file_location(f"loose_{folder.name.replace('-', '_')}", folder / "connector.py")
    if spec is None or spec.loader is None:
        raise ImportError(f"{folder / 'connector.py'} is no module")
    loose = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loose)
    made = loose.Connector
    return made
