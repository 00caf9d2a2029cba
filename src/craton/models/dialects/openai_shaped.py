"""Schemas that are OpenAI's chat under another vendor's roof: what they share, so that each states only its differences.

Owns: bodies that a caller of Bedrock writes without `model` and `stream`, since the URL and the operation say both
(`out.quirks["form"] == "vendor"` keeps them), limits that OpenAI does not have, extra fields by the vendor's own
table, and models that take both this schema and one with a single prompt. Must not know any vendor.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Raw

from craton.aws.wire.faults import model_stream_error
from craton.models.canon.events import StreamEvent
from craton.models.canon.request import ConverseRequest, OutputConfig
from craton.models.dialects.dialect import InvocationMetrics, Outgoing, StreamReader
from craton.models.dialects.extras import Body, Schema, Translate, merge
from craton.models.dialects.malformed import decode_native
from craton.models.dialects.openai_chat import request as requests
from craton.models.dialects.openai_chat.extras import fields_of

_MEMBERS = msgspec.json.Decoder(dict[str, Raw])
_CALL_MEMBERS = ("model", "stream", "stream_options")
_HABITS: dict[str, object] = {"reasoning": "", "content": "string"}
_METRICS = b'"amazon-bedrock-invocationMetrics"'
_TRANSLATED = ("tools", "tool_choice", "output_format")


class _WithMetrics(msgspec.Struct, rename={"metrics": "amazon-bedrock-invocationMetrics"}):
    metrics: InvocationMetrics


class _Forms(msgspec.Struct):
    prompt: Raw = Raw()
    messages: Raw = Raw()


_WITH_METRICS = msgspec.json.Decoder(_WithMetrics)
_FORMS = msgspec.json.Decoder(_Forms)


def translations() -> dict[str, Translate]:
    """Other vendors' fields that mean the same in every schema shaped like OpenAI's."""
    known = fields_of({}).translate
    return {name: known[name] for name in _TRANSLATED}


def in_vendor_form(out: Outgoing) -> bool:
    """Whether the target is the vendor's own API, not Bedrock's."""
    return out.quirks.get("form") == "vendor"


def read_shaped(body: bytes, bounds: msgspec.json.Decoder[Any], *, streaming: bool) -> ConverseRequest:
    """Raises ValidationException, also for a value out of the vendor's own bounds."""
    decode_native(bounds, body)
    return requests.read_request(body, streaming=streaming)


def write_shaped(request: ConverseRequest, out: Outgoing, schema: Schema) -> Body:
    """The body as an object that may still be changed; its members are raw JSON where they came from OpenAI's."""
    ledger = out.ledger
    wanted = request.output_config
    if wanted is not None and wanted.effort is not None:
        ledger.drop("outputConfig.effort")
    if request.service_tier is not None and request.service_tier.type != "default":
        ledger.drop("serviceTier")
    text_format = wanted.text_format if wanted is not None else None
    plain = msgspec.structs.replace(
        request,
        additional_model_request_fields=None,
        service_tier=None,
        output_config=OutputConfig(text_format) if text_format is not None else None,
    )
    written = requests.write_request(plain, msgspec.structs.replace(out, quirks={**_HABITS, **out.quirks}))
    body: Body = dict(_MEMBERS.decode(written))
    if not in_vendor_form(out):
        for name in _CALL_MEMBERS:
            body.pop(name, None)
    # The translations look into the tools that are there already.
    if "tools" in body:
        body["tools"] = msgspec.json.decode(body["tools"])
    merge(request.additional_model_request_fields, schema, body, ledger)
    return body


def form_of(body: bytes) -> str:
    """`messages`, `prompt`, or nothing for a body that has neither or both, or cannot be read."""
    try:
        forms = _FORMS.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    prompt, messages = (bytes(raw) not in (b"", b"null") for raw in (forms.prompt, forms.messages))
    if prompt == messages:
        return ""
    return "prompt" if prompt else "messages"


class EitherReader:
    """The reader of a stream that may have either of two forms; `choose` tells by the first chunk."""

    __slots__ = ("_choose", "_reader")

    def __init__(self, choose: Callable[[bytes], StreamReader]) -> None:
        self._choose = choose
        self._reader: StreamReader | None = None

    def feed(self, data: bytes, event: str = "") -> list[StreamEvent]:
        if self._reader is None:
            self._reader = self._choose(data)
        return self._reader.feed(data)

    def close(self) -> list[StreamEvent]:
        """Raises ModelStreamErrorException if the native stream broke off."""
        if self._reader is None:
            raise model_stream_error()
        return self._reader.close()


def with_usage(chunk: bytes) -> bytes:
    """A chunk with OpenAI's `usage` where Bedrock's metrics tell it; any other as it is."""
    if _METRICS not in chunk:
        return chunk
    try:
        members = _MEMBERS.decode(chunk)
        metrics = _WITH_METRICS.decode(chunk).metrics
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return chunk  # the reader says what is wrong with it
    return msgspec.json.encode({"usage": usage_of(metrics), **members})


def usage_of(metrics: InvocationMetrics) -> dict[str, int]:
    return {"prompt_tokens": metrics.inputTokenCount, "completion_tokens": metrics.outputTokenCount}
