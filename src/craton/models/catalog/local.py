"""Models that this machine can run itself: those in the box and those that somebody registered.

Owns their record and where the boxed ones lie; knows neither the store nor how a model process is started.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Kind = Literal["chat", "embedding", "rerank", "image"]
"""What a model does; the same words stand in a directory's craton.json, and the engine serves by them."""

Engine = Literal["auto", "onnx", "transformers", "vllm"]
"""Who serves a model that writes text, where somebody named one."""

BOX = Path(__file__).resolve().parents[2] / "engine" / "box"


class LocalModel(msgspec.Struct, frozen=True, kw_only=True):
    """`directory` is absolute and holds the files that the engine serves; `boxed` ones come with the package."""

    id: Annotated[str, Meta(min_length=1, max_length=140, pattern=r"^[a-z0-9][a-zA-Z0-9._:-]*\Z")]
    directory: str
    name: str = ""
    context_tokens: int = 2048
    boxed: bool = False
    kind: Kind = "chat"
    engine: Engine = "auto"


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
    """The models that came with the package."""
    found = [read_card(card.parent) for card in sorted(box.glob("*/craton.json"))]
    return [msgspec.structs.replace(model, boxed=True) for model in found]
