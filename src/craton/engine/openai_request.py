"""OpenAI-shaped requests: decoded, checked, and turned into what the engine needs to generate.

Owns the fields, their ranges and the errors of bad ones. Unknown fields are ignored, as OpenAI-compatible servers do;
those that would change the answer and are not supported are refused by name. Knows no sockets and no backend.
"""

from __future__ import annotations

from typing import Any, Literal, TypeVar

import msgspec

from craton.engine.backend import Sampling
from craton.engine.guidance import CallMarkers, ToolShape, any_json, json_schema, tool_calls

Number = float | int
T = TypeVar("T")


class BadRequest(Exception):
    """A request that cannot be served; everything an OpenAI error object says."""

    def __init__(self, message: str, param: str | None = None, code: str | None = None, status: int = 400) -> None:
        super().__init__(message)
        self.message, self.param, self.code, self.status = message, param, code, status


class StreamOptions(msgspec.Struct, frozen=True):
    """`include_usage` adds a last chunk that has usage and no choices."""

    include_usage: bool = False


class Shared(msgspec.Struct, frozen=True, kw_only=True):
    """The fields that chat and raw completions have in common."""

    model: str = ""
    stream: bool = False
    stream_options: StreamOptions | None = None
    max_tokens: int | None = None
    temperature: Number | None = None
    top_p: Number | None = None
    top_k: int | None = None
    seed: int | None = None
    stop: str | list[str] | None = None
    presence_penalty: Number | None = None
    frequency_penalty: Number | None = None
    n: int | None = None
    best_of: int | None = None
    logit_bias: dict[str, Number] | None = None
    ignore_eos: bool = False
    adapter: str | None = None


class ChatRequest(Shared, frozen=True, kw_only=True):
    """POST /v1/chat/completions."""

    messages: list[dict[str, Any]]
    max_completion_tokens: int | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool = True
    response_format: dict[str, Any] | None = None
    logprobs: bool = False
    top_logprobs: int | None = None


class TextRequest(Shared, frozen=True, kw_only=True):
    """POST /v1/completions."""

    prompt: str | list[str | int]
    logprobs: int | None = None
    echo: bool = False
    suffix: str | None = None


class TokenizeRequest(msgspec.Struct, frozen=True):
    """POST /tokenize: a raw prompt, or messages as a chat would render them."""

    model: str = ""
    prompt: str | None = None
    messages: list[dict[str, Any]] | None = None
    tools: list[dict[str, Any]] | None = None


ROLES = frozenset(("system", "developer", "user", "assistant", "tool"))
# (field, lowest, highest) as OpenAI documents them; top_k is this engine's own.
RANGES: tuple[tuple[str, float, float], ...] = (
    ("temperature", 0, 2),
    ("top_p", 0, 1),
    ("top_k", -1, 1 << 31),
    ("presence_penalty", -2, 2),
    ("frequency_penalty", -2, 2),
    ("max_tokens", 1, 1 << 31),
    ("max_completion_tokens", 1, 1 << 31),
    ("n", 1, 1),
    ("best_of", 1, 1),
    ("top_logprobs", 0, 20),
    ("seed", -(1 << 63), 1 << 63),
)


def decode(kind: type[T], body: bytes) -> T:
    """Parse a body. Raises BadRequest with the field's name where there is one."""
    try:
        return msgspec.json.decode(body, type=kind, strict=True)
    except msgspec.ValidationError as fault:
        text, _, path = str(fault).partition(" - at `$")
        raise BadRequest(text, path.strip(".`") or None, "invalid_type") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise BadRequest(f"The body is not valid JSON: {fault}", code="invalid_json") from None


def check(request: Shared) -> None:
    """Refuse what is out of range or not supported. Raises BadRequest."""
    for name, lowest, highest in RANGES:
        value = getattr(request, name, None)
        if isinstance(value, int | float) and not isinstance(value, bool) and not lowest <= value <= highest:
            raise BadRequest(f"'{name}' must be between {lowest} and {highest}", name, "invalid_value")
    if request.logit_bias:
        raise BadRequest("'logit_bias' is not supported", "logit_bias", "unsupported_parameter")
    if isinstance(request, TextRequest) and (request.echo or request.suffix):
        raise BadRequest("'echo' and 'suffix' are not supported", "echo", "unsupported_parameter")


def stops(request: Shared) -> list[str]:
    """The stop strings. Raises BadRequest on an empty one, or more than 16."""
    given = [request.stop] if isinstance(request.stop, str) else request.stop or []
    if any(not each for each in given):
        raise BadRequest("'stop' must not hold an empty string", "stop", "invalid_value")
    if len(given) > 16:
        raise BadRequest("'stop' holds more than 16 strings", "stop", "invalid_value")
    return given


def sampling(request: Shared, default: Sampling) -> Sampling:
    """How tokens are picked: what the request says, else what the model's directory wishes."""
    top_logprobs: int | None = None
    if isinstance(request, ChatRequest) and request.logprobs:
        top_logprobs = request.top_logprobs or 0
    elif isinstance(request, TextRequest) and request.logprobs is not None:
        top_logprobs = min(20, max(0, request.logprobs))
    named = request.temperature is not None
    return Sampling(
        temperature=float(request.temperature if request.temperature is not None else default.temperature),
        top_p=float(request.top_p) if request.top_p is not None else 1.0 if named else default.top_p,
        top_k=max(0, request.top_k) if request.top_k is not None else 0 if named else default.top_k,
        # PCG64 takes natural numbers; the sign goes into the high half.
        seed=None if request.seed is None else request.seed & (1 << 64) - 1,
        presence_penalty=float(request.presence_penalty or 0),
        frequency_penalty=float(request.frequency_penalty or 0),
        top_logprobs=top_logprobs,
    )


