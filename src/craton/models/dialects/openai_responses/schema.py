"""The shapes of OpenAI's Responses as requests, replies and streams hold them.

Only what the wire holds; translation is in the files beside this one. Items are told apart by `type`, which a plain
message may leave out. Source: the types of OpenAI's own SDK. Members that nobody here looks into stay raw.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import Meta, Raw

from craton.models.canon.content import AudioFormat

# msgspec reads a plain `Raw` with a default, but takes `Raw | None` to mean null alone.
if TYPE_CHECKING:
    OptionalRaw = Raw | None
else:
    OptionalRaw = Raw


# --- parts of a message ----------------------------------------------------------------------------------------------


class InputText(msgspec.Struct, tag_field="type", tag="input_text"):
    text: str


class OutputText(msgspec.Struct, tag_field="type", tag="output_text"):
    text: str


class Refusal(msgspec.Struct, tag_field="type", tag="refusal"):
    refusal: str


class InputImage(msgspec.Struct, tag_field="type", tag="input_image"):
    image_url: str | None = None
    file_id: str | None = None


class InputFile(msgspec.Struct, tag_field="type", tag="input_file"):
    """`file_data` is a data URL, or the base64 alone; then the name tells what it is."""

    file_data: str | None = None
    filename: str | None = None
    file_url: str | None = None
    file_id: str | None = None


class Sound(msgspec.Struct):
    data: bytes
    format: AudioFormat


class InputAudio(msgspec.Struct, tag_field="type", tag="input_audio"):
    input_audio: Sound


AnyPart = InputText | OutputText | Refusal | InputImage | InputFile | InputAudio


# --- items -----------------------------------------------------------------------------------------------------------


class Kind(msgspec.Struct):
    """What tells of which kind an item is."""

    type: str | None = None
    id: str | None = None


class Message(msgspec.Struct):
    role: Literal["user", "assistant", "system", "developer"]
    content: str | list[AnyPart]


class FunctionCall(msgspec.Struct):
    """`arguments` is a JSON text."""

    call_id: str
    name: str
    arguments: str = ""


class FunctionOutput(msgspec.Struct):
    call_id: str
    output: str | list[AnyPart]


class CustomCall(msgspec.Struct):
    """A call of a tool that takes one text."""

    call_id: str
    name: str
    input: str = ""


class ReasoningPart(msgspec.Struct):
    text: str = ""


class Reasoning(msgspec.Struct):
    id: str = ""
    summary: list[ReasoningPart] = []
    content: list[ReasoningPart] | None = None
    encrypted_content: str | None = None


# --- a request -------------------------------------------------------------------------------------------------------


class Tool(msgspec.Struct):
    """A function or a tool that takes one text (`custom`); any other runs at the vendor."""

    type: str
    name: str = ""
    description: str | None = None
    parameters: OptionalRaw = None
    strict: bool | None = None
    format: Any = None


class TextFormat(msgspec.Struct):
    type: Literal["text", "json_object", "json_schema"] = "text"
    name: str | None = None
    schema: OptionalRaw = None
    description: str | None = None
    strict: bool | None = None


class TextConfig(msgspec.Struct):
    format: TextFormat | None = None
    verbosity: str | None = None


class ReasoningConfig(msgspec.Struct):
    effort: str | None = None
    summary: str | None = None


class Body(msgspec.Struct, kw_only=True):
    """What a request holds that the canon has a place for. Members beyond these travel as extra fields."""

    input: str | Annotated[list[Raw], Meta(min_length=1)]
    model: str | None = None
    stream: bool | None = None
    instructions: str | None = None
    max_output_tokens: Annotated[int, Meta(ge=1)] | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    tools: list[Tool] | None = None
    tool_choice: str | dict[str, Any] | None = None
    text: TextConfig | None = None
    reasoning: ReasoningConfig | None = None
    service_tier: str | None = None
    background: bool | None = None
    conversation: Any = None
    prompt: Any = None


# --- a reply ---------------------------------------------------------------------------------------------------------


class InputDetails(msgspec.Struct):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class Usage(msgspec.Struct):
    """`input_tokens` counts what was read from or written to a cache too."""

    input_tokens: int = 0
    output_tokens: int = 0
    input_tokens_details: InputDetails | None = None


class OutputPart(msgspec.Struct):
    type: str
    text: str = ""
    refusal: str = ""


class OutputItem(msgspec.Struct):
    """An item of any kind; the members that are set depend on `type`."""

    type: str
    id: str = ""
    content: list[OutputPart] | None = None
    call_id: str = ""
    name: str = ""
    arguments: Any = ""
    summary: list[ReasoningPart] = []
    encrypted_content: str | None = None


class Incomplete(msgspec.Struct):
    reason: str | None = None


class VendorError(msgspec.Struct):
    code: str | int | None = None
    message: str | None = None
    type: str | None = None


class Reply(msgspec.Struct):
    """The items of `output` are read apart, since one of a kind unknown here must not spoil the rest."""

    output: list[Raw]
    status: str = "completed"
    incomplete_details: Incomplete | None = None
    usage: Usage | None = None
    error: VendorError | None = None


class Event(msgspec.Struct):
    """One event of a stream; the members that are set depend on `type`."""

    type: str = ""
    delta: str = ""
    item: OptionalRaw = None
    response: Reply | None = None
    error: OptionalRaw = None
    code: str | int | None = None
    message: str | None = None
