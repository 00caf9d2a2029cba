"""The card of a custom model, for people, and the mark in its adapter by which CreateCustomModel knows its base again.

Owns the text of both. It must not know where they go.
"""

from __future__ import annotations

import json
from pathlib import Path

import msgspec

from craton.features.hosting.custom import Form
from craton.features.hosting.customization_job import BaseModel, CustomizationJob
from craton.features.tuning import artifacts

MARK = "craton_adapter.json"


class Mark(msgspec.Struct, frozen=True):
    """Beside an adapter's files: the base that it was trained on, and how."""

    base: BaseModel
    base_sha256: str
    type: str


def describe(out: Path, form: Form, job: str, body: CustomizationJob) -> None:
    """Write both. May be done again. Raises OSError."""
    facts = json.loads((out / artifacts.CARD).read_bytes())
    (out / "card.md").write_text(text_of(job, body, facts), encoding="utf-8")
    mark = Mark(body.base, facts["base_sha256"], body.type)
    if (out / form).is_dir():
        (out / form / MARK).write_bytes(msgspec.json.encode(mark))


def text_of(job: str, body: CustomizationJob, facts: dict[str, object]) -> str:
    """The card as Markdown."""
    stands = f" (`{body.base.standin}` stands in for it)" if body.base.standin else ""
    head = [
        f"# {body.model_name}", "",
        f"Made of `{body.base.id}`{stands} by the {body.type} job `{job}`.", "",
        "| | |", "|---|---|",
    ]  # fmt: skip
    told = {name: value for name, value in facts.items() if name != "settings" and value is not None}
    lines = [f"| {name.replace('_', ' ')} | {value} |" for name, value in told.items()]
    lines += [f"| {name} | {value} |" for name, value in body.settled.items()]
    return "\n".join([*head, *lines, "", "Losses per step: `training_artifacts/`.", ""])
