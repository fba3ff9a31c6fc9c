"""The demonstration's digital bookshop on a real socket: OPDS 2.0, Authentication for OPDS 1.0, and buying by reference.

What was agreed with it: a GET of a buy link under a reference sells once, whatever is repeated; a refusal under a
reference is final; the bookshelf says which reference bought what, and for how much. Its faults are those of a
careless publisher, who breaks no promise: `twice`, `other_price` and `other_book` do.
"""

from __future__ import annotations

import base64
import json
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from flask import Flask, Response, jsonify, request
from flask.typing import ResponseReturnValue

from demo import opds_feeds
from demo.opds_feeds import COVER, DOCUMENT, FEED, MEDIA, PUBLICATION, SHELVES, Sold, file_of
from demo.opds_goods import BOOKS, CLIENT_ID, CLIENT_SECRET, Book
from demo.sockets import LoopbackServer, cut_connection

FAULTS = (
    "down", "garbage", "strange", "endless", "loop", "foreign", "doubled", "junk", "object", "whole", "no_shelf", "wrong_self",
    "busy", "error500_before", "error500_after", "cut_before", "cut_after", "hang", "expire", "page", "gone", "payment",
    "dearer", "making", "slow_shelf", "shelf_down", "redirect", "empty", "cropped", "twice", "other_price", "other_book", "paper_shelf",
)  # fmt: skip
Check = Callable[[str, Any], str]
"""Says what is wrong with a content by the name of its schema, "" when nothing is."""


@dataclass
class Library:
    """The bookshop. `check` judges what it answers (`breaches`); `flow` is how it is signed in to.

    `percent` of its prices is what everything costs now; `elsewhere` is another host that faults lead to. What hangs goes on
    when it is `released`, half a minute later at most.
    """

    check: Check = lambda _name, _content: ""
    flow: str = "oauth2_client"
    port: int = 0
    size: int = 10
    released: threading.Event = field(default_factory=threading.Event)
    books: dict[str, Book] = field(default_factory=lambda: dict(BOOKS))
    seen: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    breaches: list[str] = field(default_factory=list)
    book: list[Sold] = field(default_factory=list)
    refused: dict[str, int] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=set)
    fault: str = ""
    percent: int = 100
    elsewhere: str = ""
    lock: threading.RLock = field(default_factory=threading.RLock)
    server: LoopbackServer = field(init=False)

    def __post_init__(self) -> None:
        self.server = LoopbackServer(_application(self), port=self.port)

    @property
    def url(self) -> str:
        """The address of its site."""
        return self.server.url

    def start(self) -> None:
        """Serve in a thread."""
        self.server.start()

    def stop(self) -> None:
        """End the server."""
        self.released.set()
        self.server.stop()

    def break_(self, name: str) -> None:
        """Misbehave until told otherwise; "" mends it."""
        if name and name not in FAULTS:
            raise ValueError(name)
        self.fault = name

    def asked(self, part: str) -> list[dict[str, str]]:
        """The headers of every request for a path that begins so."""
        return [headers for _method, path, headers in self.seen if path.startswith(part)]


