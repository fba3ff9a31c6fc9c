"""The published OPDS 2.0 schemas (drafts.opds.io, readium.org), when they are beside the checkout.

They refer to each other by address and are never fetched: a registry holds them. Their patterns name groups as
JavaScript does, `(?<name>…)`, which Python cannot read.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft7Validator, FormatChecker
from referencing import Registry, Resource

FOLDER = Path(__file__).parents[3] / "shared" / "standards" / "opds2"
MISSING = f"the published schemas are not at {FOLDER}"


def wrong(name: str, content: Any) -> str:
    """The first way in which a content is not as the schema of this name says; "" when it is."""
    errors = sorted(_validator(name).iter_errors(content), key=lambda error: len(error.path), reverse=True)
    return f"{errors[0].json_path}: {errors[0].message}"[:500] if errors else ""


def check(name: str, content: Any) -> str:
    """`wrong`, or "" where the schemas are not there."""
    return wrong(name, content) if FOLDER.is_dir() else ""


@cache
def _validator(name: str) -> Draft7Validator:
    registry: Registry[Any] = Registry()
    for path in FOLDER.rglob("*.schema.json"):
        schema = json.loads(path.read_text(encoding="utf-8").replace("(?<", "(?P<"))
        registry = registry.with_resource(schema["$id"], Resource.from_contents(schema))
    address = f"https://drafts.opds.io/schema/{name}.schema.json"
    return Draft7Validator({"$ref": address}, registry=registry, format_checker=FormatChecker())
