"""A worker's seats: what idle models cost, one question for many who wait, and reports that are not lost."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from craton.aws.wire.faults import Fault, model_not_ready
from craton.features.inference.replicas.seats import Seats
from craton.infra.control.wire import ControlLost
from craton.models.catalog.hosted import Placement, Seat
from craton.models.providers.seats import Terms

BODY = b'{"messages":[]}'


class Idle:
    """A transport that nobody uses."""

    def __init__(self, closed: list[str], address: str) -> None:
        self.closed, self.address = closed, address

    async def close(self) -> None:
        self.closed.append(self.address)


class Supervisor:
    """Answers with a placement when it is let, or fails."""

    def __init__(self, answer: Placement | Fault) -> None:
        self.answer = answer
        self.asked: list[str] = []
        self.open = asyncio.Event()

    async def __call__(self, deployment: str) -> Any:
        self.asked.append(deployment)
        await self.open.wait()
        if isinstance(self.answer, Fault):
            raise self.answer
        return msgspec.to_builtins(self.answer)


def placed(deployment: str, *names: str) -> Placement:
    return Placement(deployment=deployment, standing="ready", seats=[Seat(name, f"unix:/{name}", 4) for name in names])


def seats(supervisor: Any, closed: list[str] | None = None) -> Seats:
    kept = closed if closed is not None else []
    return Seats(supervisor, opening=lambda address: Idle(kept, address))  # type: ignore[arg-type,return-value]


def test_models_that_nobody_calls_cost_nothing() -> None:
    """Two hundred placements make no line, no connection and no question."""

    async def main() -> None:
        supervisor = Supervisor(placed("m"))
        made = seats(supervisor)
        made.take_up(placed(f"m-{number}") for number in range(200))
        assert (made.lines, supervisor.asked) == ({}, [])
        assert made.line("m-7") is made.line("m-7")

    asyncio.run(main())


def test_many_who_wait_ask_once() -> None:
    """A hundred requests to a cold model are one question, and all get the seat that comes of it."""

    async def main() -> None:
        supervisor = Supervisor(placed("m", "a", *(f"r{number}" for number in range(40))))
        made = seats(supervisor)
        until = asyncio.get_running_loop().time() + 5
        tasks = [asyncio.create_task(made.line("m").wait(10, BODY, Terms(), until)) for _ in range(60)]
        await asyncio.sleep(0.01)
        supervisor.open.set()
        taken = await asyncio.gather(*tasks)
        assert supervisor.asked == ["m"]
        assert len({one.id for one in taken}) > 10

    asyncio.run(main())


def test_a_start_goes_on_when_nobody_waits_any_more() -> None:
    """Who is told that the model is not ready comes again, and finds it."""

    async def main() -> None:
        supervisor = Supervisor(placed("m", "a"))
        made = seats(supervisor)
        until = asyncio.get_running_loop().time() + 5
        with pytest.raises(Fault) as raised:
            await made.line("m").wait(10, BODY, Terms(waits_s=0.01), until)
        assert raised.value.name == "ModelNotReadyException"
        supervisor.open.set()
        await asyncio.sleep(0.01)
        assert made.line("m").take(10, BODY, Terms()) is not None
        assert supervisor.asked == ["m"]

    asyncio.run(main())


def test_a_start_that_failed_may_be_tried_again() -> None:
    """Those who wait hear it at once; the next request asks anew."""

    async def main() -> None:
        supervisor = Supervisor(model_not_ready(retry_after_s=9.0))
        supervisor.open.set()
        made = seats(supervisor)
        until = asyncio.get_running_loop().time() + 5
        for _ in range(2):
            with pytest.raises(Fault) as raised:
                await made.line("m").wait(10, BODY, Terms(), until)
            assert raised.value.retry_after_s == 9.0
        assert supervisor.asked == ["m", "m"]

    asyncio.run(main())


def test_connections_to_replicas_that_are_gone_are_ended() -> None:
    """Once nothing is under way there."""

    async def main() -> None:
        closed: list[str] = []
        made = seats(Supervisor(placed("m")), closed)
        made.take_up([placed("m", "a")])
        taken = made.line("m").take(10, BODY, Terms())
        assert taken is not None
        made.take_up([placed("m", "b")])
        await made.sweep()
        assert closed == []
        taken.leave(10)
        await made.sweep()
        assert closed == ["unix:/a"]

    asyncio.run(main())


def test_what_could_not_be_told_is_told_later() -> None:
    """A report that did not arrive loses no count of arrivals."""

    async def main() -> None:
        made = seats(Supervisor(placed("m")))
        made.take_up([placed("m", "a")])
        for _ in range(3):
            assert made.line("m").take(10, BODY, Terms()) is not None
        told: list[dict[str, Any]] = []

        async def send(report: dict[str, Any]) -> list[Any]:
            told.append(report)
            if len(told) == 1:
                raise ControlLost("gone")
            return []

        telling = asyncio.create_task(made.tell(send))
        while len(told) < 3:
            await asyncio.sleep(0.02)
        telling.cancel()
        assert [report["loads"][0][4] for report in told[:3]] == [3, 3, 0]

    asyncio.run(main())
