"""Why an account is barred, from attributes, sub-codes and controls of every product."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal import clock
from portal.directory.standing import barred, policy_error, refusal

SECONDS_1601_TO_1970 = 11_644_473_600


def now() -> float:
    return clock.now().timestamp()


def filetime(seconds: float) -> bytes:
    return str(int((seconds + SECONDS_1601_TO_1970) * 10**7)).encode()


@pytest.mark.parametrize(("attribute", "value", "why"), [
    ("userAccountControl", lambda: b"514", "disabled"), ("userAccountControl", lambda: b"512", ""),
    ("userAccountControl", lambda: b"66050", "disabled"), ("userAccountControl", lambda: b"66048", ""),
    ("accountExpires", lambda: b"0", ""), ("accountExpires", lambda: b"9223372036854775807", ""),
    ("accountExpires", lambda: filetime(now() - 60), "expired"), ("accountExpires", lambda: filetime(now() + 60), ""),
    ("accountExpires", lambda: b"nonsense", ""),
    ("shadowExpire", lambda: str(int(now() // 86400)).encode(), "expired"), ("shadowExpire", lambda: b"-1", ""),
    ("shadowExpire", lambda: str(int(now() // 86400) + 1).encode(), ""), ("shadowExpire", lambda: b"", ""),
    ("nsAccountLock", lambda: b"TRUE", "disabled"), ("nsAccountLock", lambda: b"true", "disabled"),
    ("nsAccountLock", lambda: b"FALSE", ""), ("krbPrincipalExpiration", lambda: b"20200101000000Z", "expired"),
    ("krbPrincipalExpiration", lambda: b"29990101000000Z", ""),
])  # fmt: skip
def test_an_entry_says_whether_its_account_is_barred(attribute, value, why):
    assert barred(lambda name: [value()] if name == attribute else []) == why


@pytest.mark.parametrize(("data", "why"), [
    ("525", "unknown_person"), ("52e", "wrong_password"), ("530", "refused"), ("532", "password_expired"),
    ("533", "disabled"), ("701", "expired"), ("773", "must_change"), ("775", "locked"), ("80090346", "wrong_password"),
])  # fmt: skip
def test_the_sub_code_of_active_directory_is_read(data, why):
    message = (
        f"invalidCredentials 80090308: LdapErr: DSID-0C090439, comment: AcceptSecurityContext error, data {data}, v4563"
    )

    assert refusal(49, message, b"") == why


@pytest.mark.parametrize(("code", "message", "policy", "why"), [
    (0, "success", b"", ""), (0, "success", b"\x30\x03\x81\x01\x02", "must_change"),
    (0, "success", b"\x30\x05\xa0\x03\x81\x01\x04", ""), (0, "success", b"\x30\x08\xa0\x03\x81\x01\x04\x81\x01\x00", ""),
    (49, "invalidCredentials", b"", "wrong_password"), (49, "invalidCredentials", b"\x81\x01\x00", "password_expired"),
    (49, "invalidCredentials", b"\x30\x03\x81\x01\x01", "locked"), (49, "invalidCredentials", b"\x30\x03\x81\x01\x08", "refused"),
    (53, "unwillingToPerform Account inactivated. Contact system administrator.", b"", "disabled"),
    (19, "constraintViolation Exceed password retry limit. Please try later.", b"", "locked"), (53, "unwilling", b"", "refused"),
])  # fmt: skip
def test_the_answer_to_a_bind_is_read_with_its_control_t17(code, message, policy, why):
    assert refusal(code, message, policy) == why


@given(st.binary(max_size=40))
def test_no_bytes_of_a_control_break_the_reading(value):
    assert isinstance(policy_error(value), str)


@given(
    st.binary(max_size=20), st.sampled_from(["userAccountControl", "accountExpires", "shadowExpire", "nsAccountLock"])
)
def test_no_bytes_of_an_attribute_break_the_reading(value, attribute):
    assert barred(lambda name: [value] if name == attribute else []) in {"", "disabled", "expired"}
