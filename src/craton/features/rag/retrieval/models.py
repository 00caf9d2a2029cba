"""Models that retrieval asks on its way with the caller's rights: an answer in words, or one in a form.

Owns how a question is put to models that can do less than others (no instructions, no tools), and how their failures look
to a caller of the agents' runtime, whose operations have no ModelErrorException. It must not know what is asked for.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from craton.aws.wire.faults import Fault
from craton.context import Call
from craton.features.inference import run
from craton.features.inference.routing.routes import Resolved
from craton.features.rag.retrieval.acting import counted, resolved_for, within
from craton.models.canon.content import ContentBlock, Message
from craton.models.canon.reply import ConverseReply
from craton.models.canon.request import (
    Chosen,
    ChosenTool,
    ConverseRequest,
    InferenceConfig,
    InputSchema,
    SystemBlock,
    Tool,
    ToolChoice,
    ToolConfig,
    ToolSpec,
)
from craton.models.catalog.capabilities import Capabilities

_OURS = frozenset({"ValidationException", "ThrottlingException", "AccessDeniedException", "ResourceNotFoundException"})
_SERVERS = frozenset({"InternalServerException", "ServiceUnavailableException"})
_OBJECT = re.compile(r"\{.*\}", re.DOTALL)
_AS_JSON = "\n\nAnswer with one JSON object and nothing else. It must fit this JSON schema:\n{schema}"


class Form(msgspec.Struct, frozen=True):
    """An answer's form: a tool that the model calls, or where it has no tools, JSON that it writes."""

    name: str
    description: str
    schema: dict[str, Any]


async def fill(
    call: Call, model: str, instructions: str, question: str, form: Form, *, managed: bool = False
) -> Any | None:
    """What the model filled the form in with, not checked against its schema; None where it did something else.

    Raises ValidationException (no such model), AccessDeniedException, ThrottlingException, BadGatewayException,
    DependencyFailedException.
    """
    inner, resolved = resolve(call, model, managed=managed)
    able = resolved.route.capabilities
    if not able.tools:
        schema = msgspec.json.encode(form.schema).decode()
        reply = await _ask(inner, resolved, model, put(able, instructions + _AS_JSON.format(schema=schema), question))
        return _object_in(text_of(reply))
    request = put(able, instructions, question)
    request.tool_config = ToolConfig([Tool(tool_spec=_spec(form))], _choice(able, form))
    reply = await _ask(inner, resolved, model, request)
    for block in reply.output.message.content:
        if block.tool_use is not None and block.tool_use.name == form.name:
            return msgspec.json.decode(block.tool_use.input)
    return _object_in(text_of(reply))


async def say(call: Call, model: str, instructions: str, question: str, *, managed: bool = False) -> str:
    """What the model answers in words. Raises as `fill`."""
    inner, resolved = resolve(call, model, managed=managed)
    return text_of(await _ask(inner, resolved, model, put(resolved.route.capabilities, instructions, question)))


def resolve(call: Call, model: str, *, managed: bool = False) -> tuple[Call, Resolved]:
    """The call in which a model is asked, and the route to it, if the caller may or (`managed`) need not."""
    inner = within(call, "Converse")
    try:
        return inner, resolved_for(inner, model, managed=managed)
    except Fault as fault:
        raise dependency(fault, model) from None


def put(able: Capabilities, instructions: str, question: str, *, max_tokens: int = 2048) -> ConverseRequest:
    """A question with instructions, for a model that may take neither a system prompt nor a temperature."""
    text = question if able.system else f"{instructions}\n\n{question}"
    most = min(max_tokens, able.max_output_tokens or max_tokens)
    cold = able.temperature and "temperature" not in able.deprecated
    return ConverseRequest(
        messages=[Message(role="user", content=[ContentBlock(text=text)])],
        system=[SystemBlock(text=instructions)] if able.system else None,
        inference_config=InferenceConfig(max_tokens=most, temperature=0.0 if cold else None),
    )


def text_of(reply: ConverseReply) -> str:
    """What the model said, without its reasoning."""
    return "".join(block.text for block in reply.output.message.content if block.text is not None)


def dependency(fault: Fault, resource: str) -> Fault:
    """A model's failure as the agents' runtime tells it."""
    if fault.name in _OURS:
        return fault
    if fault.name in _SERVERS:
        return Fault("BadGatewayException", fault.message, fields={"resourceName": resource})
    if fault.name == "ModelNotReadyException":
        return Fault("ThrottlingException", fault.message, retry_after_s=fault.retry_after_s)
    return Fault("DependencyFailedException", fault.message, fields={"resourceName": resource})


async def _ask(inner: Call, resolved: Resolved, model: str, request: ConverseRequest) -> ConverseReply:
    request.model_id = model
    try:
        if resolved.router is not None:
            inner.resolved = resolved = run.routed(resolved, request, streaming=False)
        plain = run.check(resolved, request, streaming=False)
        return await counted(inner, lambda call: run.converse(call, resolved, request, plain=plain))
    except Fault as fault:
        raise dependency(fault, model) from None


def _spec(form: Form) -> ToolSpec:
    schema = InputSchema(msgspec.Raw(msgspec.json.encode(form.schema)))
    return ToolSpec(name=form.name, input_schema=schema, description=form.description)


def _choice(able: Capabilities, form: Form) -> ToolChoice | None:
    """There is one tool, so that to have to call any is to have to call it."""
    if able.tool_choice_any:
        return ToolChoice(any=Chosen())
    return ToolChoice(tool=ChosenTool(form.name)) if able.tool_choice_tool else None


def _object_in(text: str) -> Any | None:
    """The JSON object in what a model wrote, whatever it wrote around it."""
    found = _OBJECT.search(text)
    if found is None:
        return None
    try:
        return msgspec.json.decode(found[0])
    except msgspec.DecodeError:
        return None
