"""What machines ask: is the process alive, and can it work."""

from __future__ import annotations

from flask import Blueprint, Flask, jsonify
from flask.typing import ResponseReturnValue
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from portal import clock, daily, logs
from portal.database import unusable
from portal.installation import Installation
from portal.outbox import Task
from portal.web import installation

log = logs.get(__name__)

health = Blueprint("health", __name__)


def register(app: Flask, _installation: Installation) -> None:
    """Add the machine-readable pages."""
    app.register_blueprint(health)


@health.get("/healthz")
def live() -> ResponseReturnValue:
    """The process answers."""
    return jsonify(status="ok")


@health.get("/readyz")
def ready() -> ResponseReturnValue:
    """The database can be written, and how long its oldest due task has been waiting (seconds); else 503."""
    database = installation().database
    try:
        daily.prove_writable(database)
        with database.reading() as session:
            oldest = session.scalar(select(func.min(Task.due_at)).where(Task.done_at.is_(None)))
    except SQLAlchemyError as error:
        log.error("database_unavailable", detail=unusable(error))
        return jsonify(status="unavailable"), 503
    age = max(0, int((clock.now() - oldest).total_seconds())) if oldest else 0
    return jsonify(status="ok", outbox_age_s=age)
