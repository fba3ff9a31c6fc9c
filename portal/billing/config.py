"""The `[operator]` section: who puts charges on the invoice, and how it is told."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from portal.money import parse_amount
from portal.settings_values import is_address, require_amount, require_http

PINNING = "PORTAL_OPERATOR__PROFILE"
"""The variable that wins over whatever is chosen on a screen."""


class OperatorSection(BaseModel):
    """What is empty comes from the profile. `usage_…` keys are those of operators that bill from files."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    profile: str = "orange"
    adapter: Literal["", "camara", "usage_file"] = ""
    api_root: str = ""
    token_url: str = ""
    client_id: str = ""
    client_secret: SecretStr = SecretStr("")
    line: str = ""
    identify_by: Literal["line", "token"] = "line"
    steps: Literal[1, 2] = 2
    when_unreachable: Literal["refuse", "accept"] = "refuse"
    offline_limit: str = "0.00"
    usage_spool: str = Field(default="usage", min_length=1)
    usage_folder: str = ""
    usage_sftp: str = ""
    usage_sftp_host_key: str = Field(default="", validate_default=True)
    usage_sftp_key_file: str = ""
    usage_sftp_password: SecretStr = SecretStr("")
    usage_signing_key_file: str = Field(default="usage_key.pem", min_length=1)
    usage_account: str = ""
    usage_answer_days: int = Field(default=0, ge=0, le=365)
    usage_answer_key_file: str = ""

    @field_validator("api_root", "token_url")
    @classmethod
    def _address(cls, value: str) -> str:
        return require_http(value)

    @property
    def offline_cents(self) -> int:
        """Up to how much is accepted in all while the operator cannot be reached; 0: nothing."""
        return parse_amount(self.offline_limit) if self.when_unreachable == "accept" else 0

    @field_validator("offline_limit")
    @classmethod
    def _amount(cls, value: str) -> str:
        return require_amount(value)

    @field_validator("line")
    @classmethod
    def _e164(cls, value: str) -> str:
        if value and not re.fullmatch(r"\+[1-9][0-9]{4,14}", value):
            raise PydanticCustomError("line", "not E.164")
        return value

    @field_validator("usage_sftp")
    @classmethod
    def _sftp(cls, value: str, info: ValidationInfo) -> str:
        if value and not (is_address(value, {"sftp"}) and _is_plain_sftp(value)):
            raise PydanticCustomError("sftp_url", "not an SFTP address")
        if value and info.data.get("usage_folder"):
            raise PydanticCustomError("one_place", "two places")
        return value

    @field_validator("usage_sftp_host_key")
    @classmethod
    def _host_key(cls, value: str, info: ValidationInfo) -> str:
        # Never an unpinned server: an address without its key is refused here, before anything connects.
        if (value and not _is_public_key(value)) or (info.data.get("usage_sftp") and not value):
            raise PydanticCustomError("host_key", "no host key")
        return value

    @field_validator("usage_account")
    @classmethod
    def _account(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9+._/-]{0,64}", value):
            raise PydanticCustomError("account", "not a customer number")
        return value


def is_pinned(environ: Mapping[str, str]) -> bool:
    """Whether the environment names the operator."""
    return any(name.upper() == PINNING for name in environ)


def _is_public_key(text: str) -> bool:
    """`ssh-ed25519 AAAA… comment`, whose second part names the first (RFC 4253, section 6.6)."""
    kind, _, rest = text.partition(" ")
    try:
        blob = base64.b64decode(rest.split(" ")[0], validate=True)
    except ValueError:
        return False
    length = int.from_bytes(blob[:4], "big")
    return length > 0 and blob[4 : 4 + length] == kind.encode() and len(blob) > 4 + length


def _is_plain_sftp(url: str) -> bool:
    parts = urlsplit(url)
    return bool(parts.username) and parts.password is None and not parts.query and not parts.fragment
