"""The demonstration's provider of registered e-mail, on a real socket: a letter is deposited, notified, then accepted or refused.

Addressees whose name before the @ begins with `refus` refuse, with `absent` never answer, with `inconnu` do not exist; all
others accept. Nothing is sent to anybody.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Flask, Response, jsonify, request
from flask.typing import ResponseReturnValue

from demo.documents import pdf
from demo.served import Served
from demo.sockets import LoopbackServer, cut_connection

API_KEY = "cle-recommande"
MOST_BYTES = 10_000_000
FAULTS = ("down", "busy", "price_up", "cut_before", "cut_after", "error500", "garbage")


@dataclass(frozen=True)
class Service:
    """One thing on sale; its price in cents, VAT included."""

    code: str
    title: tuple[str, str]
    about: tuple[str, str]
    delay: tuple[str, str]
    keywords: str
    price: int


SERVICES = {
    each.code: each
    for each in (
        Service("lre", ("Lettre recommandée électronique", "Registered e-mail"),
                ("Votre PDF envoyé en recommandé, avec preuve de dépôt et d’acceptation.", "Your PDF sent as registered e-mail, with proof of deposit and of acceptance."),
                ("jusqu’à 15 jours", "up to 15 days"), "recommandé lettre ar accusé réception mise en demeure lre", 468),
        Service("lre-simple", ("Courriel certifié", "Certified e-mail"),
                ("Une preuve d’envoi et de contenu, sans acceptation du destinataire.", "A proof of sending and of content, without the addressee's acceptance."),
                ("quelques minutes", "some minutes"), "courriel certifié preuve envoi", 150),
    )
}  # fmt: skip
STAGES = {
    "deposited": (20, "Déposée ; le destinataire va être prévenu", "Deposited; the addressee is about to be told"),
    "notified": (60, "Le destinataire est prévenu ; il a quinze jours pour accepter", "The addressee has been told, and has fifteen days to accept"),
}  # fmt: skip
ENDS = {"accepted": "Acceptée", "refused": "Refusée", "unclaimed": "Non réclamée après quinze jours"}


@dataclass(frozen=True)
class Letter:
    """One letter, as it was deposited; `begun` in seconds of this machine's clock."""

    id: str
    key: str
    reference: str
    service: str
    email: str
    name: str
    subject: str
    sha256: str
    total: int
    at: datetime
    begun: float
    sent: str = ""
    """A hash of what was asked: another letter under the same key is refused."""


@dataclass
class Recommande(Served):
    """The server, one of the demonstration's partners. A letter takes `seconds` from one stage to the next."""

    name: str = "recommande"
    faults: tuple[str, ...] = FAULTS
    seconds: float = 3
    fault: str = ""
    letters: dict[str, Letter] = field(default_factory=dict)
    prices: dict[str, tuple[str, int]] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def __post_init__(self) -> None:
        self.server = LoopbackServer(_application(self))

    def state_of(self, letter: Letter) -> str:
        """Where a letter stands by now."""
        who = letter.email.lower()
        if who.startswith("inconnu"):
            return "bounced"
        stages = int((time.monotonic() - letter.begun) / self.seconds) if self.seconds else 2
        if stages < 2 and letter.service == "lre":
            return ("deposited", "notified")[stages]
        return "refused" if who.startswith("refus") else "unclaimed" if who.startswith("absent") else "accepted"

    def configuration(self) -> str:
        """Its part of `portal.toml`."""
        return (
            f'\n[merchants.{self.name}]\nconnector = "recommande"\nbase_url = "{self.server.url}"\n'
            f'secrets = {{api_key = "{API_KEY}"}}\n'
        )

    def files(self) -> Mapping[str, str]:
        """Nothing beside `portal.toml`."""
        return {}

    def sold(self) -> list[Mapping[str, Any]]:
        """What is invoiced, oldest first: letters on their way and those that have ended."""
        return [
            {"po_number": each.reference, "what": f"{SERVICES[each.service].title[0]} - {each.name}", "at": each.at,
             "gross_cents": each.total, "state": "delivered" if self.state_of(each) in ENDS else self.state_of(each)}
            for each in self.letters.values()
            if self.state_of(each) != "bounced"
        ]  # fmt: skip

    def kept(self) -> object:
        """Letters and prices."""
        with self.lock:
            return dict(self.letters), dict(self.prices)

    def recall(self, kept: Any) -> None:
        """Go on from what an earlier run has kept; its clock began anew."""
        letters, self.prices = dict(kept[0]), dict(kept[1])
        self.letters = {key: replace(letter, begun=0) for key, letter in letters.items()}


