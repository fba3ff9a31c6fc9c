"""Serve the portal: web processes and the worker, one parent that ends them together."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from typing import Any
from urllib.parse import urlsplit

import click
from flask import Flask
from gunicorn.app.base import BaseApplication

from portal import create_app, logs
from portal.billing.worker import run_worker
from portal.commands.context import opened, read_settings
from portal.commands.language import say
from portal.database import Database
from portal.migrations import schema

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
    settings = read_settings()
    schema.upgrade(Database(settings.database_url))
    address = urlsplit(str(settings.portal.public_url))
    bind = bind or f"{address.hostname}:{address.port or 80}"
    child = subprocess.Popen([sys.executable, "-m", "portal", "worker", "--parent", str(os.getpid())])
    threading.Thread(target=_end_with, args=(child,), daemon=True).start()
    try:
        WebServer(
            {
                "bind": bind, "workers": processes, "threads": threads, "worker_class": "gthread",
                "proc_name": "guichet", "graceful_timeout": 20, "timeout": 60, "loglevel": "warning",
                "control_socket_disable": True,
            }
        ).run()  # fmt: skip
    finally:
        child.terminate()
        child.wait(30)


@click.command(help=say("Work through the outbox: purchases to carry on, charges to capture or void."))
@click.option("--parent", default=0, hidden=True)
@click.option("--threads", default=2, show_default=True, help=say("Tasks worked on at a time."))
def worker(parent: int, threads: int) -> None:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    if parent:
        threading.Thread(target=_watch, args=(parent, stop), daemon=True).start()
    with opened() as installation:
        log.info("worker_started", owner=installation.owner)
        run_worker(installation.database, installation.handlers, stop, threads)
        log.info("worker_ended", owner=installation.owner)


def _watch(parent: int, stop: threading.Event) -> None:
    """A worker outlives the server that started it by a second at most, however that server ended."""
    while os.getppid() == parent:
        time.sleep(1)
    stop.set()


def _end_with(child: subprocess.Popen[bytes]) -> None:
    """When the worker dies, the server ends too: charges must never wait unnoticed."""
    code = child.wait()
    if code not in {0, -signal.SIGTERM}:
        log.error("worker_died", code=code)
        os.kill(os.getpid(), signal.SIGTERM)
