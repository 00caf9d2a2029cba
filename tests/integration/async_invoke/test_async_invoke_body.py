"""The life of an invocation whose worker dies at every moment that there is: the same files, and no answer asked twice
that was kept.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from itertools import pairwise
from types import SimpleNamespace
from typing import Any, TypeVar

import msgspec
import pytest

from craton.aws.access.credentials import Principal
from craton.features.async_invoke.invocation import COMPLETED, FAILED, IN_PROGRESS, INPUT, KIND, AsyncInvocation, Place
from craton.infra.store.port import Resource
from craton.workflows.async_invoke import body as life
from craton.workflows.workflow import JobFailed
from tests.fakes.batches import NOW, FakeClock, FakeS3, Killed, Perils

T = TypeVar("T")
IDENT = "abcdefghijkl"
ARN = f"arn:aws:bedrock:us-east-1:000000000000:async-invoke/{IDENT}"
ROOT = Principal(account="000000000000", arn="arn:aws:iam::000000000000:root", kind="root", user_id="000000000000")
WORDS = " ".join(f"word{number}" for number in range(300))
SEGMENTED = {
    "taskType": "SEGMENTED_EMBEDDING",
    "segmentedEmbeddingParams": {
        "embeddingPurpose": "GENERIC_INDEX",
        "embeddingDimension": 256,
        "text": {"truncationMode": "END", "value": WORDS, "segmentationConfig": {"maxLengthChars": 800}},
    },
}


class Models:
    """Answers each body with its own length; `answers` are told first, `kept` counts by body what was answered."""

    def __init__(self) -> None:
        self.perils = Perils()
        self.asked: Counter[bytes] = Counter()
        self.answers: list[tuple[int, bytes]] = []

    async def invoke(self, model_id: str, body: bytes) -> Any:
        self.perils.meet()
        self.asked[body] += 1
        await asyncio.sleep(0)
        self.perils.meet()
        if self.answers:
            status, told = self.answers.pop(0)
            return status, {}, told
        embeddings = [{"embeddingType": "TEXT", "embedding": [0.5, len(body)]}]
        return 200, {b"x-craton-standin": b"local"}, json.dumps({"embeddings": embeddings}).encode()


class World:
    """All that outlives a worker."""

    def __init__(self, task: str, plain: object) -> None:
        self.s3, self.models, self.clock = FakeS3(), Models(), FakeClock()
        self.stopping = False
        self.steps = {INPUT: msgspec.msgpack.encode(msgspec.json.encode(plain))}
        body = AsyncInvocation(
            model_id="m.m", model_arn="arn", called="m.m", schema="amazon.nova-embed", task=task,  # type: ignore[arg-type]
            target=Place("s3://out/there"), caller=ROOT,
        )  # fmt: skip
        self.row = Resource(
            account="000000000000", region="us-east-1", kind=KIND, id=IDENT, arn=ARN, created_at=NOW, updated_at=NOW,
            status=IN_PROGRESS, body=msgspec.json.encode(body),
        )  # fmt: skip

    def run(self, die_at: int = 0) -> bool:
        """A worker takes the run; whether it came to the end of it."""
        self.s3.perils = self.models.perils = perils = Perils(die_at)
        job = Job(self, perils)

        async def live() -> None:
            try:
                await life.run(job)  # type: ignore[arg-type]
            except JobFailed as error:
                await life.fail(job, str(error))  # type: ignore[arg-type]

        try:
            asyncio.run(live())
        except Killed:
            return False
        return True

    def told(self) -> dict[str, Any]:
        """The manifest."""
        found: dict[str, Any] = json.loads(self.s3.objects[f"there/{IDENT}/manifest.json"])
        return found


class Job:
    """`workflows.workflow.Job` over a world."""

    def __init__(self, world: World, perils: Perils) -> None:
        self.world, self.perils = world, perils
        self.arn, self.account, self.region = ARN, "000000000000", "us-east-1"
        self.tools = SimpleNamespace(
            clock=world.clock, on_behalf=lambda principal: principal, s3=lambda credentials: world.s3,
            models=lambda credentials: world.models,
        )  # fmt: skip

    async def stop_asked(self) -> None:
        if not self.world.stopping:
            await asyncio.Event().wait()

    async def row(self) -> Resource:
        return self.world.row

    async def amend(self, change: Callable[[Resource], Resource]) -> Resource:
        self.perils.meet()
        self.world.row = change(self.world.row)
        self.perils.meet()
        return self.world.row

    async def step(self, name: str, work: Callable[[], Awaitable[T]], kind: type[T], *, sealed: bool = False) -> T:
        assert sealed or name == "started", "what an invocation journals is content"
        if name not in self.world.steps:
            result = await work()
            self.perils.meet()
            self.world.steps[name] = msgspec.msgpack.encode(result)
            self.perils.meet()
        return msgspec.msgpack.decode(self.world.steps[name], type=kind)

    def progress(self, done: int, total: int | None = None, unit: str = "records") -> None:
        assert total is None or 0 <= done <= total


@pytest.mark.parametrize(("task", "plain"), [("reply", {"inputType": "text"}), ("segments", SEGMENTED)])
def test_a_death_at_any_moment_changes_nothing(task: str, plain: object) -> None:
    """However the worker dies, whoever goes on leaves the same files, and asks again only what was under way."""
    whole = World(task, plain)
    assert whole.run()
    moments = whole.s3.perils.met
    assert moments > 8
    for moment in range(1, moments + 1):
        world = World(task, plain)
        assert not world.run(moment)
        kept = {name for name in world.steps if name != INPUT}
        before = world.models.asked.copy()
        assert world.run()
        assert world.s3.objects == whole.s3.objects
        assert world.row.status == COMPLETED
        again = world.models.asked - before
        assert not again or not kept, "what was kept is not asked again"


def test_segments_end_behind_words_and_count_characters() -> None:
    """The lines of the file cover the text without a gap, in order, each within the length that was asked."""
    world = World("segments", SEGMENTED)
    world.run()
    lines = [json.loads(line) for line in world.s3.objects[f"there/{IDENT}/embedding-text.jsonl"].splitlines()]
    spans = [
        (line["segmentMetadata"]["segmentStartCharPosition"], line["segmentMetadata"]["segmentEndCharPosition"])
        for line in lines
    ]
    assert [line["segmentMetadata"]["segmentIndex"] for line in lines] == list(range(len(lines)))
    assert spans[0][0] == 0
    assert spans[-1][1] == len(WORDS)
    assert all(one[1] == other[0] for one, other in pairwise(spans))
    assert all(stop - start <= 800 and (WORDS[stop - 1] == " " or stop == len(WORDS)) for start, stop in spans)
    result = json.loads(world.s3.objects[f"there/{IDENT}/segmented-embedding-result.json"])
    uri = f"s3://out/there/{IDENT}/embedding-text.jsonl"
    assert result["embeddingResults"] == [{"embeddingType": "TEXT", "status": "SUCCESS", "outputFileUri": uri}]


def test_the_reply_says_who_gave_it() -> None:
    """A stand-in's reply is a stand-in's in the manifest too."""
    world = World("reply", {"inputType": "text"})
    world.run()
    assert world.told()["madeBy"] == {"standin": "local"}


def test_a_model_that_refuses_ends_the_invocation() -> None:
    """The model's own message is the failure's; a throttle before it is waited for."""
    world = World("reply", {"inputType": "text"})
    world.models.answers = [(429, b"{}"), (503, b"{}"), (400, b'{"message": "Too long."}')]
    assert world.run()
    assert world.row.status == FAILED
    assert world.row.read(AsyncInvocation).message == "Too long."
    assert sum(world.models.asked.values()) == 3


def test_a_lost_input_is_said() -> None:
    """Without its input an invocation ends, and says so."""
    world = World("reply", {})
    world.steps.clear()
    assert world.run()
    assert "Start it again" in (world.row.read(AsyncInvocation).message or "")


def test_a_stopped_invocation_fails_and_says_so() -> None:
    """Whoever runs the server may end an invocation; what was under way is given up."""
    world = World("reply", {"inputType": "text"})
    world.stopping = True
    assert world.run()
    assert (world.row.status, world.row.read(AsyncInvocation).message) == (FAILED, life.STOPPED)
