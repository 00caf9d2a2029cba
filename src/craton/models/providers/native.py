"""Native bodies that pass through: the few members that an upstream needs otherwise, and its stream's own chunks.

Sans-IO. Nothing here looks into a conversation: members that are not named stay byte for byte as they came.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from craton.aws.wire.faults import UNEXPECTED, model_stream_error
from craton.models.dialects.malformed import malformed
from craton.models.providers import faults

_OBJECT: msgspec.json.Decoder[dict[str, msgspec.Raw]] = msgspec.json.Decoder(dict[str, msgspec.Raw])


def read_members(body: bytes) -> dict[str, msgspec.Raw]:
    """The members of a native body, unread. Raises ValidationException if it is no JSON object."""
    try:
        return _OBJECT.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise malformed() from None


def write_members(
    members: dict[str, msgspec.Raw], *, change: Mapping[str, object], leave_out: Iterable[str] = ()
) -> bytes:
    """The body with some members changed and others left out."""
    written: dict[str, object] = {**members, **change}
    for name in leave_out:
        written.pop(name, None)
    return msgspec.json.encode(written)


class OpenAIChunks:
    """`chat.completion.chunk` objects as they come, without the `[DONE]` that Bedrock's stream does not have."""

    def __init__(self, model: str, secret: str) -> None:
        self._model = model
        self._secret = secret
        self._complete = False

    def feed(self, data: bytes, event: str = "") -> list[bytes]:
        if data == b"[DONE]":
            self._complete = True
            return []
        if data.startswith((b'{"error"', b'{ "error"')) or event == "error":
            told = faults.from_error_body(data, model=self._model, secret=self._secret)
            raise told or model_stream_error()
        if not self._complete and (b'"finish_reason":"' in data or b'"finish_reason": "' in data):
            self._complete = True
        return _chunk(data)

    def close(self) -> list[bytes]:
        return _ended(complete=self._complete)


class AnthropicChunks:
    """Events of Anthropic's Messages stream as they come, without its pings."""

    def __init__(self, model: str, secret: str) -> None:
        self._model = model
        self._secret = secret
        self._complete = False

    def feed(self, data: bytes, event: str = "") -> list[bytes]:
        if event == "ping":
            return []
        if event == "error":
            told = faults.from_error_body(data, model=self._model, secret=self._secret)
            raise told or model_stream_error()
        if event == "message_stop":
            self._complete = True
        return _chunk(data)

    def close(self) -> list[bytes]:
        return _ended(complete=self._complete)


def _chunk(data: bytes) -> list[bytes]:
    if not (data.startswith(b"{") and data.endswith(b"}")):
        raise model_stream_error(faults.UNREADABLE)
    return [data]


def _ended(*, complete: bool) -> list[bytes]:
    if not complete:
        raise model_stream_error(UNEXPECTED)
    return []
