"""An administrator at his screens."""

from __future__ import annotations

import pytest
from flask import Flask

from tests.conftest import Visitor


@pytest.fixture
def admin(app: Flask) -> Visitor:
    """Benoît, of IT, signed in."""
    someone = Visitor(app)
    someone.sign_in("benoit.besson")
    return someone
