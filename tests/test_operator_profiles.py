"""Each named operator profile in turn, in front of the demonstration's operator: one purchase, one charge."""

from __future__ import annotations

import pytest

from connectors.operators.profiles import PROFILES, load_profile, profile_names
from demo.companies import COMPANIES
from portal import create_app, settings
from portal.billing import charges
from portal.billing.worker import work_once
from portal.checkout.books import compare
from portal.checkout.verification import verify
from portal.installation import open_installation
from tests.conftest import Visitor

SIREN = next(siren for siren in COMPANIES if not siren.endswith("7"))


@pytest.mark.parametrize(("name", "steps"), [*((name, 2) for name in profile_names()), ("generic", 1)])
def test_one_purchase_is_one_charge(name, steps, company, installation, tmp_path):
    path = tmp_path / "portal.toml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('profile = "orange"', f'profile = "{name}"\nsteps = {steps}'), encoding="utf-8")
    house = open_installation(settings.load(path, {}))
    assert house.settings.operator.profile == name
    assert house.operator.check() == []

    buyer = Visitor(create_app(installation=house))
    buyer.sign_in("chloe.lefevre")
    number = buyer.confirm(buyer.ask_price("registre-kbis", siren=SIREN))
    while work_once(house.database, "test worker", house.handlers):
        pass

    assert buyer.states() == ["delivered"]
    assert [(line.reference, line.state) for line in company.operator.book.charges()] == [(number, "succeeded")]
    with house.database.reading() as session:
        assert charges.of_order(session, number).operator == f"{load_profile(name).key}/camara"
    assert compare(house.means).differences == []
    assert verify(house.database, house.storage) == []
    house.close()


def test_no_name_leads_to_two_profiles():
    own = [path.stem for path in PROFILES.glob("*.toml")]
    former = [name for stem in own for name in load_profile(stem).former_names]

    assert len({*own, *former}) == len(own) + len(former) == len(profile_names())
