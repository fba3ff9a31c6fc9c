"""Recovery over operators whose look-up is no reading of a list: one step only, and files of charges."""

from __future__ import annotations

import pytest
from sqlalchemy import delete

from portal import settings
from portal.checkout.books import compare
from portal.checkout.verification import verify
from portal.installation import open_installation
from portal.outbox import Task
from tests.billing.conftest import SIREN, Bought

OPERATORS = {
    "one step": ('profile = "orange"', 'profile = "orange"\nsteps = 1'),
    "files": ('profile = "orange"', 'profile = "sfr"\nadapter = "usage_file"\nusage_folder = "out"'),
}


@pytest.fixture(params=list(OPERATORS))
def operator(request):
    return request.param


@pytest.fixture
def installation(installation, operator, tmp_path):
    """The same company with another operator."""
    path = tmp_path / "portal.toml"
    (tmp_path / "out").mkdir()
    path.write_text(path.read_text(encoding="utf-8").replace(*OPERATORS[operator]), encoding="utf-8")
    house = open_installation(settings.load(path, {}))
    yield house
    house.close()


@pytest.mark.parametrize("fault", ["", "cut_reply", "error500"])
def test_what_is_open_is_resolved_once(fault, operator, buyer, installation, company, work):
    bought = Bought(installation, company, buyer.confirm(buyer.ask_price("registre-kbis", siren=SIREN)), work)
    if fault:
        company.operator.fault_once(fault)
        work()
    with installation.database.transaction() as session:
        session.execute(delete(Task))

    found = installation.recovery.now()
    assert found
    if bought.charge.state != "captured":
        # What the operator never recorded is sent again once its list has had its time.
        assert (operator, fault, [item.task for item in found.waiting]) == ("one step", "error500", ["capture"])
        bought.at_once()

    assert (bought.charge.state, found.orphans) == ("captured", [])
    assert bought.theirs == ([("succeeded", 0)] if operator == "one step" else [])
    assert verify(installation.database, installation.storage) == []
    assert compare(installation.means).differences == []
