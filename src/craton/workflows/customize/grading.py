"""A job's own grader: a Lambda function, invoked through the gateway as the job's role.

Owns when an invocation is worth another try, what the function must answer, and what the job's failure says. How answers
come to be, and what scores are good for, is `features.tuning`'s. Source: Bedrock's user guide, "Setting up reward
functions": a list of items goes in, a list of `{"id", "aggregate_reward_score"}` comes out.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Self

import msgspec

from craton.features.functions.outcome import is_busy
from craton.features.tuning.grading import GRADER
from craton.features.tuning.progress import Graded
from craton.models.providers.transport import TransportError
from craton.workflows.customize.gathering import message_of
from craton.workflows.tools import Answer, FunctionCaller
from craton.workflows.workflow import JobFailed

Items = list[dict[str, Any]]
Grade = Callable[[Items], Awaitable[Graded]]

NOT_ALLOWED = "Could not validate InvokeFunction permissions of the role {role} on the grader {arn}: {why}"
REFUSED = "the function {arn} cannot be invoked: {why}"
FAILED = "the function {arn} failed {times} times in a row: {why}"
BAD = "what the function {arn} answers cannot be used: {why}"
_DRY_RUN = ((b"x-amz-invocation-type", b"DryRun"),)
_AT_ONCE = 8
_TRIES = 3
"""Of a function that fails."""
_BUSY_TRIES = 8
"""Where there is no room for it, or the way to it is cut."""
_LONGEST_PAUSE_S = 20.0
_GOOD, _GOOD_DRY = 200, 204


class _Score(msgspec.Struct):
    id: str | int
    aggregate_reward_score: float


_SCORES = msgspec.json.Decoder(list[_Score])


def own_grader(config: dict[str, Any]) -> str:
    """The ARN of the function that scores; empty for a rule, and for jobs without a grader."""
    arn: str = config.get("rftConfig", {}).get("graderConfig", {}).get("lambdaGrader", {}).get("lambdaArn", "")
    return "" if arn.partition(":function:")[2].startswith(GRADER) else arn


class FunctionGrader:
    """Scores by a function. `pause_s` is slept before a second try, twice as long before each further one."""

    def __init__(self, functions: FunctionCaller, function: str, role: str, pause_s: float = 0.5) -> None:
        self._functions = functions
        self._arn = function
        self._role = role
        self._pause_s = pause_s
        self._room = asyncio.Semaphore(_AT_ONCE)

    async def check(self) -> None:
        """Raise JobFailed where the role may not invoke the function, or it is not there."""
        status, _, said = await self._functions.invoke(self._arn, b"[]", headers=_DRY_RUN)
        if status != _GOOD_DRY and not is_busy(status):
            raise JobFailed(NOT_ALLOWED.format(role=self._role, arn=self._arn, why=message_of(said)))

    async def graded(self, items: Items) -> Graded:
        """The scores of all of them, or why there are none. Raises StoreError."""
        payload, failures, why = msgspec.json.encode(items), 0, ""
        async with self._room:
            for attempt in range(_BUSY_TRIES):
                try:
                    answer = await self._functions.invoke(self._arn, payload)
                except TransportError as error:
                    why = str(error)
                except JobFailed as error:
                    return Graded(why=str(error))
                else:
                    found, why = self._read(answer, items)
                    if found is not None:
                        return found
                    failures += answer[0] == _GOOD
                    if failures >= _TRIES:
                        break
                await asyncio.sleep(min(_LONGEST_PAUSE_S, self._pause_s * 2.0**attempt) * random.uniform(0.8, 1.2))  # noqa: S311
        return Graded(why=FAILED.format(arn=self._arn, times=failures or _BUSY_TRIES, why=why))

    def _read(self, answer: Answer, items: Items) -> tuple[Graded | None, str]:
        """What an invocation came to; without one, why it is worth another try."""
        status, headers, said = answer
        if is_busy(status):
            return None, message_of(said) or f"status {status}"
        if status != _GOOD:
            return Graded(why=REFUSED.format(arn=self._arn, why=message_of(said))), ""
        if b"x-amz-function-error" in headers:
            return None, error_of(said)
        try:
            scores = {str(one.id): one.aggregate_reward_score for one in _SCORES.decode(said)}
        except msgspec.DecodeError as error:
            return Graded(why=BAD.format(arn=self._arn, why=str(error))), ""
        missing = [item["id"] for item in items if item["id"] not in scores]
        if missing:
            return Graded(why=BAD.format(arn=self._arn, why=f"there is no score for the id {missing[0]}")), ""
        return Graded(scores={item["id"]: scores[item["id"]] for item in items}), ""


def error_of(said: bytes) -> str:
    """What a function says of its own failure."""
    try:
        found = msgspec.json.decode(said)
        return f"{found.get('errorType', 'Error')}: {found.get('errorMessage', '')}"[:600]
    except (msgspec.DecodeError, AttributeError):
        return "it gave no reason"


class Desk:
    """Where a process has its questions answered, several at a time: `async with`. `replies` are the lines for it.

    What keeps the grader from being asked ends the replies, and is raised when the block ends.
    """

    def __init__(self, grade: Grade) -> None:
        self.replies: asyncio.Queue[bytes] = asyncio.Queue()
        self._grade = grade
        self._open: set[asyncio.Task[Graded]] = set()
        self._broken: BaseException | None = None

    def ask(self, items: Items) -> None:
        task = asyncio.ensure_future(self._grade(items))
        self._open.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[Graded]) -> None:
        self._open.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            self._broken = error
            self.replies.put_nowait(b"")
        else:
            self.replies.put_nowait(msgspec.json.encode(task.result()) + b"\n")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        left = tuple(self._open)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        if error is None and self._broken is not None:
            raise self._broken
