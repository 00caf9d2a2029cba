"""Every upstream of the matrix behind one fake server: what each is configured by, and how its vendor answers.

A provider is told by the first step of the path. The vendor takes apart what it was sent (`seen`) and answers by the
scene that is set: a text, a call of the tool, an error, a stream that breaks off. Its words come from `tests.fakes`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.fakes import responses, scripts, vendors
from tests.fakes.scripts import Script
from tests.fakes.upstream import FakeUpstream, Request
from tests.fakes.vendors import Answers
from tests.matrix import asks
from tests.matrix.seen import READERS, Seen

Json = dict[str, Any]
Target = dict[str, Any]
BEDROCK_MODEL = "anthropic.claude-3-haiku-20240307-v1:0"


@dataclass(frozen=True)
class Wire:
    """How a vendor speaks: its schema (of `seen`), its answers, and a whole answer that calls the tool."""

    schema: str
    answers: Answers
    call: Callable[[], Script]


def _openai_call() -> Script:
    function = {"name": asks.TOOL, "arguments": asks.arguments(asks.ANSWERED_CALL)}
    calls = [{"id": asks.CALL_ID, "type": "function", "function": function}]
    return scripts.openai_reply("", "tool_calls", tool_calls=calls)


def _anthropic_call() -> Script:
    block = {"type": "tool_use", "id": "toolu_1", "name": asks.TOOL, "input": asks.ANSWERED_CALL}
    return scripts.reply(scripts.anthropic_message("", "tool_use", [block]))


def _cohere_call() -> Script:
    function = {"name": asks.TOOL, "arguments": asks.arguments(asks.ANSWERED_CALL)}
    value = json.loads(bytes(vendors.cohere_reply("")[0]).partition(b"\r\n\r\n")[2])  # type: ignore[arg-type]
    calls = [{"id": vendors.CALL_ID, "type": "function", "function": function}]
    message = {"role": "assistant", "tool_plan": "I look", "tool_calls": calls}
    return scripts.reply({**value, "finish_reason": "TOOL_CALL", "message": message})


def _gemini_call() -> Script:
    return scripts.reply(vendors.gemini_answer([{"functionCall": {"name": asks.TOOL, "args": asks.ANSWERED_CALL}}]))


def _converse_call() -> Script:
    use = {"toolUseId": asks.CALL_ID, "name": asks.TOOL, "input": asks.ANSWERED_CALL}
    message = {"role": "assistant", "content": [{"toolUse": use}]}
    used = {"inputTokens": asks.USED[0], "outputTokens": asks.USED[1], "totalTokens": sum(asks.USED)}
    value = {"output": {"message": message}, "stopReason": "tool_use", "usage": used, "metrics": {"latencyMs": 3}}
    return scripts.reply(value)


def _responses_call() -> Script:
    item = {"id": "fc_1", "type": "function_call", "status": "completed", "call_id": "call_1", "name": asks.TOOL}
    return scripts.reply(responses.response({**item, "arguments": asks.arguments(asks.ANSWERED_CALL)}))


def _chunked(events: Callable[..., list[bytes]]) -> Callable[..., list[bytes]]:
    """Anthropic's events as the chunks of InvokeModelWithResponseStream."""

    def made(*given: Any) -> list[bytes]:
        return vendors.bedrock_chunks(json.loads(event.partition(b"data: ")[2]) for event in events(*given))

    return made


_OPENAI = Answers(scripts.openai_reply, scripts.openai_events, scripts.openai_tool_events, scripts.error_openai)
_ANTHROPIC = Answers(
    scripts.anthropic_reply, scripts.anthropic_events, scripts.anthropic_tool_events, scripts.error_anthropic
)
_INVOKED = Answers(
    scripts.anthropic_reply,
    _chunked(scripts.anthropic_events),
    _chunked(scripts.anthropic_tool_events),
    vendors.bedrock_error,
    vendors.framed,
)

CHAT = Wire("openai", _OPENAI, _openai_call)
MESSAGES = Wire("anthropic", _ANTHROPIC, _anthropic_call)
CONVERSE = Wire("converse", vendors.BEDROCK, _converse_call)
INVOKE = Wire("anthropic", _INVOKED, _anthropic_call)
SIGNED: Target = {"region": "us-east-1", "access_key_id": "file:{key}", "secret_access_key": "file:{key}"}


