"""The canon held against botocore's service model: every member, bound, enum and union of Converse and its kin."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import botocore.session
import msgspec
import pytest
from botocore.model import ListShape, MapShape, Shape, StructureShape
from msgspec import inspect as types

from craton.models.canon import content, events, reply, request

# Where the canon differs from the model on purpose: path → why.
EXCEPTIONS = {
    "Converse.input.toolConfig.tools[].toolSpec.inputSchema.json": "the one member of a union is required by it",
    "ConverseStream.input.toolConfig.tools[].toolSpec.inputSchema.json": "as in Converse",
    "Converse.output.stopSequence": "native schemas name it; Converse's operations clear it before they encode",
    "ConverseStream.output.messageStop.stopSequence": "as in the whole reply",
    "Converse.output.trace": "the guardrail's trace is made by guardrails, and opaque to the canon",
    "ConverseStream.output.metadata.trace": "as in the whole reply",
    "Converse.output.output": "the union of one member is written as a structure that requires it",
    "Converse.output.output.message": "as its parent",
    "ConverseStream.output.contentBlockDelta.delta": "a union, made by dialects alone and not counted on the hot path",
    "Converse.input.modelId": "a label of the path, matched by the operation's own model",
    "ConverseStream.input.modelId": "as in Converse",
    "Converse.input.additionalModelRequestFields": "any document in the model; only an object can be merged into a body",
    "ConverseStream.input.additionalModelRequestFields": "as in Converse",
    "ConverseStream.output.contentBlockStart.start.toolUse.type": "made by dialects alone, out of the enum",
    "Converse.input.guardrailConfig.streamProcessingMode": "one Struct serves both operations; only streams have it",
}

ANSWERS = {
    "messageStart": events.MessageStart,
    "contentBlockStart": events.BlockStart,
    "contentBlockDelta": events.BlockDelta,
    "contentBlockStop": events.BlockStop,
    "messageStop": events.MessageStop,
    "metadata": events.StreamMetadata,
}


@cache
def service() -> Any:
    return botocore.session.Session().get_service_model("bedrock-runtime")


def roots() -> dict[str, tuple[Shape, type]]:
    """What is compared: a path's head → AWS's shape and our type."""
    runtime = service()
    pairs: dict[str, tuple[Shape, type]] = {}
    for name in ("Converse", "ConverseStream"):
        pairs[f"{name}.input"] = (runtime.operation_model(name).input_shape, request.ConverseRequest)
    pairs["Converse.output"] = (runtime.operation_model("Converse").output_shape, reply.ConverseReply)
    stream = runtime.operation_model("ConverseStream").output_shape.members["stream"]
    for name, struct in ANSWERS.items():
        pairs[f"ConverseStream.output.{name}"] = (stream.members[name], struct)
    return pairs


def differences(shape: Shape, kind: Any, at: str, seen: frozenset[str] = frozenset()) -> Iterator[str]:
    """Each difference as a line that begins with its path."""
    kind = bare(kind)
    if isinstance(kind, types.AnyType | types.RawType):
        if not getattr(shape, "is_document_type", False):
            yield f"{at}: is open, AWS has {shape.type_name}"
        return
    if isinstance(shape, StructureShape):
        if shape.name not in seen:
            yield from structure(shape, kind, at, seen | {shape.name})
    elif isinstance(shape, ListShape):
        yield from bounds(shape, kind, at)
        yield from differences(shape.member, kind.item_type, f"{at}[]", seen)
    elif isinstance(shape, MapShape):
        yield from bounds(shape, kind, at)
        yield from differences(shape.key, kind.key_type, f"{at}{{key}}", seen)
        yield from differences(shape.value, kind.value_type, f"{at}{{value}}", seen)
    else:
        yield from scalar(shape, kind, at)


def bare(kind: Any) -> Any:
    """Without optionality and wrapping."""
    if isinstance(kind, types.UnionType):
        kinds = [one for one in kind.types if not isinstance(one, types.NoneType)]
        return bare(kinds[0]) if len(kinds) == 1 else kind
    return bare(kind.type) if isinstance(kind, types.Metadata) else kind


def structure(shape: StructureShape, kind: Any, at: str, seen: frozenset[str]) -> Iterator[str]:
    if not isinstance(kind, types.StructType):
        yield f"{at}: AWS has a structure"
        return
    ours = {field.encode_name: field for field in kind.fields}
    for name in sorted(set(ours) ^ set(shape.members)):
        yield f"{at}.{name}: only {'ours' if name in ours else 'AWS'} has it"
    if shape.is_tagged_union != issubclass(kind.cls, content.Union):
        yield f"{at}: AWS {'has' if shape.is_tagged_union else 'has no'} union"
    for name, member in shape.members.items():
        if name not in ours:
            continue
        in_body = member.serialization.get("location") is None
        if in_body and ours[name].required != (name in shape.required_members):
            yield f"{at}.{name}: required differs"
        yield from differences(member, ours[name].type, f"{at}.{name}", seen)


def bounds(shape: Shape, kind: Any, at: str) -> Iterator[str]:
    lowest, highest = getattr(kind, "min_length", None), getattr(kind, "max_length", None)
    if (lowest or 0) != (shape.metadata.get("min") or 0) or highest != shape.metadata.get("max"):
        yield f"{at}: length {lowest}..{highest}, AWS {shape.metadata.get('min')}..{shape.metadata.get('max')}"


SCALARS = {
    "integer": types.IntType,
    "long": types.IntType,
    "float": types.FloatType,
    "double": types.FloatType,
    "boolean": types.BoolType,
    "blob": types.BytesType,
}


def scalar(shape: Shape, kind: Any, at: str) -> Iterator[str]:
    if shape.type_name == "string":
        yield from string(shape, kind, at)
    elif not isinstance(kind, SCALARS[shape.type_name]):
        yield f"{at}: {type(kind).__name__}, AWS {shape.type_name}"
    elif shape.type_name == "blob":
        yield from bounds(shape, kind, at)
    elif ".usage." in at:
        return  # counts that dialects make; never decoded from a caller
    elif shape.type_name != "boolean" and (kind.ge, kind.le) != (shape.metadata.get("min"), shape.metadata.get("max")):
        yield f"{at}: {kind.ge}..{kind.le}, AWS {shape.metadata.get('min')}..{shape.metadata.get('max')}"


def string(shape: Shape, kind: Any, at: str) -> Iterator[str]:
    enum = shape.metadata.get("enum")
    if enum:
        found = sorted(kind.values) if isinstance(kind, types.LiteralType) else None
        if found != sorted(enum):
            yield f"{at}: enum {found}, AWS {sorted(enum)}"
        return
    if not isinstance(kind, types.StrType):
        yield f"{at}: {type(kind).__name__}, AWS string"
        return
    pattern = shape.metadata.get("pattern")
    ours = (kind.pattern or "").removeprefix("^").removesuffix(r"\Z")
    if ours != (pattern or "").removeprefix("^").removesuffix("$") and pattern not in (None, r"[\s\S]*"):
        yield f"{at}: pattern {kind.pattern}, AWS {pattern}"
    yield from bounds(shape, kind, at)


def unexplained(path: str) -> list[str]:
    shape, kind = roots()[path]
    found = differences(shape, types.type_info(kind), path)
    return [line for line in found if line.partition(": ")[0] not in EXCEPTIONS]


@pytest.mark.parametrize("path", sorted(roots()))
def test_the_canon_has_exactly_what_the_service_model_has(path: str) -> None:
    """Members, required members, bounds, patterns, enums and unions agree, but for the exceptions with reasons."""
    assert unexplained(path) == []


def test_every_exception_is_one() -> None:
    """An exception that no longer differs is deleted."""
    lines = [
        line for path, (shape, kind) in roots().items() for line in differences(shape, types.type_info(kind), path)
    ]
    assert set(EXCEPTIONS) <= {line.partition(": ")[0] for line in lines}


def test_stream_events_are_those_of_the_service_model() -> None:
    """ConverseStream has no event that the canon lacks; the rest of its members are exceptions."""
    stream = service().operation_model("ConverseStream").output_shape.members["stream"]
    assert {name for name in stream.members if not name.endswith("Exception")} == set(ANSWERS)


def test_count_tokens_takes_a_part_of_a_converse_request() -> None:
    """CountTokens' `converse` input is made of members of a Converse request, so one Struct reads it."""
    counted = service().operation_model("CountTokens").input_shape.members["input"].members["converse"]
    converse = service().operation_model("Converse").input_shape
    assert set(counted.members) <= set(converse.members)
    for name, member in counted.members.items():
        assert member.name == converse.members[name].name


