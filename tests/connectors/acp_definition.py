"""The published ACP schemas (2026-04-17), when they are beside the checkout: what may be asked and answered."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource

FOLDER = Path(__file__).parents[3] / "shared" / "standards" / "acp" / "spec-2026-04-17" / "json-schema"
EXAMPLES = FOLDER.parents[1] / "examples-2026-04-17"
MISSING = f"the published definition is not at {FOLDER}"
FEED = {"ProductsResponse", "Product", "FeedMetadata"}


def wrong(name: str, content: Any) -> str:
    """The first way in which a content is not as the definition of this name says; "" when it is."""
    errors = sorted(_validator(name).iter_errors(content), key=lambda error: len(error.path), reverse=True)
    return f"{errors[0].json_path}: {errors[0].message}" if errors else ""


def check(name: str, content: Any) -> str:
    """`wrong`, or "" where the definition is not there."""
    return wrong(name, content) if FOLDER.is_dir() else ""


@cache
def _validator(name: str) -> Draft202012Validator:
    file = "schema.feed.json" if name in FEED else "schema.agentic_checkout.json"
    bundle = json.loads((FOLDER / file).read_text(encoding="utf-8"))
    registry: Registry[Any] = Registry().with_resource("urn:acp", Resource.from_contents(bundle))
    return Draft202012Validator({"$ref": f"urn:acp#/$defs/{name}"}, registry=registry, format_checker=FormatChecker())
