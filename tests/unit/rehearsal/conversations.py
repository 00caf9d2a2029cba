"""Requests and replies that the tests of cassettes and scripts share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import msgspec

from craton.aws.wire.faults import Fault
from craton.models.canon.events import StreamEvent
from craton.models.canon.forms import events_of
from craton.models.canon.reply import ConverseReply
from craton.models.canon.request import ConverseRequest
from craton.models.dialects.all import dialect_named
from craton.models.dialects.dialect import InvocationMetrics, Ledger, Shown
from craton.models.providers.provider import Attempt


def request(text: str = "Hello", **members: Any) -> ConverseRequest:
    raw = {"messages": [{"role": "user", "content": [{"text": text}]}], **members}
    return msgspec.json.decode(msgspec.json.encode(raw), type=ConverseRequest)


def reply(*content: dict[str, Any], stop: str = "end_turn") -> ConverseReply:
    raw = {
        "output": {"message": {"role": "assistant", "content": list(content)}},
        "stopReason": stop,
        "usage": {"inputTokens": 3, "outputTokens": 4, "totalTokens": 7},
        "metrics": {"latencyMs": 0},
    }
    return msgspec.json.decode(msgspec.json.encode(raw), type=ConverseReply)


def text_of(answer: ConverseReply) -> str:
    return "".join(block.text or "" for block in answer.output.message.content)


def attempt(*, strict: bool = False, timeout_s: float = 30.0) -> Attempt:
    return Attempt(
        "upstream", Ledger(strict=strict), asyncio.get_running_loop().time() + timeout_s, "00000000-0000-4000"
    )


class Model:
    """A provider that answers `answers` one after another, and counts."""

    name = "model"
    dialect = dialect_named("anthropic.messages")

    def __init__(self, *answers: ConverseReply | Fault, pieces: int = 99) -> None:
        self.answers = list(answers)
        self.asked = 0
        self.pieces = pieces

    def _next(self) -> ConverseReply:
        self.asked += 1
        found = self.answers[min(self.asked, len(self.answers)) - 1]
        if isinstance(found, Fault):
            raise found
        return found

    async def converse(self, request: ConverseRequest, attempt: Attempt) -> ConverseReply:
        attempt.ledger.drop("inferenceConfig.topK")
        return self._next()

    async def converse_stream(self, request: ConverseRequest, attempt: Attempt) -> AsyncGenerator[list[StreamEvent]]:
        for place, event in enumerate(events_of(self._next(), lambda text: text.split("|"))):
            if place >= self.pieces:
                raise Fault("ModelStreamErrorException", "broken")
            yield [event]

    async def invoke(self, body: bytes, attempt: Attempt) -> bytes:
        assert self.dialect is not None
        return self.dialect.write_reply(self._next(), Shown("m", self.dialect.read_request(body), "id", body))

    async def invoke_stream(self, body: bytes, attempt: Attempt) -> AsyncGenerator[list[bytes]]:
        assert self.dialect is not None
        writer = self.dialect.writer(Shown("m", self.dialect.read_request(body), "id", body))
        for event in events_of(self._next()):
            chunks = writer.write(event)
            if chunks:
                yield chunks
        yield writer.finish(InvocationMetrics(3, 4, 1, 1))

    async def count_tokens(self, request: ConverseRequest, attempt: Attempt) -> int:
        return 17

    async def close(self) -> None:
        """Nothing is open."""