OPEN_JSON = [
    (content.ToolUseBlock, b'{"toolUseId":"a","name":"b","input":{"x":1}}'),
    (content.ToolResultContent, b'{"json":{"x":1}}'),
    (request.InputSchema, b'{"json":{"type":"object"}}'),
    (events.ToolResultDelta, b'{"json":[1]}'),
]


@pytest.mark.parametrize(("kind", "body"), OPEN_JSON, ids=[kind.__name__ for kind, _ in OPEN_JSON])
def test_open_json_is_read_and_written_as_it_is(kind: type, body: bytes) -> None:
    """JSON that the canon does not look into decodes and encodes unchanged."""
    assert msgspec.json.encode(msgspec.json.decode(body, type=kind)) == body


def test_a_message_start_says_its_role_on_the_wire() -> None:
    """`role` is a required member of the event, so it is written though it is always the same."""
    assert msgspec.json.decode(msgspec.json.encode(events.MessageStart("assistant"))) == {"role": "assistant"}


def test_a_union_of_two_members_is_refused() -> None:
    """Exactly one member of a union may be set."""
    with pytest.raises(msgspec.ValidationError, match="exactly one member"):
        msgspec.json.decode(
            b'{"text":"a","image":{"format":"png","source":{"bytes":"AA=="}}}', type=content.ContentBlock
        )
