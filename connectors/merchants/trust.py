"""How far code is trusted that speaks for a merchant: what is shipped was read; code of others waits for an administrator's word."""

from __future__ import annotations

from typing import Literal

from connectors.contract import Words

Trust = Literal["", "own_process", "in_process"]
"""What a site says of code that is not shipped: nothing, that it runs apart, or that it is trusted like the portal's own."""
Level = Literal["declared", "shipped", "own_process", "in_process", "refused"]
"""Whose code speaks: none, the product's, others' apart, others' within the portal, others' that may not run."""


def require(trust: Trust, connector: str, *, shipped: bool) -> tuple[Words, Words] | None:
    """Why code may not run as the site says, and what to do; None when it may."""
    if not trust:
        return None if shipped else _not_enabled(connector)
    if trust == "in_process":
        return None
    # Read only where it is wanted: it is made of what Linux alone has.
    from connectors.apart.isolation import lacking

    missing = lacking()
    return _not_isolated(missing) if missing else None


def _not_enabled(connector: str) -> tuple[Words, Words]:
    return (
        {
            "fr": f"« {connector} » apporte du code qui n'est pas livré avec Guichet : il ne s'exécute pas sans votre accord",
            "en": f"“{connector}” brings code that is not shipped with Guichet: it does not run without your consent",
        },
        {
            "fr": 'Écrivez trust = "own_process" dans sa section de portal.toml pour l\'exécuter à part, sans secret, réseau ni fichier.',
            "en": 'Write trust = "own_process" in its section of portal.toml to run it apart, without secrets, network or files.',
        },
    )


def _not_isolated(missing: str) -> tuple[Words, Words]:
    return (
        {
            "fr": f"son code ne peut pas s'exécuter à part : il manque {missing} à cette machine",
            "en": f"its code cannot run apart: this machine lacks {missing}",
        },
        {
            "fr": "Donnez-lui un noyau ou un conteneur qui l'a ; un connecteur n'est jamais exécuté sans protection.",
            "en": "Give it a kernel or a container that has it; a connector is never run unprotected.",
        },
    )
