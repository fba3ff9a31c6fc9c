"""One installation of the portal: its settings, and everything they connect to.

Made once by the web application, by the worker and by each command; this is the only place where
all rooms meet.
"""

from __future__ import annotations

import os
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path

from sqlalchemy.exc import ArgumentError

from connectors.contract import OperatorAdapter
from connectors.http import Network, trusted
from connectors.operators.profiles import UnknownProfile
from connectors.operators.registry import OperatorConfig, UsageConfig, load_operator
from connectors.waiting import Breaker, Seats
from portal import clock, daily
from portal.billing import captures, recovery, refunding, settlement, usage
from portal.billing.config import is_pinned
from portal.billing.drain import Drain
from portal.billing.holding import Holding
from portal.billing.operators import Operators, asking_its_operator
from portal.billing.recovery import Recovery
from portal.billing.rounds import Round
from portal.billing.worker import Handler, run_leased, worker_name
from portal.breakers import Breakers
from portal.catalog import lists
from portal.catalog.following import SiteMerchants
from portal.catalog.lists import Lists
from portal.checkout import upload_rounds
from portal.checkout.purchase import advance, resolve
from portal.checkout.recovery import enqueue_forgotten
from portal.checkout.reminders import LOOK_S, remind
from portal.checkout.steps import Means
from portal.checkout.storage import LONGEST_FETCH_S, Storage
from portal.checkout.uploads import KeptUploads
from portal.database import Database
from portal.directory.config import DirectoryConfig
from portal.directory.lookup import LdapDirectory
from portal.mail import sending
from portal.mail.submission import MailServer
from portal.migrations import schema
from portal.outbox import OPERATOR, Lease
from portal.sealing import Seal
from portal.settings import READ_EVERY_MIN, Settings
from portal.settings_faults import Fault, SettingsError

GRACE_S = 5
"""How long a web process that ends still carries purchases on."""


@dataclass(frozen=True)
class Installation:
    """What one process works with."""

    settings: Settings
    database: Database
    breakers: Breakers
    directory: LdapDirectory
    merchants: SiteMerchants
    operators: Operators
    storage: Storage
    uploads: KeptUploads
    mail: MailServer
    holding: Holding
    owner: str

    @property
    def operator(self) -> OperatorAdapter:
        """The operator in force at this moment, for what is about no charge."""
        return self.operators.current().adapter

    @property
    def means(self) -> Means:
        """What purchases are carried out with."""
        return self._means(self.operator)

    def _means(self, operator: OperatorAdapter) -> Means:
        section = self.settings.operator
        return Means(self.database, self.merchants, operator, section.line, self.storage, section.offline_cents)

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """What the worker does with each kind of task."""
        return self._handlers()

    def _handlers(self, instead: OperatorAdapter | None = None) -> dict[str, Handler]:
        line = self.settings.operator.line
        asking = partial(asking_its_operator, self.database, self.operators, instead)
        return {
            "purchase": asking(lambda operator, lease: advance(self._means(operator), lease.subject, lease)),
            "capture": asking(lambda operator, lease: settlement.capture(self.database, operator, line, lease)),
            "void": asking(lambda operator, lease: settlement.void(self.database, operator, lease)),
            "refund": asking(lambda operator, lease: refunding.refund(self.database, operator, lease)),
            "mail": partial(sending.send, self.database, self.mail),
        }

    @property
    def recovery(self) -> Recovery:
        """What finds and resolves whatever is open."""

        def handlers(operator: OperatorAdapter) -> Mapping[str, Handler]:
            asking = partial(asking_its_operator, self.database, self.operators, operator)
            purchase = asking(lambda operator, lease: resolve(self._means(operator), lease.subject, lease))
            return {**self._handlers(operator), "purchase": purchase}

        return Recovery(self.database, self.operator, handlers, enqueue_forgotten)

    @property
    def drains(self) -> list[Drain]:
        """What the worker does in groups."""
        return [captures.drain(self.operators)]

    @property
    def rounds(self) -> list[Round]:
        """What the worker does at intervals."""
        head = partial(
            daily.once_a_day, self.database, self.settings.portal.zone, "audit head", daily.log_newest_hash
        )  # fmt: skip
        started, lists_of_merchants = clock.now(), self.lists
        return [
            Round("daily", daily.LOOK_S, head),
            Round("recovery", recovery.LOOK_S, lambda: self.recovery.at_intervals(started)),
            Round("usage", usage.ROUND_S, self._usage_round),
            Round("leftovers", LONGEST_FETCH_S, self.storage.sweep),
            Round("reminders", LOOK_S, self._remind),
            Round("files", upload_rounds.LOOK_S, partial(upload_rounds.sweep, self.database, self.uploads)),
            Round("lists", lists.LOOK_S, lists_of_merchants.look, lists_of_merchants.end),
        ]  # fmt: skip

    @property
    def lists(self) -> Lists:
        """The merchants' lists, and who reads them when."""
        sections = self.settings.merchants

        def every(key: str) -> timedelta:
            return timedelta(minutes=sections[key].read_every if key in sections else READ_EVERY_MIN)

        return Lists(self.database, self.merchants, every)

    def _usage_round(self) -> None:
        files = self.operator.files
        if files is not None:
            usage.go_round(self.database, files, self.settings.portal.zone)

    def _remind(self) -> None:
        section = self.settings.portal
        if self.settings.mail.host:
            remind(self.database, self.merchants, section.zone, str(section.public_url).rstrip("/"), section.locale)

    def carry_on(self, lease: Lease, patience_s: float, seats: Seats | None = None) -> None:
        """Advance a purchase just accepted, waiting at most `patience_s` seconds for it, and only from one of the `seats`.

        What is not done by then goes on in this process; if the process ends in order it is handed back
        (`end`), if it dies the lease runs out, and a worker takes over.
        """
        self.holding.take([lease])
        thread = threading.Thread(target=self._carry_on, args=(lease,), name=f"purchase {lease.subject}", daemon=True)
        thread.start()
        # Of those who buy from a merchant that hangs, most are shown at once where their order stands.
        seat = seats.take() if seats else None
        if seats is None or seat is not None:
            thread.join(patience_s)
        if seats and seat is not None:
            seats.leave(seat)

    def _carry_on(self, lease: Lease) -> None:
        try:
            run_leased(self.database, self.handlers, lease)
        finally:
            self.holding.leave([lease])

    def end(self, grace_s: float = GRACE_S) -> None:
        """The process ends: purchases it carries on are done within `grace_s` seconds, or handed back to a worker."""
        self.holding.end(grace_s)

    def close(self) -> None:
        """Give back every connection."""
        self.operators.close()
        self.directory.close()
        self.database.close()


