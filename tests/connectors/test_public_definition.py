"""Every message of the directory of companies is as its published OpenAPI says, when that is beside the checkout.

Those of Pappers and of Légifrance are published too, and not copied here: their fixtures follow them by hand.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml
from jsonschema import Draft4Validator

from demo.companies import COMPANIES
from demo.entreprises import Entreprises
from tests.connectors.kit_recording import SHIPPED

FILE = Path(__file__).parents[3] / "shared" / "standards" / "recherche-entreprises" / "open-api.yml"
pytestmark = pytest.mark.skipif(not FILE.is_file(), reason=f"the published definition is not at {FILE}")


@cache
def definition() -> Any:
    return yaml.load(FILE.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)  # noqa: S506 - everything stays text


def schema(item: Any) -> Any:
    """A schema of OpenAPI 3.0 as one of JSON Schema: references resolved, what may be null said so, nothing besides it."""
    if "$ref" in item:
        target = definition()
        for part in item["$ref"].strip().removeprefix("#/").split("/"):
            target = target[part]
        return schema(target)
    if "oneOf" in item:
        return {"anyOf": [schema(each) for each in item["oneOf"]]}
    made: dict[str, Any] = {"type": [item["type"], "null"] if "type" in item else []}
    if item.get("type") == "array":
        made["items"] = schema(item["items"])
    if "properties" in item:
        made |= {
            "properties": {name: schema(each) for name, each in item["properties"].items()},
            "additionalProperties": False,
        }
    return made if "type" in item or "properties" in item else {}


def wrong(path: str, query: dict[str, str], status: int, answered: Any) -> list[str]:
    """Every way in which one exchange is not as the definition says."""
    operation = definition()["paths"][path]["get"]
    defined = {each["name"]: each["schema"] for each in operation["parameters"]}
    found = [f"parameter {name} is not defined" for name in query if name not in defined]
    for name, value in query.items():
        allowed = defined.get(name, {}).get("enum")
        found += [f"parameter {name}: {value}"] if allowed and value not in allowed else []
    answer = operation["responses"].get(str(status))
    if answer is None:
        return [*found, f"status {status} is not defined"]
    checker = Draft4Validator(schema(answer["content"]["application/json"]["schema"]))
    return found + [f"{error.json_path}: {error.message}" for error in checker.iter_errors(answered)]


def exchanges() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted((SHIPPED / "entreprises" / "fixtures").glob("*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        yield from ((path.stem, each) for each in (content if isinstance(content, list) else [content]))


def test_the_fixtures_are_as_published():
    found = [
        f"{step}: {each}"
        for step, exchange in exchanges()
        for each in wrong(exchange["request"]["path"], exchange["request"]["query"], exchange["answer"].get("status", 200), exchange["answer"]["json"])
    ]  # fmt: skip
    assert found == []
    assert len(list(exchanges())) >= 5


def test_the_demonstration_answers_as_published():
    directory = Entreprises()
    directory.start()
    asked = [{"q": siren} for siren in COMPANIES] + [
        {"q": "garage", "per_page": "25"},
        {"q": "g"},
        {"q": "garage", "per_page": "26"},
    ]
    found, statuses = [], set()
    for query in asked:
        answer = httpx2.get(f"{directory.server.url}/search", params=query)
        statuses.add(answer.status_code)
        found += [f"{query}: {each}" for each in wrong("/search", query, answer.status_code, answer.json())]
    directory.stop()
    assert found == []
    assert statuses == {200, 400}


def test_a_message_that_is_not_as_published_is_found():
    assert wrong("/search", {"nom": "x"}, 200, {"results": []}) == ["parameter nom is not defined"]
    assert "minimal" in wrong("/search", {"minimal": "yes"}, 200, {})[0]
    assert "invented" in wrong("/search", {}, 200, {"results": [{"invented": 1}]})[0]
    assert "siren" in wrong("/search", {}, 200, {"results": [{"siren": 806569182}]})[0]
    assert wrong("/search", {}, 418, {}) == ["status 418 is not defined"]
