"""Why a person whom the directory knows may not come in: disabled, expired, locked, or a password to change first.

Codes are for the administrator's log, never for the visitor: they would tell a stranger which accounts exist.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from portal import clock

STANDING_ATTRIBUTES = (
    "userAccountControl", "accountExpires", "shadowExpire", "nsAccountLock", "krbPrincipalExpiration",
)  # fmt: skip
DISABLED = 0x2
SECONDS_1601_TO_1970 = 11_644_473_600
PASSWORD_POLICY = "1.3.6.1.4.1.42.2.27.8.5.1"  # noqa: S105 - an object identifier
SUB_CODES = {
    "525": "unknown_person", "52e": "wrong_password", "530": "refused", "531": "refused", "532": "password_expired",
    "533": "disabled", "701": "expired", "773": "must_change", "775": "locked",
}  # fmt: skip
POLICY_ERRORS = {0: "password_expired", 1: "locked", 2: "must_change"}


def barred(values: Callable[[str], Sequence[bytes]]) -> str:
    """`disabled` or `expired` by what an entry itself says, for every product; "" for nothing against its person."""
    if _number(values("userAccountControl")) & DISABLED or b"true" in [v.lower() for v in values("nsAccountLock")]:
        return "disabled"
    now = clock.now()
    account_expires = _number(values("accountExpires"))
    # 0 and the largest number both mean never (MS-ADTS, 3.1.1.4.5); otherwise tenths of microseconds since 1601.
    if 0 < account_expires < 2**63 - 1 and account_expires / 10**7 - SECONDS_1601_TO_1970 <= now.timestamp():
        return "expired"
    # shadow(5): days since 1970; empty and negative mean never, 0 is a day long past.
    shadow = values("shadowExpire")
    if shadow and 0 <= _number(shadow, otherwise=-1) <= now.timestamp() // 86_400:
        return "expired"
    kerberos = values("krbPrincipalExpiration")
    if kerberos and kerberos[0].decode(errors="replace") <= now.strftime("%Y%m%d%H%M%SZ"):
        return "expired"
    return ""


def refusal(code: int, message: str, policy: bytes) -> str:
    """Why a bind was answered as it was; "" when it stands.

    Args:
        code: LDAP's result code: 0 accepted, 49 invalid credentials.
        message: the server's words, in which Active Directory hides its sub-code.
        policy: the value of OpenLDAP's password-policy control, b"" without.
    """
    error = policy_error(policy)
    if code == 0:
        # An expired password with logins left is the directory's own mercy; one reset by an administrator is not.
        return "must_change" if error == "must_change" else ""
    found = re.search(r"\bdata ([0-9a-f]{3,8})\b", message, re.IGNORECASE)
    if found:
        return SUB_CODES.get(found[1].lower(), "wrong_password")
    words = message.lower()
    if "inactivated" in words or "disabled" in words:
        return "disabled"
    if code == 19:
        # 389 Directory Server: too many wrong passwords.
        return "locked"
    return error or ("wrong_password" if code == 49 else "refused")


def policy_error(value: bytes) -> str:
    """The error of a password-policy response (draft-behera-ldap-password-policy-10, 6.2), "" for none.

    `SEQUENCE { warning [0] …, error [1] ENUMERATED }`; also without the sequence's own head, as ldap3 2.9 gives it.
    """
    body = value[2:] if value[:1] == b"\x30" else value
    position = 0
    while position + 2 <= len(body):
        tag, length = body[position], body[position + 1]
        if tag == 0x81 and length == 1 and position + 2 < len(body):
            return POLICY_ERRORS.get(body[position + 2], "refused")
        position += 2 + length
    return ""


def _number(values: Sequence[bytes], otherwise: int = 0) -> int:
    try:
        return int(values[0]) if values else otherwise
    except ValueError:
        return otherwise
