"""Patterns that authors write for inputs: none keeps a process busy, and those that people need are let pass."""

from __future__ import annotations

import re

import pytest

from connectors.contract import Input
from connectors.declared.inputs import InputTable
from connectors.kit.bronze import _input_fault
from connectors.patterns import fault

ENDLESS = [
    "(a+)+b", "((a+))+b", "(a|a)*b", "(?:a|ab|b)*c", "([a-z]+ ?)+;", "(a?b?)+c", "(?=(a+)+b)a", "(?:(?:x*)y?)*z",
    "(?P<n>a+)*(?(n)b|c)", "(a*)*",
]  # fmt: skip
TOO_MANY = ["a?" * 40 + "a" * 40, "(a|a)" * 33 + "b", "(a+){10}", ".*.*.*.*.*=.*"]
NO_PATTERN = ["(", "a{4294967296}", "(?P<1>a)", "a" * 201]
FINE = [
    "", "(19|20)[0-9]{2}", r"[A-Z]+-\d+-\d+-\w+", r"(\s?\d{2}){4}", r"(?:[A-Z]|\d)+", r"\d{5}|2[AB]\d{3}", "[^@ ]+@[^@ ]+",
    r"L?[0-9]{1,4}(-[0-9]{1,3})?", "FR[0-9A-Z]{2}[0-9]{9}", "(" * 40 + "a" + ")" * 40,
]  # fmt: skip


@pytest.mark.parametrize("pattern", [*ENDLESS, *TOO_MANY, *NO_PATTERN])
def test_what_can_take_for_ever_is_refused_wherever_a_pattern_comes_from(pattern):
    assert fault(pattern, 200)
    with pytest.raises(ValueError, match="pattern"):
        InputTable(name="n", label={"fr": "N"}, pattern=pattern)
    assert _input_fault(Input("n", {"fr": "N"}, pattern=pattern)).startswith("pattern: ")


@pytest.mark.parametrize("pattern", FINE)
def test_what_people_need_is_let_pass(pattern):
    assert fault(pattern, 200) == ""
    InputTable(name="n", label={"fr": "N"}, pattern=pattern)


def test_a_smaller_maximum_lets_more_parts_pass():
    many = "-".join([r"\d+"] * 5)

    assert "smaller maximum" in fault(many, 200)
    assert fault(many, 40) == ""
    assert re.fullmatch(many, "1-22-333-4-5")