def _application(shop: Recommande) -> Flask:
    app = Flask("demo-recommande")

    @app.before_request
    def receive() -> ResponseReturnValue | None:
        if shop.fault == "down":
            return Response("<html>Maintenance</html>", 503)
        return (
            None
            if request.headers.get("X-Api-Key") == API_KEY
            else (jsonify(why=_why("Clé refusée", "Key refused")), 401)
        )

    @app.get("/v1/services")
    def services() -> ResponseReturnValue:
        return jsonify(services=[_service_json(each) for each in SERVICES.values()])

    @app.post("/v1/services/<code>/price")
    def price(code: str) -> ResponseReturnValue:
        asked, service = request.get_json(), SERVICES.get(code)
        if service is None or not 0 < int(asked["size"]) <= MOST_BYTES:
            why = _why("Cette lettre ne peut pas être envoyée.", "This letter cannot be sent.")
            return jsonify(why=why, field="letter"), 422
        if asked["email"].endswith(".invalid"):
            why = _why("Cette adresse n’existe pas : aucun courrier ne peut y être remis.", "This address does not exist: no mail can be delivered there.")  # fmt: skip
            return jsonify(why=why, field="email"), 422
        return jsonify(_price(shop, service, f"{asked['name']} <{asked['email']}>"))

    @app.post("/v1/letters")
    def deposit() -> ResponseReturnValue:
        if shop.fault == "busy":
            return jsonify(why=_why("Trop de demandes", "Too many requests")), 429, {"Retry-After": "2"}
        if shop.fault == "cut_before":
            return cut_connection()
        status, content = _deposit(shop)
        if shop.fault == "cut_after":
            return cut_connection()
        if shop.fault == "error500":
            return jsonify(why=_why("Erreur", "Error")), 500
        return Response("{", mimetype="application/json") if shop.fault == "garbage" else (jsonify(content), status)

    @app.get("/v1/letters")
    def find() -> ResponseReturnValue:
        letter = shop.letters.get(request.args["key"])
        return jsonify(letter=_letter_json(shop, letter)) if letter else (jsonify(why=_why("Inconnue", "Unknown")), 404)

    @app.get("/v1/letters/<ident>")
    def stands(ident: str) -> ResponseReturnValue:
        letter = _by_id(shop, ident)
        return jsonify(letter=_letter_json(shop, letter)) if letter else (jsonify(why=_why("Inconnue", "Unknown")), 404)

    @app.get("/v1/proofs/<ident>")
    def proof(ident: str) -> ResponseReturnValue:
        letter = _by_id(shop, ident)
        return Response(_proof(shop, letter), mimetype="application/pdf") if letter else Response(status=404)

    @app.get("/v1/book")
    def book() -> ResponseReturnValue:
        since = datetime.fromisoformat(request.args["since"])
        return jsonify(letters=[
            {"reference": each.reference, "key": each.key, "total": each.total, "state": shop.state_of(each), "at": each.at.isoformat()}
            for each in shop.letters.values() if each.at >= since
        ])  # fmt: skip

    return app


def _deposit(shop: Recommande) -> tuple[int, Any]:
    key, file, form = request.headers.get("Idempotency-Key", ""), request.files.get("letter"), request.form
    body = file.read() if file else b""
    sent = hashlib.sha256(repr([sorted(form.items()), hashlib.sha256(body).hexdigest()]).encode()).hexdigest()
    with shop.lock:
        known = shop.letters.get(key)
        if known:
            return (200, {"letter": _letter_json(shop, known)}) if known.sent == sent else (409, {"why": _why("Clé déjà prise", "Key taken")})  # fmt: skip
        code, total = shop.prices.get(form.get("price_ref", ""), ("", 0))
        whole = body.startswith(b"%PDF-") and hashlib.sha256(body).hexdigest() == form.get("sha256")
        if not key or not code or not whole or len(body) > MOST_BYTES:
            return 422, {"why": _why("Cette lettre n’est pas celle du devis.", "This is not the letter of the quote.")}
        if shop.fault == "price_up" or total > int(form["most"]):
            return 409, {"price": _price(shop, replace(SERVICES[code], price=total + 24), form["name"])}
        letter = Letter(
            secrets.token_hex(8), key, form["reference"], code, form["email"], form["name"], form["subject"],
            form["sha256"], total, datetime.now(UTC), time.monotonic(), sent,
        )  # fmt: skip
        shop.letters[key] = letter
    return 201, {"letter": _letter_json(shop, letter)}


def _price(shop: Recommande, service: Service, subject: str) -> dict[str, Any]:
    ref = secrets.token_hex(8)
    shop.prices[ref] = (service.code, service.price)
    until = (datetime.now(UTC) + timedelta(minutes=20)).isoformat()
    return {"price_ref": ref, "price": service.price, "vat": 20, "until": until, "for": subject}


def _by_id(shop: Recommande, ident: str) -> Letter | None:
    return next((each for each in shop.letters.values() if each.id == ident), None)


def _service_json(each: Service) -> dict[str, Any]:
    named = {name: _why(*getattr(each, name)) for name in ("title", "about", "delay")}
    return {"code": each.code, **named, "keywords": each.keywords, "price": each.price, "vat": 20}


def _letter_json(shop: Recommande, letter: Letter) -> dict[str, Any]:
    state = shop.state_of(letter)
    made = {"id": letter.id, "key": letter.key, "reference": letter.reference, "state": state, "total": letter.total}
    if state in STAGES:
        percent, french, english = STAGES[state]
        return {**made, "percent": percent, "ask_again_s": 2, "stage": _why(french, english)}
    if state == "bounced":
        why = _why("Le message n’a pas pu être remis : rien n’est facturé.", "The message could not be delivered: nothing is charged.")  # fmt: skip
        return {**made, "total": 0, "why": why}
    body = _proof(shop, letter)
    name, digest = f"preuve-{letter.reference}.pdf", hashlib.sha256(body).hexdigest()
    return {**made, "proof": {"url": f"{request.host_url}v1/proofs/{letter.id}", "name": name, "sha256": digest}}


def _proof(shop: Recommande, letter: Letter) -> bytes:
    rows = [
        ("Référence", letter.reference), ("Destinataire", f"{letter.name} <{letter.email}>"), ("Objet", letter.subject),
        ("Déposée", f"{letter.at:%d/%m/%Y %H:%M} UTC"), ("Issue", ENDS.get(shop.state_of(letter), "En cours")),
        ("SHA-256 de la lettre", letter.sha256),
    ]  # fmt: skip
    return pdf("Preuve de lettre recommandée électronique", ["Aucun message n’a été envoyé : ceci est une démonstration."], rows)  # fmt: skip


def _why(french: str, english: str) -> dict[str, str]:
    return {"fr": french, "en": english}
