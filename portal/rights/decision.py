"""May this person see or buy this, and why: one answer for screens, command line and journal."""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from portal import clock
from portal.refusals import Reason
from portal.rights import ceilings
from portal.rights.ceilings import Room
from portal.rights.rules import Rule, matching, rules_for
from portal.rights.scopes import Wanted


@dataclass(frozen=True)
class Employee:
    """Who a decision is about: an account and the groups (normalised DNs) it is effectively in."""

    account_id: int
    group_keys: frozenset[str]


@dataclass(frozen=True)
class Decision:
    """Allow or deny, with the rules that decided it and the room under every ceiling that applies.

    `reason.code` is `allowed`, `no_rule`, `denied_by_rule` or `over_ceiling`.
    """

    allowed: bool
    reason: Reason
    rules: tuple[Rule, ...] = ()
    rooms: tuple[Room, ...] = ()

    @property
    def tightest(self) -> Room | None:
        """The ceiling with the least room, if any applies."""
        return min(self.rooms, key=lambda room: room.left_cents, default=None)


def decide(rules: list[Rule], right: str, wanted: Wanted) -> Decision:
    """Apply an employee's rules: rules add up, a `deny` wins, and no rule allows nothing."""
    hits = matching(rules, right, wanted)
    denying = tuple(rule for rule in hits if rule.effect == "deny")
    if denying:
        return Decision(False, Reason("denied_by_rule", {"group": denying[0].group_dn}), denying)
    if not hits:
        return Decision(False, Reason("no_rule"))
    return Decision(True, Reason("allowed"), tuple(hits))


def explain(
    session: Session, employee: Employee, wanted: Wanted, zone: ZoneInfo, amount_cents: int = 0, right: str = "buy"
) -> Decision:
    """Decide whether an employee may have a right on an offer, ceilings included.

    Args:
        amount_cents: the price with VAT that must fit under every ceiling.
    """
    decision = decide(rules_for(session, employee.group_keys), right, wanted)
    if not decision.allowed or right != "buy":
        return decision
    at = clock.now()
    rooms = tuple(
        ceilings.room_under(session, ceiling, employee.account_id, at, zone)
        for ceiling in ceilings.applying(session, employee.group_keys, wanted)
    )
    full = next((room for room in rooms if room.left_cents < amount_cents), None)
    if full:
        return Decision(False, Reason("over_ceiling", full.refusal(amount_cents)), decision.rules, rooms)
    return Decision(True, decision.reason, decision.rules, rooms)
