"""A job's own grader: which invocations are tried again, what it must answer, and how a process has its questions answered."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest

from craton.features.tuning.progress import Graded
from craton.models.providers.transport import ConnectError, TransportError
from craton.workflows.customize.grading import Desk, FunctionGrader, own_grader
from craton.workflows.tools import Answer
from craton.workflows.workflow import JobFailed

ARN = "arn:aws:lambda:us-east-1:000000000000:function:mine"
ITEMS = [{"id": "0", "messages": []}, {"id": "1", "messages": []}]
GOOD: Answer = (200, {}, b'[{"id": "1", "aggregate_reward_score": 1, "metrics_list": []}, {"id": 0, "aggregate_reward_score": 0.5}]')  # fmt: skip
BUSY: Answer = (429, {}, b'{"message": "Rate exceeded"}')
DENIED: Answer = (403, {}, b'{"Message": "not authorized"}')
BROKEN: Answer = (200, {b"x-amz-function-error": b"Unhandled"}, b'{"errorType": "KeyError", "errorMessage": "\'x\'"}')


class Functions:
    """Answers one after another; the last again and again."""

    def __init__(self, *answers: Answer | TransportError) -> None:
        self.answers, self.asked = list(answers), 0

    async def invoke(
        self, function: str, payload: bytes, *, headers: Sequence[tuple[bytes, bytes]] = (), timeout_s: float = 0.0
    ) -> Answer:
        assert function == ARN
        assert timeout_s >= 0
        assert headers or json.loads(payload) == ITEMS
        answer = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        if isinstance(answer, TransportError):
            raise answer
        return answer


def graded(functions: Functions) -> Graded:
    return asyncio.run(FunctionGrader(functions, ARN, "role/tuner", pause_s=0.0).graded(ITEMS))


@pytest.mark.parametrize("first", [BUSY, BROKEN, (503, {}, b""), ConnectError()])
def test_what_passes_is_tried_again(first: Answer | TransportError) -> None:
    """No room, a cut way, one failure of the function: the next try counts."""
    functions = Functions(first, GOOD)
    assert graded(functions).scores == {"0": 0.5, "1": 1.0}
    assert functions.asked == 2


@pytest.mark.parametrize(
    ("answer", "words", "tries"),
    [
        (BROKEN, "failed 3 times in a row: KeyError: 'x'", 3),
        (BUSY, "failed 8 times in a row: Rate exceeded", 8),
        (DENIED, "cannot be invoked: not authorized", 1),
        ((200, {}, b'{"id": "0"}'), "cannot be used: Expected `array`", 1),
        ((200, {}, b'[{"id": "0"}]'), "missing required field `aggregate_reward_score`", 1),
        ((200, {}, b'[{"id": "0", "aggregate_reward_score": 1}]'), "there is no score for the id 1", 1),
    ],
)
def test_what_does_not_pass_has_a_name(answer: Answer, words: str, tries: int) -> None:
    """The failure says which function, and what it did."""
    functions = Functions(answer)
    found = graded(functions)
    assert words in found.why
    assert ARN in found.why
    assert functions.asked == tries


def test_the_right_to_invoke_is_found_out_before() -> None:
    """By an invocation that runs nothing."""
    asyncio.run(FunctionGrader(Functions((204, {}, b"")), ARN, "role/tuner").check())
    with pytest.raises(JobFailed, match="InvokeFunction permissions of the role role/tuner.*not authorized"):
        asyncio.run(FunctionGrader(Functions(DENIED), ARN, "role/tuner").check())


def test_rules_are_no_functions() -> None:
    """Their names are reserved; other types of jobs have no grader at all."""

    def named(name: str) -> dict[str, Any]:
        return {"rftConfig": {"graderConfig": {"lambdaGrader": {"lambdaArn": ARN.replace("mine", name)}}}}

    assert own_grader(named("mine")) == ARN
    assert own_grader(named("craton-grader-length")) == own_grader({}) == ""


def test_a_desk_answers_side_by_side() -> None:
    """The second question does not wait for the first; what is open at the end is given up."""

    async def live() -> list[bytes]:
        first = asyncio.Event()

        async def grade(items: list[dict[str, Any]]) -> Graded:
            if items[0]["id"] == "0":
                await first.wait()
            return Graded(scores={items[0]["id"]: 1.0})

        async with Desk(grade) as desk:
            for ident in ("0", "1", "0"):
                desk.ask([{"id": ident}])
            found = [await desk.replies.get()]
            first.set()
            found.append(await desk.replies.get())
            first.clear()
            desk.ask([{"id": "0"}])
        return found

    assert asyncio.run(live()) == [b'{"scores":{"1":1.0}}\n', b'{"scores":{"0":1.0}}\n']


def test_what_breaks_the_grader_is_raised() -> None:
    """After the process was told that nobody answers any more."""

    async def grade(_: list[dict[str, Any]]) -> Graded:
        raise LookupError("the store is away")

    async def live() -> None:
        async with Desk(grade) as desk:
            desk.ask(ITEMS)
            assert await desk.replies.get() == b""

    with pytest.raises(LookupError, match="the store is away"):
        asyncio.run(live())
