"""Requests: Anthropic Messages bodies ↔ canon, in Bedrock's form and in the vendor's.

The forms differ in three members: Bedrock's names the schema version and carries betas in the body; the vendor's names
the model and the stream, and takes betas as a header (`beta_header`). Blocks are `anthropic_messages_content`'s.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

from craton.models.canon import request as canon
from craton.models.canon.content import Message
from craton.models.canon.request import ConverseRequest, InferenceConfig
from craton.models.dialects import extras
from craton.models.dialects.anthropic_messages import schema as native
from craton.models.dialects.anthropic_messages.content import cache_control, cache_point, read_blocks, write_blocks
from craton.models.dialects.anthropic_messages.extras import BEDROCK_FIELDS, VENDOR_FIELDS
from craton.models.dialects.dialect import Ledger, Outgoing
from craton.models.dialects.malformed import decode_native, malformed
from craton.models.dialects.tool_calls import output_schema

_BEDROCK = msgspec.json.Decoder(native.BedrockBody)
_VENDOR = msgspec.json.Decoder(native.VendorBody)
_MEMBERS = msgspec.json.Decoder(dict[str, Raw])
_TOOLS = msgspec.json.Decoder(list[dict[str, Any]])

# Members that the canon has a place for, and those that say only how the call is made.
_CANONICAL = frozenset(
    {
        "max_tokens", "messages", "system", "temperature", "top_p", "stop_sequences", "tools", "tool_choice",
        "output_config", "anthropic_version", "model", "stream",
    }
)  # fmt: skip
_TOOL_MEMBERS = frozenset(native.Tool.__struct_encode_fields__)
_PLATFORM = "amazon-bedrock-"


# --- Anthropic → canon ---------------------------------------------------------------------------------------------


def read_request(body: bytes, *, vendor: bool) -> ConverseRequest:
    """A body in one of the two forms. Raises ValidationException."""
    read: native.Body = decode_native(_VENDOR, body) if vendor else decode_native(_BEDROCK, body)
    members = _MEMBERS.decode(body)
    if not vendor:
        for name in ("model", "stream"):
            if name in members:
                raise malformed(f"#: extraneous key [{name}] is not permitted")
    extra = {
        name: msgspec.json.decode(raw)
        for name, raw in members.items()
        if name not in _CANONICAL and not name.startswith(_PLATFORM)
    }
    request = ConverseRequest(
        messages=[Message(message.role, read_blocks(message.content)) for message in read.messages],
        system=_read_system(read.system),
        inference_config=_read_inference(read),
        tool_config=_read_tools(read, members, extra),
        output_config=_read_output(read.output_config, members, extra),
    )
    request.additional_model_request_fields = extra or None
    return request


def _read_system(system: str | list[native.Text] | None) -> list[canon.SystemBlock] | None:
    if not system:
        return None
    if isinstance(system, str):
        return [canon.SystemBlock(text=system)]
    blocks: list[canon.SystemBlock] = []
    for part in system:
        blocks.append(canon.SystemBlock(text=part.text))
        if part.cache_control is not None:
            blocks.append(canon.SystemBlock(cache_point=cache_point(part.cache_control)))
    return blocks


def _read_inference(read: native.Body) -> InferenceConfig:
    return InferenceConfig(read.max_tokens, read.temperature, read.top_p, read.stop_sequences)


def _read_tools(read: native.Body, members: dict[str, Raw], extra: dict[str, Any]) -> canon.ToolConfig | None:
    """The caller's own tools; what the canon cannot hold of a tool, or of the choice, stays native among the extras."""
    tools: list[canon.Tool] = []
    beyond: list[dict[str, Any]] = []
    written = _TOOLS.decode(members["tools"]) if read.tools else []
    for position, (tool, members_of_tool) in enumerate(zip(read.tools or (), written, strict=True)):
        if tool.input_schema is not None:
            schema = canon.InputSchema(tool.input_schema)
            spec = canon.ToolSpec(tool.name, schema, tool.description or None, tool.strict)
            tools.append(canon.Tool(tool_spec=spec))
        elif tool.type in (None, "custom"):
            raise malformed(f"#/tools/{position}: required key [input_schema] not found")
        if tool.input_schema is None or not _TOOL_MEMBERS.issuperset(members_of_tool):
            beyond.append(members_of_tool)
        elif tool.cache_control is not None:
            tools.append(canon.Tool(cache_point=cache_point(tool.cache_control)))
    if beyond:
        extra["tools"] = beyond
    choice = _read_choice(read.tool_choice) if tools else None
    if read.tool_choice is not None and (choice is None or read.tool_choice.disable_parallel_tool_use is not None):
        extra["tool_choice"] = msgspec.to_builtins(read.tool_choice)
    return canon.ToolConfig(tools, choice) if tools else None


def _read_choice(choice: native.ToolChoice | None) -> canon.ToolChoice | None:
    if choice is None or choice.type == "none":
        return None
    if choice.type == "tool":
        return canon.ToolChoice(tool=canon.ChosenTool(choice.name or ""))
    if choice.type == "any":
        return canon.ToolChoice(any=canon.Chosen())
    return canon.ToolChoice(auto=canon.Chosen())


