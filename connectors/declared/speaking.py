"""How a described merchant is spoken to: requests filled in and signed, and the two places where code may step in."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

from connectors.contract import Context, MerchantConnector
from connectors.declared import templates
from connectors.declared.manifest import DeclaredManifest, Request
from connectors.declared.sending import body_of
from connectors.declared.signing import Signer
from connectors.http import Answer


class Speaker(MerchantConnector):
    """A merchant whose manifest says what is sent to it."""

    manifest_kind: ClassVar[type[DeclaredManifest]] = DeclaredManifest
    """What its manifest may say."""
    site_manifest: ClassVar[bool] = False
    """Whether a site may bring a manifest of its own, for what only its contract says."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.manifest = self.manifest_kind.model_validate(dict(context.manifest))
        self.signer = Signer(self.manifest.auth, context)

    def prepare(self, step: str, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """What the request of a step (`quote`, `fulfil` …) is filled in with, by the names that stand in its braces."""
        return values

    def read(self, step: str, content: Any, values: Mapping[str, Any]) -> Any:
        """An answer that went well, as the paths of the manifest are to find it; `values` filled in its request.

        Raises:
            ContractBroken: it is not what was asked for.
            Rejected: of a quote, when what was typed designates nothing.
        """
        return content

    def _send(
        self, step: str, asked: Request, given: Mapping[str, Any], more: Mapping[str, Any] | None = None
    ) -> Answer:
        """One request; a refusal of our credentials was not carried out, so it is repeated once with fresh ones."""
        values = self.prepare(step, {"today": datetime.now(UTC).date().isoformat(), **given})
        content = body_of(asked, values, self.context.uploads)
        query = {name: templates.in_text(value, values) for name, value in asked.query.items()}
        content["params"] = {**query, **(more or {}), **self.signer.query()} or None
        headers = {name: templates.in_header(value, values) for name, value in asked.headers.items()}
        url = self.context.base_url + templates.in_path(asked.path, values)
        return self._signed(asked.method, url, headers, content)

    def _signed(self, method: str, url: str, headers: Mapping[str, str], content: dict[str, Any]) -> Answer:
        for fresh in (False, True):
            signed = {"Accept": "application/json", **self.signer.headers(fresh=fresh), **headers}
            answer = self.context.http.request(method, url, headers=signed, **content)
            if answer.status != 401:
                return answer
        return answer
