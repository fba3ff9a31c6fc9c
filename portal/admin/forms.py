"""The forms of the admin screens."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask_babel import lazy_gettext
from flask_wtf import FlaskForm
from wtforms import DateField, HiddenField, IntegerField, SelectField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import Length, NumberRange, Optional, ValidationError

from portal import money, words
from portal.admin.proposals import Proposal
from portal.directory.answers import Group
from portal.rights.ceilings import WARN_PERCENT, Terms
from portal.rights.scopes import parse_scope

WHAT = (
    SelectChoice("allow-buy", lazy_gettext("may buy")),
    SelectChoice("allow-browse", lazy_gettext("may see")),
    SelectChoice("deny-buy", lazy_gettext("may not buy")),
    SelectChoice("deny-browse", lazy_gettext("may neither see nor buy")),
    SelectChoice("ceiling", lazy_gettext("has a ceiling, and no new right")),
)
WHO = (
    SelectChoice("each", lazy_gettext("for each person")), SelectChoice("shared", lazy_gettext("for the group together")),
    SelectChoice("everyone", lazy_gettext("for everyone in the company, each")),
)  # fmt: skip
VAT = (SelectChoice("with", lazy_gettext("counted")), SelectChoice("without", lazy_gettext("not counted")))
NO_PERCENT = lazy_gettext("Write a number from 0 (never) to 100.")
PERIODS = tuple(SelectChoice(name, text) for name, text in words.PERIODS.items())


class RightForm(FlaskForm):  # type: ignore[misc]
    """A group may do something within a scope, up to an amount, between two days. `group` is the DN chosen."""

    group_text = StringField(lazy_gettext("Group"), validators=[Length(max=256)])
    group = HiddenField(validators=[Length(max=1000)])
    what = SelectField(lazy_gettext("Right"), choices=WHAT, default="allow-buy")
    scope = SelectField(lazy_gettext("On what"), default="all")
    limit = StringField(lazy_gettext("Up to (€)"), validators=[Optional(), Length(max=20)])
    period = SelectField(lazy_gettext("Each time"), choices=PERIODS, default="month")
    who = SelectField(lazy_gettext("Counted"), choices=WHO, default="each")
    vat = SelectField(lazy_gettext("VAT"), choices=VAT, default="with")
    warn = IntegerField(
        lazy_gettext("Warn from (%)"), validators=[NumberRange(0, 100, NO_PERCENT)], default=WARN_PERCENT
    )
    first = DateField(lazy_gettext("From"), validators=[Optional()])
    last = DateField(lazy_gettext("Until"), validators=[Optional()])

    def validate_limit(self, field: Any) -> None:
        """An amount of money, and one that says something."""
        try:
            money.parse_amount(field.data)
        except ValueError:
            raise ValidationError(lazy_gettext("This is not an amount of money; write it like 200,00.")) from None

    def validate_what(self, field: Any) -> None:
        """A ceiling needs an amount, and what is forbidden needs none."""
        if field.data == "ceiling" and not self.limit.data:
            raise ValidationError(lazy_gettext("A ceiling needs an amount: fill in “Up to”."))
        if not field.data.startswith("allow-buy") and field.data != "ceiling" and self.limit.data:
            raise ValidationError(lazy_gettext("An amount only makes sense for buying: empty “Up to”."))

    def validate_who(self, field: Any) -> None:
        """A right is given to a group; only a ceiling can be for everyone."""
        if field.data == "everyone" and self.what.data != "ceiling":
            raise ValidationError(
                lazy_gettext("Only a ceiling can be for everyone: choose “has a ceiling, and no new right”.")
            )

    @property
    def is_for_everyone(self) -> bool:
        """Whether no group is meant."""
        return bool(self.what.data == "ceiling" and self.who.data == "everyone")

    def validate_last(self, field: Any) -> None:
        """Days in their order."""
        if field.data and self.first.data and field.data < self.first.data:
            raise ValidationError(lazy_gettext("The last day lies before the first."))

    def proposal(self, group: Group | None, zone: ZoneInfo) -> Proposal:
        """What a valid form proposes for the group found; None for everyone."""
        scope = parse_scope(self.scope.data)
        effect, _, right = self.what.data.partition("-")
        terms = None
        if self.limit.data:
            terms = Terms(
                self.who.data, scope, self.period.data, money.parse_amount(self.limit.data),
                with_vat=self.vat.data == "with", warn_percent=self.warn.data,
            )  # fmt: skip
        return Proposal(
            group, scope, effect if right else "", right, _midnight(self.first.data, zone),
            _midnight(self.last.data + timedelta(days=1) if self.last.data else None, zone), terms,
        )  # fmt: skip


class DelegationForm(FlaskForm):  # type: ignore[misc]
    """The members of one group decide for another within a scope; both are named or given by their DN."""

    delegates = StringField(lazy_gettext("Members of"), validators=[Length(max=1000)])
    target = StringField(lazy_gettext("decide for"), validators=[Length(max=1000)])
    scope = SelectField(lazy_gettext("On what"), default="all")


def _midnight(day: date | None, zone: ZoneInfo) -> datetime | None:
    return datetime.combine(day, time.min, zone).astimezone(UTC) if day else None
