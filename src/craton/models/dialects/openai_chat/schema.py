"""The shapes of OpenAI's chat schema as requests and replies hold them, and as its many servers really send them.

Only what the wire holds; translation is in the files beside this one. Sources: reference invoke-bodies.md, OpenAI's
own SDK types; `reasoning_content`, `reasoning` and `stop_reason` are vLLM's (and others') additions.
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


class Text(msgspec.Struct, tag_field="type", tag="text"):
    text: str


class Refusal(msgspec.Struct, tag_field="type", tag="refusal"):
    refusal: str


class Url(msgspec.Struct):
    url: str


class Image(msgspec.Struct, tag_field="type", tag="image_url"):
    image_url: Url


class Video(msgspec.Struct, tag_field="type", tag="video_url"):
    """An addition of vLLM's."""

    video_url: Url


class Sound(msgspec.Struct):
    data: bytes
    format: AudioFormat


class Audio(msgspec.Struct, tag_field="type", tag="input_audio"):
    input_audio: Sound


class NamedFile(msgspec.Struct):
    file_data: str = ""
    filename: str = ""


class File(msgspec.Struct, tag_field="type", tag="file"):
    file: NamedFile


UserPart = Text | Image | Video | Audio | File


class FunctionCall(msgspec.Struct):
    """`arguments` is a JSON text; some servers send the object itself."""

    name: str = ""
    arguments: Any = ""


class ToolCall(msgspec.Struct):
    function: FunctionCall
    id: str | None = None
    type: str | None = None


class System(msgspec.Struct, tag_field="role", tag="system"):
    content: str | list[Text]


class Developer(msgspec.Struct, tag_field="role", tag="developer"):
    content: str | list[Text]


class User(msgspec.Struct, tag_field="role", tag="user"):
    content: str | list[UserPart]


class Assistant(msgspec.Struct, tag_field="role", tag="assistant"):
    content: str | list[Text | Refusal] | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: list[ToolCall] | None = None


class ToolMessage(msgspec.Struct, tag_field="role", tag="tool"):
    tool_call_id: str
    content: str | list[Text]


AnyMessage = System | Developer | User | Assistant | ToolMessage


class Function(msgspec.Struct):
    name: str
    description: str | None = None
    parameters: OptionalRaw = None
    strict: bool | None = None


class Tool(msgspec.Struct):
    type: str = "function"
    function: Function | None = None


class NamedSchema(msgspec.Struct):
    name: str | None = None
    schema: OptionalRaw = None
    description: str | None = None
    strict: bool | None = None


class ResponseFormat(msgspec.Struct):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: NamedSchema | None = None


class Body(msgspec.Struct, kw_only=True):
    """What a request holds that the canon has a place for. Members beyond these travel as extra fields."""

    messages: Annotated[list[AnyMessage], Meta(min_length=1)]
    model: str | None = None
    stream: bool | None = None
    max_tokens: Annotated[int, Meta(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Meta(ge=1)] | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    stop: str | list[str] | None = None
    tools: list[Tool] | None = None
    tool_choice: str | dict[str, Any] | None = None
    response_format: ResponseFormat | None = None
    reasoning_effort: str | None = None
    service_tier: str | None = None


class PromptDetails(msgspec.Struct):
    cached_tokens: int | None = None


class Usage(msgspec.Struct):
    """`prompt_tokens` counts what came from a cache too."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: PromptDetails | None = None


class ReplyMessage(msgspec.Struct):
    content: str | list[Any] | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: list[ToolCall] | None = None


class Choice(msgspec.Struct):
    """`stop_reason`: vLLM's, the stop sequence (a text) or token (a number) that ended the answer."""

    message: ReplyMessage
    finish_reason: str | None = None
    stop_reason: str | int | None = None
    logprobs: Any = None


class Reply(msgspec.Struct):
    choices: Annotated[list[Choice], Meta(min_length=1)]
    usage: Usage | None = None


class Slice(msgspec.Struct):
    """A piece of a tool call: `index` says of which, `id` and `name` come with its first piece."""

    index: int | None = None
    id: str | None = None
    function: FunctionCall | None = None


class ChunkDelta(msgspec.Struct):
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: list[Slice] | None = None


class ChunkChoice(msgspec.Struct):
    index: int = 0
    delta: ChunkDelta | None = None
    finish_reason: str | None = None
    stop_reason: str | int | None = None


class Chunk(msgspec.Struct):
    choices: list[ChunkChoice] | None = None
    usage: Usage | None = None
    error: OptionalRaw = None
