"""Over a ceiling one can ask: somebody entitled lets that one purchase pass, or not.

An allowance covers that purchase once: the same person, service and inputs, at no more than the price asked
for, under the ceilings that stood in its way. It expires, and comes back when the purchase fails.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Select, String, select, update
from sqlalchemy.orm import Mapped, Session, joinedload, mapped_column, relationship

from portal import audit, clock
from portal.catalog.offers import OfferRow
from portal.checkout.quotes import QuoteRow
from portal.database import Base, State, UtcDateTime
from portal.directory.accounts import Account
from portal.directory.answers import Person
from portal.refusals import Refused
from portal.rights.decision import Decision

STATES = ("waiting", "allowed", "declined", "used")
LONGEST_WORDS = 500
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


class PurchaseRequest(Base):
    """One request to pass a ceiling once; `ceilings` are the ids of those that had no room."""

    __tablename__ = "purchase_requests"
    __table_args__ = (
        CheckConstraint(f"state IN {STATES}", "state_known"),
        CheckConstraint("decided_by_id IS NULL OR decided_by_id <> account_id", "not_decided_by_oneself"),
        CheckConstraint("gross_cents > 0", "price_positive"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(String(32), unique=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), index=True)
    offer_id: Mapped[int] = mapped_column(ForeignKey("offers.id"))
    inputs: Mapped[dict[str, str]] = mapped_column(JSON)
    subject: Mapped[str] = mapped_column(String(300))
    net_cents: Mapped[int]
    gross_cents: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    ceilings: Mapped[list[int]] = mapped_column(JSON)
    refusal: Mapped[dict[str, Any]] = mapped_column(JSON)
    words: Mapped[str] = mapped_column(String(LONGEST_WORDS))
    state: Mapped[str] = mapped_column(State, index=True)
    asked_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    decider_id: Mapped[str] = mapped_column(String(64), index=True)
    decider_name: Mapped[str] = mapped_column(String(256))
    decided_by_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    answer: Mapped[str] = mapped_column(String(LONGEST_WORDS), default="")
    order_number: Mapped[str] = mapped_column(String(32), default="", index=True)

    account: Mapped[Account] = relationship(foreign_keys=[account_id])
    decided_by: Mapped[Account | None] = relationship(foreign_keys=[decided_by_id])
    offer: Mapped[OfferRow] = relationship()

    @property
    def is_expired(self) -> bool:
        """Whether nothing will come of it any more, because nobody answered or it was not used in time."""
        return self.state in {"waiting", "allowed"} and clock.now() >= self.expires_at

    @property
    def standing(self) -> str:
        """Its state, `expired` included."""
        return "expired" if self.is_expired else self.state


@dataclass(frozen=True)
class Deciders:
    """Who may decide besides the person a request names: administrators, and the members of one group (DN) if one is set."""

    admin_groups: list[str]
    group: str = ""

    def may(self, request: PurchaseRequest, account: Account) -> bool:
        """Whether somebody may decide a request; nobody decides his own."""
        if account.id == request.account_id:
            return False
        named = bool(request.decider_id) and account.directory_id == request.decider_id
        return named or account.is_in([*self.admin_groups, *([self.group] if self.group else [])])


def ask(
    session: Session,
    quote: QuoteRow,
    account: Account,
    decision: Decision,
    words: str,
    decider: Person | None,
    days: int,
) -> tuple[PurchaseRequest, bool]:
    """Ask for one purchase to pass the ceilings that have no room for it; the same asked twice is one request.

    Returns:
        The request, and whether it is new.

    Raises:
        Refused: `request_needless`, because no ceiling stands in the way, or `request_words` without a reason.
    """
    words = " ".join(words.split())[:LONGEST_WORDS]
    if decision.reason.code != "over_ceiling":
        raise Refused("request_needless")
    if not words:
        raise Refused("request_words")
    known = _open(session, account.id, quote.offer_id, quote.inputs, ("waiting", "allowed"))
    if known and known.gross_cents >= quote.gross_cents:
        return known, False
    at = clock.now()
    made = PurchaseRequest(
        number=_new_number(), account_id=account.id, offer_id=quote.offer_id, inputs=quote.inputs,
        subject=quote.subject, net_cents=quote.net_cents, gross_cents=quote.gross_cents, currency=quote.currency,
        ceilings=[room.ceiling.id for room in decision.full], refusal=decision.reason.facts, words=words,
        state="waiting", asked_at=at, expires_at=at + timedelta(days=days), answer="", order_number="",
        decider_id=decider.id if decider else "", decider_name=(decider.name or decider.login) if decider else "",
    )  # fmt: skip
    session.add(made)
    session.flush()
    audit.record(session, f"account {account.id}", "request_made", made.number, after=_said(made))
    return made, True


def decide(
    session: Session, number: str, account: Account, deciders: Deciders, allow: bool, words: str, days: int
) -> PurchaseRequest:
    """Allow or decline a request; an allowance is good for `days` days.

    Raises:
        Refused: `request_gone`, `request_own`, or `request_words` when it is declined without a reason.
    """
    request = find(session, number)
    if request is None or request.standing != "waiting":
        raise Refused("request_gone")
    if account.id == request.account_id:
        raise Refused("request_own")
    if not deciders.may(request, account):
        raise Refused("request_gone")
    return answer(session, request, f"account {account.id}", account.id, allow, words, days)


def answer(
    session: Session,
    request: PurchaseRequest,
    actor: str,
    decided_by_id: int | None,
    allow: bool,
    words: str,
    days: int,
) -> PurchaseRequest:
    """Answer a waiting request; `decided_by_id` is None when the system's administrator does so at a terminal.

    Raises:
        Refused: `request_gone`, or `request_words` when it is declined without a reason.
    """
    words = " ".join(words.split())[:LONGEST_WORDS]
    if not allow and not words:
        raise Refused("request_words")
    at = clock.now()
    taken = session.execute(
        update(PurchaseRequest)
        .where(PurchaseRequest.id == request.id, PurchaseRequest.state == "waiting", PurchaseRequest.expires_at > at)
        .values(
            state="allowed" if allow else "declined", decided_by_id=decided_by_id, decided_at=at, answer=words,
            expires_at=at + timedelta(days=days),
        )
        .returning(PurchaseRequest.id)
    ).first()  # fmt: skip
    if taken is None:
        raise Refused("request_gone")
    session.refresh(request)
    action = "request_allowed" if allow else "request_declined"
    audit.record(session, actor, action, request.number, after={**_said(request), "answer": words})
    return request


def allowance(session: Session, quote: QuoteRow, decision: Decision) -> PurchaseRequest | None:
    """The allowance that lets a quote pass the ceilings in its way, if there is one."""
    found = _open(session, quote.account_id, quote.offer_id, quote.inputs, ("allowed",))
    if found is None or quote.gross_cents > found.gross_cents:
        return None
    return found if {room.ceiling.id for room in decision.full} <= set(found.ceilings) else None


def standing_request(session: Session, quote: QuoteRow, decision: Decision) -> PurchaseRequest | None:
    """The allowance that lets a quote pass, else what was asked for it and waits."""
    return allowance(session, quote, decision) or _open(
        session, quote.account_id, quote.offer_id, quote.inputs, ("waiting",)
    )


def use(session: Session, request: PurchaseRequest, order_number: str) -> None:
    """An allowance is used by an order, once. Raises `Refused`: `request_gone`, when another order has just used it."""
    taken = session.execute(
        update(PurchaseRequest)
        .where(PurchaseRequest.id == request.id, PurchaseRequest.state == "allowed")
        .values(state="used", order_number=order_number)
        .returning(PurchaseRequest.id)
    ).first()
    if taken is None:
        raise Refused("request_gone")


def give_back(session: Session, order_number: str) -> None:
    """The order that used an allowance has failed: it may be used again until it expires."""
    session.execute(
        update(PurchaseRequest)
        .where(PurchaseRequest.order_number == order_number, PurchaseRequest.state == "used")
        .values(state="allowed", order_number="")
    )


def find(session: Session, number: str) -> PurchaseRequest | None:
    """A request by its number."""
    return session.scalar(select(PurchaseRequest).where(PurchaseRequest.number == number))


def of_account(session: Session, account_id: int, limit: int = 50) -> list[PurchaseRequest]:
    """What somebody has asked, newest first."""
    query = select(PurchaseRequest).where(PurchaseRequest.account_id == account_id)
    return list(session.scalars(_whole(query.order_by(PurchaseRequest.id.desc()).limit(limit))))


def newest(session: Session, *, waiting: bool = False, limit: int = 500) -> list[PurchaseRequest]:
    """Everybody's requests, the newest first; `waiting`: only those that somebody may still answer."""
    query = select(PurchaseRequest)
    if waiting:
        query = query.where(PurchaseRequest.state == "waiting", PurchaseRequest.expires_at > clock.now())
    return list(session.scalars(_whole(query.order_by(PurchaseRequest.id.desc()).limit(limit))))