def open_installation(settings: Settings) -> Installation:
    """Connect nothing yet, but make everything that can connect.

    Raises:
        SettingsError: the operator's profile does not exist, or the database's URL or a CA file cannot be used.
    """
    network = _network(settings)
    database = _database(settings)
    breakers = Breakers(database)
    folder = settings.path(settings.storage.url.removeprefix("file:"))
    uploads = KeptUploads(database, folder / "given")
    return Installation(
        settings=settings,
        database=database,
        breakers=breakers,
        directory=LdapDirectory(directory_config(settings)),
        merchants=SiteMerchants(
            settings, database, network, breakers.of, Seal(settings.path(settings.portal.secret_key_file)), uploads
        ),
        operators=_operators(settings, network, database, breakers.of(OPERATOR)),
        storage=Storage(folder),
        uploads=uploads,
        mail=_mail(settings),
        holding=Holding(database),
        owner=worker_name(),
    )


def _mail(settings: Settings) -> MailServer:
    added = [str(settings.path(name)) for name in (settings.network.ca_file, settings.mail.ca_file) if name]
    if settings.mail.ca_file and settings.mail.host:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(added[-1])
        except OSError as error:
            detail = {"detail": f"{added[-1]}: {error.strerror or error}"}
            raise SettingsError([Fault("portal.toml, [mail] ca_file", "unreadable", detail)]) from error
    return MailServer(settings.mail, tuple(added))


def _network(settings: Settings) -> Network:
    ca_file = str(settings.path(settings.network.ca_file)) if settings.network.ca_file else ""
    try:
        trusted(ca_file)
    except OSError as error:
        detail = {"detail": f"{ca_file}: {error.strerror or error}"}
        raise SettingsError([Fault("portal.toml, [network] ca_file", "unreadable", detail)]) from error
    return Network(settings.network.proxy, ca_file, private_hosts=tuple(settings.network.private_hosts))


def _database(settings: Settings) -> Database:
    # Tables point at tables of other rooms: all of them must be known before the first row is written,
    # also in a process that loads no screen.
    schema.metadata()
    try:
        return Database(settings.database_url)
    except (ArgumentError, ImportError) as error:
        raise SettingsError([Fault("portal.toml, [database] url", "database_url", {"detail": error})]) from error


def _operators(settings: Settings, network: Network, database: Database, breaker: Breaker) -> Operators:
    config = operator_config(settings)

    def make(profile: str, way: Network) -> OperatorAdapter:
        return load_operator(replace(config, profile=profile), way, lambda: clock.now())

    watched = replace(network, breaker=breaker)
    try:
        return Operators(
            database, config.profile, partial(make, way=watched), partial(make, way=network),
            pinned=is_pinned(os.environ),
        )  # fmt: skip
    except UnknownProfile as error:
        known = {"known": ", ".join(error.known)}
        raise SettingsError([Fault("portal.toml, [operator] profile", "profile", known)]) from error


def directory_config(settings: Settings) -> DirectoryConfig:
    """The `[directory]` section as the LDAP module takes it."""
    section = settings.directory
    return DirectoryConfig(
        urls=section.urls, preset=section.preset, start_tls=section.start_tls,
        ca_file=str(settings.path(section.ca_file)) if section.ca_file else "",
        bind_dn=section.bind_dn, bind_password=section.bind_password.get_secret_value(),
        people_base=section.people_base, login_attributes=section.login_attributes,
        people_filter=section.people_filter, groups_base=section.groups_base,
        groups_filter=section.groups_filter, nested=section.nested,
        attributes=section.attributes, timeout=section.timeout,
    )  # fmt: skip


def operator_config(settings: Settings) -> OperatorConfig:
    """The `[operator]` section as the adapter takes it."""
    section = settings.operator

    def path(value: str) -> Path | None:
        return settings.path(value) if value else None

    usage = UsageConfig(
        spool=settings.path(section.usage_spool), signing_key=settings.path(section.usage_signing_key_file),
        folder=path(section.usage_folder), sftp=section.usage_sftp, sftp_host_key=section.usage_sftp_host_key,
        sftp_password=section.usage_sftp_password.get_secret_value(), sftp_key=path(section.usage_sftp_key_file),
        account=section.usage_account, answer_days=section.usage_answer_days,
        answer_key=path(section.usage_answer_key_file),
    )  # fmt: skip
    return OperatorConfig(
        profile=section.profile, adapter=section.adapter, api_root=section.api_root, token_url=section.token_url,
        client_id=section.client_id, client_secret=section.client_secret.get_secret_value(), line=section.line,
        identify_by=section.identify_by, steps=section.steps, usage=usage, zone=settings.portal.time_zone,
    )  # fmt: skip
