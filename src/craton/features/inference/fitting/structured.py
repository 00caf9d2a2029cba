"""An answer by a JSON schema from targets that know no such thing: the schema becomes a tool that must be called.

What the model puts into the call is the answer, so it is unwrapped into text again, in whole replies and in streams.
A schema that is no object is put into one, since a tool's input always is. Tools of the caller's own stay: then the
model must call one of them or answer through ours. Knows the canon alone; which targets need this, `fit` knows.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

from craton.aws.wire.faults import validation
from craton.models.canon import events as canon
from craton.models.canon.content import ContentBlock
from craton.models.canon.events import BlockDelta, BlockStart, BlockStop, MessageStop, StreamEvent
from craton.models.canon.reply import ConverseReply
from craton.models.canon.request import (
    Chosen,
    ConverseRequest,
    InputSchema,
    JsonSchema,
    OutputConfig,
    Tool,
    ToolChoice,
    ToolConfig,
    ToolSpec,
)
from craton.models.dialects.dialect import Ledger
from craton.models.dialects.tool_calls import json_object, output_schema

PATH = "outputConfig.textFormat"
NO_WAY = f"The target of this model cannot carry {PATH}. Remove {PATH} and try again."
_NAME = "answer"
_PURPOSE = "Your answer to the user. Always answer by calling this tool; write nothing beside it."
_WRAPPED = "value"
_DEFINITIONS = ("$defs", "definitions")


def schema_of(request: ConverseRequest) -> JsonSchema | None:
    """The schema that the answer must follow, if one is given."""
    config = request.output_config
    return config.text_format.structure.json_schema if config is not None and config.text_format is not None else None


def by_tool(
    request: ConverseRequest, schema: JsonSchema, ledger: Ledger, *, must_call: bool
) -> tuple[ConverseRequest, Unwrapping | None]:
    """The request with the schema as a tool, and what turns the call back into text.

    Nothing to turn back where the caller's own choice demands a call already: then no text will come. Raises
    ValidationException if the target cannot be made to call (`must_call` False) or the schema is no JSON object.
    """
    if not must_call:
        raise validation(NO_WAY)
    ledger.emulate(PATH)
    effort = request.output_config.effort if request.output_config is not None else None
    output = OutputConfig(effort=effort) if effort is not None else None
    own = request.tool_config
    choice = own.tool_choice if own is not None else None
    if choice is not None and choice.auto is None:
        return msgspec.structs.replace(request, output_config=output), None
    tools = list(own.tools) if own is not None else []
    taken = {tool.tool_spec.name for tool in tools if tool.tool_spec is not None}
    given, wrapped = as_object(schema.schema)
    name = free_name(taken)
    purpose = f"{schema.description} {_PURPOSE}" if schema.description else _PURPOSE
    tools.append(Tool(tool_spec=ToolSpec(name, InputSchema(given), purpose)))
    config = ToolConfig(tools, ToolChoice(any=Chosen()))
    return msgspec.structs.replace(request, output_config=output, tool_config=config), Unwrapping(name, wrapped=wrapped)


def free_name(taken: set[str]) -> str:
    """A tool's name that the caller does not use."""
    name = _NAME
    while name in taken:
        name += "_"
    return name


def as_object(text: str) -> tuple[Raw, bool]:
    """A schema for a tool's input, and whether the answer is wrapped in it. Raises ValidationException."""
    schema: dict[str, Any] = msgspec.json.decode(output_schema(text))
    if schema.get("type") == "object":
        return Raw(text.encode()), False
    hoisted = {name: schema.pop(name) for name in _DEFINITIONS if name in schema}  # references are from the root
    whole = {"type": "object", "properties": {_WRAPPED: schema}, "required": [_WRAPPED], "additionalProperties": False}
    return Raw(msgspec.json.encode({**whole, **hoisted})), True


