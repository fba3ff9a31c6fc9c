"""The sign-in form."""

from __future__ import annotations

from flask_babel import lazy_gettext
from flask_wtf import FlaskForm
from wtforms import PasswordField, StringField
from wtforms.validators import InputRequired, Length


class SignInForm(FlaskForm):  # type: ignore[misc]
    """A company login and its password."""

    login = StringField(lazy_gettext("Login"), validators=[InputRequired(), Length(max=256)])
    password = PasswordField(lazy_gettext("Password"), validators=[InputRequired(), Length(max=1024)])
