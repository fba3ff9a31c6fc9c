"""Faults of the other side, by name: one at a named step, or a weather of all of them, from a seeded generator.

Faults of the wire can befall every call: `before` the server has done anything, `after` it has recorded what was
asked, or (`hang` only) `late`, when it is held back and recorded long after its client has gone. What a
server does differently of its own accord (`MANNERS`) it asks for by `happens`.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from flask import Flask, Response, g, jsonify

from demo.sockets import cut_connection, reset_connection

WIRE: dict[str, tuple[str, ...]] = {
    "reset": ("before", "after"),
    "hang": ("before", "late", "after"),
    "error500": ("before", "after"),
    "rate_limit": ("before",),
    "unauthorized": ("before",),
    "malformed": ("before", "after"),
    "html": ("before", "after"),
    "gateway": ("before", "after"),
}
"""When each can happen. Whoever limits rates or looks at tokens does so before anything is recorded."""
MANNERS = ("duplicate", "processing", "expiring", "lagging", "shifting")
NAMES = (*WIRE, *MANNERS)
PAGE = "<html><head><title>Proxy</title></head><body><h1>{words}</h1></body></html>"


@dataclass(frozen=True)
class Trouble:
    """What befalls one request; without a name, nothing does."""

    name: str = ""
    when: str = ""


NOTHING = Trouble()
Choice = TypeVar("Choice")


@dataclass
class _Struck:
    """A named fault at a named step, so many times (0: until mended)."""

    name: str
    step: str
    when: str
    times: int


class Faults:
    """What is broken on one server; safe to use from several threads.

    `befallen` counts what has happened, by step and name. Many clients at a time are served in no certain order, so the same seed gives the same draws, not the same run.
    """

    def __init__(self) -> None:
        self.hang_s: tuple[float, ...] = (60.0,)
        self.lag_s = 2.0
        self.expires_s = 0.5
        self.random = random.Random(1)  # noqa: S311 - faults, not secrets
        self.befallen: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()
        self._struck: list[_Struck] = []
        self._rates: Mapping[str, float] = {}

    def strike(self, name: str, step: str, when: str = "before", times: int = 0) -> None:
        """Break one step by one fault: `times` times, or until `calm`."""
        if name not in NAMES or (name in WIRE and when not in WIRE[name]):
            raise ValueError(f"{name} {when}")
        with self._lock:
            self._struck.append(_Struck(name, step, when, times))

    def weather(self, rates: float | Mapping[str, float], seed: int) -> None:
        """Each fault with a probability of its own (0 to 1), or all with the same, drawn from a seed."""
        chosen = dict.fromkeys(NAMES, rates) if isinstance(rates, int | float) else dict(rates)
        if unknown := chosen.keys() - set(NAMES):
            raise ValueError(", ".join(sorted(unknown)))
        with self._lock:
            self._rates, self.random = chosen, random.Random(seed)  # noqa: S311

    def calm(self) -> None:
        """Nothing is broken any more."""
        with self._lock:
            self._struck, self._rates = [], {}

    def draw(self, step: str) -> Trouble:
        """What befalls a request on the wire: a fault struck for its step, else the weather."""
        with self._lock:
            for struck in self._struck:
                if struck.step == step and struck.name in WIRE:
                    self._spend(struck)
                    self.befallen[step, struck.name] += 1
                    return Trouble(struck.name, struck.when)
            drawn = [name for name in WIRE if self._rates.get(name) and self.random.random() < self._rates[name]]
            if not drawn:
                return NOTHING
            name = self.random.choice(drawn)
            self.befallen[step, name] += 1
            return Trouble(name, self.random.choice(WIRE[name]))

    def happens(self, name: str, step: str) -> bool:
        """Whether a server's own bad manner is shown at a step."""
        with self._lock:
            for struck in self._struck:
                if (struck.name, struck.step) == (name, step):
                    self._spend(struck)
                    self.befallen[step, name] += 1
                    return True
            rate = self._rates.get(name, 0.0)
            shown = rate > 0 and self.random.random() < rate
            self.befallen[step, name] += shown
            return shown

    def one_of(self, choices: tuple[Choice, ...]) -> Choice:
        """A choice by the weather's own generator."""
        with self._lock:
            return self.random.choice(choices)

    def _spend(self, struck: _Struck) -> None:
        if struck.times:
            struck.times -= 1
            if not struck.times:
                self._struck.remove(struck)


def befall(app: Flask, faults: Faults, step: Callable[[], str]) -> None:
    """Let faults of the wire befall every request of an application; `step` names the one that is being served."""

    @app.before_request
    def before() -> Response | None:
        g.trouble = faults.draw(step())
        if g.trouble.when == "late":
            time.sleep(faults.one_of(faults.hang_s))
        return broken(faults, g.trouble.name) if g.trouble.when == "before" else None

    @app.after_request
    def after(response: Response) -> Response:
        trouble = g.get("trouble", NOTHING)
        return broken(faults, trouble.name, response) if trouble.when == "after" else response


def broken(faults: Faults, name: str, meant: Response | None = None) -> Response:
    """The answer under a fault; `meant` is what the server would have said, had it been left in peace."""
    if name == "reset":
        return faults.one_of((cut_connection, reset_connection))()
    elif name == "hang":
        time.sleep(faults.one_of(faults.hang_s))
        return cut_connection()
    elif name == "error500":
        return _refusal(500, "INTERNAL", "Internal error")
    elif name == "unauthorized":
        return _refusal(401, "UNAUTHENTICATED", "Request not authenticated due to invalid credentials.")
    elif name == "rate_limit":
        limited = _refusal(429, "TOO_MANY_REQUESTS", "Rate limit reached.")
        limited.headers["Retry-After"] = "1"
        return limited
    elif name == "malformed":
        whole = meant.get_data() if meant and not meant.is_streamed else b""
        status, kind = (meant.status_code, meant.mimetype) if meant else (200, "application/json")
        return Response(whole[: len(whole) // 2] or b'{"paymentId": ', status=status, mimetype=kind)
    elif name == "html":
        return Response(PAGE.format(words="Votre session a expiré"), mimetype="text/html")
    elif name == "gateway":
        status = faults.one_of((502, 503))
        return Response(PAGE.format(words=f"{status} Bad Gateway"), status=status, mimetype="text/html")
    raise ValueError(name)


def _refusal(status: int, code: str, message: str) -> Response:
    answer: Response = jsonify(status=status, code=code, message=message, error={"code": code.lower()})
    answer.status_code = status
    return answer
