"""The application, for any WSGI server: `gunicorn wsgi:app`."""

import atexit

from portal import create_app

app = create_app()
atexit.register(app.extensions["guichet"].end)
