"""OAuth2 client credentials (RFC 6749, section 4.4): one token, renewed before it ends.

The exchange goes through the guarded client, so that the host list, the proxy and the time limits
hold for it too; authlib's own clients would open connections of their own.
"""

from __future__ import annotations

import base64
import threading
import time
from urllib.parse import quote

from pydantic import BaseModel, Field, ValidationError

from connectors.contract import AuthFailed, ContractBroken, Unavailable, UnknownOutcome
from connectors.http import GuardedClient

MARGIN_S = 30
"""A token this close to its end is renewed first."""

UNSAID_S = 300
"""How long a token is taken to be good when its answer does not say."""


class TokenAnswer(BaseModel):
    """RFC 6749, section 5.1; `expires_in` is in seconds."""

    access_token: str = Field(min_length=1, pattern=r"^[\x20-\x7e]+$")
    token_type: str = Field(pattern=r"(?i)^bearer$")
    expires_in: float | None = Field(None, gt=0)


class Tokens:
    """The current access token of one client; safe to use from several threads."""

    def __init__(self, http: GuardedClient, token_url: str, client_id: str, client_secret: str, scope: str) -> None:
        self._http, self._url, self._scope = http, token_url, scope
        pair = f"{quote(client_id, safe='')}:{quote(client_secret, safe='')}"
        self._basic = base64.b64encode(pair.encode()).decode()
        self._lock = threading.Lock()
        self._token, self._ends = "", 0.0

    @property
    def is_configured(self) -> bool:
        """Whether there is an address to ask."""
        return bool(self._url)

    def current(self) -> str:
        """A token that is good for at least `MARGIN_S` seconds.

        Raises:
            AuthFailed: the credentials were refused.
            Unavailable: the token endpoint does not answer, or not as RFC 6749 says. What the token was
                wanted for has not been sent, so this is never a doubt about it.
        """
        with self._lock:
            if time.monotonic() >= self._ends - MARGIN_S:
                self._renew()
            return self._token

    def forget(self, token: str) -> None:
        """A token the operator refused is not used again."""
        with self._lock:
            if token == self._token:
                self._ends = 0.0

    def _renew(self) -> None:
        if not self._url:
            raise Unavailable("[operator] token_url is not set")
        headers = {"Authorization": f"Basic {self._basic}", "Accept": "application/json"}
        form = {"grant_type": "client_credentials", "scope": self._scope}
        try:
            answer = self._http.request("POST", self._url, form=form, headers=headers)
        except UnknownOutcome as error:
            raise Unavailable(f"the token endpoint: {error.detail}") from error
        if answer.status in {400, 401, 403}:
            raise AuthFailed(f"the token endpoint refused our credentials (status {answer.status})")
        if answer.status != 200:
            raise Unavailable(f"the token endpoint answered {answer.status}", retry_after_s=answer.retry_after_s)
        try:
            given = TokenAnswer.model_validate(answer.json())
        except (ContractBroken, ValidationError) as error:
            raise Unavailable(f"the token endpoint did not give a bearer token: {error}"[:300]) from error
        self._token, self._ends = given.access_token, time.monotonic() + (given.expires_in or UNSAID_S)
