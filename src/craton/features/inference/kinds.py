"""The kinds of model beside chat, in one visible table: what InvokeModel does with a body of each.

A kind's own file has `async def invoke(call, resolved, model_id, body)`: it reads the native body with the kind's
dialect, asks a target, and writes the native reply. It is loaded when the first such model is asked: a start should
not pay for kinds that nobody uses. Knows no schema and no provider.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import cache
from importlib import import_module
from typing import cast

import msgspec

from craton.aws.wire.faults import Fault, not_found, validation
from craton.config import ConfigError
from craton.context import Call
from craton.features.inference import passthrough
from craton.features.inference.routing.routes import UNLIMITED, Resolved, Route, Target
from craton.models.canon.reply import Usage
from craton.models.catalog.local import Kind
from craton.models.catalog.rows import Model

NO_LOCAL = (
    "No model of this server makes {made}. Add one with `craton models add {example}`, or name an upstream for {id} in "
    "a [[model]] table of the configuration."
)
WRONG_KIND = "The model {id} is not {made_by}."

# An id outside the catalog whose model does not converse.
SILENT = msgspec.structs.replace(UNLIMITED, converse=False, stream=False, count_tokens=False)


class Counted(msgspec.Struct, frozen=True):
    """What an answer's headers tell of usage, in tokens; None: nobody knows, and the header is left out."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_write_input_tokens: int | None = None


Invoke = Callable[[Call, Resolved, str, bytes], Awaitable[tuple[bytes, Usage | Counted]]]


class Row(msgspec.Struct, frozen=True):
    """One kind.

    `file`: beside this one, with `invoke`. `method`: what a provider must have. `own_schema`: the native schema of a
    model outside the catalog that names none. `schemas`: the module with the table `SCHEMAS` of its dialects. `made`,
    `made_by`, `example`: words for what such a model makes, what it is, and how to add one.
    """

    file: str
    method: str
    own_schema: str
    schemas: str
    made: str
    made_by: str
    example: str


KINDS: dict[Kind, Row] = {
    "embedding": Row(
        "embed", "embed", "openai.embeddings", "craton.models.dialects.embeddings.all",
        "embeddings", "an embedding model", "minilm",
    ),
    "rerank": Row(
        "rerank", "rerank", "amazon.rerank", "craton.models.dialects.rerank.all",
        "rankings", "a reranking model", "minilm",
    ),
    "image": Row(
        "images", "paint", "openai.images", "craton.models.dialects.images.all",
        "images", "an image model", "PATH",
    ),
}  # fmt: skip


@cache
def invoker(kind: Kind) -> Invoke:
    """What answers InvokeModel for a model of this kind."""
    if kind == "chat":
        return passthrough.invoke
    found = import_module(f"craton.features.inference.{KINDS[kind].file}")
    return cast("Invoke", found.invoke)


def kind_of(model: Model) -> Kind:
    """The kind of a model of the catalog; whatever the table does not have counts as chat, and may not converse."""
    for kind in KINDS:
        if model.family == kind:
            return kind
    return "chat"


def kind_of_schema(name: str) -> Kind:
    """The kind of model that speaks this native schema."""
    for kind, row in KINDS.items() if name else ():
        if name in import_module(row.schemas).SCHEMAS:
            return kind
    return "chat"


def check_target(kind: Kind, model_id: str, target: Target) -> None:
    """Raise ConfigError for a provider that has nothing to do this with."""
    if kind == "chat" or has_method(target, KINDS[kind].method):
        return
    if kind == "rerank" and ranks_by_embeddings(target) and has_method(target, "embed"):
        return
    raise ConfigError(f"[[model]] {model_id!r}: the provider {target.provider.name!r} has no {KINDS[kind].made}")


def has_method(target: Target, method: str) -> bool:
    return callable(getattr(target.provider, method, None))


def ranks_by_embeddings(target: Target) -> bool:
    """The quirk by which an embedding model stands in for a reranking one."""
    return target.quirks.get("rank_by") == "embeddings"


def check_route(route: Route, kind: Kind) -> None:
    """Raise ValidationException for a model of another kind, ResourceNotFoundException for one without a target."""
    row = KINDS[kind]
    if route.kind != kind:
        raise validation(WRONG_KIND.format(id=route.model_id, made_by=row.made_by))
    if not route.targets:
        raise not_found(NO_LOCAL.format(made=row.made, example=row.example, id=route.model_id))


def no_such_schema(route: Route) -> Fault:
    """A body of this model cannot be read: nobody has built its schema."""
    return validation(f"InvokeModel is not built for {route.model_id}.")
