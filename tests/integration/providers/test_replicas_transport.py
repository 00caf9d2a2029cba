"""Requests at replicas that die, refuse, hang and are gone: what is asked again elsewhere, and that no seat leaks."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Coroutine, Iterator
from itertools import product
from pathlib import Path
from random import Random
from typing import Any

import pytest

from craton.aws.wire.faults import Fault
from craton.features.inference.replicas.seats import Seats
from craton.models.canon.content import ContentBlock, Message
from craton.models.canon.request import ConverseRequest, InferenceConfig, ServiceTier
from craton.models.dialects.dialect import Ledger
from craton.models.providers.containers import ContainersProvider
from craton.models.providers.provider import Attempt, Upstream
from craton.models.providers.seats import work
from tests.fakes import scripts
from tests.fakes.replicas import Places, SeatedLocal, local_at
from tests.fakes.upstream import FakeUpstream

DEPLOYMENT = "craton.test"
PART = scripts.head(200, {"content-type": "application/json", "content-length": "999"})
TROUBLES = {
    "cut": scripts.CUT, "part": (PART, b'{"choices": [', scripts.Cut()), "500": scripts.error_openai(500),
    "503": scripts.error_openai(503), "429": scripts.error_openai(429), "rubbish": scripts.GARBAGE,
}  # fmt: skip


@pytest.fixture
def three(tmp_path: Path) -> Iterator[list[FakeUpstream]]:
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(FakeUpstream(uds=tmp_path / f"{name}.sock")) for name in "abc"]


def run(main: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    return asyncio.run(main())


def asking(text: str = "hello", tier: ServiceTier | None = None) -> ConverseRequest:
    said = [Message("user", [ContentBlock(text=text)])]
    return ConverseRequest(messages=said, inference_config=InferenceConfig(max_tokens=20), service_tier=tier)


def attempt(seconds: float = 60.0, **quirks: object) -> Attempt:
    deadline = asyncio.get_running_loop().time() + seconds
    return Attempt(DEPLOYMENT, Ledger(), deadline, "r-1", quirks=quirks)


def served(*ups: FakeUpstream, **more: int) -> tuple[SeatedLocal, Places]:
    places = Places([up.base_url for up in ups], **more)
    return local_at(ask=places), places


def idle(provider: SeatedLocal) -> bool:
    """Whether every seat was given back."""
    lines = provider.seats.lines.values()
    seats = [seat for line in lines for seat in (*line.seats, *line.former)]
    return all((seat.requests, seat.tokens) == (0, 0) for seat in seats) and not any(line.waiting for line in lines)


async def whole_stream(provider: SeatedLocal, sent: Attempt) -> int:
    """How many pieces a stream brought."""
    return sum([1 async for _ in provider.converse_stream(asking(), sent)])


def test_requests_spread_over_replicas(three: list[FakeUpstream]) -> None:
    """Thirty at a time: each of three replicas gets ten."""

    async def main() -> None:
        provider, places = served(*three)
        for up in three:
            up.play(*[(scripts.Sleep(0.2), *scripts.openai_reply("hi"))] * 10)
        await asyncio.gather(*(provider.converse(asking(), attempt()) for _ in range(30)))
        assert [len(up.requests) for up in three] == [10, 10, 10]
        assert (places.asked, idle(provider)) == ([DEPLOYMENT], True)
        await provider.close()

    run(main)


@pytest.mark.parametrize(
    ("how", "trouble"),
    # A stream that came in part has begun: that is another matter.
    [pair for pair in product(["whole", "native", "stream"], TROUBLES) if pair != ("stream", "part")],
)
def test_trouble_before_the_first_byte_is_met_elsewhere(three: list[FakeUpstream], how: str, trouble: str) -> None:
    """Whatever a replica does before the caller has had a byte, another answers, and nobody hears of it."""

    async def main() -> None:
        provider, _ = served(*three)
        await provider.converse(asking(), attempt())
        for up in three[: 1 if trouble in ("cut", "part") else 2]:
            up.play(TROUBLES[trouble])
        for _ in range(3):
            if how == "whole":
                assert (await provider.converse(asking(), attempt())).stop_reason == "end_turn"
            elif how == "native":
                assert json.loads(await provider.invoke(b'{"messages": []}', attempt()))["choices"]
            else:
                assert await whole_stream(provider, attempt())
        assert idle(provider)
        await provider.close()

    run(main)


def test_replicas_that_are_gone_are_passed_by(three: list[FakeUpstream], tmp_path: Path) -> None:
    """Where nobody listens is found out once; a further request goes straight to who does."""

    async def main() -> None:
        places = Places([f"unix:{tmp_path}/gone-1", f"unix:{tmp_path}/gone-2", three[0].base_url])
        provider = local_at(ask=places)
        await provider.converse(asking(), attempt())
        seats = provider.seats.lines[DEPLOYMENT].seats
        for _ in range(20):
            await provider.converse(asking(), attempt())
        assert [seat.avoid for seat in seats if seat.address == three[0].base_url] == [False]
        assert any(seat.avoid for seat in seats)
        assert (len(places.asked), len(three[0].requests), idle(provider)) == (1, 21, True)
        await provider.close()

    run(main)


def test_a_stream_that_dies_before_its_first_piece_begins_elsewhere(three: list[FakeUpstream]) -> None:
    """The head of an answer is nothing that the caller has had."""

    async def main() -> None:
        provider, _ = served(*three[:2])
        three[0].play((scripts.head(200, {"content-type": "text/event-stream", "content-length": "99"}), scripts.Cut()))
        for _ in range(2):
            assert await whole_stream(provider, attempt())
        assert idle(provider)
        await provider.close()

    run(main)


def test_a_stream_that_dies_later_is_an_error_event(three: list[FakeUpstream]) -> None:
    """After its first piece nothing is asked again, and the seat is free."""

    async def main() -> None:
        provider, _ = served(*three)
        for up in three:
            up.play(scripts.cut_midstream(scripts.openai_events(["Hel"])[:2]))
        with pytest.raises(Fault) as raised:
            await whole_stream(provider, attempt())
        assert raised.value.name == "ModelStreamErrorException"
        assert sum(len(up.requests) for up in three) == 1
        assert idle(provider)
        await provider.close()

    run(main)


def test_a_request_that_kills_whoever_serves_it_kills_two(three: list[FakeUpstream]) -> None:
    """The third replica is spared, and the caller told."""

    async def main() -> None:
        provider, _ = served(*three)
        for up in three:
            up.play(scripts.CUT)
        with pytest.raises(Fault) as raised:
            await provider.converse(asking(), attempt())
        assert raised.value.name == "ModelErrorException"
        assert sum(len(up.requests) for up in three) == 2
        await provider.close()

    run(main)


def test_the_deadline_holds_over_all_tries(three: list[FakeUpstream]) -> None:
    """A replica that hangs is no reason to ask another: the time is over."""

    async def main() -> None:
        provider, _ = served(*three)
        for up in three:
            up.play(scripts.HANG)
        with pytest.raises(Fault) as raised:
            await provider.converse(asking(), attempt(0.2))
        assert raised.value.name == "ModelTimeoutException"
        assert sum(len(up.requests) for up in three) == 1
        assert idle(provider)
        await provider.close()

    run(main)


def test_leaving_reaches_the_replica(three: list[FakeUpstream]) -> None:
    """A caller who goes ends the request at the replica and frees the seat, whole and in a stream."""

    async def main() -> None:
        up = three[0]
        provider, _ = served(up)
        up.play(scripts.HANG)
        whole = asyncio.create_task(provider.converse(asking(), attempt()))
        while not up.requests:
            await asyncio.sleep(0.005)
        whole.cancel()
        await asyncio.gather(whole, return_exceptions=True)
        events = scripts.openai_events(["Hel", "lo"])
        up.play(scripts.event_stream(events[:2], end=(scripts.HANG)))
        stream = provider.converse_stream(asking(), attempt())
        await anext(stream)
        await stream.aclose()
        assert idle(provider)
        await asyncio.to_thread(up.wait, lambda up: all(sent.closed_at for sent in up.requests))
        await provider.close()

    run(main)


def test_a_thousand_mixed_outcomes_leak_no_seat(three: list[FakeUpstream]) -> None:
    """Good answers, errors, cuts, hangs, callers who leave, whole and in streams: at the end every seat is free."""
    rng = Random(7)
    good, events = scripts.openai_reply("hi"), scripts.openai_events(["a", "b"])
    outcomes = [good, good, good, scripts.CUT, scripts.error_openai(500), scripts.error_openai(429), scripts.HANG,
                scripts.openai_stream(["a"]), scripts.cut_midstream(events[:2]), scripts.GARBAGE]  # fmt: skip

    async def one(provider: SeatedLocal, turn: int) -> None:
        sent = attempt(rng.choice((0.05, 5.0)), waits_s=0.5)
        call = provider.converse(asking(), sent) if turn % 2 else whole_stream(provider, sent)
        task = asyncio.ensure_future(call)
        if turn % 5 == 0:
            await asyncio.sleep(rng.random() * 0.02)
            task.cancel()
        with contextlib.suppress(Fault, asyncio.CancelledError):
            await asyncio.wait_for(task, 0.3)

    async def main() -> None:
        provider, _ = served(*three, slots=8, queue=20)
        await provider.converse(asking(), attempt())
        for batch in range(10):
            for up in three:
                up.play(*(rng.choice(outcomes) for _ in range(30)))
            with contextlib.suppress(TimeoutError):
                await asyncio.gather(*(one(provider, batch * 100 + at) for at in range(100)), return_exceptions=True)
        assert idle(provider)
        await provider.close()

    run(main)


def test_a_better_tier_is_served_first(three: list[FakeUpstream]) -> None:
    """Where all wait for one replica the tier of the request decides."""

    async def main() -> None:
        up = three[0]
        provider, _ = served(up, slots=1)
        await provider.converse(asking(), attempt())
        up.play(*[(scripts.Sleep(0.05), *scripts.openai_reply("hi"))] * 6)
        tiers = [None, None, ServiceTier("flex"), None, ServiceTier("priority"), ServiceTier("flex")]
        texts = ["1", "2", "flex", "default", "priority", "flex"]
        await asyncio.gather(
            *(provider.converse(asking(text, tier), attempt()) for text, tier in zip(texts, tiers, strict=True))
        )
        said = [sent.json["messages"][-1]["content"] for sent in up.requests[1:]]
        assert said[2:] == ["priority", "default", "flex", "flex"]
        await provider.close()

    run(main)


def test_an_adapter_is_named_to_the_replica(three: list[FakeUpstream]) -> None:
    """The quirk `adapter` is the model that the replica is asked for, once it has it loaded."""

    async def main() -> None:
        from craton.models.catalog.hosted import Placement, Seat

        provider, _ = served(three[0])
        seat = Seat("r", three[0].base_url, 4, ["tuned"])
        provider.seats.take_up([Placement(deployment=DEPLOYMENT, standing="ready", seats=[seat])])
        await provider.converse(asking(), attempt(adapter="tuned"))
        with pytest.raises(Fault) as raised:
            await provider.converse(asking(), attempt(adapter="other", waits_s=0.01))
        assert raised.value.name == "ModelNotReadyException"
        assert [sent.json["model"] for sent in three[0].requests] == ["tuned"]
        await provider.close()

    run(main)


def test_containers_are_spoken_to_at_their_own_paths(three: list[FakeUpstream]) -> None:
    """A SageMaker container of our own gets `/invocations`, without a ping before."""

    async def main() -> None:
        seats = Seats(Places([three[0].base_url]))
        provider = ContainersProvider(Upstream("container", "", "m"), seats)
        three[0].play(scripts.openai_reply("hi"))
        assert (await provider.converse(asking(), attempt())).stop_reason == "end_turn"
        assert [sent.path for sent in three[0].requests] == ["/invocations"]
        await seats.close()

    run(main)


def test_a_server_that_cannot_count_says_so(three: list[FakeUpstream]) -> None:
    """One that speaks like the engine but has no `/tokenize` is a model that does not support counting."""

    async def main() -> None:
        provider, _ = served(three[0])
        three[0].play(scripts.reply({"error": {"message": "no such path"}}, 404))
        with pytest.raises(Fault, match="doesn't support counting tokens") as raised:
            await provider.count_tokens(asking(), attempt())
        assert raised.value.name == "ValidationException"
        await provider.close()

    run(main)


def test_a_report_says_what_is_under_way(three: list[FakeUpstream]) -> None:
    """By deployment and by replica; once nothing is, one last report says so."""

    async def main() -> None:
        provider, _ = served(three[0], slots=1)
        told: list[dict[str, Any]] = []

        async def send(report: dict[str, Any]) -> list[list[Any]]:
            told.append(report)
            return [[three[0].base_url, 1, 50]]

        telling = asyncio.create_task(provider.seats.tell(send))
        three[0].play(*[(scripts.Sleep(0.3), *scripts.openai_reply("hi"))] * 4)
        await asyncio.gather(*(provider.converse(asking(), attempt()) for _ in range(4)))
        while told[-1]["loads"]:
            await asyncio.sleep(0.05)
        deployment, outstanding, waiting, tokens, arrived, refused, oldest_s, _ = told[0]["loads"][0]
        assert (deployment, outstanding, waiting, arrived, refused) == (DEPLOYMENT, 2, 2, 4, 0)
        assert tokens > 4 * 20
        assert oldest_s > 0
        assert told[0]["seats"][0][:2] == [three[0].base_url, 2]
        assert sum(row[4] for report in told for row in report["loads"]) == 4
        assert told[-1] == {"loads": [], "seats": []}
        assert provider.seats.lines[DEPLOYMENT].seats[0].others_tokens == 50
        telling.cancel()
        await provider.close()

    run(main)


@pytest.mark.parametrize(
    ("body", "tokens"),
    [
        (b'{"messages":[],"max_tokens":100}', 102),
        (b'{"messages":[],"max_tokens":99999}', 514),
        (b'{"messages":[]}', 256),
        (b'{"messages":[],"max_tokens":"ten"}', 258),
        (b"", 256),
    ],
)
def test_the_estimate_of_work(body: bytes, tokens: int) -> None:
    """A quarter of the bytes, and the answer's limit."""
    assert work(body) == tokens