def _application(library: Library) -> Flask:
    app = Flask("demo-opds")

    @app.before_request
    def receive() -> ResponseReturnValue | None:
        with library.lock:
            library.seen.append((request.method, request.full_path.rstrip("?"), dict(request.headers)))
        if library.fault == "down":
            return Response("Maintenance", 503)
        return None

    @app.get("/opds/catalogue")
    def start() -> ResponseReturnValue:
        if library.fault == "garbage":
            return Response("<html>Connectez-vous</html>", mimetype="text/html")
        if library.fault == "strange":
            return _json(library, "", FEED, {"metadata": {"title": "Rien"}, "links": []})
        news = [opds_feeds.publication(each, library.percent) for each in list(library.books.values())[:3]]
        content = opds_feeds.root(news, library.fault != "no_shelf")
        if library.fault == "whole":
            content["links"].append(opds_feeds.link("http://opds-spec.org/crawlable", "/opds/lists/all"))
        return _json(library, "feed", FEED, content)

    @app.get("/opds/lists/<name>")
    def listing(name: str) -> ResponseReturnValue:
        schema = "" if library.fault in {"junk", "object"} else "feed"
        return _json(library, schema, FEED, _list(library, name, request.args.get("page", 1, int)))

    @app.get("/opds/publications/<ident>")
    def one(ident: str) -> ResponseReturnValue:
        book = library.books.get(ident)
        if book is None:
            return _problem(404, "Ce titre n’existe plus.")
        content = opds_feeds.publication(book, library.percent)
        if library.fault == "wrong_self":
            content["links"][0]["href"] = "/opds/publications/livre-101"
        return _json(library, "publication", PUBLICATION, content)

    @app.get("/opds/authentication")
    def sign_in() -> ResponseReturnValue:
        return _json(library, "authentication", DOCUMENT, _document(library))

    @app.post("/oauth/token")
    def token() -> ResponseReturnValue:
        given = (request.form.get("grant_type"), request.form.get("client_id"), request.form.get("client_secret"))
        if given != ("client_credentials", CLIENT_ID, CLIENT_SECRET):
            return jsonify(error="invalid_client"), 401
        made = secrets.token_hex(12)
        with library.lock:
            library.tokens.add(made)
        return jsonify(access_token=made, token_type="Bearer", expires_in=600)  # noqa: S106 - a kind, not a token

    @app.get("/opds/buy/<ident>.<form>")
    def buy(ident: str, form: str) -> ResponseReturnValue:
        return _refused(library) or _buy(library, ident, form)

    @app.get("/opds/shelf")
    def shelf() -> ResponseReturnValue:
        return _refused(library) or _shelf(library)

    @app.get("/opds/files/<number>.<form>")
    def again(number: str, form: str) -> ResponseReturnValue:
        if refused := _refused(library):
            return refused
        sold = next((each for each in library.book if each.number == number), None)
        if sold is None or not sold.ready or sold.format != form:
            return _problem(404, "Rien à cette adresse.")
        return _sent(library.books[sold.book], form, sold.po_number)

    @app.get("/opds/free/<ident>.<form>")
    def free(ident: str, form: str) -> ResponseReturnValue:
        return _sent(library.books[ident], form, "")

    @app.get("/opds/cover.png")
    def cover() -> ResponseReturnValue:
        return Response(COVER, mimetype="image/png")

    return app


def _json(library: Library, name: str, media: str, content: Any, status: int = 200) -> Response:
    if name and (wrong := library.check(name, content)):
        library.breaches.append(f"{request.path}: {wrong}")
    return Response(json.dumps(content, ensure_ascii=False), status, mimetype=media)


def _problem(status: int, words: str) -> Response:
    said = json.dumps({"title": words, "status": status}, ensure_ascii=False)
    return Response(said, status, mimetype="application/problem+json")


def _document(library: Library) -> dict[str, Any]:
    return opds_feeds.authentication(library.url, library.flow, shelf=library.fault != "no_shelf")


def _refused(library: Library) -> Response | None:
    """The authentication document, for whoever is not signed in."""
    kind, _, given = request.headers.get("Authorization", "").partition(" ")
    if library.fault == "expire":
        library.tokens.clear()
        library.fault = ""
    if library.flow == "basic":
        welcome = given == base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
    else:
        welcome = kind == "Bearer" and given in library.tokens
    return None if welcome else _json(library, "authentication", DOCUMENT, _document(library), 401)


def _list(library: Library, name: str, number: int) -> dict[str, Any]:
    title, start = SHELVES.get(name, ("Tout", ""))
    found = [
        opds_feeds.publication(each, library.percent) for each in library.books.values() if each.id.startswith(start)
    ]
    path = f"/opds/lists/{name}"
    shown = 1 if library.fault == "endless" else number
    return opds_feeds.broken(
        opds_feeds.page(title, path, found, shown, library.size), path, number, library.fault, library.elsewhere
    )


