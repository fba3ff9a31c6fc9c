"""Answers that cost more to read than to send: numbers that take hours to write down, and more values than memory holds."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from flask import Response

from connectors.apart import wire
from connectors.contract import ContractBroken
from connectors.exchange import Answer
from tests.hostile.villain import CENTS, SIREN, changed

BEYOND = ["1e99999999", "-1e99999999", "1e-99999999", "0.5e99999999", "1." + "3" * 1_000_000]


def written(**numbers: str):
    """The honest answer, with numbers that no JSON writer of ours would write."""

    def act(honest):
        response, status = changed(**{name: f"<{name}>" for name in numbers})(honest)
        text = response.get_data(as_text=True)
        for name, number in numbers.items():
            text = text.replace(json.dumps(f"<{name}>"), number)
        return Response(text, status, mimetype="application/json")

    return act


@pytest.mark.parametrize("text", BEYOND)
def test_a_number_beyond_measure_is_no_number_and_takes_no_other_with_it(text):
    content = Answer(200, {}, f'{{"far": {text}, "near": 12.50}}'.encode()).json()

    assert content == {"far": Decimal("Infinity"), "near": Decimal("12.50")}
    # What code of others says over its pipe is read no otherwise.
    assert wire.decode({"$": "Decimal", "of": text}) == Decimal("Infinity")


@pytest.mark.parametrize("name", ["retry_after", "percent"])
@pytest.mark.parametrize("text", BEYOND)
def test_an_order_that_answers_with_one_is_a_doubt_or_goes_on(name, text, world, later):
    world.villain.does("order", written(state='"preparing"', **{name: text}))

    number = world.buy()
    world.settle(later)

    assert world.state(number) == ("delivered", "")
    assert (len(world.villain.made), world.paid(number)) == (1, [CENTS])


def test_a_price_with_one_is_none_and_the_next_is_one(world):
    world.villain.does("quote", written(units="1e99999999"), times=1)

    assert world.ask_price() == ""
    assert "Rien n'a été acheté" in world.buyer.text
    assert f'value="{SIREN}"' in world.buyer.page
    assert world.ask_price()


@pytest.mark.parametrize("value", ["{}", "[]", "0.1", '""', '{"a":[]}'])
def test_an_answer_of_millions_of_values_is_not_read_into_memory(value):
    many = ",".join([value] * (19_000_000 // (len(value) + 1)))

    with pytest.raises(ContractBroken, match="more than 2000000 values"):
        Answer(200, {}, f"[{many}]".encode()).json()


def test_a_long_answer_of_texts_is_read():
    texts = [
        {"id": number, "words": "Un texte comme on en écrit, avec ses virgules, ses accents et [ses notes]. " * 10}
        for number in range(20_000)
    ]

    assert len(Answer(200, {}, json.dumps(texts).encode()).json()) == 20_000
