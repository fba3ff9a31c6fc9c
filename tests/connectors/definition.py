"""The published CAMARA definitions, when they are beside the checkout: what may be asked and answered."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import yaml
from jsonschema import Draft4Validator, FormatChecker
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4

FOLDER = Path(__file__).parents[3] / "shared" / "standards" / "camara"
FILES = {"/carrier-billing/v0.5": "carrier-billing.yaml", "/carrier-billing-refund/v0.3": "carrier-billing-refund.yaml"}


def breaches(method: str, url: str, sent: Any, headers: dict[str, str], status: int, answered: Any) -> list[str]:
    """Every way in which one exchange is not as the definition says (OpenAPI 3.0.3, JSON Schema draft 4)."""
    path = urlsplit(url).path
    root = next(root for root in FILES if path.startswith(root + "/"))
    definition = _definition(root)
    template, operation = _operation(definition, path.removeprefix(root), method.lower())
    if operation is None:
        return [f"{method} {path} is not defined"]
    found = _wrong(root, operation.get("requestBody"), sent, f"{method} {template}, request")
    found += _wrong_parameters(definition, operation, url, headers)
    answer = operation["responses"].get(str(status))
    if answer is None:
        return [*found, f"{method} {template}: status {status} is not defined"]
    return found + _wrong(root, _resolved(definition, answer), answered, f"{method} {template}, answer {status}")


@cache
def _definition(root: str) -> Any:
    text = (FOLDER / FILES[root]).read_text(encoding="utf-8")
    # Times stay text: JSON has no other.
    return _with_text_times(yaml.safe_load(text))


def _with_text_times(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _with_text_times(value) for key, value in content.items()}
    if isinstance(content, list):
        return [_with_text_times(item) for item in content]
    return content.isoformat() if hasattr(content, "isoformat") else content


def _operation(definition: Any, path: str, method: str) -> tuple[str, Any]:
    asked = path.split("/")
    # A path written out wins over one with a variable (OpenAPI 3.0.3, Paths Object).
    for template in sorted(definition["paths"], key=lambda item: item.count("{")):
        parts = template.split("/")
        if len(parts) == len(asked) and all(a == b or b.startswith("{") for a, b in zip(asked, parts, strict=True)):
            return template, definition["paths"][template].get(method)
    return path, None


def _resolved(definition: Any, item: Any) -> Any:
    while "$ref" in item:
        target = definition
        for part in item["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        item = target
    return item


def _wrong(root: str, carrier: Any, content: Any, where: str) -> list[str]:
    schema = ((carrier or {}).get("content") or {}).get("application/json", {}).get("schema")
    if schema is None:
        return [f"{where}: a body where none is defined"] if content else []
    document = Resource.from_contents(_definition(root), default_specification=DRAFT4)
    registry: Registry[Any] = Registry().with_resource("urn:definition", document)
    pairs = [(schema, content)]
    for item in content if isinstance(content, list) else [content]:
        pairs += [(special, item) for special in _discriminated(_definition(root), schema, item)]
    found = []
    for wanted, place in pairs:
        checker = Draft4Validator(_absolute(wanted), registry=registry, format_checker=FormatChecker())
        found += [f"{where}, {error.json_path}: {error.message}" for error in checker.iter_errors(place)]
    return found


def _discriminated(definition: Any, schema: Any, content: Any) -> list[Any]:
    """The more special schema that a discriminator names for this content (OpenAPI 3.0.3, Discriminator Object)."""
    whole = _resolved(definition, schema)
    if whole.get("type") == "array":
        whole = _resolved(definition, whole["items"])
    rule = whole.get("discriminator")
    if not rule or not isinstance(content, dict):
        return []
    return [{"$ref": rule["mapping"][content[rule["propertyName"]]]}]


def _absolute(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {
            key: f"urn:definition{value}" if key == "$ref" and value.startswith("#") else _absolute(value)
            for key, value in schema.items()
        }
    return [_absolute(item) for item in schema] if isinstance(schema, list) else schema


def _wrong_parameters(definition: Any, operation: Any, url: str, headers: dict[str, str]) -> list[str]:
    defined = {item["name"]: item for item in (_resolved(definition, p) for p in operation.get("parameters", []))}
    asked = dict(parse_qsl(urlsplit(url).query))
    found = [f"parameter {name} is not defined" for name in asked if name not in defined]
    given = {**asked, **{name: value for name, value in headers.items() if name in defined}}
    for name, value in given.items():
        schema = _resolved(definition, defined[name]["schema"]) if name in defined else {}
        typed = int(value) if schema.get("type") == "integer" else value
        errors = Draft4Validator(schema, format_checker=FormatChecker()).iter_errors(typed)
        found += [f"parameter {name}: {error.message}" for error in errors]
    return found
