"""What went wrong, in the words and shapes of OpenAI and of Anthropic.

Owns: which kind of failure each fault of Bedrock's is to a client of the vendors, each vendor's status, type and code
for it, and how a text that names Bedrock's members reads where they have other names. It must not know HTTP messages,
routes or models. Sources: the error pages of both vendors' API references, and what their SDKs look at (the status,
`retry-after`, `x-should-retry`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, Literal, Protocol

import msgspec

from craton.aws.wire.faults import MODEL_TIMED_OUT, Fault
from craton.models.providers.faults import RETURNED, TOO_LONG

Kind = Literal[
    "authentication", "permission", "unknown_model", "unknown_url", "not_built", "method", "invalid", "too_large",
    "late", "rate_limit", "overloaded", "timeout", "model", "server",
]  # fmt: skip

_KINDS: dict[str, Kind] = {
    "AccessDeniedException": "permission",
    "BadGatewayException": "server",
    "InternalServerException": "server",
    "ModelErrorException": "model",
    "ModelNotReadyException": "overloaded",
    "ModelStreamErrorException": "model",
    "ModelTimeoutException": "timeout",
    "RequestEntityTooLargeException": "too_large",
    "RequestTimeoutException": "late",
    "ResourceNotFoundException": "unknown_model",
    "SerializationException": "invalid",
    "ServiceQuotaExceededException": "rate_limit",
    "ServiceUnavailableException": "overloaded",
    "ThrottlingException": "rate_limit",
    "ValidationException": "invalid",
}


class DoorFault(Fault):
    """A failure that only a door has; `param` and `code` are OpenAI's members."""

    __slots__ = ("code", "kind", "param")

    def __init__(self, kind: Kind, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(kind, message)
        self.kind = kind
        self.param = param
        self.code = code


def kind_of(fault: Fault) -> Kind:
    """What a fault is to a client of the vendors."""
    if isinstance(fault, DoorFault):
        return fault.kind
    if fault.message == MODEL_TIMED_OUT:  # in a stream it travels under another name
        return "timeout"
    return _KINDS.get(fault.name, "invalid" if fault.client_fault else "server")


def wait_headers(fault: Fault) -> list[tuple[bytes, bytes]]:
    """When to try again, and whether at all: no retry mends an upstream's key or model name."""
    headers = []
    if fault.retry_after_s is not None:
        headers.append((b"retry-after", b"%d" % max(0, math.ceil(fault.retry_after_s))))
    original = fault.fields.get("originalStatusCode")
    if fault.name == "ModelErrorException" and isinstance(original, int) and 400 <= original < 500:
        headers.append((b"x-should-retry", b"false"))
    return headers


class Shape(Protocol):
    """How one vendor shows a failure."""

    @property
    def name(self) -> str: ...

    @property
    def request_id_header(self) -> bytes: ...

    def error(self, fault: Fault, request_id: str) -> tuple[int, bytes]:
        """Status and body."""
        ...

    def frame(self, fault: Fault, request_id: str) -> bytes:
        """The event with which a stream that failed ends."""
        ...

    def told(self, fault: Fault) -> tuple[str, str]:
        """A code and a text, for a schema that has its own form of a failure."""
        ...

    def rename(self, text: str) -> str:
        """A text, or a list of paths, with the vendor's names in the place of Converse's."""
        ...


# --- what is wrong with a body, taken apart --------------------------------------------------------------------------

_MALFORMED = re.compile(
    r"Malformed input request(?:: (#[^:]*): (.*))?, please reformat your input and try again\.", re.DOTALL
)
_MISSING = re.compile(r"required key \[(.+)] not found")


class Wrong(msgspec.Struct, frozen=True):
    """`steps` lead to the member; `missing`: it should be there and is not; `text` is empty for what is no JSON."""

    steps: tuple[str, ...]
    text: str
    missing: bool = False


def wrong(message: str) -> Wrong | None:
    """What a dialect found wrong with a body; None for every other text."""
    found = _MALFORMED.fullmatch(message)
    if found is None:
        return None
    steps = tuple((found[1] or "").strip("#/").split("/")) if (found[1] or "").strip("#/") else ()
    absent = _MISSING.fullmatch(found[2] or "")
    if absent is not None:
        return Wrong((*steps, absent[1]), "", missing=True)
    return Wrong(steps, found[2] or "")


def _renamed(text: str, names: Mapping[str, str], pattern: re.Pattern[str]) -> str:
    return text if text.startswith(RETURNED) else pattern.sub(lambda found: names[found[0]], text)


def _any_of(names: Mapping[str, str]) -> re.Pattern[str]:
    return re.compile("|".join(re.escape(name) for name in sorted(names, key=len, reverse=True)))


# --- OpenAI ----------------------------------------------------------------------------------------------------------

_INVALID = "invalid_request_error"
_OPENAI: dict[Kind, tuple[int, str, str | None]] = {
    "authentication": (401, _INVALID, "invalid_api_key"),
    "permission": (403, "insufficient_permissions", None),
    "unknown_model": (404, _INVALID, "model_not_found"),
    "unknown_url": (404, _INVALID, "unknown_url"),
    "not_built": (404, _INVALID, "not_implemented"),
    "method": (405, _INVALID, "method_not_allowed"),
    "invalid": (400, _INVALID, None),
    "too_large": (413, _INVALID, "request_too_large"),
    "late": (408, _INVALID, "request_timeout"),
    "rate_limit": (429, "requests", "rate_limit_exceeded"),
    "overloaded": (503, "server_error", "service_unavailable"),
    "timeout": (504, "server_error", "timeout"),
    "model": (500, "server_error", "model_error"),
    "server": (500, "server_error", None),
}
_OPENAI_NAMES = {
    "additionalModelRequestFields.": "",
    "inferenceConfig.": "",
    "stopSequences": "stop",
    "topP": "top_p",
    "toolConfig.toolChoice.any": "tool_choice",
    "toolConfig.toolChoice.tool.name": "tool_choice.function.name",
    "toolConfig.toolChoice.tool": "tool_choice",
    "toolConfig": "tools",
    "toolConfig.tools": "tools",
    "toolSpec.inputSchema.json": "function.parameters",
    "toolUse": "tool call",
    "toolResult": "tool result",
    "outputConfig.textFormat": "response_format",
    "outputConfig.effort": "reasoning_effort",
    "serviceTier": "service_tier",
}
_RESPONSES_NAMES = {
    **_OPENAI_NAMES,
    "additionalModelRequestFields.reasoning_effort": "reasoning.effort",
    "additionalModelRequestFields.response_format": "text.format",
    "additionalModelRequestFields.verbosity": "text.verbosity",
    "inferenceConfig.maxTokens": "max_output_tokens",
    "messages": "input",
    "outputConfig.effort": "reasoning.effort",
    "outputConfig.textFormat": "text.format",
    "toolConfig.toolChoice.tool.name": "tool_choice.name",
}


class OpenAIShape:
    """`{"error": {"message", "type", "param", "code"}}`; in a stream the same as data.

    Args:
        names: what Converse's members are called in the API.
        prompt: the member that holds the conversation.
    """

    name = "openai"
    request_id_header = b"x-request-id"

    def __init__(self, names: Mapping[str, str], prompt: str) -> None:
        self._names = names
        self._pattern = _any_of(names)
        self._prompt = prompt

    def error(self, fault: Fault, request_id: str) -> tuple[int, bytes]:
        status, error = self._error(fault)
        return status, msgspec.json.encode({"error": error})

    def told(self, fault: Fault) -> tuple[str, str]:
        error = self._error(fault)[1]
        return error["code"] or error["type"], error["message"]

    def _error(self, fault: Fault) -> tuple[int, dict[str, Any]]:
        kind = kind_of(fault)
        status, error_type, code = _OPENAI[kind]
        message, param = self.rename(fault.message), None
        found = wrong(fault.message) if kind == "invalid" else None
        if isinstance(fault, DoorFault):
            param, code = fault.param, fault.code or code
        elif found is not None:
            message, param, code = _openai_wrong(found)
        elif fault.message == TOO_LONG:
            param, code = self._prompt, "context_length_exceeded"
        elif fault.name == "SerializationException":
            message = _NO_JSON_OPENAI if "JSON" in message else message
        return status, {"message": message, "type": error_type, "param": param, "code": code}

    def frame(self, fault: Fault, request_id: str) -> bytes:
        return b"data: " + self.error(fault, request_id)[1] + b"\n\n"

    def rename(self, text: str) -> str:
        return _renamed(text, self._names, self._pattern)


_NO_JSON_OPENAI = "We could not parse the JSON body of your request. The API expects a JSON payload."


def _openai_wrong(found: Wrong) -> tuple[str, str | None, str | None]:
    """Message, param and code."""
    param = "".join(f"[{step}]" if step.isdigit() else f".{step}" for step in found.steps).lstrip(".") or None
    if found.missing:
        return f"Missing required parameter: '{param}'.", param, "missing_required_parameter"
    if not found.text:
        return _NO_JSON_OPENAI, None, None
    where = f"Invalid value for '{param}': " if param else ""
    return f"{where}{found.text}.", param, "invalid_value" if param else None


# --- Anthropic -------------------------------------------------------------------------------------------------------

_ANTHROPIC: dict[Kind, tuple[int, str]] = {
    "authentication": (401, "authentication_error"),
    "permission": (403, "permission_error"),
    "unknown_model": (404, "not_found_error"),
    "unknown_url": (404, "not_found_error"),
    "not_built": (404, "not_found_error"),
    "method": (405, "invalid_request_error"),
    "invalid": (400, "invalid_request_error"),
    "too_large": (413, "request_too_large"),
    "late": (408, "timeout_error"),
    "rate_limit": (429, "rate_limit_error"),
    "overloaded": (529, "overloaded_error"),
    "timeout": (504, "timeout_error"),
    "model": (500, "api_error"),
    "server": (500, "api_error"),
}
_ANTHROPIC_NAMES = {
    "additionalModelRequestFields.": "",
    "inferenceConfig.": "",
    "stopSequences": "stop_sequences",
    "topP": "top_p",
    "toolConfig.toolChoice.any": "tool_choice",
    "toolConfig.toolChoice.tool.name": "tool_choice.name",
    "toolConfig.toolChoice.tool": "tool_choice",
    "toolConfig": "tools",
    "toolConfig.tools": "tools",
    "toolSpec.inputSchema.json": "input_schema",
    "toolUse": "tool_use",
    "toolResult": "tool_result",
    "cachePoint": "cache_control",
    "outputConfig.textFormat": "output_config.format",
    "outputConfig.effort": "output_config.effort",
    "serviceTier": "service_tier",
}
_ANTHROPIC_PATTERN = _any_of(_ANTHROPIC_NAMES)


class AnthropicShape:
    """`{"type": "error", "error": {"type", "message"}, "request_id"}`; in a stream the event `error`."""

    name = "anthropic"
    request_id_header = b"request-id"

    def error(self, fault: Fault, request_id: str) -> tuple[int, bytes]:
        kind = kind_of(fault)
        status, error_type = _ANTHROPIC[kind]
        message = self.rename(fault.message)
        found = wrong(fault.message) if kind == "invalid" else None
        if found is not None:
            message = _anthropic_wrong(found)
        elif fault.message == TOO_LONG:
            message = "prompt is too long"  # the words that clients look for to shorten a conversation
        error: dict[str, Any] = {"type": error_type, "message": message}
        return status, msgspec.json.encode({"type": "error", "error": error, "request_id": request_id})

    def frame(self, fault: Fault, request_id: str) -> bytes:
        return b"event: error\ndata: " + self.error(fault, request_id)[1] + b"\n\n"

    def told(self, fault: Fault) -> tuple[str, str]:
        return _ANTHROPIC[kind_of(fault)][1], self.rename(fault.message)

    def rename(self, text: str) -> str:
        return _renamed(text, _ANTHROPIC_NAMES, _ANTHROPIC_PATTERN)


def _anthropic_wrong(found: Wrong) -> str:
    where = ".".join(found.steps)
    if found.missing:
        return f"{where}: Field required"
    if not found.text:
        return "The request body is not valid JSON"
    return f"{where}: {found.text}" if where else found.text


OPENAI = OpenAIShape(_OPENAI_NAMES, "messages")
RESPONSES = OpenAIShape(_RESPONSES_NAMES, "input")
ANTHROPIC = AnthropicShape()
