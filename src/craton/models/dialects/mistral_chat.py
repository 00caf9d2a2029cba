"""Mistral's chat, the schema of `mistral.mistral-large-2407-v1:0` and Pixtral: OpenAI's with a few words of its own.

Owns those words: `any` for a tool that must be called, `random_seed`, `stop_reason`, a `message` where OpenAI's chunks
have a `delta`, and call ids of nine letters and digits, without which Mistral refuses a conversation. Source:
reference invoke-bodies.md; Mistral's API reference for ids, `safe_prompt` and `random_seed`. Chunks: the reply's shape,
as in Mistral's text schema; OpenAI's names are read too.
"""

from __future__ import annotations

import hashlib
import re
import string
from typing import Annotated

import msgspec
from msgspec import Meta, Raw

from craton.models.canon.content import ContentBlock, Message
from craton.models.canon.reply import ConverseReply
from craton.models.canon.request import Chosen, ConverseRequest, Fraction, ToolChoice
from craton.models.dialects.dialect import Outgoing, Shown
from craton.models.dialects.extras import Schema
from craton.models.dialects.malformed import decode_reply
from craton.models.dialects.mistral_chat_stream import Answer, Reader, Writer, as_openai, native_stop
from craton.models.dialects.openai_chat.dialect import OpenAIChat
from craton.models.dialects.openai_shaped import in_vendor_form, read_shaped, translations, write_shaped

_ID_LENGTH = 9
_FITS = re.compile(rf"[a-zA-Z0-9]{{{_ID_LENGTH}}}").fullmatch
_ALPHABET = string.ascii_letters + string.digits


class Bounds(msgspec.Struct):
    """What Mistral bounds otherwise than OpenAI. 8192 is Large's limit, twice that Pixtral's."""

    messages: list[Raw]
    max_tokens: Annotated[int, Meta(ge=1, le=16384)] | None = None
    temperature: Fraction | None = None
    top_p: Fraction | None = None


_BOUNDS = msgspec.json.Decoder(Bounds)
_ANSWER = msgspec.json.Decoder(Answer)
_encode = msgspec.json.Encoder().encode

_OWN = ("presence_penalty", "frequency_penalty", "response_format", "tool_choice", "parallel_tool_calls")
FIELDS = Schema(
    known=frozenset({*_OWN, "safe_prompt", "random_seed", "prompt_mode", "n", "prediction"}),
    names={
        "seed": ("random_seed",),
        **{name: (name,) for name in ("stop", "max_tokens", "temperature", "top_p", *_OWN[:2])},
    },
    translate=translations(),
)


class MistralChat:
    name = "mistral.chat"
    streams = True

    def __init__(self) -> None:
        self._openai = OpenAIChat()

    def read_request(self, body: bytes, *, streaming: bool = False) -> ConverseRequest:
        request = read_shaped(body, _BOUNDS, streaming=streaming)
        extras = request.additional_model_request_fields or {}
        if request.tool_config is not None and extras.get("tool_choice") == "any":
            request.tool_config.tool_choice = ToolChoice(any=Chosen())
            del extras["tool_choice"]
            request.additional_model_request_fields = extras or None
        return request

    def write_request(self, request: ConverseRequest, out: Outgoing) -> bytes:
        """Bedrock's form has no way to name the one tool that must be called."""
        tools = request.tool_config
        messages = [_with_own_ids(message) for message in request.messages or ()]
        body = write_shaped(msgspec.structs.replace(request, messages=messages), out, FIELDS)
        choice = tools.tool_choice if tools is not None else None
        if choice is not None and choice.any is not None:
            body["tool_choice"] = "any"
        elif choice is not None and choice.tool is not None and not in_vendor_form(out):
            out.ledger.drop("toolConfig.toolChoice.tool")
            del body["tool_choice"]
        return _encode(body)

    def read_reply(self, body: bytes) -> ConverseReply:
        return self._openai.read_reply(as_openai(decode_reply(_ANSWER, body), "message"))

    def write_reply(self, reply: ConverseReply, shown: Shown) -> bytes:
        """OpenAI's message, without the members that Mistral's has not."""
        message = _with_own_ids(reply.output.message)
        output = msgspec.structs.replace(reply.output, message=message)
        written = self._openai.write_reply(msgspec.structs.replace(reply, output=output), shown)
        said = msgspec.json.decode(written)["choices"][0]["message"]
        kept = {name: said[name] for name in ("role", "content", "tool_calls") if name in said}
        choice = {"index": 0, "message": kept, "stop_reason": native_stop(reply.stop_reason)}
        return _encode({"choices": [choice]})

    def reader(self) -> Reader:
        return Reader(self._openai.reader())

    def writer(self, shown: Shown) -> Writer:
        return Writer(own_id)


def own_id(given: str) -> str:
    """The id if Mistral takes it, else one made of it, the same each time."""
    if _FITS(given):
        return given
    digest = hashlib.blake2b(given.encode(), digest_size=_ID_LENGTH).digest()
    return "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in digest)


def _with_own_ids(message: Message) -> Message:
    return Message(message.role, [_with_own_id(block) for block in message.content])


def _with_own_id(block: ContentBlock) -> ContentBlock:
    use, result = block.tool_use, block.tool_result
    if use is not None:
        return ContentBlock(tool_use=msgspec.structs.replace(use, tool_use_id=own_id(use.tool_use_id)))
    if result is not None:
        return ContentBlock(tool_result=msgspec.structs.replace(result, tool_use_id=own_id(result.tool_use_id)))
    return block