def to_decide(session: Session, account: Account, deciders: Deciders) -> list[PurchaseRequest]:
    """What waits for somebody's decision, the oldest first."""
    query = select(PurchaseRequest).where(PurchaseRequest.state == "waiting", PurchaseRequest.expires_at > clock.now())
    waiting = session.scalars(_whole(query.order_by(PurchaseRequest.id)))
    return [request for request in waiting if deciders.may(request, account)]


def _open(
    session: Session, account_id: int, offer_id: int, inputs: Mapping[str, str], states: tuple[str, ...]
) -> PurchaseRequest | None:
    query = select(PurchaseRequest).where(
        PurchaseRequest.account_id == account_id, PurchaseRequest.offer_id == offer_id,
        PurchaseRequest.state.in_(states), PurchaseRequest.expires_at > clock.now(),
    )  # fmt: skip
    found = session.scalars(_whole(query.order_by(PurchaseRequest.id.desc())))
    return next((each for each in found if each.inputs == inputs), None)


def _whole(query: Select[PurchaseRequest]) -> Select[PurchaseRequest]:
    return query.options(
        joinedload(PurchaseRequest.offer), joinedload(PurchaseRequest.account), joinedload(PurchaseRequest.decided_by)
    )


def _said(request: PurchaseRequest) -> dict[str, Any]:
    return {
        "offer": request.offer_id, "gross_cents": request.gross_cents, "ceilings": request.ceilings,
        "words": request.words, "decider": request.decider_name,
    }  # fmt: skip


def _new_number() -> str:
    letters = "".join(secrets.choice(ALPHABET) for _ in range(10))
    return f"R-{letters[:5]}-{letters[5:]}"
