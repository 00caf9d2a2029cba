"""The shapes of Anthropic's Messages schema: bodies, blocks, replies.

Only what the wire holds; translation is in the files beside this one. A block is chosen by its `type`. Sources:
reference invoke-bodies.md, and the types of Anthropic's own SDK. Members that nobody here looks into stay raw.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import Meta, Raw

# msgspec reads a plain `Raw` with a default, but takes `Raw | None` to mean null alone.
if TYPE_CHECKING:
    OptionalRaw = Raw | None
else:
    OptionalRaw = Raw

VERSION = "bedrock-2023-05-31"


class Part(msgspec.Struct, omit_defaults=True):
    """A structure of the wire; members that are not set are left out."""


class CacheControl(Part):
    type: Literal["ephemeral"]
    ttl: Literal["5m", "1h"] | None = None


class Block(Part, tag_field="type"):
    """A content block. `cache_control` marks the end of a prefix to be cached."""

    cache_control: CacheControl | None = None


class CitationsOn(Part):
    enabled: bool = False


class Citation(Part):
    """Any of Anthropic's citation types: the location members that are set depend on `type`."""

    type: str
    cited_text: str | None = None
    document_index: int | None = None
    document_title: str | None = None
    start_char_index: int | None = None
    end_char_index: int | None = None
    start_page_number: int | None = None
    end_page_number: int | None = None
    start_block_index: int | None = None
    end_block_index: int | None = None
    search_result_index: int | None = None
    source: str | None = None
    title: str | None = None
    url: str | None = None


class Text(Block, tag="text", kw_only=True):
    text: str
    citations: list[Citation] | None = None


# Anthropic's own endpoint also takes `url` and `file` sources; Bedrock fetches nothing and refuses them.


class Base64Source(Part, tag_field="type", tag="base64"):
    media_type: str
    data: bytes


class TextSource(Part, tag_field="type", tag="text"):
    data: str
    media_type: str = ""


class ContentSource(Part, tag_field="type", tag="content"):
    content: str | list[Text]


class Image(Block, tag="image", kw_only=True):
    source: Base64Source


class Document(Block, tag="document", kw_only=True):
    source: Base64Source | TextSource | ContentSource
    title: str | None = None
    context: str | None = None
    citations: CitationsOn | None = None


class SearchResult(Block, tag="search_result", kw_only=True):
    source: str
    title: str
    content: list[Text]
    citations: CitationsOn | None = None


class ToolUse(Block, tag="tool_use", kw_only=True):
    id: str
    name: str
    input: Raw


class ServerToolUse(Block, tag="server_tool_use", kw_only=True):
    id: str
    name: str
    input: Raw


class ToolResult(Block, tag="tool_result", kw_only=True):
    tool_use_id: str
    content: str | list[Text | Image | Document | SearchResult] | None = None
    is_error: bool | None = None


class Thinking(Block, tag="thinking", kw_only=True):
    thinking: str
    signature: str | None = None


class RedactedThinking(Block, tag="redacted_thinking", kw_only=True):
    data: str


class ServerResult(Block, kw_only=True):
    """What a tool that runs at the vendor gave; its content has a shape of its own per tool."""

    tool_use_id: str
    content: Raw


class WebSearchResult(ServerResult, tag="web_search_tool_result"):
    pass


class WebFetchResult(ServerResult, tag="web_fetch_tool_result"):
    pass


class CodeResult(ServerResult, tag="code_execution_tool_result"):
    pass


class BashResult(ServerResult, tag="bash_code_execution_tool_result"):
    pass


class EditorResult(ServerResult, tag="text_editor_code_execution_tool_result"):
    pass


class ToolSearchResult(ServerResult, tag="tool_search_tool_result"):
    pass


SERVER_RESULTS: dict[str, type[ServerResult]] = {
    "web_search_tool_result": WebSearchResult,
    "web_fetch_tool_result": WebFetchResult,
    "code_execution_tool_result": CodeResult,
    "bash_code_execution_tool_result": BashResult,
    "text_editor_code_execution_tool_result": EditorResult,
    "tool_search_tool_result": ToolSearchResult,
}

AnyBlock = (
    Text | Image | Document | SearchResult | ToolUse | ServerToolUse | ToolResult | Thinking | RedactedThinking
    | WebSearchResult | WebFetchResult | CodeResult | BashResult | EditorResult | ToolSearchResult
)  # fmt: skip


class Message(Part):
    role: Literal["user", "assistant"]
    content: str | list[AnyBlock]


class Tool(Part):
    """A tool of the caller's (`input_schema`), or one that Anthropic defines (`type` such as `bash_20250124`)."""

    name: str = ""
    description: str | None = None
    input_schema: OptionalRaw = None
    type: str | None = None
    strict: bool | None = None
    cache_control: CacheControl | None = None


class ToolChoice(Part):
    type: Literal["auto", "any", "tool", "none"]
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class OutputFormat(Part):
    type: str
    schema: OptionalRaw = None


class OutputConfig(Part):
    effort: str | None = None
    format: OutputFormat | None = None


class Body(Part, kw_only=True):
    """What both forms of a request share. Members beyond these travel as extra fields."""

    max_tokens: Annotated[int, Meta(ge=1)]
    messages: list[Message]
    system: str | list[Text] | None = None
    temperature: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_k: Annotated[int, Meta(ge=0, le=500)] | None = None
    stop_sequences: Annotated[list[str], Meta(max_length=8191)] | None = None
    tools: list[Tool] | None = None
    tool_choice: ToolChoice | None = None
    output_config: OutputConfig | None = None


class BedrockBody(Body, kw_only=True):
    """As InvokeModel takes it: the version in the body, the model in the path, the stream in the operation."""

    # The dated one is what Anthropic's own SDKs send since their version 2.
    anthropic_version: Literal["bedrock-2023-05-31", "2026-10-21"]


class VendorBody(Body, kw_only=True):
    """As Anthropic's own endpoint takes it."""

    model: str
    stream: bool | None = None


class CacheCreation(msgspec.Struct):
    ephemeral_5m_input_tokens: int = 0
    ephemeral_1h_input_tokens: int = 0


class Usage(msgspec.Struct, omit_defaults=True):
    """Tokens so far; in a stream the last value of each member holds."""

    input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation: CacheCreation | None = None
    output_tokens: int | None = None


class VendorError(msgspec.Struct):
    type: str = ""
    message: str = ""


class Reply(msgspec.Struct):
    """A reply read; `content` is read apart, since a block of a type unknown here must not spoil the rest."""

    content: list[Raw]
    stop_reason: str | None = None
    stop_sequence: str | None = None
    usage: Usage = msgspec.field(default_factory=Usage)
    container: Any = None
    context_management: Any = None
    stop_details: Any = None


class WrittenReply(msgspec.Struct):
    """A reply as Bedrock shows it; every member is always there."""

    id: str
    type: str
    role: str
    model: str
    content: list[Any]
    stop_reason: str | None
    stop_sequence: str | None
    usage: Usage
