"""Whether what a merchant answers is about the company that was asked for.

What can be known is what is written: a price, a file's name or rows of data that name another company by its number,
and ours nowhere, are about another. Where no number is written nothing is known, and nothing is said.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from stdnum.fr import siren

from connectors import contract

SIREN = r"(\d{3}\s?\d{3}\s?\d{3})(?:\s?\d{5})?(?!\d)"
ALONE = re.compile(r"(?<![\w.,-])(?:FR\s?\d\d\s?)?" + SIREN)
IN_TEXT = re.compile(
    r"(?i)(?:\b(?:siren|siret|rcs|tva|vat)\b\D{0,30}(?:\d\d\s?)?|\((?:FR\s?\d\d\s?)?)"
    + SIREN
    + r"|(?<![\w.,+-])(\d{3}\s\d{3}\s\d{3})(?!\s?\d)"
)
IN_NAME = re.compile(r"(?i)(?:siren|siret|rcs|k-?bis)[\s_-]*(\d{9})(?:\d{5})?(?!\d)")
"""One number in ten looks like a SIREN: what is not written as one is none."""
TITLES = re.compile(r"(?i)\b(siren|siret|rcs|tva|vat)\b")


def asked_for(inputs: Mapping[str, str], fields: Sequence[contract.Input]) -> str:
    """The SIREN of the one company that was asked for; "" when none or several were."""
    found = {
        inputs[field.name].removeprefix("FR")[-9:] if field.type == "vat" else inputs[field.name][:9]
        for field in fields
        if field.type in {"siren", "siret", "vat"} and siren.is_valid(_core(field.type, inputs.get(field.name, "")))
    }
    return found.pop() if len(found) == 1 else ""


def _core(kind: str, value: str) -> str:
    if kind == "vat":
        return value[-9:] if re.fullmatch(r"FR\w\w\d{9}", value) else ""
    return value[:9]


def other(asked: str, texts: Iterable[str], seller: str = "", pattern: re.Pattern[str] = IN_TEXT) -> str:
    """A company that texts are about instead of the one asked for, by its SIREN; "" when nothing says so.

    Args:
        seller: the SIREN of who sells, which stands on whatever he makes.
    """
    found = ("".join(filter(None, each.groups())) for text in texts for each in pattern.finditer(text))
    written = [re.sub(r"\D", "", each) for each in found]
    valid = [number for number in written if number != seller and siren.is_valid(number)]
    return valid[0] if asked and valid and asked not in valid else ""


def require_same(inputs: Mapping[str, str], fields: Sequence[contract.Input], subject: str, seller: str) -> None:
    """Raises `ContractBroken` when a price is for another company than the one asked for."""
    if found := other(asked_for(inputs, fields), [subject], seller):
        raise contract.ContractBroken(f"asked for another company, the price is for {found}")


def same(
    outcome: contract.Done, inputs: Mapping[str, str], fields: Sequence[contract.Input], seller: str
) -> contract.Outcome:
    """An outcome, unless it says that what was delivered is about another company: then a person decides."""
    asked, brought = asked_for(inputs, fields), outcome.delivery
    found = ""
    if isinstance(brought, contract.Document):
        found = other(asked, [brought.filename], seller, IN_NAME)
    elif isinstance(brought, contract.Data):
        rows = [value for words, value in brought.rows if any(map(TITLES.search, words.values()))]
        found = other(asked, rows, seller, ALONE)
    if not found:
        return outcome
    return contract.Unknown(f"asked for {asked}, the delivery names {found}", needs_admin=True, cause="other_subject")
