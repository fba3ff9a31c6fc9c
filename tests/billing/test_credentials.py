"""Credentials that the operator refuses for days: whatever is due waits until they are mended, and nothing is a dispute."""

from __future__ import annotations

from datetime import timedelta

import pytest

from portal.billing.settlement import DEADLINE
from tests.billing.conftest import Bought


class Forgetful(dict):  # type: ignore[type-arg]
    """An operator that does not know the tokens it has given out."""

    def __setitem__(self, _token: object, _good: object) -> None:
        pass


@pytest.mark.parametrize("wanted", ["capture", "refund"])
def test_a_401_for_days_is_no_dispute(wanted, accepted: Bought, company, monkeypatch, later):
    if wanted == "refund":
        accepted.work()
        accepted.ask(100)
    with monkeypatch.context() as refused:
        refused.setattr(company.operator, "tokens", Forgetful())
        for _ in range(3):
            accepted.at_once()
            later(hours=DEADLINE / timedelta(hours=1))
        accepted.at_once()
        assert accepted.charge.state == ("reserved" if wanted == "capture" else "refunding")
        assert "doubted" not in accepted.events()

    accepted.at_once()

    assert accepted.theirs == ([("succeeded", 0)] if wanted == "capture" else [("succeeded", 100)])
    assert accepted.charge.state == "captured"
    assert accepted.broken() == []


def test_a_token_endpoint_that_is_down_holds_captures_up_and_no_longer(accepted: Bought, company, monkeypatch):
    company.operator.tokens.clear()
    with monkeypatch.context() as down:
        down.setattr("demo.operator.CLIENT", ("nobody", "at home"))
        for _ in range(3):
            accepted.at_once()
        assert accepted.theirs == [("reserved", 0)]
    accepted.at_once()

    assert accepted.theirs == [("succeeded", 0)]
    assert accepted.broken() == []
