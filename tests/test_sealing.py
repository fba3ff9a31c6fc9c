"""What is sealed is opened with the same key and for the same purpose only."""

from __future__ import annotations

import pytest

from portal.sealing import Seal, Unreadable


def test_it_opens_again_and_no_two_are_alike(tmp_path):
    seal = Seal(tmp_path / "secret_key")
    first, second = (seal.close("clé-secrète", "coface") for _ in range(2))

    assert first != second
    assert "secr" not in first
    assert [Seal(tmp_path / "secret_key").open(each, "coface") for each in (first, second)] == ["clé-secrète"] * 2


@pytest.mark.parametrize("change", ["about", "key", "text", "nothing", "no base64"])
def test_anything_else_is_unreadable(tmp_path, change):
    path = tmp_path / "secret_key"
    seal = Seal(path)
    sealed, about = seal.close("secret", "coface"), "coface"
    if change == "about":
        about = "netpme"
    if change == "key":
        path.write_text("another", encoding="ascii")
    if change == "text":
        sealed = sealed[:-6] + ("A" if sealed[-6] != "A" else "B") + sealed[-5:]
    if change == "nothing":
        sealed = ""
    if change == "no base64":
        sealed = "1.é"

    with pytest.raises(Unreadable):
        seal.open(sealed, about)
