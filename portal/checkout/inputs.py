"""What the employee typed, checked and brought into one form, before a merchant hears of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date

import phonenumbers
from stdnum.eu import vat as eu_vat
from stdnum.exceptions import ValidationError
from stdnum.fr import siren, siret

from connectors.contract import Input
from portal import countries
from portal.refusals import Reason


class InvalidInputs(Exception):
    """Some inputs cannot be used: a reason by input name."""

    def __init__(self, reasons: dict[str, Reason]) -> None:
        super().__init__(", ".join(f"{name}: {reason.code}" for name, reason in reasons.items()))
        self.reasons = reasons


def clean_inputs(fields: Sequence[Input], typed: Mapping[str, str]) -> dict[str, str]:
    """Every input in the form its type prescribes (a SIREN is nine digits, a phone number E.164).

    Raises:
        InvalidInputs: naming every input that is missing or wrong.
    """
    cleaned: dict[str, str] = {}
    reasons: dict[str, Reason] = {}
    for field in fields:
        try:
            cleaned[field.name] = _clean(field, typed.get(field.name, ""))
        except _Wrong as wrong:
            reasons[field.name] = wrong.reason
    if reasons:
        raise InvalidInputs(reasons)
    return cleaned


class _Wrong(Exception):
    def __init__(self, code: str, **facts: object) -> None:
        super().__init__(code)
        self.reason = Reason(code, facts)


def _clean(field: Input, text: str) -> str:
    text = " ".join(text.split())
    if not text:
        if field.required:
            raise _Wrong("input_missing")
        return ""
    if not text.isprintable():
        raise _Wrong("input_characters")
    check = CHECKS.get(field.type)
    if check:
        text = check(text)
    if field.type == "choice" and text not in {value for value, _words in field.choices}:
        raise _Wrong("input_choice")
    if len(text) < field.minimum:
        raise _Wrong("input_short", minimum=field.minimum)
    if len(text) > field.maximum:
        raise _Wrong("input_long", maximum=field.maximum)
    if field.pattern and not re.fullmatch(field.pattern, text):
        raise _Wrong("input_pattern")
    return text


def _siren(text: str) -> str:
    compact = re.sub(r"[\s.\-]", "", text)
    # People paste a SIRET or a VAT number as readily as a SIREN: both contain it.
    if re.fullmatch(r"\d{14}", compact) and siret.is_valid(compact):
        compact = compact[:9]
    if re.fullmatch(r"FR\d{11}", compact, re.IGNORECASE):
        compact = compact[4:]
    if not re.fullmatch(r"\d{9}", compact):
        raise _Wrong("input_siren_form")
    if not siren.is_valid(compact):
        raise _Wrong("input_siren_check")
    return compact


def _siret(text: str) -> str:
    compact = re.sub(r"[\s.\-]", "", text)
    if not siret.is_valid(compact):
        raise _Wrong("input_siret")
    return compact


def _vat(text: str) -> str:
    try:
        return str(eu_vat.validate(text))
    except ValidationError:
        raise _Wrong("input_vat") from None


def _phone(text: str) -> str:
    try:
        number = phonenumbers.parse(text, "FR")
    except phonenumbers.NumberParseException:
        raise _Wrong("input_phone") from None
    if not phonenumbers.is_valid_number(number):
        raise _Wrong("input_phone")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _date(text: str) -> str:
    french = re.fullmatch(r"(\d{1,2})/(\d{1,2})/(\d{4})", text)
    try:
        parsed = date(int(french[3]), int(french[2]), int(french[1])) if french else date.fromisoformat(text)
    except ValueError:
        raise _Wrong("input_date") from None
    return parsed.isoformat()


def _email(text: str) -> str:
    if not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", text):
        raise _Wrong("input_email")
    return text


def _country(text: str) -> str:
    if text.upper() not in countries.codes():
        raise _Wrong("input_country")
    return text.upper()


CHECKS: dict[str, Callable[[str], str]] = {
    "siren": _siren,
    "siret": _siret,
    "vat": _vat,
    "phone": _phone,
    "date": _date,
    "email": _email,
    "country": _country,
}
