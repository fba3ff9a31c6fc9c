"""Record fixtures from a merchant that runs: the story is asked of it once, and written down without secrets and people."""

from __future__ import annotations

import io
import json
import re
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import parse_qsl, quote, quote_plus, urlsplit

from connectors.contract import Context, Document, Done, MerchantConnector, Pending, Quote, Rejected
from connectors.http import Answer, Download, GuardedClient, Network, Timeouts
from connectors.kit.stage import Said, attempt, quoted
from connectors.kit.story import ANYTHING, Purchase, Story
from connectors.kit.tour import SINCE, look_up
from connectors.kit.uploads import StoryUploads
from connectors.merchants.registry import read_connector
from connectors.merchants.trust import Trust

INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?")
MAIL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+")
PHONE = re.compile(r"(?<![\w.-])(?:\+33|0)[1-9](?:[ .]?\d\d){4}(?![\w-])")
LEAST_TOKEN, LEAST_SECRET = 12, 6
MOST_TURNS = 60
ENDINGS = {"application/pdf": ".pdf", "application/json": ".json"}


class RecordingClient(GuardedClient):
    """The product's own client, which hands every exchange to a recorder."""

    told: Callable[[str, str, Mapping[str, Any], Answer], None] = staticmethod(lambda *_facts: None)

    def request(self, method: str, url: str, **content: Any) -> Answer:
        """One exchange, written down."""
        answer = super().request(method, url, **content)
        self.told(method, url, content, answer)
        return answer

    def download(
        self, url: str, into: BinaryIO, *, headers: Mapping[str, str] | None = None, json: Any = None
    ) -> Download:
        """A document, written down."""
        kept = io.BytesIO()
        download = super().download(url, kept, headers=headers, json=json)
        into.write(kept.getvalue())
        self.told(
            "GET" if json is None else "POST",
            url,
            {"json": json},
            Answer(200, {"content-type": download.media_type}, kept.getvalue()),
        )
        return download


