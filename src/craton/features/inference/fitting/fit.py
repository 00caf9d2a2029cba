"""A request made fit for one target, and its answer brought back into what was asked for.

Nearly every request fits every target as it stands; `special` tells the others by a look at their blocks. For these:
documents become text, reasoning that another vendor signed stays behind, a schema becomes a tool, citations come back
as Converse has them. Owns the order of these steps; each has a file of its own. Knows targets by their traits alone.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import NamedTuple, Protocol

import msgspec

from craton.context import Call
from craton.features.inference.fitting import citations, structured
from craton.features.inference.fitting.documents import Reading
from craton.features.inference.fitting.reasoning import without_foreign
from craton.features.inference.routing.routes import Target
from craton.features.inference.stream import Window
from craton.models.canon.events import StreamEvent
from craton.models.canon.reply import ConverseReply
from craton.models.canon.request import ConverseRequest
from craton.models.dialects.dialect import Ledger
from craton.models.dialects.traits import traits
from craton.models.providers.provider import Attempt


class Change(Protocol):
    """What must be undone in an answer."""

    def reply(self, reply: ConverseReply) -> None:
        """Change a whole reply in place."""
        ...

    def window(self) -> Window:
        """The same for one stream."""
        ...


class Fitted(NamedTuple):
    request: ConverseRequest
    changes: list[Change]


def special(request: ConverseRequest) -> bool:
    """Whether something in the request is not at home everywhere."""
    if request.output_config is not None:
        return True
    for message in request.messages or ():
        for block in message.content:
            if block.text is None and (
                block.reasoning_content is not None
                or block.document is not None
                or block.tool_result is not None
                or block.search_result is not None
            ):
                return True
    return False


async def fitted(call: Call, target: Target, request: ConverseRequest, ledger: Ledger) -> Fitted:
    """Raises ValidationException for what can be brought to the target in no form, or cannot be read."""
    own = traits(target.provider.dialect.name, target.model, target.quirks)
    changes: list[Change] = []
    names = citations.asked(request) if own.citations == "fields" else None
    if names is not None:
        changes.append(citations.Citing(names))
    messages = without_foreign(request.messages or [], own.signer, ledger)
    messages = await Reading(call.app.documents, own, ledger).messages(messages)
    request = msgspec.structs.replace(request, messages=messages)
    schema = structured.schema_of(request)
    if schema is not None and not own.output_schema:
        request, unwrapping = structured.by_tool(request, schema, ledger, must_call=own.must_call)
        if unwrapping is not None:
            changes.append(unwrapping)
    return Fitted(request, changes)


async def converse(call: Call, target: Target, request: ConverseRequest, attempt: Attempt) -> ConverseReply:
    """The whole answer of one target to a special request."""
    written, changes = await fitted(call, target, request, attempt.ledger)
    reply = await target.provider.converse(written, attempt)
    for change in changes:
        change.reply(reply)
    return reply


async def stream(
    call: Call, target: Target, request: ConverseRequest, attempt: Attempt
) -> AsyncGenerator[list[StreamEvent]]:
    """The same as a stream."""
    written, changes = await fitted(call, target, request, attempt.ledger)
    windows = [change.window() for change in changes]
    async with aclosing(target.provider.converse_stream(written, attempt)) as pieces:
        async for events in pieces:
            for window in windows:
                events = window.feed(events)
            if events:
                yield events


async def count_tokens(call: Call, target: Target, request: ConverseRequest, attempt: Attempt) -> int:
    """The input tokens of a special request."""
    written, _ = await fitted(call, target, request, attempt.ledger)
    return await target.provider.count_tokens(written, attempt)
