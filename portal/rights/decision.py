"""May this person see or buy this, and why: one answer for screens, command line and journal."""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from portal import clock
from portal.refusals import Reason
from portal.rights import ceilings
from portal.rights.ceilings import Price
from portal.rights.holds import Room, rooms_under
from portal.rights.rules import Rule, matching, rules_on
from portal.rights.scopes import Wanted

FREE = Price(0, 0)


@dataclass(frozen=True)
class Employee:
    """Who a decision is about: an account and the keys of the groups it is effectively in."""

    account_id: int
    group_keys: frozenset[str]


@dataclass(frozen=True)
class Decision:
    """Allow or deny, with the rules that decided it and the room under every ceiling that applies.

    `reason.code` is `allowed`, `no_rule`, `denied_by_rule` or `over_ceiling`; `full` are the rooms that
    are too small for the price.
    """

    allowed: bool
    reason: Reason
    rules: tuple[Rule, ...] = ()
    rooms: tuple[Room, ...] = ()
    full: tuple[Room, ...] = ()

    @property
    def tightest(self) -> Room | None:
        """The ceiling with the least room, if any applies."""
        return min(self.rooms, key=lambda room: room.left_cents, default=None)


def decide(rules: list[Rule], right: str, wanted: Wanted) -> Decision:
    """Apply an employee's rules: rules add up, a `deny` wins, and no rule allows nothing."""
    hits = matching(rules, right, wanted)
    denying = tuple(rule for rule in hits if rule.effect == "deny")
    if denying:
        return Decision(False, Reason("denied_by_rule", {"group": denying[0].group.label}), denying)
    if not hits:
        return Decision(False, Reason("no_rule"))
    return Decision(True, Reason("allowed"), tuple(hits))


def explain(
    session: Session, employee: Employee, wanted: Wanted, zone: ZoneInfo, price: Price = FREE, right: str = "buy"
) -> Decision:
    """Decide whether an employee may have a right on an offer, ceilings included."""
    # Kept until the end: the groups of these rules are mostly those of the ceilings, and need no second reading.
    rules = rules_on(session, employee.group_keys, wanted)
    decision = decide(rules, right, wanted)
    if not decision.allowed or right != "buy":
        return decision
    live = ceilings.applying(session, employee.group_keys, wanted)
    rooms = rooms_under(session, live, employee.account_id, clock.now(), zone)
    full = tuple(room for room in rooms if not room.fits(price))
    if full:
        return Decision(False, Reason("over_ceiling", full[0].refusal(price)), decision.rules, rooms, full)
    return Decision(True, decision.reason, decision.rules, rooms)
