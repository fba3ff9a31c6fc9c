"""Serve the portal: web processes and the worker, one parent that ends them together."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import threading
import time
from typing import Any, NoReturn
from urllib.parse import urlsplit

import click
from flask import Flask
from gunicorn.app.base import BaseApplication

from portal import create_app, logs
from portal.billing.worker import THREADS, run_worker
from portal.commands.context import opened, read_settings
from portal.commands.ending import BAD_USAGE, stop
from portal.commands.language import say
from portal.migrations import schema
from portal.settings import Settings

log = logs.get(__name__)


def register(group: click.Group) -> None:
    """Add `serve` and `worker`."""
    group.add_command(serve)
    group.add_command(worker)


class WebServer(BaseApplication):  # type: ignore[misc]
    """Gunicorn with threads, set up from Python rather than from its own configuration file."""

    def __init__(self, options: dict[str, Any]) -> None:
        self.options = options
        super().__init__()

    def load_config(self) -> None:
        """Give our options to gunicorn."""
        for name, value in self.options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """Make the application, once in each web process."""
        logs.configure()
        return create_app()


@click.command(help=say("Serve the portal and its worker."))
@click.option("--bind", default="", help=say("Address and port; by default those of portal.public_url."))
@click.option("--processes", default=2, show_default=True, help=say("Web processes."))
@click.option("--threads", default=8, show_default=True, help=say("Threads in each web process."))
def serve(bind: str, processes: int, threads: int) -> None:
    serve_until_stopped(read_settings(), bind, processes, threads)


@click.command(help=say("Work through the outbox: purchases to carry on, charges to capture or void."))
@click.option("--threads", default=THREADS, show_default=True, help=say("Tasks worked on at a time."))
def worker(threads: int) -> None:
    _work(threads)


def serve_until_stopped(settings: Settings, bind: str = "", processes: int = 2, threads: int = 8) -> None:
    """Bring the database to this version, then serve until a signal; returns once everything has ended."""
    address = urlsplit(str(settings.portal.public_url))
    bind = bind or f"{address.hostname}:{address.port or 80}"
    _require_free(bind)
    with opened(current=False) as installation:
        schema.upgrade(installation.database)
    parent = os.getpid()
    worker_id, ended = _start_worker()
    threading.Thread(target=_end_with_worker, args=(ended,), daemon=True).start()
    try:
        WebServer(
            {
                "bind": bind, "workers": processes, "threads": threads,
                "worker_class": "gthread", "proc_name": "guichet", "graceful_timeout": 20, "timeout": 60,
                "loglevel": "warning", "control_socket_disable": True, "worker_exit": _hand_back,
            }
        ).run()  # fmt: skip
    finally:
        # Web processes are forks that leave through here too; the worker is not theirs to end.
        if os.getpid() == parent:
            _stop_worker(worker_id, ended)


def _hand_back(_server: object, web_process: Any) -> None:
    """A web process ends: what it carries on beyond its requests must not wait until a lease runs out."""
    if web_process.wsgi is not None:
        web_process.wsgi.extensions["guichet"].end()


def _require_free(bind: str) -> None:
    """Say at once that a port is taken, in words, instead of leaving it to the web server's log."""
    host, _, port = bind.rpartition(":")
    try:
        with socket.create_server((host.strip("[]"), int(port)), family=_family(host)):
            return
    except ValueError:
        stop(say("%(bind)s is no address with a port; write it like 127.0.0.1:8000.", bind=bind), BAD_USAGE)
    except OSError as error:
        stop(
            say(
                "%(bind)s cannot be listened on (%(why)s): choose another with --bind, or change [portal] public_url.",
                bind=bind, why=error.strerror,
            ),
            BAD_USAGE,
        )  # fmt: skip


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _start_worker() -> tuple[int, int]:
    """A fork, made before any thread or connection; returns its id and a pipe that closes when it has ended."""
    ended, alive = os.pipe()
    parent = os.getpid()
    worker_id = os.fork()
    if worker_id:
        os.close(alive)
        return worker_id, ended
    os.close(ended)
    _leave_after_work(parent)


def _leave_after_work(parent: int) -> NoReturn:
    code = 1
    try:
        _work(parent=parent)
        code = 0
    except Exception:
        log.exception("worker_died")
    finally:
        os._exit(code)


def _work(threads: int = THREADS, parent: int = 0) -> None:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    if parent:
        threading.Thread(target=_watch, args=(parent, stop), daemon=True).start()
    with opened() as installation:
        logs.configure()
        log.info("worker_started", owner=installation.owner)
        run_worker(
            installation.database, installation.handlers, stop, threads, installation.rounds, installation.drains
        )
        log.info("worker_ended", owner=installation.owner)


def _watch(parent: int, stop: threading.Event) -> None:
    """A worker outlives the server that started it by a second at most, however that server ended."""
    while os.getppid() == parent:
        time.sleep(1)
    stop.set()


def _stop_worker(worker_id: int, ended: int) -> None:
    """Ask the worker to end, and wait for the task it holds, 30 s at most."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(worker_id, signal.SIGTERM)
    select.select([ended], [], [], 30)


def _end_with_worker(ended: int) -> None:
    """When the worker dies, the server ends too: charges must never wait unnoticed.

    A pipe tells it, since the web server collects every child's exit code before anybody else can.
    """
    select.select([ended], [], [])
    os.kill(os.getpid(), signal.SIGTERM)
