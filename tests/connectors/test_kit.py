"""The connector kit: what is shipped and what `new` makes pass it; each of many breaks is found, and named."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from connectors.kit import CHECKS, checks, gold, prove
from connectors.kit.quiet import no_network
from connectors.kit.skeleton import CannotMake, make_skeleton
from connectors.kit.tiers import remember, tier_of
from demo.merchants import MerchantsServer
from tests.connectors.kit_breaks import Break, code, edit, failed
from tests.connectors.kit_recording import SECRETS, SHIPPED, record_shipped
from tests.connectors.test_kit_authors import MISTAKES

SHIPPED_FOLDER = Path(__file__).parents[2] / "connectors" / "merchants"


@pytest.fixture
def made(tmp_path, monkeypatch):
    """What `new` makes; its long list is as long as a test is patient."""
    monkeypatch.setattr(gold, "MANY", 3_000)
    return make_skeleton("essai", tmp_path)


def test_what_new_makes_is_gold_and_says_why_it_leaves_out_what_it_does(made):
    report = prove(made)
    assert failed(report) == {}
    assert report.tier == "gold"
    skipped = {result.check.id: result.why["en"] for result in report.results if result.outcome == "skipped"}
    assert set(skipped) == {
        "code.stays_inside", "file.sent_whole", "offers.delta", "sign_in.again", "suggest.read", "orders.read", "kinds.bought",
    }  # fmt: skip
    assert all(len(why.split()) > 3 for why in skipped.values())


def leak(folder: Path) -> None:
    """A key of the contract in a fixture, as careless recording leaves it."""
    edit("fixtures/list.json", ('"path": "/products"', '"path": "/products", "headers": {"Authorization": "Bearer 8f3kd93kd02kd93kd"}'))(folder)  # fmt: skip


BREAKS: list[tuple[str, str, Break, str]] = [
    ("manifest.valid", "do you mean capabilities", edit("connector.toml", ("[capabilities]", "[capabilites]")), "bronze"),
    ("manifest.identity", "not that of SIREN", edit("connector.toml", ("FR44732829320", "FR10432663714")), "bronze"),
    ("manifest.terms", "terms_url", edit("connector.toml", ('terms_url = "https', 'terms_url = "http')), "bronze"),
    ("manifest.intangible", "intangible_only", edit("connector.toml", ("intangible_only = true", "intangible_only = false")), "bronze"),
    ("folder.no_secrets", "fixtures/list.json:2", leak, "bronze"),
    ("folder.no_secrets", "connector.py", code("KEY = 1\napi_key = 'k9-Zt4mQ81xvW'"), "bronze"),
    ("code.stays_inside", "urllib.request", code("pass", "import urllib.request\n"), "bronze"),
    ("fixtures.complete", "fulfil.json", lambda folder: (folder / "fixtures/fulfil.json").unlink(), "bronze"),
    ("fixtures.complete", "may not be skipped", edit("fixtures/story.toml", ("# [skip]\n# \"price.changed\"", "[skip]\n\"fulfil.same_key\"")), "bronze"),
    ("offers.valid", "≠", edit("connector.toml", ('gross = "price", vat_rate = "vat"}\n\n[quote]', 'gross = "price", net = "price", vat_rate = "vat"}\n\n[quote]')), "bronze"),
    ("offers.valid", "markup", edit("fixtures/list.json", ('"fr": "Pluie"', '"fr": "<b>Pluie</b>"')), "bronze"),
    ("offers.valid", "needs the term it is paid for", edit("connector.toml", ('gross = "price", vat_rate = "vat"}\n\n[quote]', 'gross = "price", vat_rate = "vat", pricing = "=subscription"}\n\n[quote]')), "bronze"),
    ("offers.unique", "rain is listed twice", edit("fixtures/list.json", ('"sku": "storm"', '"sku": "rain"')), "bronze"),
    ("offers.stable", "differs", code("turn = 0\ndef _offer(self, item):\n    self.turn += 1\n    made = super()._offer(item)\n    return Offer(**{**vars(made), 'keywords': str(self.turn)})"), "bronze"),
    ("offers.delta", "has no end", code("def list_offers(self, state=''):\n    yield from super().list_offers()\n    yield State('c1')"), "bronze"),
    ("inputs.valid", "pattern", edit("connector.toml", ("minimum = 2", 'pattern = ".*"')), "bronze"),
    ("inputs.refused", "instead of a refusal", edit("connector.toml", ('errors = {422 = "rejected"}\n\n[refusal]', "\n[refusal]")), "bronze"),
    ("quote.adds_up", "does not add up", edit("connector.toml", ('map = {ref = "offer_ref", gross', 'map = {ref = "offer_ref", net = "price", gross')), "bronze"),
    ("quote.adds_up", "expires_at", edit("fixtures/quote.json", ("{soon}", "2025-01-01T00:00:00Z")), "bronze"),
    ("fulfil.done", "instead of Done", edit("connector.toml", ('ready = "done"', 'done = "done"')), "bronze"),
    ("fulfil.done", "confirmed were 360", edit("fixtures/fulfil.json", ('"total": 360', '"total": 370')), "bronze"),
    ("fulfil.key_sent", "does not leave", edit("connector.toml", ('po = "{po}"', 'po = "G"')), "bronze"),
    ("fulfil.same_key", "not the same", code("turn = 0\ndef fulfil(self, quote, key, po_number, most):\n    self.turn += 1\n    return super().fulfil(quote, f'{key}-{self.turn}', po_number, most)"), "bronze"),
    ("fulfil.same_key", "a key that is taken", edit("connector.toml", ('errors = {409 = "price_changed:quote", ', 'errors = {409 = "wait", ')), "bronze"),
    ("fulfil.key_sent", "body.most: 460, not 360", code("def fulfil(self, quote, key, po_number, most):\n    return super().fulfil(quote, key, po_number, most + 100)"), "bronze"),
    ("document.fetched", "announced", edit("fixtures/document.json", ("%PDF-1.7", "<html>")), "bronze"),
    ("nothing.done", "instead of NotDone", edit("connector.toml", ('none = "not_done"', 'non = "not_done"')), "bronze"),
    ("hosts.listed", "elsewhere.example", code("def check(self):\n    self.context.http.request('GET', 'https://elsewhere.example/')"), "bronze"),
    ("hosts.listed", "10.1.2.3", code("def check(self):\n    import socket\n    socket.create_connection(('10.1.2.3', 80), 1)"), "bronze"),
    ("secrets.kept", "in the logs", code("def quote(self, *asked):\n    import logging\n    logging.getLogger('x').debug('%s', self.signer.headers())\n    return super().quote(*asked)"), "bronze"),
    ("secrets.kept", "in an error", code("def lookup(self, key):\n    raise Unavailable(f'no answer with {self.context.secrets}')"), "bronze"),
    ("lookup.after_drop", "after the cut", code("def fulfil(self, *asked):\n    try:\n        return super().fulfil(*asked)\n    except UnknownOutcome:\n        return NotDone('lost')"), "silver"),
    ("lookup.after_drop", "sent 2 times", code("def fulfil(self, *asked):\n    try:\n        return super().fulfil(*asked)\n    except UnknownOutcome:\n        return super().fulfil(*asked)"), "silver"),
    ("lookup.not_found", "instead of NotFound", edit("connector.toml", ('errors = {404 = "not_found"}', "")), "silver"),
    ("lookup.own_order", "the order of another key", edit("connector.toml", ('key = "key" ', "# ")), "silver"),
    ("status.pending_to_done", "what came is", code("def status(self, ref):\n    return Pending(ref, 5)"), "silver"),
    ("fault.credentials", "credentials refused", code("def quote(self, *asked):\n    try:\n        return super().quote(*asked)\n    except AuthFailed:\n        raise Rejected('no', words={'fr': 'Non.'})"), "silver"),
    ("fault.asked_to_wait", "Retry-After: 7", code("def suggest(self, *asked):\n    return []\ndef list_offers(self, state=''):\n    try:\n        yield from super().list_offers()\n    except Unavailable:\n        raise Unavailable('later')"), "silver"),
    ("fault.garbage", "unreadable answer", code("def lookup(self, key):\n    try:\n        return super().lookup(key)\n    except ContractBroken:\n        return NotFound()"), "silver"),
    ("fault.server_error", "an error after it acted", code("def fulfil(self, *asked):\n    said = super().fulfil(*asked)\n    if isinstance(said, Unknown):\n        raise Unavailable(said.detail)\n    return said"), "silver"),
    ("limits.time", "silence", code("def fulfil(self, *asked):\n    try:\n        return super().fulfil(*asked)\n    except UnknownOutcome:\n        raise Unavailable('no answer')"), "silver"),
    ("limits.body", "endless", code("def list_offers(self, state=''):\n    try:\n        yield from super().list_offers()\n    except UnknownOutcome:\n        return"), "silver"),
    ("price.changed", "new quote", edit("connector.toml", ('{409 = "price_changed:quote", 422', "{422")), "silver"),
    ("redirect.credentials", "left for another host", code("def fetch(self, document, into):\n    return self.context.http.download(document.url, into, headers=self.signer.headers())"), "silver"),
    ("redirect.credentials", "POST /orders", code("def _signed(self, method, url, headers, content):\n    answer = super()._signed(method, url, headers, content)\n    if method == 'GET' or url.endswith('price') or 'location' not in answer.headers:\n        return answer\n    return self.context.http.request(method, answer.headers['location'], headers=self.signer.headers())"), "silver"),
    ("offers.many", "0 offers", code("def list_offers(self, state=''):\n    found = list(super().list_offers())\n    return iter(found if len(found) < 2_000 else [])"), "gold"),
    ("fault.every", "something else", code("def quote(self, *asked):\n    try:\n        return super().quote(*asked)\n    except ContractBroken as error:\n        if 'nothing at' in error.detail:\n            raise Rejected('?')\n        raise"), "gold"),
    ("words.both", "rain.title", edit("connector.toml", ('title = {fr = "name.fr", en = "name.en"}', 'title = "name.fr"')), "gold"),
    ("physical.refused", "quote: Quote", code("def quote(self, *asked):\n    try:\n        return super().quote(*asked)\n    except Physical:\n        return Quote('q', 300, 2000, 60, 360, 'EUR', datetime.now(UTC) + timedelta(minutes=9))", "from datetime import UTC, timedelta\n"), "silver"),
    ("physical.refused", "fulfil: Unknown", code("def fulfil(self, *asked):\n    found = super().fulfil(*asked)\n    return Unknown('?') if isinstance(found, Unknown) and found.cause else found"), "silver"),
    ("readme.whole", "api_key", edit("README.md", ("api_key", "key")), "gold"),
]  # fmt: skip


@pytest.mark.parametrize(("ident", "named", "broken", "tier"), BREAKS, ids=[f"{each[0]}-{each[1]}" for each in BREAKS])
def test_each_break_is_found_and_named(ident, named, broken, tier, made):
    broken(made)
    report = prove(made, up_to=tier)
    assert ident in failed(report), failed(report)
    assert named in failed(report)[ident]
    below = {"bronze": "", "silver": "bronze", "gold": "silver"}
    assert report.tier == below[tier] or any(result.check.tier == "bronze" for result in report.failed)
    result = next(each for each in report.results if each.check.id == ident)
    assert result.why["fr"]
    assert result.remedy["fr"]
    assert result.remedy["en"]
    assert not any("canary-" in text for each in report.results for text in (*each.exchanges, *each.why.values()))


def test_a_check_ends_and_so_does_what_it_asks(made, monkeypatch):
    monkeypatch.setattr(checks, "LONGEST_S", 2.5)
    code("def check(self):\n    import time\n    time.sleep(60)")(made)
    report = prove(made)
    assert failed(report) == {"hosts.listed": "not ended after 2.5 s"}
    assert report.results[-1].why["en"] == "an earlier check did not end"
    assert report.tier == ""


def test_orders_that_are_found_by_their_quote(made):
    code("def lookup(self, key):\n    return NotFound()\ndef lookup_sent(self, quote, key):\n    return super().lookup(key)")(made)  # fmt: skip
    assert failed(prove(made, up_to="silver")) == {}


def with_tokens(folder: Path) -> None:
    """The same merchant, signed in with a token."""
    edit("connector.toml", ('kind = "header"', 'kind = "login_token"\npath = "/sign-in"\ntoken = "token"\nprefix = "Bearer "'), ('"X-Api-Key"', '"Authorization"'))(folder)  # fmt: skip
    exchange = {"request": {"method": "POST", "path": "/sign-in", "body": {"api_key": "{any}"}}, "answer": {"json": {"token": "{token}"}}}  # fmt: skip
    (folder / "fixtures/sign-in.json").write_text(json.dumps(exchange), encoding="utf-8")


def test_an_expired_token_is_asked_for_again(made):
    with_tokens(made)
    assert failed(prove(made)) == {}
    code("def _signed(self, method, url, headers, content):\n    return self.context.http.request(method, url, headers={**self.signer.headers(), **headers}, **content)")(made)  # fmt: skip
    assert set(failed(prove(made))) == {"sign_in.again"}


def test_a_file_that_does_not_leave_whole_is_found(tmp_path):
    folder = shutil.copytree(SHIPPED_FOLDER / "recommande", tmp_path / "recommande")
    assert failed(prove(folder, up_to="bronze")) == {}
    edit("connector.toml", ('files = {letter = "{input.letter}"}\n', ""))(folder)
    edit("fixtures/fulfil.json", (',\n      "letter": "lettre.pdf"', ""))(folder)
    assert failed(prove(folder, up_to="bronze"))["file.sent_whole"] == "lettre.pdf did not leave as it is"


def test_a_story_gives_a_file_that_its_input_takes(tmp_path):
    folder = shutil.copytree(SHIPPED_FOLDER / "recommande", tmp_path / "recommande")
    edit("fixtures/story.toml", ('letter = "lettre.pdf"', 'letter = "lettre.txt"'))(folder)
    (folder / "fixtures/lettre.txt").write_text("Bonjour", encoding="utf-8")
    assert "no file that letter accepts" in failed(prove(folder, up_to="bronze"))["inputs.valid"]


def test_every_check_has_a_break():
    assert {each.id for each in CHECKS} == {each[0] for each in BREAKS} | {each[1] for each in MISTAKES} | {
        "sign_in.again",
        "file.sent_whole",
    }


@pytest.mark.parametrize(
    ("paging", "pages"),
    [
        ('{kind = "cursor", in = "after", out = "next"}', [({}, "c1"), ({"after": "c1"}, None)]),
        ('{kind = "page", in = "p"}', [({"p": "1"}, None), ({"p": "2"}, None), ({"p": "3"}, None)]),
        ('{kind = "link", out = "next"}', [({}, "{base}/products?after=c1"), ({"after": "c1"}, None)]),
    ],
)
def test_lists_of_many_pages_are_made_longer(paging, pages, made):
    listed = json.loads((made / "fixtures/list.json").read_text(encoding="utf-8"))
    offers = listed["answer"]["json"]["data"]
    exchanges = [
        {"request": {"path": "/products", "query": query}, "answer": {"json": {"data": offers[index : index + 1], "next": further}}}
        for index, (query, further) in enumerate(pages)
    ]  # fmt: skip
    (made / "fixtures/list.json").write_text(json.dumps(exchanges), encoding="utf-8")
    edit("connector.toml", ('items = "data"', f'items = "data"\npaging = {paging}'))(made)
    assert failed(prove(made)) == {}


def test_nothing_leaves_this_machine():
    import socket

    with no_network() as tried, pytest.raises(ConnectionRefusedError, match="no network"):
        socket.create_connection(("192.0.2.1", 443), 1)
    assert tried == ["192.0.2.1"]


def test_a_skip_has_a_reason_and_a_tier_is_reached_all_the_same(made):
    (made / "fixtures/fulfil-changed.json").unlink()
    assert failed(prove(made))["price.changed"] == "there is no fulfil-changed.json"
    edit("fixtures/story.toml", ('# [skip]\n# "price.changed"', '[skip]\n"price.changed"'))(made)
    report = prove(made, up_to="silver")
    assert report.tier == "silver"
    skipped = {each.check.id: each.why for each in report.results if each.outcome == "skipped"}
    assert skipped["price.changed"]["fr"] == "the merchant keeps its prices for a whole year"
    edit("fixtures/story.toml", ("the merchant keeps its prices for a whole year", "later"))(made)
    assert "without a real reason" in failed(prove(made, up_to="bronze"))["fixtures.complete"]


def test_a_connector_without_fixtures_is_told_so_and_nothing_else(made):
    shutil.rmtree(made / "fixtures")
    report = prove(made)
    assert set(failed(report)) == {"fixtures.complete"}
    assert report.tier == ""


def test_what_no_fixture_answers_is_said_with_what_was_nearest(made):
    edit("fixtures/quote.json", ('"body": {"town": "Brest"}', '"body": {"city": "Brest"}'))(made)
    assert "quote.json: body.city: missing" in failed(prove(made, up_to="bronze"))["quote.adds_up"]


@pytest.mark.parametrize("name", sorted(SECRETS))
def test_what_is_recorded_from_a_merchant_proves_its_connector(name, tmp_path, monkeypatch):
    """The fixtures that are shipped were made so; they hold no secret, no token and no address."""
    monkeypatch.setattr(gold, "MANY", 3_000)
    folder = tmp_path / name
    shutil.copytree(SHIPPED / name, folder, ignore=shutil.ignore_patterns("*.json", "*.pdf", "__pycache__"))
    server = MerchantsServer(report_seconds=1.5)
    server.start()
    record_shipped(name, server, folder / "fixtures")
    server.stop()
    report = prove(folder)
    assert failed(report) == {}
    assert report.tier == "gold"
    shipped = SHIPPED / name / "fixtures"
    assert {path.name for path in shipped.iterdir()} == {path.name for path in (folder / "fixtures").iterdir()}
    for path in [*shipped.iterdir(), *(folder / "fixtures").iterdir()]:
        text = path.read_bytes().decode("utf-8", "replace")
        assert not [secret for secret in SECRETS[name].values() if f'"{secret}"' in text], path
        assert server.url not in text
        assert not [token for token in server.tokens.values() if token in text]


def test_a_name_that_is_none_or_taken_makes_nothing(tmp_path):
    make_skeleton("essai", tmp_path)
    for name, fault in (("essai", "there"), ("registre", "there"), ("Essai", "name"), ("../essai", "name")):
        with pytest.raises(CannotMake, match=fault):
            make_skeleton(name, tmp_path)


def test_a_tier_is_remembered_until_anything_changes(made, tmp_path):
    assert tier_of(tmp_path, "essai", made) is None
    remember(tmp_path, "essai", made, "gold")
    remember(tmp_path, "other", made, "")
    assert (tier_of(tmp_path, "essai", made), tier_of(tmp_path, "other", made)) == ("gold", "")
    edit("README.md", ("sandbox", "sand box"))(made)
    assert tier_of(tmp_path, "essai", made) is None
    (tmp_path / "connectors.json").write_text("[", encoding="utf-8")
    assert tier_of(tmp_path, "essai", made) is None


def test_pytest_takes_it_as_a_plugin_in_one_line(made):
    edit("README.md", ("api_key", "key"))(made)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "connectors.kit.plugin",
        "-p",
        "no:cacheprovider",
        "-q",
        "-rs",
        str(made.parent),
    ]
    done = subprocess.run(command, cwd=made.parent, env={**os.environ, "PYTHONPATH": str(SHIPPED.parent.parent)}, capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert "1 failed, 38 passed, 7 skipped" in done.stdout
    assert "README.md lacks api_key" in done.stdout
    assert "the connector lists everything each time" in done.stdout
