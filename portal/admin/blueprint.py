"""The one blueprint of all admin screens; each module of this room adds its own."""

from __future__ import annotations

from flask import Blueprint

admin = Blueprint("admin", __name__, url_prefix="/admin")
