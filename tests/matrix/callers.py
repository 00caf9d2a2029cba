"""The rows of the matrix: every door with every schema behind it, and how a request goes in and its answer is read."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botocore.eventstream import EventStreamBuffer

from craton.models.dialects.all import DIALECTS
from tests.matrix import say_chat, say_prompt
from tests.matrix.asks import Ask
from tests.matrix.hear import EARS, Ear, Heard
from tests.matrix.house import Answer

Json = dict[str, Any]
METRICS = "amazon-bedrock-invocationMetrics"
INVOKE, CONVERSE, DOOR = "InvokeModel", "Converse", "door"
_ACTIONS = {
    (INVOKE, False): "invoke",
    (INVOKE, True): "invoke-with-response-stream",
    (CONVERSE, False): "converse",
    (CONVERSE, True): "converse-stream",
}
_COUNTS = ("x-amzn-bedrock-input-token-count", "x-amzn-bedrock-output-token-count")


@dataclass(frozen=True)
class Caller:
    """One row. `schema`: the dialect that an own id is given; `path`: of a door; `streams` False: it has no stream."""

    name: str
    door: str
    say: Callable[[Ask], Json | None]
    ear: Ear
    schema: str = ""
    path: str = ""
    streams: bool = True

    def request(self, ask: Ask, model: str) -> tuple[str, dict[str, str], Json] | None:
        """Path, further headers and body; None for what the schema has no words for."""
        body = None if ask.stream and not self.streams else self.say(ask)
        if body is None:
            return None
        if self.door == DOOR:
            body = {**body, "model": model, "stream": ask.stream}
            if ask.stream and self.path.endswith("/chat/completions"):
                body["stream_options"] = {"include_usage": True}
            return self.path, {"anthropic-version": "2023-06-01"} if "messages" in self.path else {}, body
        return f"/model/{model}/{_ACTIONS[self.door, ask.stream]}", {}, body

    def hear(self, answer: Answer, *, stream: bool) -> Heard:
        """What a good answer tells. InvokeModel tells usage beside the body, and any usage in it must agree."""
        if not stream:
            heard = self.ear.whole(json.loads(answer.body))
            beside = [int(answer.headers[name]) for name in _COUNTS] if self.door == INVOKE else []
            return _agree(heard, beside)
        chunks = server_sent(answer.body) if self.door == DOOR else framed(answer.body)
        heard = self.ear.pieces(chunks)
        assert len(chunks) > 2 or not heard.text, "the text did not come in pieces"
        if self.door != INVOKE:
            return heard
        metrics = [chunk[METRICS] for chunk in chunks if METRICS in chunk]
        assert len(metrics) == 1, f"{len(metrics)} chunks with metrics"
        return _agree(heard, [metrics[0]["inputTokenCount"], metrics[0]["outputTokenCount"]])


def _agree(heard: Heard, beside: list[int]) -> Heard:
    if beside:
        told = (beside[0], beside[1])
        assert heard.used in (None, told), f"the body tells usage {heard.used}, beside it stands {told}"
        heard.used = told
    return heard


class BrokenOff(Exception):
    """The stream ended with an error; its name is the text."""


def framed(body: bytes) -> list[Any]:
    """The events of an AWS stream, InvokeModel's taken out of their base64. Raises BrokenOff."""
    buffer = EventStreamBuffer()
    buffer.add_data(body)
    found: list[Any] = []
    for message in buffer:
        kind = message.headers.get(":event-type")
        if kind is None:
            raise BrokenOff(message.headers[":exception-type"])
        value = json.loads(message.payload)
        found.append(json.loads(base64.b64decode(value["bytes"])) if kind == "chunk" else {kind: value})
    return found


def server_sent(body: bytes) -> list[Any]:
    """The data of server-sent events. Raises BrokenOff."""
    found = []
    for event in body.decode().strip().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in event.splitlines())
        if lines["data"] == "[DONE]":
            continue
        value = json.loads(lines["data"])
        if lines.get("event") == "error" or (value.get("error") and "choices" not in value):
            told = value.get("error") or value
            raise BrokenOff(told.get("code") or told["type"])
        if value.get("type") != "ping":
            found.append(value)
    return found


def _native(schema: str, say: Callable[[Ask], Json | None], ear: str = "", **more: Any) -> Caller:
    return Caller(schema, INVOKE, say, EARS[ear or schema], schema, **more)


CALLERS: tuple[Caller, ...] = (
    Caller("Converse", CONVERSE, say_chat.converse, EARS["converse"]),
    Caller("OpenAI chat", DOOR, say_chat.openai_native, EARS["openai"], path="/openai/v1/chat/completions"),
    Caller("OpenAI Responses", DOOR, say_chat.responses, EARS["responses"], path="/openai/v1/responses"),
    Caller("Anthropic Messages", DOOR, say_chat.anthropic, EARS["anthropic"], path="/anthropic/v1/messages"),
    _native("anthropic.messages", say_chat.anthropic_native, "anthropic"),
    _native("anthropic.text", say_prompt.sayer("anthropic.text")),
    _native("ai21.j2", say_prompt.sayer("ai21.j2"), streams=False),
    _native("ai21.jamba", say_chat.jamba, "openai"),
    _native("amazon.titan-text", say_prompt.sayer("amazon.titan-text")),
    _native("amazon.nova", say_chat.nova, "converse"),
    _native("cohere.command", say_prompt.command),
    _native("cohere.command-r", say_chat.command_r, "command-r"),
    _native("meta.llama", say_prompt.sayer("meta.llama")),
    _native("mistral.text", say_prompt.sayer("mistral.text")),
    _native("mistral.chat", say_chat.mistral_chat, "openai"),
    _native("deepseek.r1", say_prompt.sayer("deepseek.r1")),
    _native("openai.chat", say_chat.openai_native, "openai"),
    _native("writer.palmyra", say_chat.palmyra, "openai"),
    _native("cohere.chat-v2", say_chat.cohere_v2, "cohere-v2"),
    _native("google.gemini", say_chat.gemini, "gemini"),
    _native("openai.responses", say_chat.responses, "responses"),
)

# What no row is for: Converse's own schema is asked through Converse.
NOT_CALLED = frozenset({"amazon.converse"})
SCHEMAS = frozenset(DIALECTS)
