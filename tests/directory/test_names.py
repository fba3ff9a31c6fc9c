"""Two spellings of one name are one, and two names are never one (RFC 4514)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.directory.names import normalise


@pytest.mark.parametrize(("one", "other"), [
    ("cn=Achats,dc=acme", "CN=achats , DC=ACME"), ("cn=R&D\\, Études,dc=x", "cn=r&d\\2c études,dc=x"),
    ("cn=\"a,b\",dc=x", "cn=a\\,b,dc=x"), ("2.5.4.3=a,dc=x", "commonName=A,dc=x"), ("cn=a+sn=b,dc=x", "sn=b+cn=a,dc=x"),
    ("cn=caf\u00e9,dc=x", "cn=cafe\u0301,dc=x"), ("cn=\\C3\\A9t\\C3\\A9,dc=x", "cn=été,dc=x"), ("cn=a  b,dc=x", "cn=A B,dc=x"),
    ("cn=\\#1,dc=x", "cn=\\231,dc=x"), ("uid=x;dc=y", "uid=x,dc=y"), ("cn=a\\ ,dc=x", "cn=a,dc=x"),
])  # fmt: skip
def test_one_name_in_two_spellings(one, other):
    assert normalise(one) == normalise(other)


@pytest.mark.parametrize(("one", "other"), [
    ("cn=a,dc=x", "cn=b,dc=x"), ("cn=a\\,dc=x", "cn=a,dc=x"), ("cn=a\\2cdc=x", "cn=a,dc=x"), ("cn=a+sn=b,dc=x", "cn=a,sn=b,dc=x"),
    ("cn=a,dc=x", "cn=a,dc=x,dc=y"), ("cn=a\\+sn=b,dc=x", "cn=a+sn=b,dc=x"), ("cn=ab,dc=x", "cn=a b,dc=x"),
])  # fmt: skip
def test_two_names_are_two(one, other):
    assert normalise(one) != normalise(other)


VALUES = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)


def escaped(value):
    return "".join(f"\\{byte:02x}" for byte in value.encode())


@given(VALUES, VALUES)
def test_a_value_is_the_same_however_it_is_escaped(value, other):
    plain = "".join(f"\\{letter}" if letter in '\\,+"<>;=# ' else letter for letter in value)

    assert normalise(f"cn={plain},dc=x") == normalise(f"CN={escaped(value)},dc=x")
    assert normalise(normalise(f"cn={escaped(value)},dc=x")) == normalise(f"cn={escaped(value)},dc=x")


@given(VALUES, VALUES)
def test_no_value_reaches_out_of_its_place(value, other):
    assert normalise(f"cn={escaped(value)},dc=x").count(",") == 1
    assert normalise(f"cn={escaped(value)},ou={escaped(other)},dc=x") != normalise(f"cn={escaped(value)},dc=x")
