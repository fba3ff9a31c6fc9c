"""`portal check`: connects to everything configured and says in plain words what is wrong and what to do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import timedelta

import click
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from connectors.contract import ConnectorError, Problem
from connectors.operators.profiles import UnknownProfile, load_profile
from portal import breakers, clock, daily
from portal.admin import merchant_sheet
from portal.billing import operator_choice
from portal.billing.operators import name_of
from portal.catalog import changes
from portal.catalog.merchants import asking, checked
from portal.commands.context import database_remedy, json_option, opened
from portal.commands.ending import FOUND_WRONG
from portal.commands.language import say, terminal_language
from portal.commands.mail_words import REMEDIES, found_in_words
from portal.database import unusable
from portal.directory import findings
from portal.installation import Installation
from portal.languages import in_language
from portal.mail import messages
from portal.migrations import schema
from portal.money import format_money
from portal.outbox import Task

LONGEST_QUEUE_S = 600


@dataclass(frozen=True)
class Line:
    """One thing looked at: what it is, whether it is well, what was found and what to do."""

    ok: bool
    subject: str
    found: str
    remedy: str = ""


def register(group: click.Group) -> None:
    """Add `check`."""
    group.add_command(check)


@click.command(help=say("Connect to everything configured and say what is wrong and what to do."))
@json_option
def check(as_json: bool) -> None:
    with opened(current=False) as installation, breakers.asking_anyway():
        lines = list(_everything(installation))
    if as_json:
        click.echo(json.dumps([asdict(line) for line in lines], ensure_ascii=False, indent=2))
    else:
        _print(lines)
    if not all(line.ok for line in lines):
        raise SystemExit(FOUND_WRONG)


def _print(lines: list[Line]) -> None:
    for line in lines:
        mark = click.style("ok   ", fg="green") if line.ok else click.style("wrong", fg="red", bold=True)
        click.echo(f"{mark}  {line.subject}: {line.found}")
        if line.remedy:
            click.echo(f"       → {line.remedy}")
    wrong = sum(not line.ok for line in lines)
    click.echo(say("All is well.") if not wrong else say("%(count)s to mend.", count=wrong))


def _everything(installation: Installation) -> Iterator[Line]:
    yield from _database(installation)
    yield _storage(installation)
    for finding in installation.directory.diagnose():
        yield Line(finding.ok, say("Directory"), findings.found(finding, say), findings.remedy(finding, say))
    yield from _operator(installation)
    yield from _merchants(installation)
    yield from _changes(installation)
    yield from _waiting_for_merchants(installation)
    yield from _away(installation)
    yield _mail(installation)


def _away(installation: Installation) -> Iterator[Line]:
    """Who is left in peace by the workers and pages, and still does not answer."""
    try:
        with installation.database.reading() as session:
            found = breakers.standing(session)
    except SQLAlchemyError:
        return
    zone = installation.settings.portal.zone
    for each in found:
        key = each.lane.partition(":")[2]
        words = say(
            "no answer since %(since)s (%(detail)s); asked again at %(next)s.", detail=each.detail,
            since=f"{each.since.astimezone(zone):%Y-%m-%d %H:%M:%S}", next=f"{each.next_attempt.astimezone(zone):%H:%M:%S}",
        )  # fmt: skip
        remedy = say("Nothing is lost: what waits goes on by itself at the first answer.")
        yield Line(False, say("Merchant %(key)s", key=key) if key else say("Operator"), words, remedy)


def _database(installation: Installation) -> Iterator[Line]:
    subject = say("Database")
    try:
        current = schema.is_current(installation.database)
        if not current:
            yield Line(False, subject, say("it is not of this version."), say("Run “portal db upgrade”."))
            return
        daily.prove_writable(installation.database)
        with installation.database.reading() as session:
            # What waits for somebody who is away waits for no worker.
            away = [found.lane for found in breakers.standing(session)]
            due = select(func.min(Task.due_at)).where(Task.done_at.is_(None), Task.lane.not_in(away))
            oldest = session.scalar(due)
            undelivered = messages.undelivered(session, timedelta(days=1))
    except SQLAlchemyError as error:
        found = unusable(error) if isinstance(error, DBAPIError) else ""
        yield Line(False, subject, found or str(getattr(error, "orig", error)), database_remedy(error))
        return
    yield Line(True, subject, say("it can be written and is of this version."))
    if undelivered:
        found = say("%(count)s could not be delivered since yesterday.", count=undelivered)
        yield Line(False, say("Mail"), found, say("“portal mail list” says which, and why."))
    waiting = (clock.now() - oldest).total_seconds() if oldest else 0
    if waiting > LONGEST_QUEUE_S:
        found = say("a task has been due for %(minutes)s minutes.", minutes=int(waiting // 60))
        yield Line(False, say("Worker"), found, say("Start one: “portal worker”, or “portal serve” which runs one."))


def _storage(installation: Installation) -> Line:
    folder = installation.storage.folder
    try:
        installation.storage.probe()
    except OSError as error:
        found = say("%(folder)s cannot be written (%(why)s).", folder=folder, why=error.strerror or error)
        remedy = say(
            "Make room there or give the portal's user the right to write, or change [storage] url. What was bought waits until then."
        )
        return Line(False, say("Deliveries"), found, remedy)
    return Line(True, say("Deliveries"), say("they are kept in %(folder)s.", folder=folder))


def _problems(subject: str, problems: list[Problem]) -> Iterator[Line]:
    language = terminal_language()
    for problem in problems:
        yield Line(False, subject, in_language(problem.what, language), in_language(problem.remedy, language))


def _operator(installation: Installation) -> Iterator[Line]:
    subject = say("Operator")
    try:
        standing = installation.operators.last_known()
    except UnknownProfile as error:
        yield Line(False, subject, f"{error}.", say("Choose one of them: “portal operators choose NAME”."))
        return
    profile = load_profile(standing.profile)
    if standing.source == "screen":
        found = say("%(name)s was chosen by an administrator; that wins over portal.toml.", name=standing.profile)
        yield Line(True, subject, found)
    if profile.former:
        yield Line(True, subject, say("%(former)s is %(today)s today.", former=profile.former, today=profile.name))
    yield from _elsewhere(installation, subject, standing.adapter.identity)
    problems = standing.adapter.check()
    yield from _problems(subject, problems)
    if not problems and standing.adapter.files is not None:
        found = say("files for %(name)s can be signed and delivered.", name=profile.name)
        yield Line(True, subject, found)
    elif not problems:
        yield Line(
            True,
            subject,
            say(
                "signed in at %(root)s; the line is %(line)s.",
                root=installation.settings.operator.api_root,
                line=installation.settings.operator.line,
            ),
        )


def _elsewhere(installation: Installation, subject: str, identity: str) -> Iterator[Line]:
    """Charges that only another operator can end: portal.toml was changed by hand while they were open."""
    try:
        with installation.database.reading() as session:
            found = operator_choice.elsewhere(session, identity)
    except SQLAlchemyError:
        return
    for each in found:
        amount, name = format_money(each.cents, "EUR", terminal_language()), name_of(each.operator)
        said = say(
            "%(count)s charges (%(amount)s) are still open at %(name)s.", count=each.count, amount=amount, name=name
        )
        remedy = say("They wait until %(name)s is the operator again: choose it back until they have ended.", name=name)
        yield Line(False, subject, said, remedy)


def _merchants(installation: Installation) -> Iterator[Line]:
    language = terminal_language()
    here = say("It was connected on a screen: change it there (Administration, Merchants).")
    for key, broken in installation.merchants.broken.items():
        is_here = key not in installation.merchants.configured
        remedy = in_language(broken.remedy, language) or (
            here
            if is_here
            else say(
                "Correct [merchants.%(key)s] connector in portal.toml; “portal connectors list” shows those there are.",
                key=key,
            )
        )
        yield Line(False, say("Merchant %(key)s", key=key), in_language(broken.words, language), remedy)
    for key, merchant in installation.merchants.loaded.items():
        subject = say("Merchant %(key)s", key=key)
        try:
            with asking(key):
                problems = [checked(problem) for problem in merchant.connector.check()]
        except ConnectorError as error:
            is_here = key not in installation.merchants.configured
            remedy = here if is_here else say("Check its base_url and its secrets in portal.toml.")
            yield Line(False, subject, str(error), remedy)
            continue
        yield from _problems(subject, problems)
        if not problems:
            yield Line(True, subject, say("%(name)s answers.", name=merchant.manifest.merchant.name))


def _changes(installation: Installation) -> Iterator[Line]:
    """What is not on sale until somebody has answered."""
    try:
        with installation.database.reading() as session:
            count = changes.waiting(session)
    except SQLAlchemyError:
        return
    if count:
        found = say(
            "%(count)s changes wait for an administrator's word; what they are about is not on sale.", count=count
        )
        yield Line(
            False,
            say("Catalogue"),
            found,
            say("“portal catalog changes” says which; answer them there or on the screen."),
        )


def _waiting_for_merchants(installation: Installation) -> Iterator[Line]:
    """Orders that only a merchant could end that is not connected any more."""
    try:
        with installation.database.reading() as session:
            found = merchant_sheet.sheets(session, installation.merchants, installation.settings)
    except SQLAlchemyError:
        return
    for sheet in found:
        if sheet.state == "gone" and sheet.figures.open:
            said = say("%(count)s orders wait for it, and it is not connected any more.", count=sheet.figures.open)
            remedy = say(
                "Connect it again under the same name, on a screen or in portal.toml; they go on by themselves."
            )
            yield Line(False, say("Merchant %(key)s", key=sheet.key), said, remedy)


def _mail(installation: Installation) -> Line:
    subject, config = say("Mail"), installation.settings.mail
    if not config.host:
        return Line(True, subject, say("no host is set, so none is sent."))
    server = f"{config.host}:{config.port}"
    outcome = installation.mail.check()
    if outcome:
        return Line(False, subject, found_in_words(outcome, server), REMEDIES[outcome.code])
    return Line(True, subject, say("%(server)s would take mail from %(sender)s.", server=server, sender=config.sender))
