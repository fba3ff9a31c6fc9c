"""Bronze, what stands in the folder: the manifest, no secrets, no code that reaches around the portal, and fixtures."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stdnum.fr import siren as siren_number
from stdnum.fr import tva

from connectors.kit.checks import CHECKS, check, fail, skip
from connectors.kit.stage import Stage, listed
from connectors.kit.story import FixturesError, read_fixtures
from connectors.merchants.registry import ConnectorBroken

TEXTS = {".toml", ".json", ".py", ".md", ".txt", ".cfg", ".ini", ".yaml", ".yml", ".env", ".pem", ".key", ".http"}
SECRET = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY|\bsk_live_\w{8,}|\bAKIA[0-9A-Z]{16}\b|\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.|\bgh[pousr]_\w{20,}"
    r"|\b(?:Bearer|Basic|Token) (?![Rr]ealm|[Aa]uth)[A-Za-z0-9+/_.=-]{12,}"
)
ASSIGNED = re.compile(
    r"""(?ix) ["']? (?: [a-z_-]* (?: api[_-]?key | secret | password | passwd | access_token | authorization | cookie ) )
    ["']? \s* [:=] \s* (["']) (?P<value> (?: (?!\1) [^\n{}<>‹…=/\s] ){8,} ) \1"""
)
ELSEWHERE = {
    "portal", "demo", "socket", "ssl", "asyncio", "http", "urllib3", "requests", "httpx", "httpx2", "aiohttp", "ftplib",
    "smtplib", "subprocess", "multiprocessing", "ctypes", "os", "flask", "sqlalchemy", "sqlite3", "urllib.request", "pickle",
}  # fmt: skip


def _raw(stage: Stage) -> dict[str, Any]:
    try:
        return tomllib.loads((stage.folder / "connector.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        skip("connector.toml ne se lit pas (manifest.valid)", "connector.toml cannot be read (manifest.valid)")


def _merchant(stage: Stage) -> dict[str, Any]:
    table = _raw(stage).get("merchant", {})
    return table if isinstance(table, dict) else {}


@check(
    "manifest.valid",
    "bronze",
    "Le manifeste est valable et le code se charge",
    "The manifest is valid and the code loads",
)
def _valid(stage: Stage) -> None:
    try:
        stage.read()
    except ConnectorBroken as broken:
        fail(
            broken.words["fr"], broken.words["en"],
            "Corrigez cette clé dans connector.toml ; docs/connectors.md les explique toutes.", "Correct this key in connector.toml; docs/connectors.md explains them all.",
        )  # fmt: skip
    found_by = stage.name or stage.folder.name
    if stage.manifest.id != found_by and "/" not in found_by and not (stage.folder / "__init__.py").is_file():
        fail(
            f"id = « {stage.manifest.id} », et le dossier s’appelle {found_by}", f"id = “{stage.manifest.id}”, and its folder is called {found_by}",
            "Donnez-leur le même nom : c’est par lui que portal.toml trouve le connecteur.", "Give both the same name: it is what portal.toml finds the connector by.",
        )  # fmt: skip


@check(
    "manifest.identity",
    "bronze",
    "SIREN et numéro de TVA sont ceux d’une même entreprise",
    "SIREN and VAT number are of one company",
)
def _identity(stage: Stage) -> None:
    merchant = _merchant(stage)
    if merchant.get("country", "FR") != "FR":
        skip("le marchand n’est pas français", "the merchant is not French")
    siren, vat = str(merchant.get("siren", "")), str(merchant.get("vat", ""))
    if not siren_number.is_valid(siren):
        fail(
            f"le SIREN « {siren} » n’est pas valable", f"the SIREN “{siren}” is not valid",
            "Écrivez ses neuf chiffres dans [merchant] siren.", "Write its nine digits in [merchant] siren.",
        )  # fmt: skip
    if not vat and not any(offer.vat_rate_bp for offer in listed(stage)):
        # A public body that sells nothing under VAT has no number to show.
        return
    if not tva.is_valid(vat) or not vat.endswith(siren):
        fail(
            f"le numéro de TVA « {vat} » n’est pas valable, ou n’est pas celui du SIREN {siren}",
            f"the VAT number “{vat}” is not valid, or not that of SIREN {siren}",
            "Il vaut FR, deux chiffres de contrôle et le SIREN.", "It is FR, two check digits and the SIREN.",
        )  # fmt: skip


@check(
    "manifest.terms",
    "bronze",
    "Les conditions, la confidentialité et l’aide sont indiquées",
    "Terms, privacy and support are given",
)
def _terms(stage: Stage) -> None:
    merchant = _merchant(stage)
    missing = [
        name for name in ("terms_url", "privacy_url") if not str(merchant.get(name, "")).startswith("https://")
    ] + ([] if merchant.get("support") else ["support"])
    if missing:
        names = ", ".join(missing)
        fail(
            f"[merchant] sans {names}", f"[merchant] without {names}",
            "Les acheteurs les voient avant chaque achat : donnez des adresses en https.",
            "Buyers see them before each purchase: give https addresses.",
        )  # fmt: skip


@check("manifest.intangible", "bronze", "Rien n’est expédié", "Nothing is shipped")
def _intangible(stage: Stage) -> None:
    if _merchant(stage).get("intangible_only") is not True:
        fail(
            "[merchant] ne dit pas intangible_only = true", "[merchant] does not say intangible_only = true",
            "Guichet ne vend que de l’immatériel : dites-le, ou ne proposez pas ce marchand.",
            "Guichet sells nothing that is shipped: say so, or do not offer this merchant.",
        )  # fmt: skip


@check("folder.no_secrets", "bronze", "Aucun secret dans les fichiers", "No secret in any file")
def _no_secrets(stage: Stage) -> None:
    for path in _texts(stage.folder):
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            if SECRET.search(line) or any(_is_value(found["value"]) for found in ASSIGNED.finditer(line)):
                where = f"{path.relative_to(stage.folder)}:{number}"
                fail(
                    f"{where} semble contenir un secret", f"{where} seems to hold a secret",
                    "Retirez-le et changez-le chez le marchand ; les secrets se donnent dans portal.toml, les exemples disent {any}.",
                    "Take it out and have the merchant change it; secrets belong in portal.toml, fixtures say {any}.",
                )  # fmt: skip


def _texts(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts and (path.suffix in TEXTS or path.name.startswith(".")):
            yield path


def _is_value(text: str) -> bool:
    """Whether this is a secret rather than the name of one: those are words without digits."""
    return not re.fullmatch(r"[a-z]+([_.-][a-z]+)*|X(-[A-Za-z]+)+|[A-Z][a-z]+(-[A-Z][a-z]+)*", text)


@check(
    "code.stays_inside",
    "bronze",
    "Le code n’utilise que le client HTTP du portail",
    "The code uses the portal's HTTP client alone",
)
def _stays_inside(stage: Stage) -> None:
    files = sorted(stage.folder.glob("*.py"))
    if not (stage.folder / "connector.py").is_file():
        skip("le connecteur n’a pas de code", "the connector has no code")
    for path in files:
        for name in _imports(path):
            if name in ELSEWHERE or name.split(".")[0] in ELSEWHERE:
                fail(
                    f"{path.name} importe {name}", f"{path.name} imports {name}",
                    "Passez par self.context.http : lui seul connaît le proxy, les limites et les hôtes permis.",
                    "Use self.context.http: it alone knows the proxy, the limits and the hosts that are allowed.",
                )  # fmt: skip


def _imports(path: Path) -> Iterator[str]:
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except SyntaxError:
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@check(
    "fixtures.complete",
    "bronze",
    "Les exemples se lisent et racontent un achat entier",
    "The fixtures can be read and tell a whole purchase",
)
def _complete(stage: Stage) -> None:
    remedy = (
        "« portal connectors new » montre chaque fichier ; docs/connectors.md les explique.",
        "“portal connectors new” shows every file; docs/connectors.md explains them.",
    )
    try:
        fixtures = read_fixtures(stage.folder)
    except FixturesError as error:
        fail(error.words["fr"], error.words["en"], *remedy)
    capabilities, steps = stage.manifest.capabilities, {exchange.step for exchange in fixtures.exchanges}
    needed = (["list"] if stage.is_asked_for_offers else []) + ["quote", "fulfil"]
    needed += ["lookup", "lookup-none"] if capabilities.lookup_by_key else []
    needed += ["orders"] if getattr(stage.manifest, "orders", None) else []
    needed += ["status"] if getattr(stage.manifest, "status", None) and fixtures.story.slow else []
    needed += ["sign-in"] if stage.manifest.auth.kind in {"login_token", "oauth2_client"} else []
    missing = [f"{step}.json" for step in needed if step not in steps]
    if missing:
        names = ", ".join(missing)
        fail(f"il manque {names} dans fixtures/, que le manifeste annonce", f"fixtures/ lacks {names}, of which the manifest speaks", *remedy)  # fmt: skip
    unknown = sorted(set(fixtures.story.skip) - {each.id for each in CHECKS if each.may_skip})
    if unknown:
        fail(
            f"fixtures/story.toml : [skip] {unknown[0]} ne peut pas être passé", f"fixtures/story.toml: [skip] {unknown[0]} may not be skipped",
            "Seules les épreuves dites facultatives dans docs/connectors.md peuvent l’être.", "Only those that docs/connectors.md calls optional may be.",
        )  # fmt: skip
    if "fulfil.key_sent" in fixtures.story.skip and (capabilities.lookup_by_key or capabilities.idempotent != "none"):
        fail(
            "fixtures/story.toml : [skip] fulfil.key_sent, alors que [capabilities] promet une clé", "fixtures/story.toml: [skip] fulfil.key_sent, while [capabilities] promises a key",
            "Seul un marchand sans clé ni recherche (idempotent = « none ») peut passer cette épreuve.", "Only a merchant without key and look-up (idempotent = “none”) may skip this check.",
        )  # fmt: skip
    short = [name for name, reason in fixtures.story.skip.items() if len(reason.get("fr", "").split()) < 3]
    if short:
        fail(
            f"fixtures/story.toml : [skip] {short[0]} sans vraie raison", f"fixtures/story.toml: [skip] {short[0]} without a real reason",
            "Écrivez une phrase : elle est montrée à chaque administrateur.", "Write a sentence: every administrator is shown it.",
        )  # fmt: skip
