"""What is said of a connector that cannot be used."""

from __future__ import annotations

from connectors.contract import Words


class ConnectorBroken(Exception):
    """This connector cannot be used; `words` say why, and `remedy` what to do when it is not plain, in every language."""

    def __init__(self, name: str, words: Words, remedy: Words | None = None) -> None:
        super().__init__(f"{name}: {words['en']}")
        self.name = name
        self.words = words
        self.remedy: Words = remedy or {}