def _buy(library: Library, ident: str, form: str) -> ResponseReturnValue:
    reference, book = request.headers.get("Client-Reference", ""), library.books.get(ident)
    if not reference:
        return _problem(400, "Il manque une référence.")
    early: dict[str, Callable[[], Response]] = {
        "busy": lambda: Response("Trop de demandes", 429), "error500_before": lambda: Response("Erreur", 500),
        "cut_before": cut_connection, "page": lambda: Response("<html>Panier</html>", mimetype="text/html"),
    }  # fmt: skip
    if library.fault in early:
        return early[library.fault]()
    if library.fault == "hang":
        library.released.wait(30)
    with library.lock:
        known = next((each for each in library.book if each.reference == reference), None)
        if known is None:
            refused = _may_not(library, reference, book, form)
            if refused:
                library.refused[reference] = refused.status_code
                return refused
            assert book is not None  # noqa: S101 - for the type checker
            known = _sell(library, reference, book, form)
    return _answer(library, library.books[known.book], known)


def _may_not(library: Library, reference: str, book: Book | None, form: str) -> Response | None:
    """Why a reference buys nothing; once refused, it never will."""
    if library.refused.get(reference):
        return _problem(library.refused[reference], "Refusé sous cette référence.")
    if book is None or form not in book.prices or library.fault == "gone":
        return _problem(410, "Ce titre vient d’être retiré.")
    if library.fault == "payment":
        return _problem(402, "Votre compte est à découvert.")
    most = request.headers.get("Maximum-Price", "").removesuffix(" EUR").replace(".", "")
    if library.fault == "dearer" or book.prices[form] * library.percent // 100 > int(most or 0):
        return _problem(409, "Le prix a changé.")
    return None


def _sell(library: Library, reference: str, book: Book, form: str) -> Sold:
    """Make the purchase of a reference: this is the charge."""
    cents = book.prices[form] * library.percent // 100
    sold = Sold(
        secrets.token_hex(8), reference, request.headers.get("Client-Order", ""), book.id, form,
        cents + (100 if library.fault == "other_price" else 0), datetime.now(UTC), ready=library.fault != "making",
    )  # fmt: skip
    library.book.append(sold)
    if library.fault == "twice":
        library.book.append(replace(sold, number=secrets.token_hex(8)))
    return sold


def _answer(library: Library, book: Book, sold: Sold) -> ResponseReturnValue:
    if library.fault == "error500_after":
        return Response("Erreur", 500)
    if library.fault == "cut_after":
        return cut_connection()
    if library.fault == "redirect":
        return Response(status=302, headers={"Location": f"{library.elsewhere}/opds/files/{sold.number}.{sold.format}"})
    if library.fault in {"empty", "cropped"}:
        return Response(b"" if library.fault == "empty" else b"%PDF-1.7 half", mimetype=MEDIA[sold.format])
    return (
        _sent(book, sold.format, sold.po_number) if sold.ready else Response(status=202, headers={"Retry-After": "5"})
    )


def _shelf(library: Library) -> ResponseReturnValue:
    if library.fault == "shelf_down":
        return Response("Maintenance", 503)
    wanted = request.args.get("query", "")
    found = [each for each in reversed(library.book) if wanted in {"", each.reference}]
    if library.fault == "slow_shelf":
        found = []
    shown = [opds_feeds.bought(library.books[each.book], each) for each in found]
    for each in shown:
        if library.fault == "other_book":
            each["links"][0]["href"] = "/opds/publications/livre-105"
        if library.fault == "paper_shelf":
            each["metadata"]["bookFormat"] = "http://schema.org/Paperback"
    content = opds_feeds.page(
        "Votre bibliothèque", "/opds/shelf", shown, request.args.get("page", 1, int), library.size
    )
    content["links"].append(opds_feeds.link("search", "/opds/shelf{?query}", templated=True))
    # An empty bookshelf is a feed all the same, which the schema (publications, minItems 1) does not allow.
    return _json(library, "feed" if content["publications"] else "", FEED, content)


def _sent(book: Book, form: str, po_number: str) -> Response:
    return Response(file_of(book, form, po_number), mimetype=MEDIA[form])
