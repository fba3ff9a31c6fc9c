"""What a request of a manifest is filled in with, and what becomes its body: JSON, or a form with files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from connectors.attachments import attached
from connectors.contract import Uploads, Words
from connectors.declared import templates
from connectors.declared.inputs import FACTS, InputTable
from connectors.declared.manifest import Request

GONE: Words = {
    "fr": "Votre fichier n’est plus conservé ici. Rien n’a été commandé : donnez-le à nouveau.",
    "en": "Your file is not kept here any more. Nothing was ordered: give it again.",
}


def input_values(asked: Sequence[InputTable], given: Mapping[str, str], uploads: Uploads) -> dict[str, Any]:
    """What `{input.…}` stands for. Raises `ContractBroken` for a file that is not kept any more."""
    values: dict[str, Any] = {}
    for each in asked:
        value = given.get(each.name, "")
        values[f"input.{each.name}"] = value
        if each.type == "file":
            upload = uploads.describe(value) if value else None
            values |= {f"input.{each.name}.{fact}": getattr(upload, fact, "") for fact in FACTS}
    return values


def body_of(asked: Request, values: Mapping[str, Any], uploads: Uploads) -> dict[str, Any]:
    """The body, as the HTTP client takes it; a file that was not given is left out. Raises `ContractBroken`."""
    if not asked.files:
        return {} if asked.body is None else {"json": templates.in_body(asked.body, values)}
    references = {field: str(templates.in_body(name, values)) for field, name in asked.files.items()}
    files = {field: attached(uploads, uploads.describe(given)) for field, given in references.items() if given}
    form = {name: templates.in_text(text, values) for name, text in (asked.body or {}).items()}
    # Without any file it is still the form that the merchant expects, in the encoding of forms.
    return {"form": form, "files": files}
