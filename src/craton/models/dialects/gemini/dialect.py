"""Google's Gemini (`generateContent`), for targets that are Google's; no model of Bedrock's speaks it.

Owns: bodies and whole replies. Parts are `gemini_parts`', streams `gemini_stream`'s, extra fields `gemini_extras`'.
The model stands in the path and the kind of answer in the method's name, so neither is in a body. Source, from
memory: Google's Gemini API reference (v1beta).
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

from craton.aws.wire.faults import model_error
from craton.models.canon import request as canon
from craton.models.canon.content import ContentBlock, Message
from craton.models.canon.reply import ConverseReply, assistant_reply
from craton.models.canon.request import ConverseRequest, InferenceConfig, SystemBlock
from craton.models.dialects.dialect import Ledger, Outgoing, Shown
from craton.models.dialects.extras import Body, merge
from craton.models.dialects.gemini import parts
from craton.models.dialects.gemini import schema as native
from craton.models.dialects.gemini.extras import FIELDS, set_effort
from craton.models.dialects.gemini.stream import Reader, Writer
from craton.models.dialects.malformed import decode_native, decode_reply
from craton.models.dialects.tool_calls import output_schema
from craton.models.dialects.turns import config_or_none, system_text, write_config

_BODY = msgspec.json.Decoder(native.Body)
_REPLY = msgspec.json.Decoder(native.Answer)
_MEMBERS: msgspec.json.Decoder[dict[str, Raw]] = msgspec.json.Decoder(dict[str, Raw])
_ANY_MEMBERS: msgspec.json.Decoder[dict[str, Any]] = msgspec.json.Decoder(dict[str, Any])
_TOOLS: msgspec.json.Decoder[list[dict[str, Any]]] = msgspec.json.Decoder(list[dict[str, Any]])
_encode = msgspec.json.Encoder().encode

_CANONICAL = frozenset(native.Body.__struct_encode_fields__)
_GENERATION = frozenset(native.Generation.__struct_encode_fields__)
_PARAMETERS = ("maxOutputTokens", "temperature", "topP", "stopSequences")
_ANY_OBJECT = Raw(b'{"type":"object","properties":{}}')
_JSON = "application/json"
_MODES = {"AUTO": "auto", "ANY": "any"}


class Gemini:
    """The dialect `google.gemini`."""

    name = "google.gemini"
    streams = True

    def read_request(self, body: bytes, *, streaming: bool = False) -> ConverseRequest:
        read = decode_native(_BODY, body)
        members = _MEMBERS.decode(body)
        extra = {
            name: msgspec.json.decode(raw)
            for name, raw in members.items()
            if name not in _CANONICAL and not name.startswith("amazon-bedrock-")
        }
        given = _ANY_MEMBERS.decode(members["generationConfig"]) if read.generation_config is not None else {}
        beyond = {name: value for name, value in given.items() if name not in _GENERATION}
        config, output = _read_generation(read.generation_config or native.Generation(), beyond)
        if beyond:
            extra["generationConfig"] = beyond
        system = read.system_instruction
        return ConverseRequest(
            messages=[_read_content(content) for content in read.contents],
            system=[SystemBlock(text=part.text) for part in system.parts if part.text] or None if system else None,
            inference_config=config_or_none(config),
            tool_config=_read_tools(read, members, extra),
            output_config=output,
            additional_model_request_fields=extra or None,
        )

    def write_request(self, request: ConverseRequest, out: Outgoing) -> bytes:
        ledger = out.ledger
        writing = parts.Writing(ledger, out.model)
        contents = [
            content
            for place, message in enumerate(request.messages or ())
            if (content := writing.content(message, f"messages.{place}.content")) is not None
        ]
        body: Body = {"contents": contents}
        system = system_text(request.system, ledger)
        if system:
            body["systemInstruction"] = {"parts": [{"text": system}]}
        generation: Body = write_config(request.inference_config, _PARAMETERS)
        if request.tool_config is not None:
            _write_tools(request.tool_config, body, ledger)
        wanted = request.output_config
        schema = wanted.text_format.structure.json_schema if wanted is not None and wanted.text_format else None
        if schema is not None:
            generation |= {"responseMimeType": _JSON, "responseJsonSchema": output_schema(schema.schema)}
        if generation:
            body["generationConfig"] = generation
        if wanted is not None and wanted.effort is not None and not set_effort(wanted.effort, body):
            ledger.drop("outputConfig.effort")
        elif wanted is not None and wanted.effort is not None:
            ledger.emulate("outputConfig.effort")
        merge(request.additional_model_request_fields, FIELDS, body, ledger)
        return _encode(body)

    def read_reply(self, body: bytes) -> ConverseReply:
        answer = decode_reply(_REPLY, body)
        used = native.read_usage(answer.usage_metadata)
        if not answer.candidates:
            feedback = answer.prompt_feedback
            if feedback is None or feedback.block_reason is None:
                raise model_error()
            return assistant_reply([ContentBlock(text="")], "content_filtered", used)
        first = answer.candidates[0]
        blocks = parts.read_parts(first.content.parts) if first.content is not None else []
        called = any(block.tool_use is not None for block in blocks)
        reason = native.stop_reason(first.finish_reason, called=called)
        return assistant_reply(blocks or [ContentBlock(text="")], reason, used)

    def write_reply(self, reply: ConverseReply, shown: Shown) -> bytes:
        written = parts.Writing(Ledger()).content(reply.output.message, "")
        candidate = {
            "content": written,
            "finishReason": native.FINISH_REASONS.get(reply.stop_reason, "STOP"),
            "index": 0,
        }
        return _encode(
            {
                "candidates": [candidate],
                "usageMetadata": native.write_usage(reply.usage),
                "modelVersion": shown.model,
                "responseId": shown.request_id,
            }
        )

    def reader(self) -> Reader:
        return Reader()

    def writer(self, shown: Shown) -> Writer:
        return Writer(shown)


def _read_content(content: native.Content) -> Message:
    blocks = parts.read_parts(content.parts) or [ContentBlock(text="")]
    return Message("assistant" if content.role == "model" else "user", blocks)


def _read_generation(read: native.Generation, beyond: Body) -> tuple[InferenceConfig, canon.OutputConfig | None]:
    """Gemini's temperatures go up to 2; above 1, where Converse's end, one stays native."""
    temperature = read.temperature
    if temperature is not None and temperature > 1:
        beyond["temperature"], temperature = temperature, None
    schema = bytes(read.response_json_schema)
    output = None
    if schema and schema != b"null":
        structure = canon.FormatStructure(canon.JsonSchema(schema.decode()))
        output = canon.OutputConfig(canon.TextFormat("json_schema", structure))
    elif read.response_mime_type is not None:
        beyond["responseMimeType"] = read.response_mime_type
    return InferenceConfig(read.max_output_tokens, temperature, read.top_p, read.stop_sequences), output


def _read_tools(read: native.Body, members: dict[str, Raw], extra: Body) -> canon.ToolConfig | None:
    """Google's own tools (search, code) stay native, and so does a choice that Converse cannot express."""
    tools = [_read_tool(declared) for offered in read.tools or () for declared in offered.function_declarations or ()]
    own = [
        tool for tool in (_TOOLS.decode(members["tools"]) if read.tools else []) if "functionDeclarations" not in tool
    ]
    if own:
        extra["tools"] = own
    calling = read.tool_config.function_calling_config if read.tool_config is not None else None
    names = (calling.allowed_function_names or []) if calling is not None else []
    mode = (calling.mode or "AUTO") if calling is not None else ""
    choice: canon.ToolChoice | None = None
    if tools and mode == "ANY" and len(names) == 1:
        choice = canon.ToolChoice(tool=canon.ChosenTool(names[0]))
    elif tools and mode in _MODES and not names:
        choice = canon.ToolChoice(any=canon.Chosen()) if mode == "ANY" else canon.ToolChoice(auto=canon.Chosen())
    elif calling is not None:
        extra["toolConfig"] = msgspec.json.decode(members["toolConfig"])
    return canon.ToolConfig(tools, choice) if tools else None


