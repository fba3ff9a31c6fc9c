"""What a connector brings for its proof: `fixtures/story.toml`, and exchanges in `fixtures/*.json` that a person can read."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, field_validator

from connectors.contract import Words
from connectors.manifest import Table

STEPS = ("sign", "check", "list", "suggest", "quote", "fulfil", "lookup", "status", "document", "orders")
ANYTHING = "{any}"


class FixturesError(Exception):
    """The fixtures cannot be used; `words` say which file and why."""

    def __init__(self, fr: str, en: str) -> None:
        super().__init__(en)
        self.words: Words = {"fr": fr, "en": en}


class Purchase(Table):
    """One offer and what is typed for it."""

    offer: str
    inputs: dict[str, str] = Field(default_factory=dict)


class Completion(Table):
    """What somebody types of one input."""

    offer: str
    input: str
    text: str


class Story(Table):
    """What the kit asks of the connector; `skip` gives a reason in words for each check that cannot be made."""

    buy: Purchase
    refuse: Purchase | None = None
    slow: Purchase | None = None
    nothing: Purchase | None = None
    also: list[Purchase] = Field(default_factory=list)
    """Further purchases that succeed, of other kinds of offers than `buy` and `slow`."""
    suggest: Completion | None = None
    skip: dict[str, dict[str, str]] = Field(default_factory=dict)

    @field_validator("skip", mode="before")
    @classmethod
    def _in_words(cls, value: Any) -> Any:
        """A sentence alone is shown to everybody."""
        if not isinstance(value, dict):
            return value
        return {name: {"fr": said, "en": said} if isinstance(said, str) else said for name, said in value.items()}


class RequestSide(Table):
    """What a request must be to be answered. Without `query` it has none; headers and a body that are left out may be anything."""

    method: str = "GET"
    path: str = Field(pattern=r"^/")
    query: dict[str, str] = Field(default_factory=dict)
    headers: dict[str, str] = Field(default_factory=dict)
    body: Any = ANYTHING


class AnswerSide(Table):
    """What is answered: `content` is JSON, `text` is itself, `file` stands beside the fixture."""

    status: int = Field(200, ge=200, le=599)
    headers: dict[str, str] = Field(default_factory=dict)
    content: Any = Field(None, alias="json")
    text: str | None = None
    file: str | None = None


class Exchange(Table):
    """One request with its answer; `step` is the name of its file."""

    step: str = ""
    request: RequestSide
    answer: AnswerSide

    @property
    def family(self) -> str:
        """The step without what makes it special: `lookup-none` is a look-up."""
        return self.step.partition("-")[0]


@dataclass(frozen=True)
class Fixtures:
    """Everything in a `fixtures` folder."""

    folder: Path
    story: Story
    exchanges: tuple[Exchange, ...] = field(default=())

    def of(self, step: str) -> list[Exchange]:
        """The exchanges of one file."""
        return [item for item in self.exchanges if item.step == step]


def read_story(connector: Path) -> Story:
    """What is to be asked of a connector. Raises `FixturesError`."""
    path = connector / "fixtures" / "story.toml"
    if not path.is_file():
        raise FixturesError(f"{path} n’existe pas", f"{path} does not exist")
    try:
        return Story.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (ValueError, OSError) as error:
        raise FixturesError(f"{path} : {_first(error)}", f"{path}: {_first(error)}") from error


def read_fixtures(connector: Path) -> Fixtures:
    """The fixtures of a connector's folder. Raises `FixturesError` naming the file and what is wrong."""
    story, folder = read_story(connector), connector / "fixtures"
    exchanges: list[Exchange] = []
    for path in sorted(folder.glob("*.json")):
        try:
            exchanges += _read(path)
        except (ValueError, OSError) as error:
            raise FixturesError(f"{path} : {_first(error)}", f"{path}: {_first(error)}") from error
    return Fixtures(folder, story, tuple(exchanges))


def _read(path: Path) -> list[Exchange]:
    content = json.loads(path.read_text(encoding="utf-8"))
    made = [
        Exchange.model_validate({"step": path.stem, **each})
        for each in (content if isinstance(content, list) else [content])
    ]
    if made and made[0].family not in STEPS:
        raise ValueError(f"a file is named after its step, one of {', '.join(STEPS)}")
    for each in made:
        if each.answer.file and not (path.parent / each.answer.file).is_file():
            raise ValueError(f"{each.answer.file} is not beside it")
    return made


def _first(error: Exception) -> str:
    if isinstance(error, ValidationError):
        found = error.errors()[0]
        return f"{'.'.join(map(str, found['loc']))}: {found['msg']}"
    return str(error)
