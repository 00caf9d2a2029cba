"""Converse itself as a schema: what the real Bedrock takes and gives, for targets that are the real Bedrock.

Bodies are the canon's own. Streams are ConverseStream's events: their type comes with the frame (`event`), or, where
chunks have no type, as the one member of an object. Source: botocore's service model of bedrock-runtime.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from craton.aws.wire.faults import model_error, model_stream_error
from craton.models.canon import events as canon
from craton.models.canon.events import BlockDelta, StreamEvent
from craton.models.canon.reply import ConverseReply, Metrics, usage
from craton.models.canon.request import ConverseRequest
from craton.models.dialects.dialect import InvocationMetrics, Outgoing, Shown
from craton.models.dialects.extras import asked
from craton.models.dialects.malformed import decode_native, decode_reply

CUT_SHORT = "The model's answer ended before it was complete."

_TYPES: dict[str, type[StreamEvent]] = {
    "contentBlockDelta": BlockDelta,
    "messageStart": canon.MessageStart,
    "contentBlockStart": canon.BlockStart,
    "contentBlockStop": canon.BlockStop,
    "messageStop": canon.MessageStop,
    "metadata": canon.StreamMetadata,
}
_NAMES = {kind: name for name, kind in _TYPES.items()}
_DECODERS = {name: msgspec.json.Decoder(kind) for name, kind in _TYPES.items()}
_BODY = msgspec.json.Decoder(ConverseRequest)
_REPLY = msgspec.json.Decoder(ConverseReply)
_MEMBERS: msgspec.json.Decoder[dict[str, msgspec.Raw]] = msgspec.json.Decoder(dict[str, msgspec.Raw])
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_encode = msgspec.json.Encoder().encode


class AmazonConverse:
    """The dialect `amazon.converse`."""

    name = "amazon.converse"
    streams = True

    def read_request(self, body: bytes, *, streaming: bool = False) -> ConverseRequest:
        return decode_native(_BODY, body)

    def write_request(self, request: ConverseRequest, out: Outgoing) -> bytes:
        """The model's id stands in the path. Guardrails and prompts are resources of the caller's own account here.

        Extra fields are the model's own and go as they are (`converse_fields` makes them so), but for those of a call
        (`stream_options`): models refuse what they do not know.
        """
        if request.guardrail_config is not None:
            out.ledger.drop("guardrailConfig")
        if request.prompt_variables is not None:
            out.ledger.drop("promptVariables")
        written = msgspec.structs.replace(
            request,
            model_id="",
            guardrail_config=None,
            prompt_variables=None,
            additional_model_request_fields=asked(request.additional_model_request_fields),
        )
        return _encode(written)

    def read_reply(self, body: bytes) -> ConverseReply:
        reply = decode_reply(_REPLY, body)
        if not reply.output.message.content and reply.stop_reason == "tool_use":
            raise model_error()
        reply.stop_sequence = _stop_sequence(reply.additional_model_response_fields)
        return reply

    def write_reply(self, reply: ConverseReply, shown: Shown) -> bytes:
        return _encode(msgspec.structs.replace(reply, stop_sequence=None))

    def reader(self) -> Reader:
        return Reader()

    def writer(self, shown: Shown) -> Writer:
        return Writer()


class Reader:
    """ConverseStream's events, or chunks that hold one each, → the canon's."""

    __slots__ = ("_stopped", "_told")

    def __init__(self) -> None:
        self._stopped = False
        self._told = False

    def feed(self, data: bytes, event: str = "") -> list[StreamEvent]:
        try:
            if not event:
                return [found for name, raw in _MEMBERS.decode(data).items() for found in self._read(name, bytes(raw))]
            return self._read(event, data)
        except _UNREADABLE:
            raise model_stream_error() from None

    def close(self) -> list[StreamEvent]:
        """Raises ModelStreamErrorException if the stream broke off."""
        if not self._stopped:
            raise model_stream_error(CUT_SHORT)
        return [] if self._told else [canon.StreamMetadata(usage(0, 0), Metrics(0))]

    def _read(self, name: str, data: bytes) -> list[StreamEvent]:
        decoder = _DECODERS.get(name)
        if decoder is None:  # what a later version of the API adds
            return []
        found = decoder.decode(data)
        if isinstance(found, canon.MessageStop):
            self._stopped = True
            found.stop_sequence = _stop_sequence(found.additional_model_response_fields)
        elif isinstance(found, canon.StreamMetadata):
            self._told = True
        return [found]


class Writer:
    """The canon's events → chunks, with `metadata` kept back for `finish`."""

    __slots__ = ("_metadata",)

    def __init__(self) -> None:
        self._metadata: canon.StreamMetadata | None = None

    def write(self, event: StreamEvent) -> list[bytes]:
        if isinstance(event, canon.StreamMetadata):
            self._metadata = event
            return []
        if isinstance(event, canon.MessageStop):
            event = msgspec.structs.replace(event, stop_sequence=None)
        return [b'{"%b":%b}' % (_NAMES[type(event)].encode(), _encode(event))]

    def finish(self, metrics: InvocationMetrics) -> list[bytes]:
        counted = usage(metrics.inputTokenCount, metrics.outputTokenCount)
        told = self._metadata or canon.StreamMetadata(counted, Metrics(metrics.invocationLatency))
        return [_encode({"metadata": told, "amazon-bedrock-invocationMetrics": metrics})]


def _stop_sequence(fields: object) -> str | None:
    """What ended the turn, for a caller who asked for it by additionalModelResponseFieldPaths."""
    found = fields.get("stop_sequence") if isinstance(fields, Mapping) else None
    return found if isinstance(found, str) else None
