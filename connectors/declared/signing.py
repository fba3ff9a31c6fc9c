"""How a declared merchant's requests are signed in; secrets are named in the manifest and never stand in it."""

from __future__ import annotations

import base64
import threading

from connectors.contract import Context
from connectors.manifest import Auth
from connectors.merchants.tokens import exchange


class Signer:
    """The credentials of one merchant; safe to use from several threads."""

    def __init__(self, auth: Auth, context: Context) -> None:
        self._auth, self._context = auth, context
        self._secrets = [context.secrets[name] for name in auth.secrets]
        self._lock = threading.Lock()
        self._token = ""

    def headers(self, *, fresh: bool = False) -> dict[str, str]:
        """The headers that sign a request in; `fresh` asks for a new token after a refusal.

        Raises:
            AuthFailed: the credentials were refused.
            Unavailable: the sign-in does not answer; what it was wanted for has not been sent.
        """
        auth = self._auth
        if auth.kind in {"none", "query"}:
            return {}
        if auth.kind == "basic":
            pair = ":".join(self._secrets)
            return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}
        value = self._secrets[0] if auth.kind == "header" else self._current(fresh=fresh)
        return {auth.header or "Authorization": auth.prefix + value}

    def query(self) -> dict[str, str]:
        """The parameter that signs a request in, where a merchant wants it there."""
        return {self._auth.parameter: self._secrets[0]} if self._auth.kind == "query" else {}

    def _current(self, *, fresh: bool) -> str:
        with self._lock:
            if fresh or not self._token:
                self._token = self._ask()
            return self._token

    def _ask(self) -> str:
        given = dict(zip(self._auth.secrets, self._secrets, strict=True))
        if self._auth.kind == "login_token":
            return exchange(self._context, self._auth.path, self._auth.token, json=given)
        # Client credentials, RFC 6749, section 4.4.
        form = {"grant_type": "client_credentials", **given}
        return exchange(self._context, self._auth.path, self._auth.token, form=form)