@dataclass
class Recorder:
    """What was exchanged, by step; `cleaned` makes it what stands in a file."""

    folder: Path
    base_url: str
    secrets: Mapping[str, str]
    hidden: str = ""
    step: str = ""
    names: dict[str, str] = field(default_factory=dict)
    """What stands for what: a key for `{key}`, a token for `{token}`."""
    kept: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def told(self, method: str, url: str, content: Mapping[str, Any], answer: Answer) -> None:
        """Keep one exchange under the step that is being made; a request that holds a secret in its body signs in."""
        files = {name: each.filename for name, each in (content.get("files") or {}).items()}
        body = {**(content.get("form") or {}), **files} if files else content.get("json") or content.get("form")
        sent = json.dumps(body, default=str, ensure_ascii=False).replace('\\"', '"').replace("\\\\", "\\")
        step = "sign-in" if any(secret in sent for secret in self.secrets.values()) else self.step
        if answer.status in {401, 403}:
            return
        made = {"request": self._request(method, url, content, body), "answer": self._answer(step, answer)}
        known = self.kept.setdefault(step, [])
        again = [index for index, each in enumerate(known) if each["request"] == made["request"]]
        if again and step == "status":
            # Of an order that is asked for again and again, how it ended.
            known[again[0]] = made
        elif not again:
            known.append(made)

    def write(self) -> list[Path]:
        """Write every step's file; what was written."""
        self.folder.mkdir(parents=True, exist_ok=True)
        written = []
        for step, exchanges in self.kept.items():
            path = self.folder / f"{step}.json"
            content: Any = exchanges[0] if len(exchanges) == 1 else exchanges
            path.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
            written.append(path)
        return written

    def _request(self, method: str, url: str, content: Mapping[str, Any], body: Any) -> dict[str, Any]:
        parts = urlsplit(url.removeprefix(self.base_url))
        query = dict(parse_qsl(parts.query)) | {
            name: str(value) for name, value in (content.get("params") or {}).items()
        }
        query.pop(self.hidden, None)
        headers = {
            name: self.cleaned(value)
            for name, value in (content.get("headers") or {}).items()
            if any(known in value for known, stands in self.names.items() if stands != "{token}")
        }
        made: dict[str, Any] = {"method": method, "path": self.cleaned(parts.path)}
        made |= {"query": self.cleaned(query)} if query else {}
        made |= {"headers": headers} if headers else {}
        made |= {"body": self.cleaned(body)} if body is not None else {}
        return {name: _any_day(part) for name, part in made.items()}

    def _answer(self, step: str, answer: Answer) -> dict[str, Any]:
        made: dict[str, Any] = {"status": answer.status} if answer.status != 200 else {}
        try:
            content = json.loads(answer.body)
        except ValueError:
            media_type = answer.headers.get("content-type", "")
            if media_type.startswith("text/plain"):
                return made | {"text": self.cleaned(answer.body.decode("utf-8", "replace"))}
            name = f"{step}-{len(self.kept.get(step, []))}{ENDINGS.get(media_type, '.bin')}"
            self.folder.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_bytes(self._cleaned_bytes(answer.body, media_type, step))
            return made | {"headers": {"Content-Type": media_type}, "file": name}
        if step == "sign-in":
            self.names |= {text: "{token}" for text in _texts(content) if len(text) >= LEAST_TOKEN}
        return made | {"json": self.cleaned(content)}

    def cleaned(self, content: Any) -> Any:
        """What may stand in a file: no secret, no person, no time that passes, no address of today."""
        if isinstance(content, Mapping):
            return {self.cleaned(name): self.cleaned(part) for name, part in content.items()}
        if isinstance(content, list):
            return [self.cleaned(part) for part in content]
        if not isinstance(content, str):
            return content
        for secret in self._told_as():
            content = content.replace(secret, ANYTHING)
        for known, stands in sorted(self.names.items(), key=lambda name: -len(name[0])):
            content = content.replace(known, stands)
        content = content.replace(self.base_url, "{base}")
        content = INSTANT.sub(_stands_for, content) if INSTANT.fullmatch(content) else content
        return PHONE.sub(self._unless_typed("+33199000000"), MAIL.sub("personne@exemple.fr", content))

    def _cleaned_bytes(self, body: bytes, media_type: str, step: str) -> bytes:
        """A body that is no JSON: of a page or a text nobody stays in it, of any other our secrets alone can be told apart."""
        if step != "document" and re.search(r"^text/|xml|html|script", media_type):
            with suppress(UnicodeDecodeError):
                return str(self.cleaned(body.decode())).encode()
        for secret in self._told_as():
            # What is shorter stands in any document by chance.
            body = body.replace(secret.encode(), ANYTHING.encode()) if len(secret) >= LEAST_SECRET else body
        return body

    def _told_as(self) -> list[str]:
        """Our secrets in every form in which a merchant may repeat them, the longest first."""
        plain = [secret for secret in self.secrets.values() if secret]
        pairs = [f"{one}:{other}" for one in plain for other in plain if one != other]
        coded = [b64encode(each.encode()).decode() for each in (*pairs, *plain)]
        forms = [
            form for each in plain for form in (each, quote(each, safe=""), quote_plus(each), json.dumps(each)[1:-1])
        ]
        return sorted({*coded, *forms}, key=len, reverse=True)

    def _unless_typed(self, other: str) -> Callable[[re.Match[str]], str]:
        return lambda found: found[0] if found[0] in self.names.values() else other


@contextmanager
def recording(
    name: str, folder: Path, base_url: str, secrets: Mapping[str, str], network: Network = Network(), trust: Trust = ""
) -> Iterator[tuple[MerchantConnector, Recorder]]:
    """A block in which a connector speaks to its merchant and all is written down for `folder`. Raises `ConnectorBroken`."""
    manifest, made = read_connector(name, trust=trust)
    base = (base_url or manifest.network.base_url).rstrip("/")
    hosts = [urlsplit(base).netloc] if base_url else manifest.network.hosts
    http = RecordingClient(hosts, network, Timeouts(**manifest.network.timeout), manifest.network.max_body)
    hidden = manifest.auth.parameter if manifest.auth.kind == "query" else ""
    recorder = Recorder(folder, base, secrets, hidden)
    http.told = recorder.told
    try:
        yield (
            made(Context(name, base, dict(secrets), http, manifest.model_dump(by_alias=True), StoryUploads(folder))),
            recorder,
        )
    finally:
        http.close()