def _read_tool(declared: native.Declared) -> canon.Tool:
    schema = next(
        (raw for raw in (declared.parameters_json_schema, declared.parameters) if bytes(raw) not in (b"", b"null")),
        _ANY_OBJECT,
    )
    return canon.Tool(tool_spec=canon.ToolSpec(declared.name, canon.InputSchema(schema), declared.description or None))


def _write_tools(config: canon.ToolConfig, body: Body, ledger: Ledger) -> None:
    declared: list[Body] = []
    for place, tool in enumerate(config.tools):
        spec = tool.tool_spec
        if spec is None:
            ledger.drop(f"toolConfig.tools.{place}.{tool.kind}")
            continue
        if spec.strict:
            ledger.drop(f"toolConfig.tools.{place}.toolSpec.strict")
        function: Body = {"name": spec.name, "parametersJsonSchema": spec.input_schema.json}
        if spec.description is not None:
            function["description"] = spec.description
        declared.append(function)
    if not declared:
        return
    body["tools"] = [{"functionDeclarations": declared}]
    choice = config.tool_choice
    if choice is not None:
        calling: Body = {"mode": "AUTO" if choice.auto is not None else "ANY"}
        if choice.tool is not None:
            calling["allowedFunctionNames"] = [choice.tool.name]
        body["toolConfig"] = {"functionCallingConfig": calling}