class Unwrapping:
    """A call of the tool `name` → the text that it stands for (`fit.Change`)."""

    def __init__(self, name: str, *, wrapped: bool) -> None:
        self.name = name
        self._wrapped = wrapped

    def text(self, arguments: str) -> str:
        """What was answered. Arguments that are cut short stay as they are."""
        if not self._wrapped:
            return arguments or "{}"
        found = json_object(arguments)
        members = msgspec.json.decode(found, type=dict[str, Raw]) if found is not None else {}
        return bytes(members[_WRAPPED]).decode() if _WRAPPED in members else arguments

    @property
    def by_pieces(self) -> bool:
        """Whether a piece of the arguments is a piece of the text."""
        return not self._wrapped

    def reply(self, reply: ConverseReply) -> None:
        """Words beside the call are no part of an answer that must be JSON."""
        said = reply.output.message.content
        if not any(self._is_ours(block) for block in said):
            return
        kept: list[ContentBlock] = []
        for block in said:
            if block.tool_use is not None and self._is_ours(block):
                kept.append(ContentBlock(text=self.text(bytes(block.tool_use.input).decode())))
            elif block.text is None:
                kept.append(block)
        reply.output.message.content = kept
        if reply.stop_reason == "tool_use" and not any(block.tool_use is not None for block in kept):
            reply.stop_reason = "end_turn"

    def _is_ours(self, block: ContentBlock) -> bool:
        return block.tool_use is not None and block.tool_use.name == self.name

    def window(self) -> UnwrappedStream:
        return UnwrappedStream(self)


class UnwrappedStream:
    """The same for a stream (`stream.Window`).

    Text is held until the call comes, which makes it void, or the turn ends without one, which makes it the answer.
    Blocks are numbered anew, as some are left out.
    """

    def __init__(self, unwrapping: Unwrapping) -> None:
        self._unwrapping = unwrapping
        self._held: list[StreamEvent] = []
        self._spoken: set[int] = set()  # blocks of text
        self._ours: int | None = None
        self._arguments: list[str] = []
        self._answered = False
        self._called = False
        self._numbers: dict[int, int] = {}

    def feed(self, events: list[StreamEvent]) -> list[StreamEvent]:
        out: list[StreamEvent] = []
        for event in events:
            if isinstance(event, BlockStart):
                self._start(event, out)
            elif isinstance(event, BlockDelta):
                self._delta(event, out)
            elif isinstance(event, BlockStop):
                self._stop(event, out)
            else:
                if isinstance(event, MessageStop):
                    self._end(event, out)
                out.append(event)
        return out

    def close(self) -> list[StreamEvent]:
        return []

    def _start(self, event: BlockStart, out: list[StreamEvent]) -> None:
        use = event.start.tool_use
        if use is not None and use.name == self._unwrapping.name:
            self._ours = event.content_block_index
            self._answered = True
            self._arguments.clear()
            self._held.clear()
            return
        self._called = self._called or use is not None
        self._emit(event, out)

    def _delta(self, event: BlockDelta, out: list[StreamEvent]) -> None:
        index, delta = event.content_block_index, event.delta
        if index == self._ours:
            piece = delta.tool_use.input if delta.tool_use is not None else ""
            self._arguments.append(piece)
            if self._unwrapping.by_pieces and piece:
                self._emit(canon.text_delta(piece, index), out)
        elif delta.text is None:
            self._emit(event, out)
        else:
            self._spoken.add(index)
            if not self._answered:
                self._held.append(event)

    def _stop(self, event: BlockStop, out: list[StreamEvent]) -> None:
        index = event.content_block_index
        if index == self._ours:
            given = "".join(self._arguments)
            if not self._unwrapping.by_pieces or not given:
                self._emit(canon.text_delta(self._unwrapping.text(given), index), out)
            self._ours = None
        elif index in self._spoken:
            if not self._answered:
                self._held.append(event)
            return
        self._emit(event, out)

    def _end(self, event: MessageStop, out: list[StreamEvent]) -> None:
        for held in self._held:
            self._emit(held, out)
        self._held.clear()
        if event.stop_reason == "tool_use" and self._answered and not self._called:
            event.stop_reason = "end_turn"

    def _emit(self, event: StreamEvent, out: list[StreamEvent]) -> None:
        if isinstance(event, BlockStart | BlockDelta | BlockStop):
            event.content_block_index = self._numbers.setdefault(event.content_block_index, len(self._numbers))
        out.append(event)
