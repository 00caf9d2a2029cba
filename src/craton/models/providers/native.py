"""Native bodies that pass through: the few members that an upstream needs otherwise, and its stream's own chunks.

Sans-IO. Nothing here looks into a conversation: members that are not named stay byte for byte as they came.
"""

from __future__ import annotations

import re
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


_FINISH = re.compile(rb'"finish_reason"\s*:\s*"')


class OpenAIChunks:
    """`chat.completion.chunk` objects as they come, without the `[DONE]` that Bedrock's stream does not have."""

    def __init__(self, model: str, secret: str) -> None:
        self._model = model
        self._secret = secret
        self._done = False
        self._last = self._before = b""  # the reason to finish stands in one of the last two chunks

    def feed(self, data: bytes, event: str = "") -> list[bytes]:
        if data[:1] == b"{" and data[-1:] == b"}":
            if b'"error"' in data[:12] or event == "error":
                told = faults.from_error_body(data, model=self._model, secret=self._secret)
                if told is not None or event == "error":
                    raise told or model_stream_error()
            self._before = self._last
            self._last = data
            return [data]
        if data == b"[DONE]":
            self._done = True
            return []
        if data != data.strip():
            return self.feed(data.strip(), event)
        raise model_stream_error(faults.UNREADABLE)

    def close(self) -> list[bytes]:
        return _ended(complete=self._done or any(_FINISH.search(chunk) for chunk in (self._before, self._last)))


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
            raise faults.from_error_body(data, model=self._model, secret=self._secret) or model_stream_error()
        if event == "message_stop":
            self._complete = True
        if data[:1] == b"{" and data[-1:] == b"}":
            return [data]
        raise model_stream_error(faults.UNREADABLE)

    def close(self) -> list[bytes]:
        return _ended(complete=self._complete)


def _ended(*, complete: bool) -> list[bytes]:
    if not complete:
        raise model_stream_error(UNEXPECTED)
    return []