@dataclass(frozen=True)
class Upstream:
    """One column. `suffix`: what its base URL ends in; `wires`: by the end of the path; `target`: lines of its table."""

    name: str
    provider: str
    suffix: str
    wires: tuple[tuple[str, Wire], ...]
    target: Target = field(default_factory=dict)


UPSTREAMS: tuple[Upstream, ...] = (
    Upstream("anthropic", "anthropic", "", (("", MESSAGES),)),
    Upstream("openai", "openai", "/v1", (("", CHAT),)),
    Upstream(
        "openai (Responses)",
        "openai",
        "/v1",
        (("", Wire("responses", responses.RESPONSES, _responses_call)),),
        {"quirks": {"api": "responses"}},
    ),
    Upstream("ai21", "ai21", "/studio/v1", (("", Wire("ai21", vendors.AI21, _openai_call)),)),
    Upstream("cohere", "cohere", "", (("", Wire("cohere-v2", vendors.COHERE, _cohere_call)),)),
    Upstream("mistral", "mistral", "/v1", (("", Wire("mistral", vendors.MISTRAL, _openai_call)),)),
    Upstream("gemini", "gemini", "", (("", Wire("gemini", vendors.GEMINI, _gemini_call)),)),
    Upstream(
        "bedrock",
        "bedrock",
        "",
        (("/invoke", INVOKE), ("/invoke-with-response-stream", INVOKE), ("", CONVERSE)),
        {"model": BEDROCK_MODEL, **SIGNED},
    ),
    Upstream("sagemaker", "sagemaker", "", (("", Wire("openai", vendors.SAGEMAKER, _openai_call)),), SIGNED),
    Upstream("container", "container", "", (("", CHAT),)),
    Upstream("local", "local", "/v1", (("", CHAT),)),
)


def slug(name: str) -> str:
    """A name as a step of a path and as a part of a model id."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


class Vendors:
    """The fake server and its scene. `seen`: what the last inference was sent, None: nothing came."""

    def __init__(self) -> None:
        self.up = FakeUpstream(fallback=self.answer)
        self.scene = "text"
        self.seen: Seen | None = None
        self.wrong = ""
        self._wires = {slug(upstream.name): upstream.wires for upstream in UPSTREAMS}

    def url(self, name: str, suffix: str = "") -> str:
        return f"{self.up.base_url}/{slug(name)}{suffix}"

    def set(self, scene: str) -> None:
        self.scene, self.seen, self.wrong = scene, None, ""

    def answer(self, request: Request) -> Script:
        if request.path.endswith(("/ping", "/health")):
            return scripts.reply({})
        vendor = request.path.split("/")[1]
        wire = next(wire for end, wire in self._wires[vendor] if request.path.endswith(end))
        try:
            self.seen = READERS[wire.schema](request.json)
        except (AssertionError, KeyError, ValueError, TypeError) as error:
            self.wrong = f"{vendor} cannot read what it was sent: {error!r} in {request.body[:400]!r}"
            return wire.call()  # whatever: the cell is lost
        return self.play(wire, _streams(request, self.seen))

    def play(self, wire: Wire, streams: bool) -> Script:
        """The vendor's answer in the scene."""
        answers, script = wire.answers, wire.call()
        if self.scene.isdigit():
            script = answers.error(int(self.scene))
        elif streams:
            script = self.stream(answers)
        elif self.scene != "call":
            script = answers.reply(asks.ANSWER)
        return script

    def stream(self, answers: Answers) -> Script:
        """The same in pieces."""
        if self.scene == "call":
            events = answers.tool_events(asks.TOOL, _cut(asks.arguments(asks.ANSWERED_CALL)))
        else:
            events = answers.events([*_cut(asks.ANSWER), *([" and waits"] * 9 if self.scene == "cut" else [])])
        script: Script = answers.framed(events)
        if self.scene == "cut":
            return (*script[: len(script) // 2], scripts.Sleep(0.01), scripts.Cut())
        return script


def _streams(request: Request, seen: Seen) -> bool:
    """Whether a stream is wanted: by the body, or by the path."""
    words = ("stream", "converse-stream", "invoke-with-response-stream", "invocations-response-stream")
    return seen.stream or request.path.endswith(words[1:]) or ":streamGenerateContent" in request.path


def _cut(text: str) -> Iterable[str]:
    return [text[at : at + 9] for at in range(0, len(text), 9)]
