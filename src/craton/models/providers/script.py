"""Provider `script`: answers by rules instead of a model, and keeps a list of the calls that it got.

A target names the rules file (`rules`). On an ephemeral server the same machinery stands in front of every model, with
rules that a test adds while the server runs (`stage`).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from craton.config import ConfigError
from craton.models.canon.events import StreamEvent, StreamMetadata
from craton.models.canon.reply import ConverseReply, usage
from craton.models.canon.request import ConverseRequest
from craton.models.dialects.dialect import Dialect, InvocationMetrics, Shown
from craton.models.dialects.openai_chat.dialect import OpenAIChat
from craton.models.providers.provider import Attempt, Provider, Upstream
from craton.models.providers.scripts import play
from craton.models.providers.scripts.rules import read_rules
from craton.models.providers.scripts.script import Script


class Scripted:
    """A script as a provider. `model` is the id that rules see, by default the target's own.

    Args:
        script: who answers.
        dialect: the schema of native bodies that come here.
        behind: the provider that answers what the script lets pass.
    """

    name = "script"

    def __init__(self, script: Script, dialect: Dialect, model: str = "", behind: Provider | None = None) -> None:
        self.script = script
        self.dialect = dialect
        self._model = model
        self._behind = behind

    async def converse(self, request: ConverseRequest, attempt: Attempt) -> ConverseReply:
        """The scripted reply. Raises the scripted Fault, or ResourceNotFoundException if no rule fits."""
        found = self.script.answer(
            self._model or attempt.model, request, stream=False, may_pass=self._behind is not None
        )
        if found.reply is not None:
            attempt.ledger.standin = self.name
            return await play.whole(found, found.reply, request, attempt)
        assert self._behind is not None  # noqa: S101 - `may_pass` said so
        return await self._behind.converse(request, attempt)

    async def converse_stream(self, request: ConverseRequest, attempt: Attempt) -> AsyncGenerator[list[StreamEvent]]:
        """The scripted reply, one list per chunk, as `converse`."""
        found = self.script.answer(
            self._model or attempt.model, request, stream=True, may_pass=self._behind is not None
        )
        if found.reply is not None:
            attempt.ledger.standin = self.name
            pieces = play.streamed(found, found.reply, request, attempt)
        else:
            assert self._behind is not None  # noqa: S101 - `may_pass` said so
            pieces = self._behind.converse_stream(request, attempt)
        async with aclosing(pieces) as source:
            async for events in source:
                yield events

    async def invoke(self, body: bytes, attempt: Attempt) -> bytes:
        """A native body by way of the canon."""
        request, shown = self._shown(body, attempt, streaming=False)
        return self.dialect.write_reply(await self.converse(request, attempt), shown)

    async def invoke_stream(self, body: bytes, attempt: Attempt) -> AsyncGenerator[list[bytes]]:
        """A native body to native chunks, by way of the canon."""
        request, shown = self._shown(body, attempt, streaming=True)
        writer, used = self.dialect.writer(shown), usage(0, 0)
        async with aclosing(self.converse_stream(request, attempt)) as pieces:
            async for events in pieces:
                for event in events:
                    used = event.usage if isinstance(event, StreamMetadata) else used
                chunks = [chunk for event in events for chunk in writer.write(event)]
                if chunks:
                    yield chunks
        yield writer.finish(InvocationMetrics(used.input_tokens, used.output_tokens, 0, 0))

    async def count_tokens(self, request: ConverseRequest, attempt: Attempt) -> int:
        """A made-up count, always the same for the same request."""
        return play.tokens_of(request)

    async def close(self) -> None:
        """Nothing is open between requests; what is behind belongs to others."""

    def _shown(self, body: bytes, attempt: Attempt, *, streaming: bool) -> tuple[ConverseRequest, Shown]:
        request = self.dialect.read_request(body, streaming=streaming)
        request.model_id = self._model or attempt.model
        return request, Shown(request.model_id, request, attempt.request_id, body)


class ScriptProvider(Scripted):
    """The target of a configuration. Raises ConfigError for rules that cannot be used."""

    def __init__(self, upstream: Upstream) -> None:
        if not upstream.rules:
            raise ConfigError("provider 'script': rules is missing")
        super().__init__(Script(read_rules(upstream.rules)), OpenAIChat())
