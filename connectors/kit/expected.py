"""What a connector may say of each wrong: the table that silver and gold judge by."""

from __future__ import annotations

from connectors.contract import AuthFailed, ConnectorError, NotOffered, Rejected, Unavailable
from connectors.kit.stage import Said

DOUBT = ("Unknown", "UnknownOutcome", "ContractBroken")
BROKEN = ("ContractBroken", "UnknownOutcome", "Unavailable")
READS = ("list", "suggest", "quote", "orders")
OUTCOMES = (*READS, "fulfil", "lookup", "status")
"""Every call that meets faults, in the order of a purchase."""
NO = ("401", "403", "429", "503")
"""Faults that say themselves that nothing was done."""


def allowed(step: str, fault: str) -> tuple[str, ...]:
    """The names of what may come of a call that met a fault."""
    if fault in {"401", "403"}:
        return ("AuthFailed",) if step in READS else ("AuthFailed", "Unknown")
    if fault in {"429", "503"}:
        return ("Unavailable",) if step in READS else ("Unavailable", "Unknown")
    if step in READS:
        return BROKEN
    # Asking again is safe: only of an order may nobody say that it was never sent.
    return DOUBT if step == "fulfil" else (*DOUBT, "Unavailable")


def is_allowed(step: str, fault: str, said: Said) -> bool:
    """Whether that is what came. What is no error of the contract is taken as the core takes it: broken, or a doubt."""
    if said.error is not None and not isinstance(said.error, ConnectorError):
        return fault not in NO
    if isinstance(said.error, Rejected | NotOffered):
        return False
    if fault == "elsewhere":
        # A redirect of an order was answered by nobody who may: everything but a yes, a no or a sign-in is right.
        return not isinstance(said.error, AuthFailed) and (said.error is not None or said.kind == "Unknown")
    if step == "suggest" and said.value == []:
        return True
    if isinstance(said.error, Unavailable) and step == "fulfil":
        return "Unavailable" in allowed(step, fault)
    return said.kind in allowed(step, fault)
