"""Who may come in, and whether he still may: sign-in, and the groups asked again.

When the directory is down nobody signs in and no confirmation is accepted, because *unknown* never grants, and
nobody is put out, because it never takes away either. Who is already in browses with the groups last read
(`[directory] when_down = "browse"`), or waits until the directory answers (`"nothing"`).
"""

from __future__ import annotations

from portal import audit, clock, logs
from portal.database import Database
from portal.directory import sessions, throttle
from portal.directory.accounts import Account, remember
from portal.directory.answers import Answer, No, Unknown, Yes
from portal.directory.lookup import LdapDirectory
from portal.refusals import Refused

log = logs.get(__name__)


def sign_in(
    database: Database, directory: LdapDirectory, login: str, password: str, address: str, max_failures: int
) -> str:
    """Check a password and open a session; returns the session's token.

    Raises:
        Refused: `sign_in_throttled`, or `sign_in_refused` for everything else, so that a visitor
            learns nothing; the log tells the cases apart.
    """
    answer = _ask_directory(database, directory, login, password, address, max_failures)
    if not isinstance(answer, Yes):
        raise Refused("sign_in_refused")
    with database.transaction() as session:
        account = remember(session, answer)
        audit.record(session, f"account {account.id}", "signed_in", f"account {account.id}")
        return sessions.open_session(session, account)


def check_password(
    database: Database, directory: LdapDirectory, account: Account, password: str, address: str, max_failures: int
) -> None:
    """Ask a signed-in person for the password again.

    Raises:
        Refused: `sign_in_throttled`, `directory_unknown`, or `password_wrong`, also when the login has
            passed to somebody else.
    """
    answer = _ask_directory(database, directory, account.login, password, address, max_failures)
    if isinstance(answer, Unknown):
        raise Refused("directory_unknown")
    if isinstance(answer, No) or answer.person.id != account.directory_id:
        raise Refused("password_wrong")


def _ask_directory(
    database: Database, directory: LdapDirectory, login: str, password: str, address: str, max_failures: int
) -> Answer:
    """Whether a password is right, within the throttle; the log tells apart what the visitor is not told."""
    with database.reading() as session:
        by_login, by_address = throttle.failures(session, login, address)
    if by_login >= max_failures or by_address >= throttle.FAILURES_PER_ADDRESS:
        log.warning("sign_in_throttled")
        raise Refused("sign_in_throttled", minutes=int(throttle.WINDOW.total_seconds() // 60))
    answer = directory.sign_in(login, password)
    if isinstance(answer, Yes):
        if by_login:
            with database.transaction() as session:
                throttle.forget_failures(session, login)
    elif isinstance(answer, No):
        log.warning("sign_in_refused", reason=answer.reason, detail=answer.detail)
        if answer.reason not in {"empty", "bad_characters"}:
            with database.transaction() as session:
                throttle.count_failure(session, login, address)
    else:
        log.error("sign_in_impossible", reason=answer.reason, detail=answer.detail)
    return answer


def refresh(
    database: Database, directory: LdapDirectory, account: Account, when_down: str = "browse"
) -> Account | None:
    """Read a person's groups again when they are older than five minutes.

    Returns:
        The account with what is known now; None when the directory surely answered that the person
        is gone or may not come in any more, in which case all his sessions have ended.

    Raises:
        Refused: `directory_down`, when nothing may be done on groups last read.
    """
    if not account.is_stale(clock.now()):
        return account
    if when_down == "browse" and directory.is_down:
        # It failed a moment ago: not every page waits for it anew.
        return account
    answer = directory.read(account.directory_id)
    if isinstance(answer, Unknown):
        log.error("directory_unknown", account=account.id, reason=answer.reason, detail=answer.detail)
        if when_down == "browse":
            return account
        raise Refused("directory_down")
    with database.transaction() as session:
        if isinstance(answer, Yes):
            return remember(session, answer)
        sessions.end_all(session, account.id)
        audit.record(session, "directory", "sessions_ended", f"account {account.id}", after={"reason": answer.reason})
    log.warning("account_gone", account=account.id, reason=answer.reason)
    return None


def confirmed_account(database: Database, directory: LdapDirectory, account: Account) -> Account:
    """The account with its groups as the directory gives them at this moment, for a confirmation.

    Raises:
        Refused: `directory_unknown` or `account_gone`.
    """
    answer = directory.read(account.directory_id)
    if isinstance(answer, Unknown):
        log.error("directory_unknown", account=account.id, reason=answer.reason, detail=answer.detail)
        raise Refused("directory_unknown")
    if isinstance(answer, No):
        log.warning("account_gone", account=account.id, reason=answer.reason)
        raise Refused("account_gone")
    with database.transaction() as session:
        return remember(session, answer)