def messages(given: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Messages as templates read them: `content` is text. Raises BadRequest on anything that is not text."""
    if not given:
        raise BadRequest("'messages' must hold at least one message", "messages", "invalid_value")
    return [_message(each, f"messages[{at}]") for at, each in enumerate(given)]


def _message(message: dict[str, Any], path: str) -> dict[str, Any]:
    role = message.get("role")
    if role not in ROLES:
        raise BadRequest(f"'{path}.role' must be one of {', '.join(sorted(ROLES))}", f"{path}.role", "invalid_value")
    content = message.get("content")
    if isinstance(content, list):
        content = "".join(_part(each, f"{path}.content[{at}]") for at, each in enumerate(content))
    elif content is None and role == "assistant":
        content = ""
    elif not isinstance(content, str):
        raise BadRequest(f"'{path}.content' must be text or a list of parts", f"{path}.content", "invalid_type")
    calls = message.get("tool_calls")
    if calls is not None:
        _check_calls(calls, f"{path}.tool_calls")
    return {**message, "role": "system" if role == "developer" else role, "content": content}


def _part(part: Any, path: str) -> str:
    kind = part.get("type") if isinstance(part, dict) else None
    if kind in ("text", "refusal") and isinstance(part.get("refusal" if kind == "refusal" else "text"), str):
        return str(part["refusal" if kind == "refusal" else "text"])
    if isinstance(kind, str) and kind != "text":
        raise BadRequest(f"'{path}': this model reads text only, not '{kind}'", path, "unsupported_content")
    raise BadRequest(f"'{path}' must be an object with 'type' and 'text'", path, "invalid_type")


def _check_calls(calls: Any, path: str) -> None:
    for at, call in enumerate(calls if isinstance(calls, list) else [None]):
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            raise BadRequest(f"'{path}[{at}].function.name' is missing", f"{path}[{at}]", "invalid_type")


def tools(given: list[dict[str, Any]] | None) -> list[ToolShape]:
    """The functions offered. Raises BadRequest on tools of other kinds or without a name."""
    shapes = []
    for at, tool in enumerate(given or []):
        function = tool.get("function")
        if tool.get("type") != "function" or not isinstance(function, dict):
            raise BadRequest(f"'tools[{at}]' must be of type 'function'", f"tools[{at}]", "invalid_value")
        name, schema = function.get("name"), function.get("parameters") or {"type": "object", "properties": {}}
        if not isinstance(name, str) or not name:
            raise BadRequest(f"'tools[{at}].function.name' is missing", f"tools[{at}].function.name", "invalid_value")
        if not isinstance(schema, dict):
            path = f"tools[{at}].function.parameters"
            raise BadRequest(f"'{path}' must be a JSON Schema object", path, "invalid_type")
        shapes.append(ToolShape(name, {"type": "object", **schema}))
    return shapes


Choice = Literal["none", "auto", "required"]


def choice(request: ChatRequest, shapes: list[ToolShape]) -> tuple[Choice, list[ToolShape]]:
    """Whether tools may or must be called, and which of them. Raises BadRequest on an unknown name or word."""
    wanted = request.tool_choice
    if wanted is None:
        return ("auto" if shapes else "none"), shapes
    if isinstance(wanted, dict):
        name = (wanted.get("function") or {}).get("name")
        named = [shape for shape in shapes if shape.name == name]
        if not named:
            raise BadRequest(f"'tool_choice' names '{name}', which is not in 'tools'", "tool_choice", "invalid_value")
        return "required", named
    if wanted not in ("none", "auto", "required"):
        raise BadRequest("'tool_choice' must be none, auto, required or a function", "tool_choice", "invalid_value")
    if wanted == "required" and not shapes:
        raise BadRequest("'tool_choice' is required, and there are no 'tools'", "tool_choice", "invalid_value")
    word: Choice = "none" if wanted == "none" else "auto" if wanted == "auto" else "required"
    return (word if shapes else "none"), shapes


def grammar(request: ChatRequest, markers: CallMarkers | None, *, compact_json: bool) -> tuple[str | None, bool]:
    """The grammar of the answer, and whether tool calls are to be looked for in it. Raises BadRequest."""
    word, shapes = choice(request, tools(request.tools))
    if word != "none":
        if word == "auto" and markers is None:
            # Nothing tells a call from text in this model's output: the template offers, the model answers in text.
            return None, False
        forced = word == "required"
        return tool_calls(shapes, markers, forced=forced, parallel=request.parallel_tool_calls), True
    wanted = request.response_format or {}
    kind = wanted.get("type", "text")
    if kind == "text":
        return None, False
    if kind == "json_object":
        return any_json(compact=compact_json), False
    described = wanted.get("json_schema")
    if kind != "json_schema" or not isinstance(described, dict) or not isinstance(described.get("schema"), dict):
        raise BadRequest("'response_format' must be text, json_object or json_schema", "response_format")
    return json_schema(described["schema"], compact=compact_json, strict=bool(described.get("strict"))), False
