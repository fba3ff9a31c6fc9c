"""Merchants that sign requests in with a token of limited life, asked for when needed and again when refused."""

from __future__ import annotations

import threading
from typing import Any

from connectors.contract import AuthFailed, Context, ContractBroken, Unavailable, UnknownOutcome
from connectors.merchants.rest import RestMerchant


class TokenMerchant(RestMerchant):
    """A REST merchant whose `ask_token` fetches a bearer token; safe to use from several threads."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._lock = threading.Lock()
        self._token = ""

    def ask_token(self) -> str:
        """A new token, usually by `exchange`."""
        raise NotImplementedError

    def sign(self, *, fresh: bool = False) -> dict[str, str]:
        """The token at hand, or a new one after a refusal."""
        with self._lock:
            if fresh or not self._token:
                self._token = self.ask_token()
            return {"Authorization": f"Bearer {self._token}"}

    def exchange(self, path: str, name: str, **content: Any) -> str:
        """Trade the credentials of the contract for the token called `name` in the answer; raises like `exchange`."""
        return exchange(self.context, path, name, **content)


def exchange(context: Context, path: str, name: str, **content: Any) -> str:
    """Trade the credentials of a contract for the token called `name` in the answer; `path` may be a whole address.

    Raises:
        AuthFailed: the credentials were refused.
        Unavailable: anything else; what the token was wanted for has not been sent, so it is never a doubt.
    """
    try:
        url = path if path.startswith(("https://", "http://")) else context.base_url + path
        answer = context.http.request("POST", url, **content)
    except UnknownOutcome as error:
        raise Unavailable(f"sign-in: {error.detail}") from error
    if answer.status in {400, 401, 403}:
        raise AuthFailed(f"sign-in refused with status {answer.status}")
    if answer.status not in {200, 201}:
        raise Unavailable(f"sign-in: {answer.summary}", retry_after_s=answer.retry_after_s)
    try:
        return str(answer.json()[name])
    except (ContractBroken, KeyError, TypeError) as error:
        raise Unavailable(f"sign-in: no {name} in the answer ({answer.summary})") from error
