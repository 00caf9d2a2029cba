"""Custom models as rows of the store: what is kept of each, where its files lie, and whether its base is still the same.

Owns the rows' body, the names of the folders, and the check of a base by the hash of its weights. What serves a custom
model is `custom_deployment`'s; how it was made is `workflows.customize`'s.

A model's files lie in HOME/models/custom/ID/adapter (an adapter as peft keeps it) or …/model (weights of its own).
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import msgspec

from craton.aws.access.actions import arn_of
from craton.features.hosting.customization_job import BaseModel
from craton.infra.compute.weights_hash import hash_of_stamp, weights_stamp
from craton.infra.store.port import Resource

KIND = "custom-model"
SHOWN = "custom model"
CREATING, ACTIVE, FAILED = "Creating", "Active", "Failed"
ADAPTERS = "#adapters"
Form = Literal["adapter", "model"]
_PARTIAL, _GONE = ".partial", ".gone"
OTHER_WEIGHTS = "The weights of the base model {base} are not those that the custom model {name} was trained on; it is not loaded on others."
NO_BASE = "The base model {base} of the custom model {name} is no longer on this server."


class CustomModel(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body of a model's row. `training`, `validation`, `output` and `config` are the job's request's.

    `base_sha256` is the hash of the base's weights, `base_stamp` what their files looked like when it was computed.
    `source_uri` and `role_arn`: from where CreateCustomModel took it, with which rights.
    """

    base: BaseModel
    type: str
    form: Form = "adapter"
    base_sha256: str = ""
    base_stamp: str = ""
    job_arn: str = ""
    job_name: str = ""
    hyperparameters: dict[str, str] = {}
    training: dict[str, Any] = {}
    validation: dict[str, Any] = {}
    output: dict[str, Any] = {}
    config: dict[str, Any] = {}
    training_loss: float | None = None
    validation_loss: float | None = None
    size_bytes: int = 0
    kms_key: str | None = None
    source_uri: str = ""
    role_arn: str = ""
    message: str | None = None
    tags: dict[str, str] = {}


def model_arn(account: str, region: str, base_id: str, ident: str) -> str:
    return arn_of(KIND, region, account, id=f"{base_id}/{ident}")


def deployment_of(model: CustomModel, arn: str) -> str:
    """The deployment that serves the model: its base's with adapters, or its own."""
    return f"{model.base.local}{ADAPTERS}" if model.form == "adapter" else arn


def stamp_of(directory: Path | None) -> str:
    """What a base's files look like now; empty where there are none."""
    with suppress(OSError):
        return weights_stamp(directory) if directory is not None else ""
    return ""


def wrong_base(model: CustomModel, name: str, directory: Path | None, stamp: str) -> str:
    """Why a model cannot be loaded on what lies in its base's directory, whose stamp this is; empty if it can."""
    if model.form == "model":
        return ""
    if directory is None or not stamp:
        return NO_BASE.format(base=model.base.local, name=name)
    if stamp == model.base_stamp:
        return ""
    try:
        same = hash_of_stamp(directory, stamp) == model.base_sha256
    except OSError:
        same = False
    return "" if same else OTHER_WEIGHTS.format(base=model.base.local, name=name)


# --- folders ---


def folder_of(home: Path) -> Path:
    """Where the files of all custom models lie, each in a folder by its id."""
    return home / "models" / "custom"


def files_of(home: Path, ident: str, form: Form) -> Path:
    """The directory that an engine loads."""
    return folder_of(home) / ident / form


def place(home: Path, ident: str, made: Path, form: Form) -> int:
    """Give what was made its place, for good; how many bytes it holds. May be done again at any point. Raises OSError."""
    final = folder_of(home) / ident
    draft = final.with_name(f"{ident}{_PARTIAL}")
    if not final.is_dir():
        for folder in (home / "models", folder_of(home), draft):
            folder.mkdir(mode=0o700, exist_ok=True)
        if not (draft / form).is_dir():
            made.rename(draft / form)
        (draft / form).chmod(0o700)
        for file in (draft / form).iterdir():
            file.chmod(0o600)
        draft.rename(final)
    return sum(file.stat().st_size for file in (final / form).iterdir())


def discard(home: Path, ident: str) -> None:
    """Remove a model's files, whose row is gone. One rename first: what is cut short behind it is never loaded."""
    final = folder_of(home) / ident
    gone = final.with_name(f"{ident}{_GONE}")
    with suppress(OSError):
        final.rename(gone)
    for folder in (gone, final.with_name(f"{ident}{_PARTIAL}")):
        shutil.rmtree(folder, ignore_errors=True)


def named(row: Resource) -> str:
    return row.name or row.id
