"""A model that is asked with the caller's rights: one message, an answer whole or as it comes.

Owns how a filled template becomes a conversation that the model's family takes, and how its failures are told by the
agents' runtime. It must not know templates, passages or citations.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Literal

import msgspec

from craton.aws.wire.faults import Fault, validation
from craton.context import Call
from craton.features.inference import run
from craton.features.inference.fitting import native_fields
from craton.features.inference.routing.routes import Resolved, Route
from craton.features.rag.generation.passages import Turn
from craton.features.rag.generation.question import Speaking
from craton.features.rag.retrieval.acting import counted, resolved_for, within
from craton.features.rag.retrieval.models import dependency, text_of
from craton.models.canon.content import ContentBlock, Message
from craton.models.canon.events import BlockDelta, StreamEvent
from craton.models.canon.request import ConverseRequest, InferenceConfig, PerformanceConfig, SystemBlock

DEFAULT_MAX_TOKENS = 2048


class Prompt(msgspec.Struct, frozen=True):
    """What is said to the model: `system` and `user`, or all of it as `user`; `turns` are what was said before."""

    user: str
    system: str = ""
    turns: Sequence[Turn] = ()


class Speaker:
    """A model that the caller may use, or (`managed`) the service chose. Raises, as all of its methods, Faults that the agents' runtime models."""

    def __init__(self, call: Call, model: str, *, streaming: bool = False, managed: bool = False) -> None:
        self._model = model
        self._inner = within(call, "ConverseStream" if streaming else "Converse")
        self._answers = call  # whose headers tell who answered
        try:
            self._resolved: Resolved = resolved_for(self._inner, model, managed=managed)
        except Fault as fault:
            raise dependency(fault, model) from None

    @property
    def route(self) -> Route:
        return self._resolved.route

    async def say(self, prompt: Prompt, speaking: Speaking) -> str:
        """The whole answer's text."""
        try:
            request = self._request(prompt, speaking)
            resolved, plain = self._checked(request, streaming=False)
            reply = await counted(self._inner, lambda inner: run.converse(inner, resolved, request, plain=plain))
        except Fault as fault:
            raise dependency(fault, self._model) from None
        self._tell()
        return text_of(reply)

    async def stream(self, prompt: Prompt, speaking: Speaking) -> AsyncGenerator[str]:
        """A stream that has begun: what fails before its first piece is raised here.

        A model that does not stream says all of its answer at once.
        """
        if not self.route.capabilities.stream:
            return _once(await self.say(prompt, speaking))
        try:
            request = self._request(prompt, speaking)
            resolved, plain = self._checked(request, streaming=True)
            events, _ = await run.converse_stream(self._inner, resolved, request, plain=plain)
        except Fault as fault:
            self._failed(fault)
            raise dependency(fault, self._model) from None
        self._tell()
        return self._texts(events)

    async def _texts(self, events: AsyncGenerator[list[StreamEvent]]) -> AsyncGenerator[str]:
        app = self._inner.app
        begun_at = app.clock.monotonic()
        try:
            async with aclosing(events) as source:
                async for piece in source:
                    text = "".join(said.delta.text or "" for said in piece if type(said) is BlockDelta)
                    if text:
                        yield text
        except Fault as fault:
            self._failed(fault)
            raise dependency(fault, self._model) from None
        if app.meter is not None:
            app.meter.served(self._inner, begun_at)

    def _failed(self, fault: Fault) -> None:
        if self._inner.app.meter is not None:
            self._inner.app.meter.failed(self._inner, fault)

    def _checked(self, request: ConverseRequest, *, streaming: bool) -> tuple[Resolved, bool]:
        resolved = self._resolved
        if resolved.router is not None:
            self._inner.resolved = resolved = run.routed(resolved, request, streaming=streaming)
        native_fields.lift(request, resolved.route.capabilities)
        return resolved, run.check(resolved, request, streaming=streaming)

    def _tell(self) -> None:
        """The caller's answer says who gave it, as a conversation's would."""
        self._answers.response_headers.extend(self._inner.response_headers)

    def _request(self, prompt: Prompt, speaking: Speaking) -> ConverseRequest:
        able = self.route.capabilities
        system, user = prompt.system, prompt.user
        if system and not able.system:
            system, user = "", f"{system}\n\n{user}"
        said = [] if able.one_user_message_only else [(turn.question, turn.answer) for turn in prompt.turns]
        messages = [
            message("user" if place % 2 == 0 else "assistant", text)
            for place, text in enumerate([*(text for pair in said for text in pair), user])
        ]
        return ConverseRequest(
            model_id=self._model,
            messages=messages,
            system=[SystemBlock(text=system)] if system else None,
            inference_config=self._inference(speaking),
            additional_model_request_fields=dict(speaking.fields) or None,
            performance_config=PerformanceConfig(speaking.latency) if speaking.latency else None,
        )

    def _inference(self, speaking: Speaking) -> InferenceConfig:
        """The caller's parameters; where there are none, the likeliest words, as far as the model can be told so."""
        able, temperature = self.route.capabilities, speaking.temperature
        if speaking.max_tokens == 0:
            raise validation("inferenceConfig.textInferenceConfig.maxTokens must be at least 1.")
        settled = "temperature" in able.deprecated or (speaking.top_p is not None and not able.temperature_with_top_p)
        if temperature is None and able.temperature and not settled:
            temperature = 0.0
        return InferenceConfig(
            max_tokens=speaking.max_tokens or min(DEFAULT_MAX_TOKENS, self.route.max_output_tokens),
            temperature=temperature,
            top_p=speaking.top_p,
            stop_sequences=list(speaking.stop_sequences) or None,
        )


def message(role: Literal["user", "assistant"], text: str) -> Message:
    return Message(role=role, content=[ContentBlock(text=text)])


async def _once(text: str) -> AsyncGenerator[str]:
    if text:
        yield text
