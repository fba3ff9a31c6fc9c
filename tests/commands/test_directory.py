"""`portal directory try`: one answer a line, whatever the line."""

from __future__ import annotations

import json

import pytest

from demo import people


def tried(terminal, *lines, words=()):
    typed = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    result = terminal.run("directory", "try", *words, typed=typed + "\n")
    assert result.exit_code == 0
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_a_right_password_answers_with_the_nested_groups(terminal):
    [answer] = tried(terminal, {"login": "chloe.lefevre", "password": people.PASSWORD})

    assert (answer["ok"], answer["reason"]) == (True, "")
    assert answer["id"]
    assert people.GROUP_ACHATS in answer["groups"]


def test_only_the_groups_asked_for_are_named_however_they_are_written(terminal):
    asked = {"login": "chloe.lefevre", "password": people.PASSWORD}
    words = ("--group", people.GROUP_ACHATS.upper().replace(",", " , "), "--group", people.GROUP_FINANCE)

    [answer] = tried(terminal, asked, words=words)

    assert answer["groups"] == [people.GROUP_ACHATS]


def test_every_line_has_its_own_answer_and_a_bad_one_stops_nothing(terminal):
    good = {"login": "chloe.lefevre", "password": people.PASSWORD}

    answers = tried(
        terminal, good, {"login": "chloe.lefevre", "password": "wrong"}, {"login": "nobody", "password": "x"},
        {"login": "", "password": ""}, "", "not json", [1], {"login": 3, "password": "x"}, {"login": "*", "password": "x"},
        good,
    )  # fmt: skip

    assert [answer["ok"] for answer in answers] == [True, *[False] * 7, True]
    assert [answer["reason"] for answer in answers[1:4]] == ["wrong_password", "unknown_person", "empty"]
    assert answers[4]["reason"].startswith("line 6")
    assert answers[7]["reason"] == "unknown_person"
    assert all(set(answer) == {"ok", "id", "groups", "reason"} for answer in answers)


@pytest.mark.parametrize(("key", "value", "reason"), [
    ('bind_password = "', 'bind_password = "not-', "service_account"), ('people_base = "', 'people_base = "ou=x,', "base"),
    ('ca_file = "', 'ca_file = "/nowhere', "ca_file"),
])  # fmt: skip
def test_a_directory_that_cannot_answer_is_unknown_never_no(key, value, reason, terminal):
    terminal.change(key, value)

    [answer] = tried(terminal, {"login": "chloe.lefevre", "password": people.PASSWORD})

    assert (answer["ok"], answer["reason"]) == (False, reason)


def test_no_password_and_no_login_is_logged(terminal):
    result = terminal.run("directory", "try", typed='{"login": "chloe.lefevre", "password": "a-secret-word"}\n')

    assert "a-secret-word" not in result.output
    assert "chloe.lefevre" not in result.output