def record(connector: MerchantConnector, recorder: Recorder, story: Story, key: str, po_number: str) -> Quote:
    """Ask the whole story of a merchant, which will take its orders as real ones; the recorder then holds it. The quote of `[buy]`.

    Args:
        key: begins every key; never used before at this merchant.

    Raises:
        ConnectorError: the merchant did not answer what a story needs.
    """
    typed = [
        each
        for purchase in (story.buy, story.refuse, story.slow, story.nothing, *story.also)
        if purchase
        for each in purchase.inputs.values()
    ]
    recorder.names |= {each: each for each in typed if PHONE.fullmatch(each)}
    recorder.names[po_number] = "{po}"
    manifest = connector.context.manifest
    written = bool(manifest.get("list", {}).get("offers"))
    if written and manifest.get("check"):
        recorder.step = "check"
        connector.check()
    recorder.step = "list"
    list(connector.list_offers())
    if story.suggest:
        recorder.step = "suggest"
        connector.suggest(story.suggest.offer, story.suggest.input, story.suggest.text)
    bought = _buy(connector, recorder, story.buy, "", key, po_number)
    for suffix, purchase in (("-nothing", story.nothing), ("-slow", story.slow)):
        if purchase:
            _buy(connector, recorder, purchase, suffix, f"{key}{suffix}", po_number)
    for number, purchase in enumerate(story.also, start=1):
        _buy(connector, recorder, purchase, "", f"{key}-also-{number}", po_number, looks_back=False)
    if story.refuse:
        recorder.step = "quote"
        said = attempt(lambda: quoted(connector, story.refuse))  # type: ignore[arg-type]
        if said.error and not isinstance(said.error, Rejected):
            raise said.error
    recorder.step = "orders"
    attempt(lambda: list(connector.list_orders(SINCE)))
    for exchange in recorder.kept.get("orders", []):
        exchange["request"]["query"] = dict.fromkeys(exchange["request"].get("query", {}), ANYTHING)
    return bought


def _buy(
    connector: MerchantConnector, recorder: Recorder, purchase: Purchase, suffix: str, key: str, po_number: str,
    *, looks_back: bool = True,
) -> Quote:  # fmt: skip
    recorder.names = {key: "{key}", **recorder.names}
    recorder.step = "quote"
    quote = quoted(connector, purchase)
    looks_back = looks_back and not suffix and connector.context.manifest["capabilities"]["lookup_by_key"]
    if looks_back:
        recorder.step = "lookup-none"
        attempt(lambda: look_up(connector, key, quote))
    recorder.step = f"fulfil{suffix}"
    said = Said(connector.fulfil(quote, key, po_number, quote.gross_cents))
    if looks_back:
        _look_back(connector, recorder, key, quote)
    for turn in range(MOST_TURNS):
        if not isinstance(said.value, Pending):
            break
        recorder.step = "status" if turn else "status-pending"
        time.sleep(said.value.after_s if turn else 0)
        said = Said(connector.status(said.value.order_ref))
    if isinstance(said.value, Done) and isinstance(said.value.delivery, Document):
        recorder.step = "document"
        connector.fetch(said.value.delivery, io.BytesIO())
    return quote


def _look_back(connector: MerchantConnector, recorder: Recorder, key: str, quote: Quote) -> None:
    recorder.step = "lookup"
    attempt(lambda: look_up(connector, key, quote))


def _stands_for(found: re.Match[str]) -> str:
    at = datetime.fromisoformat(found[0])
    left = (at if at.tzinfo else at.replace(tzinfo=UTC)) - datetime.now(UTC)
    if left > timedelta(days=1):
        return "{later}" if left <= timedelta(days=30) else "{far}"
    return "{soon}" if left > timedelta(0) else "{now}" if left > timedelta(hours=-1) else found[0]


def _any_day(content: Any) -> Any:
    """A request of today as it may come on any other day."""
    if isinstance(content, Mapping):
        return {name: _any_day(part) for name, part in content.items()}
    if isinstance(content, list):
        return [_any_day(part) for part in content]
    return ANYTHING if content == datetime.now(UTC).date().isoformat() else content


def _texts(content: Any) -> list[str]:
    if isinstance(content, Mapping):
        return [text for part in content.values() for text in _texts(part)]
    return [content] if isinstance(content, str) else []
