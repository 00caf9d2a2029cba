"""What the provider `openai` does otherwise where the quirk `api` is `responses`: OpenAI's Responses instead of chat.

Sans-IO. Owns the stream's own chunks as they pass through, and the body and answer of a token count.
"""

from __future__ import annotations

import msgspec

from craton.aws.wire.faults import UNEXPECTED, model_stream_error
from craton.models.dialects.malformed import decode_reply
from craton.models.providers import faults
from craton.models.providers.native import read_members, write_members

COUNT_PATH = b"/responses/input_tokens"

_ENDS = frozenset({"response.completed", "response.incomplete"})
# What a request takes and its count does not.
_NOT_COUNTED = (
    "store", "include", "stream", "stream_options", "max_output_tokens", "temperature", "top_p", "service_tier",
    "metadata", "user", "safety_identifier", "prompt_cache_key", "prompt_cache_retention", "top_logprobs",
)  # fmt: skip


class _Count(msgspec.Struct):
    input_tokens: int


_COUNT = msgspec.json.Decoder(_Count)


def counted_body(body: bytes) -> bytes:
    """A request as its count takes it."""
    return write_members(read_members(body), change={}, leave_out=_NOT_COUNTED)


def read_count(answer: bytes) -> int:
    """Raises ModelErrorException."""
    return decode_reply(_COUNT, answer).input_tokens


class ResponsesChunks:
    """Events of a response as they come; each has its type in itself."""

    def __init__(self, model: str, secret: str) -> None:
        self._model = model
        self._secret = secret
        self._complete = False

    def feed(self, data: bytes, event: str = "") -> list[bytes]:
        if event == "error" or b'"error"' in data[:12]:
            raise faults.from_error_body(data, model=self._model, secret=self._secret) or model_stream_error()
        if event in _ENDS:
            self._complete = True
        if data[:1] == b"{" and data[-1:] == b"}":
            return [data]
        if data.strip() == b"[DONE]":
            return []
        raise model_stream_error(faults.UNREADABLE)

    def close(self) -> list[bytes]:
        if not self._complete:
            raise model_stream_error(UNEXPECTED)
        return []
