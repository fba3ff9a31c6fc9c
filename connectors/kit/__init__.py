"""The connector kit: proves a connector against a merchant made of its fixtures, without any network (docs/connectors.md)."""

from connectors.kit import folder, pointers, bronze, purchase, lookups, reads, silver, physical, gold, kinds  # noqa: F401, I001 - in the order in which they are told
from connectors.kit.checks import CHECKS, TIERS, Report, Result, Tier, prove, prove_all

__all__ = ["CHECKS", "TIERS", "Report", "Result", "Tier", "prove", "prove_all"]
