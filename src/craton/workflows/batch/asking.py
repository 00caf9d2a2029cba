"""One record asked of the model until there is an answer or an error to write down.

Owns which answers are tried again, how long, and what an answer counts. A throttle, and a gateway that is away, cost
patience and no error; a failing model gets a few tries; all else is the record's own error. Whoever may not ask the
model at all ends the job, since every record would say the same. It must not know files or where answers go.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from craton.features.batch import records
from craton.features.batch.job import InvocationType
from craton.features.batch.pace import Pace
from craton.features.batch.records import Line, Outcome
from craton.features.inference.tiers import UNHURRIED
from craton.models.providers.transport import TransportError
from craton.workflows.workflow import JobFailed

if TYPE_CHECKING:
    from craton.workflows.tools import Answer, ModelCaller

_WAITED_FOR = frozenset({429, 503})
_TRIED_AGAIN = frozenset({408, 424, 500, 502, 504})
# Temporary credentials that ran out between signing and arriving: the next try signs anew.
_EXPIRED = frozenset({"ExpiredTokenException", "ExpiredToken"})
_FORBIDDEN = 403
_GOOD = 200
WAITS = 24
"""With the pauses below, about ten minutes of a model that takes nothing."""
TRIES = 4
_PAUSE_FIRST_S, _PAUSE_MAX_S = 0.25, 30.0
_AWAY = "The model could not be reached."


class NotAllowed(JobFailed):
    """The job may not use the model; the text is the gateway's own."""


class _Usage(msgspec.Struct, rename="camel", frozen=True):
    input_tokens: int = 0
    output_tokens: int = 0


class _Converse(msgspec.Struct):
    usage: _Usage = _Usage()


class _Error(msgspec.Struct):
    message: str = ""
    Message: str = ""


_CONVERSE = msgspec.json.Decoder(_Converse)
_ERROR = msgspec.json.Decoder(_Error)


class Asking:
    """Asks one model for one job. `job` and the `files` by number name records that have no id."""

    def __init__(
        self, models: ModelCaller, model_id: str, kind: InvocationType, job: str, files: Sequence[str], pace: Pace
    ) -> None:
        self._ask = models.converse if kind == "Converse" else models.invoke
        self._usage = converse_usage if kind == "Converse" else header_usage
        self._model_id = model_id
        self._job = job
        self._files = files
        self._pace = pace

    @property
    def most(self) -> int:
        """How many are asked at once, at the most."""
        return self._pace.window.most

    async def outcome(self, line: Line) -> Outcome:
        """What the record's line becomes. Raises NotAllowed, BadRecord (the file was checked, so it changed)."""
        record = records.read_record(line)
        ident = records.record_id(record, self._job, self._files[line.file], line.number)
        status, headers, body = await self.answer(memoryview(record.input).tobytes())
        if status != _GOOD:
            told = records.refused(ident, record, status, message_of(body))
            return Outcome(line.file, line.number, line.end, told, good=False)
        used = self._usage(headers, body)
        told = records.answered(ident, record, body)
        return Outcome(line.file, line.number, line.end, told, True, used.input_tokens, used.output_tokens)

    async def answer(self, body: bytes) -> Answer:
        """The answer that counts: a good one, the record's own error, or the last of those that might have passed."""
        waits = tries = 0
        pause_s = _PAUSE_FIRST_S
        while True:
            answer, busy = await self._once(body)
            if answer[0] == _GOOD:
                return answer
            waits, tries = waits + busy, tries + (not busy)
            worth = waits < WAITS if busy else tries < TRIES and passing(answer)
            if not worth:
                if answer[0] == _FORBIDDEN:
                    raise NotAllowed(message_of(answer[2]))
                return answer
            # Spread out, or all that were refused together come back together.
            await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))  # noqa: S311 - no secret
            pause_s = min(pause_s * 2, _PAUSE_MAX_S)

    async def _once(self, body: bytes) -> tuple[Answer, bool]:
        """One try, in the pace's turn, and whether it came to nothing for want of room."""
        entered_at = await self._pace.enter()
        busy: bool | None = None
        try:
            answer = await self._ask(self._model_id, body, headers=(UNHURRIED,))
            busy = answer[0] in _WAITED_FOR
        except TransportError:
            answer, busy = (503, {}, msgspec.json.encode({"message": _AWAY})), True
        finally:
            self._pace.leave(entered_at, None if busy is None else "throttled" if busy else "answered")
        return answer, busy


def passing(answer: Answer) -> bool:
    """Whether an error may be another the next time."""
    status, headers, _ = answer
    name = headers.get(b"x-amzn-errortype", b"").decode("latin-1").partition(":")[0]
    return status in _TRIED_AGAIN or name in _EXPIRED


def message_of(body: bytes) -> str:
    """The message of an error, as the gateway words it."""
    try:
        told = _ERROR.decode(body)
    except msgspec.DecodeError:
        return ""
    return told.message or told.Message


def header_usage(headers: Mapping[bytes, bytes], _: bytes) -> _Usage:
    """The tokens of an InvokeModel, which stand in its headers; 0 for models that count none."""
    read, written = (headers.get(b"x-amzn-bedrock-%b-token-count" % way, b"0") for way in (b"input", b"output"))
    return _Usage(int(read), int(written))


def converse_usage(_: Mapping[bytes, bytes], body: bytes) -> _Usage:
    """The tokens of a Converse, which stand in its body."""
    return _CONVERSE.decode(body).usage
