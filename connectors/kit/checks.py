"""The kit's checks: each has an id, a tier and a sentence, and says of a connector passed, failed or skipped with a reason."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NoReturn

from connectors.contract import AuthFailed, Rejected, Words
from connectors.kit.merchant import Received
from connectors.kit.stage import Failed, Skipped, Stage
from connectors.merchants.trust import Trust

Tier = Literal["bronze", "silver", "gold"]
TIERS: tuple[Tier, ...] = ("bronze", "silver", "gold")
LONGEST_S = 30


@dataclass(frozen=True)
class Check:
    """One thing to prove; `may_skip` lets an author give a reason in `fixtures/story.toml` instead."""

    id: str
    tier: Tier
    words: Words
    run: Callable[[Stage], None]
    may_skip: bool = False


CHECKS: list[Check] = []


def check(
    ident: str, tier: Tier, fr: str, en: str, *, may_skip: bool = False
) -> Callable[..., Callable[[Stage], None]]:
    """Add a function to the checks."""

    def add(run: Callable[[Stage], None]) -> Callable[[Stage], None]:
        CHECKS.append(Check(ident, tier, {"fr": fr, "en": en}, run, may_skip))
        return run

    return add


def fail(fr: str, en: str, remedy_fr: str, remedy_en: str) -> NoReturn:
    """End a check: what is wrong, and what to do."""
    raise Failed({"fr": fr, "en": en}, {"fr": remedy_fr, "en": remedy_en})


def skip(fr: str, en: str) -> NoReturn:
    """End a check that this connector cannot be put to."""
    raise Skipped(fr, en)


@dataclass(frozen=True)
class Result:
    """What came of one check. `exchanges` are as a person reads them, without secrets."""

    check: Check
    outcome: Literal["passed", "failed", "skipped"]
    why: Words
    remedy: Words
    exchanges: tuple[str, ...] = ()


@dataclass(frozen=True)
class Report:
    """The proof of one connector."""

    connector: str
    results: tuple[Result, ...]

    @property
    def failed(self) -> list[Result]:
        """What is wrong with it."""
        return [result for result in self.results if result.outcome == "failed"]

    @property
    def tier(self) -> str:
        """The highest tier of which, and below which, nothing failed; "" when it may not be listed at all."""
        reached = ""
        for tier in TIERS:
            of_it = [result for result in self.results if result.check.tier == tier]
            if not of_it or any(result.outcome == "failed" for result in of_it):
                break
            reached = tier
        return reached


def prove(folder: Path, name: str = "", up_to: Tier = "gold", trust: Trust = "in_process") -> Report:
    """Put a connector to every check up to a tier. `name` is what an installed one is found by; `trust` where its code runs."""
    wanted = TIERS[: TIERS.index(up_to) + 1]
    stage = Stage(folder, name, trust)
    try:
        results = [_result(each, stage) for tier in wanted for each in CHECKS if each.tier == tier]
    finally:
        stage.close()
    return Report(name or folder.name, tuple(results))


def prove_all(places: Sequence[tuple[Path, str, Trust]], up_to: Tier = "gold") -> Iterator[Report]:
    """Prove several connectors, as many at a time as the machine has cores; each in a process, where nothing of another is."""
    workers = min(len(places), os.cpu_count() or 1)
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        asked = [pool.submit(prove, folder, name, up_to, trust) for folder, name, trust in places]
        yield from (each.result() for each in asked)


def _result(each: Check, stage: Stage) -> Result:
    stage.fresh()
    if stage.stuck:
        words = {"fr": "une épreuve précédente n’a pas de fin", "en": "an earlier check did not end"}
        return Result(each, "skipped", words, {})
    try:
        if each.may_skip and (reason := stage.fixtures.story.skip.get(each.id)):
            return Result(each, "skipped", reason, {})
        with stage.watching():
            _in_time(each, stage)
        if unknown := _unknown_request(stage):
            raise unknown
    except Skipped as skipped:
        return Result(each, "skipped", skipped.why, {})
    except Failed as failed:
        first = _unknown_request(stage) or failed
        return Result(each, "failed", first.what, first.remedy, _shown(stage))
    return Result(each, "passed", {}, {}, _shown(stage))


def _in_time(each: Check, stage: Stage) -> None:
    """Run a check, for some seconds at most. Raises `Failed` and `Skipped`."""
    raised: list[Exception] = []

    def run() -> None:
        try:
            each.run(stage)
        except Exception as error:
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(LONGEST_S)
    if thread.is_alive():
        stage.stuck = True
        fail(
            f"toujours sans fin après {LONGEST_S} s", f"not ended after {LONGEST_S} s",
            "Ne dormez ni ne bouclez dans le connecteur : le portail attend et redemande lui-même.",
            "Neither sleep nor loop in the connector: the portal waits and asks again itself.",
        )  # fmt: skip
    if raised and isinstance(raised[0], Failed | Skipped):
        raise raised[0]
    if raised:
        said = f"{type(raised[0]).__name__}: {raised[0]}"
        fail(f"cela a levé {said}", f"it raised {said}", *_remedy_for(raised[0]))


def _remedy_for(error: Exception) -> tuple[str, str]:
    if isinstance(error, Rejected):
        return (
            "Le marchand refuse ce que fixtures/story.toml achète : corrigez la saisie, ou [quote] errors.",
            "The merchant refuses what fixtures/story.toml buys: correct what is typed, or [quote] errors.",
        )
    if isinstance(error, AuthFailed):
        return (
            "Le marchand des exemples veut voir chaque secret : corrigez [auth] (kind, header, prefix, secrets).",
            "The merchant of the fixtures wants to see every secret: correct [auth] (kind, header, prefix, secrets).",
        )
    return (
        "Comparez ce qui a été reçu à ce que le connecteur attend : les chemins (items, map, at, paging) de connector.toml, ou son code.",
        "Compare what was received with what the connector expects: the paths (items, map, at, paging) of connector.toml, or its code.",
    )


def _unknown_request(stage: Stage) -> Failed | None:
    """A request for which there is no fixture: whatever else a check found comes of it."""
    if "merchant" not in stage.__dict__ or not stage.merchant.unknown:
        return None
    asked = stage.masked(stage.merchant.unknown[0])
    return Failed(
        {"fr": f"les exemples n’ont pas de réponse à {asked}", "en": f"the fixtures have no answer to {asked}"},
        {"fr": "Ajoutez l’échange à fixtures/, ou corrigez ce que le connecteur envoie.",
         "en": "Add the exchange to fixtures/, or correct what the connector sends."},
    )  # fmt: skip


def _shown(stage: Stage) -> tuple[str, ...]:
    if "merchant" not in stage.__dict__:
        return ()
    return tuple(stage.masked(_line(item)) for item in stage.merchant.received)


def _line(item: Received) -> str:
    files = item.asked.content if any(part.filename for part in item.asked.parts) else None
    sent = (item.asked.body.decode("utf-8", "replace") if files is None else str(files))[:1000]
    return f"→ {item.asked.method} {item.asked.target} {sent}".rstrip() + f"\n← {item.status} {item.content[:1000]}"
