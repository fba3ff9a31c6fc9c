"""The worker: takes due tasks one by one and hands each to what knows how to do it."""

from __future__ import annotations

import os
import secrets
import socket
import threading
from collections.abc import Callable, Mapping, Sequence

from sqlalchemy.exc import SQLAlchemyError

from portal import logs, outbox
from portal.billing.rounds import Round, start_rounds
from portal.database import Database, unusable
from portal.outbox import Lease, LeaseLost

log = logs.get(__name__)

Handler = Callable[[Lease], None]
IDLE_S = 0.5


def worker_name() -> str:
    """Who holds a lease: machine, process and a random part."""
    return f"{socket.gethostname()[:30]}:{os.getpid()}:{secrets.token_hex(4)}"


def work_once(database: Database, owner: str, handlers: Mapping[str, Handler]) -> bool:
    """Do one due task; False when nothing is due. A task that fails is put back, never lost."""
    with database.transaction() as session:
        lease = outbox.claim(session, owner)
    if lease is None:
        return False
    run_leased(database, handlers, lease)
    return True


def run_leased(database: Database, handlers: Mapping[str, Handler], lease: Lease) -> None:
    """Do a task already claimed; whatever goes wrong is logged and the task is put back."""
    try:
        handlers[lease.kind](lease)
    except LeaseLost:
        log.warning("lease_lost", kind=lease.kind, subject=lease.subject)
    except Exception as error:
        log.exception("task_failed", kind=lease.kind, subject=lease.subject)
        _put_back(database, lease, f"{type(error).__name__}: {error}")


def run_worker(
    database: Database, handlers: Mapping[str, Handler], stop: threading.Event, threads: int = 2,
    rounds: Sequence[Round] = (),
) -> None:  # fmt: skip
    """Work until `stop` is set; each thread ends the task or the round it holds first."""
    pool = [threading.Thread(target=_loop, args=(database, handlers, stop), name=f"worker-{n}") for n in range(threads)]
    for thread in pool:
        thread.start()
    pool += start_rounds(rounds, stop)
    for thread in pool:
        thread.join()


def _loop(database: Database, handlers: Mapping[str, Handler], stop: threading.Event) -> None:
    owner = worker_name()
    while not stop.is_set():
        try:
            busy = work_once(database, owner, handlers)
        except SQLAlchemyError:
            log.exception("database_unavailable")
            busy = False
        if not busy:
            stop.wait(IDLE_S)


def _put_back(database: Database, lease: Lease, detail: str) -> None:
    try:
        with database.transaction() as session:
            outbox.postpone(session, lease, outbox.back_off_s(lease.attempts), detail)
    except LeaseLost:
        log.warning("lease_lost", kind=lease.kind, subject=lease.subject)
    except SQLAlchemyError as error:
        # Its lease runs out, and it is taken up again.
        log.error("task_not_put_back", kind=lease.kind, subject=lease.subject, detail=unusable(error))
