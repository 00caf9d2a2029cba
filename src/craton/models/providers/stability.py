"""Provider `stability`: Stability AI's own REST API, v2beta, for pictures.

`base_url` names the host alone. `model` is `ultra`, `core`, `sd3.5-large`, `sd3.5-large-turbo` or `sd3.5-medium` (or
Bedrock's id of one); the edit services go by the task. A creative upscale is asked for, then fetched when it is
done. Quirk: `poll_s`, seconds between two looks (10, as Stability asks). Source: Stability's API reference.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import msgspec

from craton.aws.wire.faults import validation
from craton.models.canon.events import StreamEvent
from craton.models.canon.image import Finish, ImageReply, ImageRequest, Painted
from craton.models.canon.reply import ConverseReply
from craton.models.canon.request import ConverseRequest
from craton.models.dialects.dialect import Dialect, Outgoing
from craton.models.dialects.images.stability_reply import MAX_SEED
from craton.models.dialects.openai_chat.dialect import OpenAIChat
from craton.models.providers import faults, multipart, stability_forms
from craton.models.providers.dial import open_transport
from craton.models.providers.multipart import Part
from craton.models.providers.openai import CANNOT_COUNT, bearer
from craton.models.providers.provider import Attempt, Upstream
from craton.models.providers.stability_forms import ROOT, Form
from craton.models.providers.transport import Limits, Transport, TransportError, Whole

NO_CHAT = "The target of this model makes images and cannot answer messages."
RESULTS = b"/v2beta/results/"
_POLL_S = 10.0
_ID_CHARS = frozenset(b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_")
_FINISHES: dict[str, Finish] = {"SUCCESS": "success", "CONTENT_FILTERED": "filtered output"}


class _Answer(msgspec.Struct):
    """A picture under `image`, or under `result` where it was fetched; or the id of one that is being made."""

    image: str = ""
    result: str = ""
    seed: int | str | None = None
    finish_reason: str = "SUCCESS"
    id: str = ""
    name: str = ""


_ANSWER = msgspec.json.Decoder(_Answer)


class StabilityProvider:
    """One upstream. `transport` is opened by its address unless one is given."""

    name = "stability"

    def __init__(self, upstream: Upstream, transport: Transport | None = None) -> None:
        self.dialect: Dialect = OpenAIChat()  # never spoken: the port wants one
        self._secret = upstream.api_key
        self._quirks = upstream.quirks
        self._transport = transport or open_transport(
            upstream.base_url, Limits(connect_timeout_s=upstream.connect_timeout_s)
        )
        self._headers = (
            *bearer(upstream.api_key),
            (b"accept", b"application/json"),
            (b"accept-encoding", b"identity"),
            (b"user-agent", b"craton"),
            (b"stability-client-id", b"craton"),
        )

    async def paint(self, request: ImageRequest, attempt: Attempt) -> ImageReply:
        """One call per picture, with seeds that count up from the caller's. Raises Fault."""
        out = Outgoing(attempt.model, stream=False, ledger=attempt.ledger, quirks={**self._quirks, **attempt.quirks})
        form, parts = await asyncio.to_thread(stability_forms.write, request, out)
        count = request.count or 1
        if count > 1:
            attempt.ledger.emulate(request.path("count"))
        try:
            async with asyncio.TaskGroup() as group:
                calls = (self._one(form, _numbered(parts, index), attempt, out) for index in range(count))
                tasks = [group.create_task(call) for call in calls]
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from failures
        return ImageReply(pictures=[task.result() for task in tasks])

    async def _one(self, form: Form, parts: list[Part], attempt: Attempt, out: Outgoing) -> Painted:
        kind, body = multipart.encode(parts or [Part("output_format", b"png")])
        headers = (*self._headers, (b"content-type", kind))
        answer = await self._ask(b"POST", f"{ROOT}{form.path}".encode(), headers, body, attempt)
        if isinstance(answer, Painted):
            return answer
        if form.waits and answer.id:
            return await self._fetched(answer.id.encode(), attempt, out)
        return _painted(answer, attempt.model)

    async def _fetched(self, ident: bytes, attempt: Attempt, out: Outgoing) -> Painted:
        """Look for the picture until it is there or the deadline has come."""
        if not _ID_CHARS.issuperset(ident):
            raise faults.unreadable(attempt.model)
        pause = out.quirks.get("poll_s", _POLL_S)
        pause_s = float(pause) if isinstance(pause, (int, float)) else _POLL_S
        while True:
            await asyncio.sleep(pause_s)
            answer = await self._ask(b"GET", RESULTS + ident, self._headers, b"", attempt)
            if isinstance(answer, Painted):
                return answer
            if answer.image or answer.result:
                return _painted(answer, attempt.model)

    async def _ask(
        self, method: bytes, path: bytes, headers: tuple[tuple[bytes, bytes], ...], body: bytes, attempt: Attempt
    ) -> _Answer | Painted:
        """The answer, or an empty picture for a request that was moderated. Raises Fault."""
        try:
            whole = await self._transport.fetch(method, path, headers, body, deadline=attempt.deadline)
        except TransportError as error:
            raise faults.from_transport(error, model=attempt.model) from error
        if whole.status == 202:
            return _decoded(whole, attempt.model)
        if whole.status == 403 and _moderated(whole):
            return Painted(base64="", finish="filtered prompt")
        if whole.status != 200:
            raise faults.from_status(whole.status, whole.headers, whole.body, model=attempt.model, secret=self._secret)
        return _decoded(whole, attempt.model)

    # --- what a vendor of pictures does not do ------------------------------------------------------------------------

    async def converse(self, request: ConverseRequest, attempt: Attempt) -> ConverseReply:
        """Raises ValidationException."""
        raise validation(NO_CHAT)

    def converse_stream(self, request: ConverseRequest, attempt: Attempt) -> AsyncGenerator[list[StreamEvent]]:
        """Raises ValidationException."""
        raise validation(NO_CHAT)

    async def invoke(self, body: bytes, attempt: Attempt) -> bytes:
        """Raises ValidationException: pictures are asked for through `paint`."""
        raise validation(NO_CHAT)

    def invoke_stream(self, body: bytes, attempt: Attempt) -> AsyncGenerator[list[bytes]]:
        """Raises ValidationException."""
        raise validation(NO_CHAT)

    async def count_tokens(self, request: ConverseRequest, attempt: Attempt) -> int:
        """Raises ValidationException."""
        raise validation(CANNOT_COUNT)

    async def close(self) -> None:
        await self._transport.close()


def _numbered(parts: list[Part], index: int) -> list[Part]:
    """The parts of the picture with this number: another seed, unless any will do."""
    if index == 0:
        return parts
    return [
        Part(part.name, b"%d" % (1 + (int(part.data) - 1 + index) % MAX_SEED)) if part.name == "seed" else part
        for part in parts
    ]


def _moderated(whole: Whole) -> bool:
    try:
        return _ANSWER.decode(whole.body).name == "content_moderation"
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False


def _decoded(whole: Whole, model: str) -> _Answer:
    try:
        return _ANSWER.decode(whole.body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise faults.unreadable(model) from error


def _painted(answer: _Answer, model: str) -> Painted:
    finish = _FINISHES.get(answer.finish_reason, "failed")
    base64 = answer.image or answer.result
    if not base64 and finish == "success":
        raise faults.unreadable(model)
    seed = int(answer.seed) if answer.seed is not None and str(answer.seed).isdigit() else None
    return Painted(base64=base64, seed=seed, finish=finish)
