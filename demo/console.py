"""The demonstration's own page: the other books, live, and ways to break things."""

from __future__ import annotations

import threading
from pathlib import Path

from flask import Flask, abort, redirect, render_template, request, send_from_directory, url_for
from flask.typing import ResponseReturnValue
from werkzeug.serving import WSGIRequestHandler, make_server

from demo.directory import DirectoryServer
from demo.mailbox import MailboxServer
from demo.merchants import MerchantsServer
from demo.operator import OperatorServer
from demo.partners import Partner, entries

VENDOR = Path(__file__).parent.parent / "portal" / "static" / "vendor"
OPERATOR_FAULTS = {
    "": "Tout va bien / All well",
    "down": "Injoignable / Down",
    "slow": "Lent / Slow",
    "cut_reply": "Réponse coupée après enregistrement / Reply cut after recording",
    "deny": "Refuse la ligne / Refuses the line (403)",
    "amount": "Refuse le montant / Refuses the amount (422)",
    "processing": "Asynchrone / Asynchronous",
}
MERCHANT_FAULTS = {
    "": "Tout va bien / All well",
    "slow": "Lent (3 s) / Slow (3 s)",
    "down": "En panne / Down",
    "garbage": "Répond n'importe quoi / Answers rubbish",
    "price_change": "Change son prix / Changes its price",
    "cut_reply": "Réponse coupée / Reply cut",
    "bad_document": "Mauvais document / Wrong document",
    "short_access": "Accès plus court que promis / Access shorter than promised",
}
MAIL_FAULTS = {
    "": "Tout va bien / All well",
    "down": "Injoignable / Down",
    "busy": "Demande de revenir plus tard / Asks to come back later (451)",
    "refuse": "Refuse le destinataire / Refuses the recipient (550)",
    "sender": "Refuse l'expéditeur / Refuses the sender (553)",
    "cut_reply": "Accepte sans le dire / Takes the mail and says nothing",
}
WEATHERS = {
    "0": "Beau temps / Fair",
    "0.1": "10 % de tout / 10 % of everything",
    "0.3": "30 % de tout / 30 % of everything",
}
MERCHANTS = ("registre", "lesechos", "quidonc", "coface", "netpme")


class _SilentHandler(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: object) -> None:
        """Requests of the page are of no interest on the terminal."""


class ConsoleServer:
    """The page's server, on loopback only."""

    def __init__(
        self, directory: DirectoryServer, operator: OperatorServer, merchants: MerchantsServer, mailbox: MailboxServer,
        partners: list[Partner], port: int = 0,
    ) -> None:  # fmt: skip
        self.faults: dict[str, str] = {}
        app = console_app(directory, operator, merchants, mailbox, partners, self.faults)
        self._server = make_server("127.0.0.1", port, app, threaded=True, request_handler=_SilentHandler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def start(self) -> None:
        """Serve in a thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the server."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def console_app(
    directory: DirectoryServer, operator: OperatorServer, merchants: MerchantsServer, mailbox: MailboxServer,
    partners: list[Partner], faults: dict[str, str],
) -> Flask:  # fmt: skip
    """The page over running servers."""
    app = Flask("demo", template_folder=str(Path(__file__).parent / "templates"))
    app.add_template_filter(_euros, "euros")

    def books() -> dict[str, object]:
        tree = directory.tree
        return {
            "orders": sorted([*merchants.book.orders(), *entries(partners)], key=lambda line: line.at, reverse=True)[:50],
            "charges": list(reversed(operator.book.charges()))[:50],
            "letters": list(reversed(mailbox.letters()))[:50],
            "groups": tree.groups(), "people": tree.people(), "faults": faults,
            "directory_down": directory.fault is not None,
            "operator_faults": OPERATOR_FAULTS, "merchant_faults": MERCHANT_FAULTS, "merchants": MERCHANTS,
            "mail_faults": MAIL_FAULTS, "partners": partners, "weathers": WEATHERS,
        }  # fmt: skip

    @app.get("/")
    def page() -> ResponseReturnValue:
        return render_template("console.html", **books())

    @app.get("/books")
    def fragment() -> ResponseReturnValue:
        return render_template("_books.html", **books())

    @app.get("/vendor/<path:name>")
    def vendor(name: str) -> ResponseReturnValue:
        return send_from_directory(VENDOR, name)

    @app.post("/operator")
    def break_operator() -> ResponseReturnValue:
        faults["operator"] = request.form["fault"]
        operator.fault = request.form["fault"] or None
        return redirect(url_for("page"))

    @app.post("/merchant/<name>")
    def break_merchant(name: str) -> ResponseReturnValue:
        faults[name] = request.form["fault"]
        merchants.set_fault(name, request.form["fault"] or None)
        return redirect(url_for("page"))

    @app.post("/partner/<name>")
    def break_partner(name: str) -> ResponseReturnValue:
        partner = next((each for each in partners if each.name == name), None)
        if partner is None or request.form["fault"] not in {"", *partner.faults}:
            abort(404)
        faults[name] = request.form["fault"]
        partner.break_(request.form["fault"])
        return redirect(url_for("page"))

    @app.post("/weather")
    def change_weather() -> ResponseReturnValue:
        faults["weather"] = request.form["rate"]
        rate, seed = float(request.form["rate"]), int(request.form.get("seed", 1))
        for number, server in enumerate((operator, merchants)):
            server.faults.weather(rate, seed + number) if rate else server.faults.calm()
        return redirect(url_for("page"))

    @app.post("/mail")
    def break_mail() -> ResponseReturnValue:
        faults["mail"] = request.form["fault"]
        mailbox.fault = request.form["fault"] or None
        return redirect(url_for("page"))

    @app.post("/directory")
    def break_directory() -> ResponseReturnValue:
        directory.fault = "down" if "down" in request.form else None
        return redirect(url_for("page"))

    @app.post("/groups/<name>")
    def change_group(name: str) -> ResponseReturnValue:
        if "remove" in request.form:
            directory.tree.remove_member(name, request.form["remove"])
        else:
            directory.tree.add_member(name, request.form["add"])
        return redirect(url_for("page"))

    return app


def _euros(cents: int) -> str:
    return f"{cents // 100},{cents % 100:02d} €"
