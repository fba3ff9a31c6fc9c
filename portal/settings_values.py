"""Values that several sections of the configuration have: each is checked the same everywhere."""

from __future__ import annotations

from urllib.parse import urlsplit

from pydantic_core import PydanticCustomError

from portal.money import parse_amount


def require_amount(value: str) -> str:
    """An amount of money like "200.00"."""
    try:
        parse_amount(value)
    except ValueError as error:
        raise PydanticCustomError("amount", "not an amount") from error
    return value


def require_http(value: str) -> str:
    """An address for HTTP, or "" for none."""
    if value and not is_interface(value):
        raise PydanticCustomError("http_url", "not an address")
    return value


def is_interface(url: str) -> bool:
    """Whether it is an address for HTTP without a user or a password, which would be shown wherever the address is."""
    return is_address(url, {"http", "https"}) and "@" not in urlsplit(url).netloc


def is_address(url: str, schemes: set[str]) -> bool:
    """Whether a URL has one of these schemes, a host, and a port that can be."""
    try:
        parts = urlsplit(url)
        return parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
