"""The shapes of Gemini's `generateContent` as requests, replies and chunks hold them.

Only what the wire holds; translation is in the files beside this one. Source, from memory: Google's Gemini API
reference (v1beta), "Generating content", "Caching", "Function calling".
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw

from craton.models.canon.reply import StopReason, Usage, usage

Json = dict[str, Any]


class Blob(msgspec.Struct, rename="camel"):
    """`data` is base64."""

    mime_type: str
    data: bytes


class Called(msgspec.Struct):
    name: str
    args: dict[str, Any] | None = None
    id: str | None = None


class Answered(msgspec.Struct):
    name: str
    response: dict[str, Any] = {}
    id: str | None = None


class Part(msgspec.Struct, rename="camel"):
    """One of the first four is set; `thought` marks a text as reasoning, `thought_signature` proves it."""

    text: str | None = None
    inline_data: Blob | None = None
    function_call: Called | None = None
    function_response: Answered | None = None
    thought: bool | None = None
    thought_signature: str | None = None


class Content(msgspec.Struct):
    parts: list[Part] = []
    role: str | None = None


class Declared(msgspec.Struct, rename="camel"):
    """`parameters` is a subset of OpenAPI's schema, `parameters_json_schema` any JSON schema."""

    name: str
    description: str | None = None
    parameters: Raw = Raw()
    parameters_json_schema: Raw = Raw()


class Offered(msgspec.Struct, rename="camel"):
    function_declarations: list[Declared] | None = None


class Calling(msgspec.Struct, rename="camel"):
    mode: str | None = None
    allowed_function_names: list[str] | None = None


class ToolConfig(msgspec.Struct, rename="camel"):
    function_calling_config: Calling | None = None


class Generation(msgspec.Struct, rename="camel"):
    """What the canon has members for."""

    max_output_tokens: Annotated[int, Meta(ge=1)] | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    stop_sequences: list[str] | None = None
    response_mime_type: str | None = None
    response_json_schema: Raw = Raw()


class Body(msgspec.Struct, rename="camel"):
    contents: Annotated[list[Content], Meta(min_length=1)]
    system_instruction: Content | None = None
    generation_config: Generation | None = None
    tools: list[Offered] | None = None
    tool_config: ToolConfig | None = None


class Candidate(msgspec.Struct, rename="camel"):
    content: Content | None = None
    finish_reason: str | None = None
    index: int = 0


class Feedback(msgspec.Struct, rename="camel"):
    block_reason: str | None = None


class NativeUsage(msgspec.Struct, rename="camel", omit_defaults=True):
    prompt_token_count: int | None = None
    candidates_token_count: int | None = None
    total_token_count: int | None = None
    cached_content_token_count: int | None = None
    thoughts_token_count: int | None = None
    tool_use_prompt_token_count: int | None = None


class Answer(msgspec.Struct, rename="camel"):
    """A reply, and a chunk of a stream. `prompt_feedback` says why a prompt was refused: then no candidate comes."""

    candidates: list[Candidate] = []
    prompt_feedback: Feedback | None = None
    usage_metadata: NativeUsage | None = None
    error: Raw = Raw()


STOP_REASONS: dict[str, StopReason] = {
    "STOP": "end_turn",
    "MAX_TOKENS": "max_tokens",
    "SAFETY": "content_filtered",
    "RECITATION": "content_filtered",
    "LANGUAGE": "content_filtered",
    "BLOCKLIST": "content_filtered",
    "PROHIBITED_CONTENT": "content_filtered",
    "SPII": "content_filtered",
    "IMAGE_SAFETY": "content_filtered",
    "MALFORMED_FUNCTION_CALL": "malformed_tool_use",
    "UNEXPECTED_TOOL_CALL": "malformed_tool_use",
}
FINISH_REASONS: dict[StopReason, str] = {
    "max_tokens": "MAX_TOKENS",
    "content_filtered": "SAFETY",
    "guardrail_intervened": "SAFETY",
    "malformed_tool_use": "MALFORMED_FUNCTION_CALL",
    "malformed_model_output": "OTHER",
    "model_context_window_exceeded": "MAX_TOKENS",
}


def stop_reason(native: str | None, *, called: bool) -> StopReason:
    """Gemini says STOP after calls too."""
    reason = STOP_REASONS.get(native or "STOP", "end_turn")
    return "tool_use" if called and reason == "end_turn" else reason


def read_usage(found: NativeUsage | None) -> Usage:
    """Thoughts are output; the canon counts what came from a cache apart."""
    if found is None:
        return usage(0, 0)
    cached = found.cached_content_token_count
    read = (found.prompt_token_count or 0) + (found.tool_use_prompt_token_count or 0) - (cached or 0)
    return usage(max(read, 0), (found.candidates_token_count or 0) + (found.thoughts_token_count or 0), cached)


def write_usage(used: Usage) -> NativeUsage:
    prompt = used.input_tokens + (used.cache_read_input_tokens or 0) + (used.cache_write_input_tokens or 0)
    return NativeUsage(prompt, used.output_tokens, prompt + used.output_tokens, used.cache_read_input_tokens)
