"""What `portal check` says about usage files, in plain words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from connectors.contract import ChargeFile, ConnectorError, ContractBroken, Problem
from connectors.operators.usage_file import signature
from connectors.operators.usage_file.places import WayTo
from connectors.operators.usage_file.spool import Spool, SpoolUnusable


def problems(
    spool: Spool, way: WayTo, signing_key: Path, answer_key: Path | None, missed: Callable[[], list[ChargeFile]]
) -> list[Problem]:
    """Everything that keeps files from being made, delivered or answered."""
    found = [*_keys(signing_key, answer_key)]
    try:
        spool.check()
    except SpoolUnusable as error:
        found.append(_problem(
            (f"les lignes de facturation ne peuvent pas être gardées : {error.detail}",
             f"the lines to bill cannot be kept: {error.detail}"),
            ("Vérifiez [operator] usage_spool, les droits sur ce dossier et la place libre.",
             "Check [operator] usage_spool, the rights on that folder and the free space."),
        ))  # fmt: skip
        return found
    found += way.check()
    try:
        found += [_missed(file) for file in missed()]
    except ConnectorError as error:
        found.append(
            _problem(
                (error.detail, error.detail), ("Vérifiez [operator] usage_spool.", "Check [operator] usage_spool.")
            )
        )
    return found


def _keys(signing_key: Path, answer_key: Path | None) -> list[Problem]:
    found = []
    try:
        signature.private_key(signing_key)
        if signing_key.stat().st_mode & 0o077:
            found.append(_problem(
                (f"la clé de signature est lisible par d'autres : {signing_key}",
                 f"the signing key can be read by others: {signing_key}"),
                (f"Lancez : chmod 600 {signing_key}", f"Run: chmod 600 {signing_key}"),
            ))  # fmt: skip
    except ContractBroken as error:
        found.append(_problem(
            (f"la clé de signature est inutilisable : {error.detail}", f"the signing key cannot be used: {error.detail}"),
            ("« portal usage key » en fait une là où [operator] usage_signing_key_file le dit ; donnez à l'opérateur la clé publique affichée.",
             "“portal usage key” makes one where [operator] usage_signing_key_file says; give the operator the public key it prints."),
        ))  # fmt: skip
    if answer_key is not None:
        try:
            signature.public_key(answer_key)
        except ContractBroken as error:
            found.append(_problem(
                (f"la clé publique de l'opérateur est inutilisable : {error.detail}", f"the operator's public key cannot be used: {error.detail}"),
                ("Corrigez [operator] usage_answer_key_file.", "Correct [operator] usage_answer_key_file."),
            ))  # fmt: skip
    return found


def _missed(file: ChargeFile) -> Problem:
    if file.state == "refused":
        return _problem(
            (f"l'opérateur a refusé le fichier {file.number} du {file.day} en entier", f"the operator has refused file {file.number} of {file.day} as a whole"),
            (f"Réglez la cause avec lui, puis : portal usage reissue {file.number}", f"Settle the cause with it, then: portal usage reissue {file.number}"),
        )  # fmt: skip
    return _problem(
        (f"le fichier {file.number} du {file.day} n'a pas eu de réponse", f"file {file.number} of {file.day} has had no answer"),
        (f"Demandez à l'opérateur s'il l'a ; s'il est perdu : portal usage reissue {file.number}",
         f"Ask the operator whether it has it; if it is lost: portal usage reissue {file.number}"),
    )  # fmt: skip


def _problem(what: tuple[str, str], remedy: tuple[str, str]) -> Problem:
    return Problem({"fr": f"{what[0]}.", "en": f"{what[1]}."}, {"fr": remedy[0], "en": remedy[1]})
