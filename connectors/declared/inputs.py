"""What a manifest says of one input: `[[input]]`."""

from __future__ import annotations

from pydantic import Field, field_validator, model_validator

from connectors import patterns
from connectors.contract import Input, InputType
from connectors.files import KINDS
from connectors.intangible import asks_for_address
from connectors.manifest import Table

MOST_BYTES = 30_000_000
FACTS = ("filename", "media_type", "size", "sha256")
"""What may be sent of a file besides its bytes, as `{input.NAME.size}`."""


class InputTable(Table):
    """One thing the employee is asked for; `offers` names those that ask it, all when it is empty."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")
    label: dict[str, str]
    type: InputType = "text"
    required: bool = True
    pattern: str = ""
    minimum: int = Field(0, ge=0)
    maximum: int = Field(200, gt=0, le=2000)
    help: dict[str, str] = Field(default_factory=dict)
    choices: dict[str, dict[str, str]] = Field(default_factory=dict)
    personal: bool = False
    offers: list[str] = Field(default_factory=list)
    accept: list[str] = Field(default_factory=list)
    most_bytes: int = Field(5_000_000, gt=0, le=MOST_BYTES)

    @field_validator("label")
    @classmethod
    def _in_french(cls, value: dict[str, str]) -> dict[str, str]:
        if not value.get("fr"):
            raise ValueError('a label is words, in French at least: {fr = "Commune", en = "Town"}')
        return value

    @model_validator(mode="after")
    def _ends_in_time(self) -> InputTable:
        if why := patterns.fault(self.pattern, self.maximum):
            raise ValueError(f"pattern: {why}")
        return self

    @model_validator(mode="after")
    def _choice_has_choices(self) -> InputTable:
        if (self.type == "choice") != bool(self.choices):
            raise ValueError("choices are given for an input of type choice, and only there")
        return self

    @model_validator(mode="after")
    def _file_has_kinds(self) -> InputTable:
        unknown = sorted(set(self.accept) - KINDS.keys())
        if unknown:
            raise ValueError(f"accept: {unknown[0]!r} is no kind of file that is known; there are {', '.join(KINDS)}")
        if (self.type == "file") != bool(self.accept):
            raise ValueError(
                "accept, the media types that may be given, goes with an input of type file, and only there"
            )
        return self

    @model_validator(mode="after")
    def _ships_nothing(self) -> InputTable:
        if asks_for_address(self.as_contract(suggest=False)):
            raise ValueError(f"{self.name} asks where to ship something: only what is delivered online is sold here")
        return self

    def as_contract(self, *, suggest: bool) -> Input:
        """The input as the portal asks for it; `suggest` when the merchant completes what is typed."""
        return Input(
            self.name, self.label, self.type, self.required, self.pattern, self.minimum, self.maximum, self.help,
            tuple(self.choices.items()), self.personal, suggest, tuple(self.accept), self.most_bytes,
        )  # fmt: skip

    @property
    def names(self) -> list[str]:
        """What templates may name of it; a file itself is sent by `files` alone."""
        return [f"input.{self.name}.{fact}" for fact in FACTS] if self.type == "file" else [f"input.{self.name}"]