def _read_output(
    output: native.OutputConfig | None, members: dict[str, Raw], extra: dict[str, Any]
) -> canon.OutputConfig | None:
    if output is None:
        return None
    beyond = {k: v for k, v in msgspec.json.decode(members["output_config"]).items() if k not in ("effort", "format")}
    if beyond:
        extra["output_config"] = beyond
    text_format = None
    if output.format is not None and output.format.schema is not None:
        schema = canon.JsonSchema(bytes(output.format.schema).decode())
        text_format = canon.TextFormat("json_schema", canon.FormatStructure(schema))
    if text_format is None and output.effort is None:
        return None
    return canon.OutputConfig(text_format, output.effort)


# --- canon → Anthropic ---------------------------------------------------------------------------------------------


def write_request(request: ConverseRequest, out: Outgoing, *, vendor: bool) -> bytes:
    """A body for one target. Raises ValidationException if the output schema is no JSON."""
    body: extras.Body = {"model": out.model} if vendor else {"anthropic_version": native.VERSION}
    if vendor and out.stream:
        body["stream"] = True
    config = request.inference_config or InferenceConfig()
    body["max_tokens"] = config.max_tokens or out.max_tokens
    body["messages"] = _write_messages(request.messages or [], out.ledger)
    if request.system:
        body["system"] = _write_system(request.system, out.ledger)
    for name in ("temperature", "top_p", "stop_sequences"):
        value = getattr(config, name)
        if value is not None:
            body[name] = value
    if request.tool_config is not None:
        _write_tools(request.tool_config, body, out.ledger)
    _write_output(request.output_config, body)
    extras.merge(request.additional_model_request_fields, VENDOR_FIELDS if vendor else BEDROCK_FIELDS, body, out.ledger)
    if vendor:
        body.pop("anthropic_beta", None)
        _drop_platform(request, out.ledger)
    return msgspec.json.encode(body)


def beta_header(request: ConverseRequest) -> list[str]:
    """The betas that a request asks for; the vendor takes them joined by commas in `anthropic-beta`."""
    betas = (request.additional_model_request_fields or {}).get("anthropic_beta")
    if isinstance(betas, str):
        return [betas]
    return [beta for beta in betas if isinstance(beta, str)] if isinstance(betas, list) else []


def vendor_body(body: bytes, model: str, *, stream: bool) -> tuple[bytes, list[str]]:
    """A body of Bedrock's form in the vendor's, and its betas; for passing a native body through unread.

    Raises ValidationException if the body is no JSON object.
    """
    members = decode_native(_MEMBERS, body)
    members.pop("anthropic_version", None)
    raw = members.pop("anthropic_beta", None)
    betas = beta_header(ConverseRequest(additional_model_request_fields={"anthropic_beta": _value(raw)}))
    kept: dict[str, Any] = {name: value for name, value in members.items() if not name.startswith(_PLATFORM)}
    kept["model"] = model
    if stream:
        kept["stream"] = True
    return msgspec.json.encode(kept), betas


def _value(raw: Raw | None) -> Any:
    return None if raw is None else msgspec.json.decode(raw)


def _write_messages(messages: list[Message], ledger: Ledger) -> list[native.Message]:
    written: list[native.Message] = []
    for position, message in enumerate(messages):
        blocks = write_blocks(message.content, f"messages.{position}.content", ledger)
        if message.role != "system":
            written.append(native.Message("assistant" if message.role == "assistant" else "user", blocks))
    return written


def _write_system(system: list[canon.SystemBlock], ledger: Ledger) -> list[native.Text]:
    parts: list[native.Text] = []
    for position, block in enumerate(system):
        if block.cache_point is not None:
            if parts:
                parts[-1].cache_control = cache_control(block.cache_point)
            else:
                ledger.drop(f"system.{position}.cachePoint")
        elif block.text is not None:
            parts.append(native.Text(text=block.text))
        elif block.guard_content is not None and block.guard_content.text is not None:
            parts.append(native.Text(text=block.guard_content.text.text))
        else:
            ledger.drop(f"system.{position}.guardContent")
    return parts


def _write_tools(config: canon.ToolConfig, body: extras.Body, ledger: Ledger) -> None:
    tools: list[native.Tool] = []
    for position, tool in enumerate(config.tools):
        spec = tool.tool_spec
        if spec is not None:
            schema = spec.input_schema.json
            tools.append(native.Tool(spec.name, spec.description, schema, strict=spec.strict))
        elif tool.cache_point is not None and tools:
            tools[-1].cache_control = cache_control(tool.cache_point)
        else:
            ledger.drop(f"toolConfig.tools.{position}.{tool.kind}")
    if not tools:
        return
    body["tools"] = tools
    choice = config.tool_choice
    if choice is not None:
        chosen = {"type": "tool", "name": choice.tool.name} if choice.tool else {"type": choice.kind}
        body["tool_choice"] = chosen


def _write_output(output: canon.OutputConfig | None, body: extras.Body) -> None:
    if output is None:
        return
    written: dict[str, Any] = {}
    if output.effort is not None:
        written["effort"] = output.effort
    if output.text_format is not None and output.text_format.structure.json_schema is not None:
        schema = output.text_format.structure.json_schema.schema
        written["format"] = {"type": "json_schema", "schema": output_schema(schema)}
    if written:
        body["output_config"] = written


def _drop_platform(request: ConverseRequest, ledger: Ledger) -> None:
    """What Bedrock offers beside the model, and the vendor's endpoint does not."""
    if request.service_tier is not None and request.service_tier.type != "default":
        ledger.drop("serviceTier")
    if request.performance_config is not None and request.performance_config.latency == "optimized":
        ledger.drop("performanceConfig")
