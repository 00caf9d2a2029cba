"""The engine's paths: what each request does between HTTP and the backend.

Owns routing, statuses and the life of an answer. The only file where the OpenAI shapes, the template and the backend
meet. Prompts and answers never reach a log.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from craton.engine import openai_reply, openai_request
from craton.engine.answer import Answer
from craton.engine.backend import (
    AdapterUnsupported,
    Backend,
    Busy,
    EngineFault,
    Generation,
    GrammarRefused,
    TokenLogprob,
    TokenStream,
    Unavailable,
)
from craton.engine.http import Reply, Request
from craton.engine.modeldir import ModelDirectory
from craton.engine.openai_request import BadRequest, ChatRequest, Shared, TextRequest, TokenizeRequest
from craton.engine.template import ChatTemplate, TemplateRefused
from craton.engine.tokenizer import Tokenizer
from craton.engine.toolcalls import Event, Text

# A single step that takes longer means a runtime that hangs, not one that is slow.
STALL_S = 60.0
# (status, OpenAI's error type, code) for what the backend may refuse.
FAULTS: tuple[tuple[type[EngineFault], int, str, str], ...] = (
    (Busy, 429, "rate_limit_error", "queue_full"),
    (Unavailable, 503, "server_error", "model_not_ready"),
    (GrammarRefused, 400, "invalid_request_error", "invalid_schema"),
    (TemplateRefused, 400, "invalid_request_error", "template_refused"),
    (AdapterUnsupported, 400, "invalid_request_error", "adapter_unsupported"),
    (EngineFault, 500, "server_error", "engine_fault"),
)


class Serving:
    """What a loaded model needs to be served; made once its directory is read."""

    def __init__(self, found: ModelDirectory, tokenizer: Tokenizer, backend: Backend) -> None:
        self.found = found
        self.tokenizer = tokenizer
        self.backend = backend
        self.template = ChatTemplate(found.templates, found.special_tokens)


class Application:
    """Answers requests. `serving` is None until the model's directory is read; `state` says why."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.serving: Serving | None = None
        self.state = "loading"
        self.reason = ""
        self._began = time.monotonic()
        self._created = int(time.time())
        self._routes: dict[str, tuple[str, Callable[[Request, Reply], Awaitable[None]]]] = {
            "/health": ("GET", self._health),
            "/stats": ("GET", self._stats),
            "/metrics": ("GET", self._stats),
            "/v1/models": ("GET", self._models),
            "/v1/chat/completions": ("POST", self._chat),
            "/v1/completions": ("POST", self._complete),
            "/tokenize": ("POST", self._tokenize),
        }

    async def __call__(self, request: Request, reply: Reply) -> None:
        """Answer one request; every refusal becomes an OpenAI error object."""
        try:
            await self._route(request, reply)
        except BadRequest as fault:
            kind = "invalid_request_error"
            await reply.send(fault.status, openai_reply.error(fault.message, kind, fault.param, fault.code))
        except EngineFault as fault:
            _, status, kind, code = next(row for row in FAULTS if isinstance(fault, row[0]))
            extra = {"retry-after": "1"} if status in (429, 503) else None
            await reply.send(status, openai_reply.error(str(fault), kind, None, code), extra=extra)

    def health(self) -> str:
        """loading, ready, draining, broken, stalled or failed."""
        if self.state != "ready" or self.serving is None:
            return self.state
        stats = self.serving.backend.stats()
        if stats.state == "ready" and stats.step_s > STALL_S:
            return "stalled"
        return stats.state

    async def _route(self, request: Request, reply: Reply) -> None:
        path = request.target.partition(b"?")[0].decode("latin-1")
        method, handler = self._routes.get(path, ("", None))
        if handler is None:
            raise BadRequest(f"There is no {path}", code="not_found", status=404)
        if request.method != method:
            raise BadRequest(f"{path} answers {method} only", code="method_not_allowed", status=405)
        await handler(request, reply)

    # Questions about the server.

    async def _health(self, request: Request, reply: Reply) -> None:
        state = self.health()
        told = {"state": state, "model": self.name, **({"reason": self.reason} if self.reason else {})}
        await reply.send(200 if state == "ready" else 503, openai_reply.ENCODE(told))

    async def _stats(self, request: Request, reply: Reply) -> None:
        told: dict[str, Any] = {
            "state": self.health(),
            "model": self.name,
            "uptime_s": round(time.monotonic() - self._began, 3),
            "rss_bytes": rss_bytes(),
            "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        }
        if self.serving is not None:
            told = {**msgspec.to_builtins(self.serving.backend.stats()), **told}
        await reply.send(200, openai_reply.ENCODE(told))

    async def _models(self, request: Request, reply: Reply) -> None:
        model: dict[str, Any] = {"id": self.name, "object": "model", "created": self._created, "owned_by": "craton"}
        if self.serving is not None:
            model["max_model_len"] = self._context(self.serving)
        await reply.send(200, openai_reply.ENCODE({"object": "list", "data": [model]}))

    async def _tokenize(self, request: Request, reply: Reply) -> None:
        serving = self._ready()
        asked = openai_request.decode(TokenizeRequest, request.body)
        if asked.messages is not None:
            ids = self._render(serving, asked.messages, asked.tools)
        elif asked.prompt is not None:
            ids = serving.tokenizer.encode(asked.prompt)
        else:
            raise BadRequest("'prompt' or 'messages' is missing", "prompt", "missing_field")
        told = {"count": len(ids), "tokens": ids, "max_model_len": self._context(serving)}
        await reply.send(200, openai_reply.ENCODE(told))

    # Generation.

    async def _chat(self, request: Request, reply: Reply) -> None:
        serving = self._ready()
        asked = openai_request.decode(ChatRequest, request.body)
        self._check(serving, asked)
        markers = serving.found.markers
        grammar, tools = openai_request.grammar(asked, markers, compact_json=serving.found.compact_json)
        offered = asked.tools if asked.tool_choice != "none" else None
        prompt = self._render(serving, asked.messages, offered)
        generation = self._generation(serving, asked, prompt, asked.max_completion_tokens or asked.max_tokens, grammar)
        stops = openai_request.stops(asked)
        answer = Answer(serving.tokenizer, len(prompt), stops, tools=tools, markers=markers)
        await self._generate(serving, asked, "chat", generation, answer, reply)

    async def _complete(self, request: Request, reply: Reply) -> None:
        serving = self._ready()
        asked = openai_request.decode(TextRequest, request.body)
        self._check(serving, asked)
        prompt = self._raw_prompt(serving, asked.prompt)
        generation = self._generation(serving, asked, prompt, asked.max_tokens or 16, None)
        answer = Answer(serving.tokenizer, len(prompt), openai_request.stops(asked))
        await self._generate(serving, asked, "text", generation, answer, reply)

    def _ready(self) -> Serving:
        state = self.health()
        if state != "ready" or self.serving is None:
            raise Unavailable(f"The model '{self.name}' is {state}")
        return self.serving

    def _check(self, serving: Serving, asked: Shared) -> None:
        if asked.model not in ("", self.name, serving.found.model_id):
            raise BadRequest(f"The model '{asked.model}' is not served here", "model", "model_not_found", 404)
        openai_request.check(asked)

    def _render(
        self, serving: Serving, messages: list[dict[str, Any]], tools: list[dict[str, Any]] | None
    ) -> list[int]:
        openai_request.tools(tools)
        prepared = openai_request.messages(messages)
        return serving.tokenizer.encode(serving.template.render(prepared, tools, serving.tokenizer.quote))

    def _raw_prompt(self, serving: Serving, prompt: str | list[str | int]) -> list[int]:
        if isinstance(prompt, list) and prompt and isinstance(prompt[0], int):
            ids = [each if isinstance(each, int) else -1 for each in prompt]
            if not all(0 <= each < serving.found.vocabulary for each in ids):
                raise BadRequest("'prompt' holds a token that the vocabulary lacks", "prompt", "invalid_value")
            return ids
        texts = prompt if isinstance(prompt, list) else [prompt]
        if len(texts) != 1:
            raise BadRequest("'prompt' must be one text or one list of tokens", "prompt", "invalid_value")
        lead = [serving.found.bos] if serving.found.bos is not None else []
        return lead + serving.tokenizer.encode(str(texts[0]))

    def _context(self, serving: Serving) -> int:
        return min(serving.found.context_tokens, serving.backend.stats().context_tokens or 1 << 30)

    def _generation(
        self, serving: Serving, asked: Shared, prompt: list[int], max_tokens: int | None, grammar: str | None
    ) -> Generation:
        """Check the prompt against the context, and cap what is generated by what is left of it."""
        context = self._context(serving)
        if not prompt:
            raise BadRequest("The prompt is empty", "prompt", "invalid_value")
        if len(prompt) >= context:
            text = f"This model's context is {context} tokens, and the prompt alone has {len(prompt)}"
            raise BadRequest(text, "messages", "context_length_exceeded")
        room = context - len(prompt)
        return Generation(
            prompt=prompt,
            max_tokens=min(max_tokens or room, room),
            sampling=openai_request.sampling(asked, serving.found.sampling),
            grammar=grammar,
            ignore_eos=asked.ignore_eos,
            adapter=asked.adapter,
        )

    async def _generate(
        self,
        serving: Serving,
        asked: Shared,
        kind: openai_reply.Kind,
        generation: Generation,
        answer: Answer,
        reply: Reply,
    ) -> None:
        stream = await serving.backend.submit(generation)
        told = openai_reply.Reply(kind, self.name)
        try:
            if asked.stream:
                usage = asked.stream_options is not None and asked.stream_options.include_usage
                await _stream(stream, answer, told, kind, serving.tokenizer, reply, usage=usage)
            else:
                await _whole(stream, answer, told, kind, serving.tokenizer, reply)
        finally:
            # Reached as well when the client leaves: the task is cancelled, and the row is free at the next step.
            stream.cancel()


async def _whole(
    stream: TokenStream,
    answer: Answer,
    told: openai_reply.Reply,
    kind: openai_reply.Kind,
    tokenizer: Tokenizer,
    reply: Reply,
) -> None:
    events: list[Event] = []
    found: list[TokenLogprob] = []
    async for delta in stream:
        events += answer.feed(delta)
        found += delta.logprobs or ()
        if answer.reason == "error":
            raise EngineFault(delta.error or "the generation failed")
        if answer.reason is not None:
            break
    logprobs = openai_reply.logprobs_of(kind, tokenizer, found) if found else None
    await reply.send(200, told.whole(events, answer.reason or "stop", answer.stop, answer.usage, logprobs))


async def _stream(
    stream: TokenStream,
    answer: Answer,
    told: openai_reply.Reply,
    kind: openai_reply.Kind,
    tokenizer: Tokenizer,
    reply: Reply,
    *,
    usage: bool,
) -> None:
    """One write per delta. A fault before the first token is still an HTTP error; after it, an error event."""
    async for delta in stream:
        events = answer.feed(delta)
        if answer.reason == "error":
            if not reply.began:
                raise EngineFault(delta.error or "the generation failed")
            text = delta.error or "the generation failed"
            await reply.write(b"data: " + openai_reply.error(text, "server_error") + b"\n\n")
            break
        lead = b""
        if not reply.began:
            await reply.begin(200, "text/event-stream; charset=utf-8")
            lead = told.opening()
        logprobs = openai_reply.logprobs_of(kind, tokenizer, delta.logprobs) if delta.logprobs else None
        if logprobs is not None and not events:
            events = [Text("")]
        chunks = [told.event(event, logprobs if at == 0 else None) for at, event in enumerate(events)]
        await reply.write(lead + b"".join(chunks))
        if answer.reason is not None:
            break
    if answer.reason not in (None, "error"):
        tail = told.closing(answer.reason, answer.stop) + (told.usage(answer.usage) if usage else b"")
        await reply.write(tail + openai_reply.DONE)
    await reply.end()


def rss_bytes() -> int:
    """Resident memory of this process."""
    with open("/proc/self/statm") as opened:
        return int(opened.read().split()[1]) * resource.getpagesize()
