"""A chat model's paths: what each request does between HTTP and the backend.

Owns the life of an answer. The only file where the OpenAI shapes, the template and the backend meet. Prompts and answers
never reach a log.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from craton.engine import openai_reply, openai_request
from craton.engine.adapter_doors import AdapterDoors
from craton.engine.answer import Answer
from craton.engine.application import Handler, check_model
from craton.engine.backend import Backend, EngineFault, Generation, ModelSpec, Stats, TokenLogprob, TokenStream
from craton.engine.http import Reply, Request
from craton.engine.modeldir import ModelDirectory, describe, verify
from craton.engine.openai_request import BadRequest, ChatRequest, Shared, TextRequest, TokenizeRequest
from craton.engine.opening import backend_of
from craton.engine.template import ChatTemplate
from craton.engine.tokenizer import Tokenizer
from craton.engine.toolcalls import Event, Text


class Serving:
    """A loaded chat model: see application.Serving."""

    def __init__(self, found: ModelDirectory, tokenizer: Tokenizer, backend: Backend) -> None:
        self.found = found
        self.tokenizer = tokenizer
        self.backend = backend
        self.template = ChatTemplate(found.templates, found.special_tokens)
        self.model_id = found.model_id
        self.routes: dict[str, tuple[str, Handler]] = {
            "/v1/chat/completions": ("POST", self._chat),
            "/v1/completions": ("POST", self._complete),
            "/tokenize": ("POST", self._tokenize),
        }
        self.routes.update(AdapterDoors(backend, self.model_id, self.context_tokens).routes)

    @property
    def context_tokens(self) -> int:
        """The most tokens of prompt and answer together, as the backend has room for."""
        return min(self.found.context_tokens, self.backend.stats().context_tokens or 1 << 30)

    def stats(self) -> Stats:
        """See application.Serving."""
        return self.backend.stats()

    def close(self) -> None:
        """See application.Serving."""
        self.backend.close()

    async def _tokenize(self, request: Request, reply: Reply, _: str) -> None:
        asked = openai_request.decode(TokenizeRequest, request.body)
        if asked.messages is not None:
            ids = self._render(asked.messages, asked.tools)
        elif asked.prompt is not None:
            ids = self.tokenizer.encode(asked.prompt)
        else:
            raise BadRequest("'prompt' or 'messages' is missing", "prompt", "missing_field")
        told = {"count": len(ids), "tokens": ids, "max_model_len": self.context_tokens}
        await reply.send(200, openai_reply.ENCODE(told))

    # Generation.

    async def _chat(self, request: Request, reply: Reply, name: str) -> None:
        asked = openai_request.decode(ChatRequest, request.body)
        adapter = self._check(asked, name)
        markers = self.found.markers
        grammar, tools = openai_request.grammar(asked, markers, compact_json=self.found.compact_json)
        offered = asked.tools if asked.tool_choice != "none" else None
        prompt = self._render(asked.messages, offered)
        most = asked.max_completion_tokens or asked.max_tokens
        generation = self._generation(asked, prompt, most, grammar, adapter)
        stops = openai_request.stops(asked)
        answer = Answer(self.tokenizer, len(prompt), stops, tools=tools, markers=markers)
        await self._generate(asked, openai_reply.Reply("chat", adapter or name), "chat", generation, answer, reply)

    async def _complete(self, request: Request, reply: Reply, name: str) -> None:
        asked = openai_request.decode(TextRequest, request.body)
        adapter = self._check(asked, name)
        prompt = self._raw_prompt(asked.prompt)
        generation = self._generation(asked, prompt, asked.max_tokens or 16, None, adapter)
        answer = Answer(self.tokenizer, len(prompt), openai_request.stops(asked))
        await self._generate(asked, openai_reply.Reply("text", adapter or name), "text", generation, answer, reply)

    def _check(self, asked: Shared, name: str) -> str | None:
        """The adapter that is asked for, if any: by its own field, or as the model. Raises BadRequest."""
        openai_request.check(asked)
        if asked.adapter is not None or asked.model in ("", name, self.model_id):
            return asked.adapter
        if asked.model not in self.backend.adapters():
            check_model(asked.model, name, self.model_id)
        return asked.model

    def _render(self, messages: list[dict[str, Any]], tools: list[dict[str, Any]] | None) -> list[int]:
        openai_request.tools(tools)
        prepared = openai_request.messages(messages)
        return self.tokenizer.encode(self.template.render(prepared, tools, self.tokenizer.quote))

    def _raw_prompt(self, prompt: str | list[str | int]) -> list[int]:
        if isinstance(prompt, list) and prompt and isinstance(prompt[0], int):
            ids = [each if isinstance(each, int) else -1 for each in prompt]
            if not all(0 <= each < self.found.vocabulary for each in ids):
                raise BadRequest("'prompt' holds a token that the vocabulary lacks", "prompt", "invalid_value")
            return ids
        texts = prompt if isinstance(prompt, list) else [prompt]
        if len(texts) != 1:
            raise BadRequest("'prompt' must be one text or one list of tokens", "prompt", "invalid_value")
        lead = [self.found.bos] if self.found.bos is not None else []
        return lead + self.tokenizer.encode(str(texts[0]))

    def _generation(
        self, asked: Shared, prompt: list[int], max_tokens: int | None, grammar: str | None, adapter: str | None
    ) -> Generation:
        """Check the prompt against the context, and cap what is generated by what is left of it."""
        context = self.context_tokens
        if not prompt:
            raise BadRequest("The prompt is empty", "prompt", "invalid_value")
        if len(prompt) >= context:
            text = f"This model's context is {context} tokens, and the prompt alone has {len(prompt)}"
            raise BadRequest(text, "messages", "context_length_exceeded")
        room = context - len(prompt)
        return Generation(
            prompt=prompt,
            max_tokens=min(max_tokens or room, room),
            sampling=openai_request.sampling(asked, self.found.sampling),
            grammar=grammar,
            ignore_eos=asked.ignore_eos,
            adapter=adapter,
        )

    async def _generate(
        self,
        asked: Shared,
        told: openai_reply.Reply,
        kind: openai_reply.Kind,
        generation: Generation,
        answer: Answer,
        reply: Reply,
    ) -> None:
        stream = await self.backend.submit(generation)
        try:
            if asked.stream:
                usage = asked.stream_options is not None and asked.stream_options.include_usage
                await _stream(stream, answer, told, kind, self.tokenizer, reply, usage=usage)
            else:
                await _whole(stream, answer, told, kind, self.tokenizer, reply)
        finally:
            # Reached as well when the client leaves: the task is cancelled, and the row is free at the next step.
            stream.cancel()


def open_chat(spec: ModelSpec, loop: asyncio.AbstractEventLoop) -> Serving:
    """Read and open a chat model's directory. Blocking; raises EngineFault with the reason."""
    from craton.engine.rows_backend import RowsBackend

    found = describe(spec.path, backend_of(spec.path, spec.backend))
    verify(found)
    tokenizer = Tokenizer(found.path / "tokenizer.json", found.eos, found.vocabulary)
    backend = RowsBackend(loop, tokenizer, found.eos)
    serving = Serving(found, tokenizer, backend)
    backend.load(replace(spec, context_tokens=min(spec.context_tokens or 1 << 30, found.context_tokens)))
    return serving


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
