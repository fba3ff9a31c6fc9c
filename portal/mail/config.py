"""The `[mail]` section: the server that takes our mail, and how it is reached."""

from __future__ import annotations

import ipaddress
import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from portal.mail.addresses import Unmailable, checked_address


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


class MailSection(BaseModel):
    """Without a `host` no mail is sent. `timeout` is in seconds, for each step up to the sign-in."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = ""
    port: int = Field(default=587, ge=1, le=65535)
    security: Literal["starttls", "tls", "none"] = "starttls"
    ca_file: str = ""
    user: str = ""
    password: SecretStr = SecretStr("")
    sender: str = Field(default="", validate_default=True)
    timeout: float = Field(default=10, gt=0, le=20)

    @field_validator("host")
    @classmethod
    def _name(cls, value: str) -> str:
        if value and not re.fullmatch(r"[A-Za-z0-9.:_-]+", value):
            raise PydanticCustomError("mail_host", "not a host name")
        return value

    @field_validator("security")
    @classmethod
    def _verified(cls, value: str, info: ValidationInfo) -> str:
        if value == "none" and info.data.get("host") and not _is_this_machine(info.data["host"]):
            raise PydanticCustomError("mail_security", "not to another machine")
        return value

    @field_validator("sender")
    @classmethod
    def _address(cls, value: str, info: ValidationInfo) -> str:
        if not value and not info.data.get("host"):
            return value
        try:
            return checked_address(value)
        except Unmailable as error:
            raise PydanticCustomError("mail_sender", "not an address") from error
