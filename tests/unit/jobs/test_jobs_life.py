"""What becomes of a run: errors that may pass, errors that end the job, and what its owner is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from craton.aws.wire.faults import access_denied, internal, throttled
from craton.infra.cipher.port import NoSuchKey, RootUnavailable
from craton.infra.jobs.lease import LeaseLost
from craton.infra.jobs.runs import Progress, Run
from craton.infra.jobs.worker import Again, Done, Outcome
from craton.infra.store.port import Interrupted, Resource
from craton.models.providers.transport import BadReply, ConnectError
from craton.workflows.life import perform
from craton.workflows.workflow import Job, JobFailed, Workflow, mark_failed, until_stopped, workflow, workflows_in

NOW = datetime(2026, 1, 2, tzinfo=UTC)
ARN = "arn:aws:bedrock:us-east-1:000000000000:toy/1"
RUN = Run(ARN, "toy", "000000000000", "us-east-1", "", 1, "running", 0, 0, "w", 0, 1, 0, 0, 0, "", "", 0, 0, None)


class Held:
    """A hold over one row in memory (`infra.jobs.hold.Hold`, as far as a job sees it)."""

    def __init__(self, run: Run = RUN, **steps: Any) -> None:
        self.run = run
        self.steps = {name: msgspec.msgpack.encode(value) for name, value in steps.items()}
        self.stop_asked = asyncio.Event()
        self.progress = Progress()
        self.row: Resource | None = Resource(account="000000000000", region="us-east-1", kind="toy", id="1", arn=ARN,
                                             created_at=NOW, updated_at=NOW, status="InProgress", body=b'{"a":1}')  # fmt: skip

    def get(self, arn: str) -> Resource | None:
        return self.row

    def update(self, row: Resource) -> Resource:
        self.row = row
        return row

    async def read(self, work: Callable[[Any], Any]) -> Any:
        return work(self)

    async def write(self, work: Callable[[Any], Any]) -> Any:
        return work(self)

    async def keep_step(self, name: str, result: bytes) -> None:
        self.steps[name] = result

    def working(self) -> Any:
        class Nothing:
            async def __aenter__(self) -> None: ...
            async def __aexit__(self, *_: object) -> None: ...

        return Nothing()


class Sealing:
    """A cipher that can be seen through."""

    async def seal(self, account: str, purpose: str, key: None, plain: bytes, context: Any, *, region: str) -> bytes:
        return b"sealed:" + plain

    async def open(self, account: str, purpose: str, sealed: bytes, context: Any) -> bytes:
        assert context == {"job": ARN, "step": "s"}
        return sealed.removeprefix(b"sealed:")


TOOLS: Any = SimpleNamespace(clock=SimpleNamespace(now=lambda: NOW), cipher=Sealing())


def outcome(error: Exception | None, run: Run = RUN) -> tuple[Outcome, Held]:
    async def body(job: Job) -> None:
        if error is not None:
            raise error

    held = Held(run)
    made = asyncio.run(perform(held, Workflow("toy", 1, body, mark_failed), TOOLS))  # type: ignore[arg-type]
    return made, held


def client_error(status: int, code: str) -> ClientError:
    response = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "GetObject")  # type: ignore[arg-type]


PASSING = [
    ConnectionRefusedError("no"),
    TimeoutError(),
    ConnectError("no"),
    Interrupted("away"),
    RootUnavailable("away"),
    throttled(),
    internal(),
    client_error(503, "SlowDown"),
    client_error(429, "Throttling"),
    client_error(400, "RequestTimeout"),
    EndpointConnectionError(endpoint_url="http://x"),
]
FINAL = [
    (JobFailed("The file is empty."), "The file is empty."),
    (access_denied("You may not."), "You may not."),
    (client_error(403, "AccessDenied"), "An error occurred (AccessDenied) when calling the GetObject operation: no"),
    (NoSuchKey("k"), "Key 'k' does not exist"),
]


@pytest.mark.parametrize("error", PASSING, ids=lambda error: type(error).__name__)
def test_what_may_pass_is_tried_again(error: Exception) -> None:
    """The job's row stays as it is."""
    made, held = outcome(error)
    assert isinstance(made, Again)
    assert held.row is not None
    assert held.row.status == "InProgress"


@pytest.mark.parametrize(("error", "message"), FINAL, ids=lambda value: type(value).__name__)
def test_what_stays_ends_the_job(error: Exception, message: str) -> None:
    """The job is Failed, and its owner is told what AWS would say."""
    made, held = outcome(error)
    assert made == Done(error=message)
    assert held.row is not None
    assert (held.row.status, msgspec.json.decode(held.row.body)) == ("Failed", {"a": 1, "message": message})


def test_a_mistake_of_ours_is_tried_three_times(capsys: pytest.CaptureFixture[str]) -> None:
    """Then the job fails in words that hold nothing of it; the log has the trace."""
    assert outcome(KeyError("secret"))[0] == Again("KeyError")
    third = msgspec.structs.replace(RUN, failures=2)
    made, held = outcome(KeyError("secret"), third)
    assert isinstance(made, Done)
    assert "KeyError" in made.error
    assert "secret" not in made.error
    assert held.row is not None
    assert held.row.status == "Failed"
    assert "Traceback" in capsys.readouterr().err
    assert isinstance(outcome(BadReply("no HTTP"), third)[0], Done)


def test_a_job_that_is_gone_ends_quietly() -> None:
    """Whoever deletes a job's row ends its run."""

    async def body(job: Job) -> None:
        await job.row()

    held = Held()
    held.row = None
    made = asyncio.run(perform(held, Workflow("toy", 1, body, mark_failed), TOOLS))  # type: ignore[arg-type]
    assert made == Done(error="The job was deleted.")


def test_a_lost_lease_is_nobody_s_failure() -> None:
    """It reaches the worker as it is."""
    with pytest.raises(LeaseLost):
        outcome(LeaseLost(ARN))


def test_a_job_whose_workers_die_is_given_up() -> None:
    """Its body is not run again."""
    made, held = outcome(AssertionError("never"), msgspec.structs.replace(RUN, crashes=5))
    assert isinstance(made, Done)
    assert "died 5 times" in made.error
    assert held.row is not None
    assert held.row.status == "Failed"


def test_a_step_s_result_is_kept_and_given_again() -> None:
    """Sealed where it holds content; the work is not done again."""

    async def scene() -> None:
        held, calls = Held(), []
        job = Job(held, TOOLS)  # type: ignore[arg-type]

        async def work() -> list[int]:
            calls.append(1)
            return [1, 2]

        assert await job.step("s", work, list[int], sealed=True) == [1, 2]
        assert held.steps["s"].startswith(b"sealed:")
        assert await job.step("s", work, list[int], sealed=True) == [1, 2]
        assert await job.step("t", work, list[int]) == await job.step("t", work, list[int])
        assert len(calls) == 2
        assert job.done("t")
        assert not job.done("u")

    asyncio.run(scene())


def test_work_is_given_up_when_the_job_is_to_stop() -> None:
    """It is cancelled and waited for."""

    async def scene() -> None:
        held = Held()
        job = Job(held, TOOLS)  # type: ignore[arg-type]
        assert await until_stopped(job, asyncio.sleep(0, "done")) == "done"
        working = asyncio.create_task(until_stopped(job, asyncio.sleep(60)))
        await asyncio.sleep(0)
        held.stop_asked.set()
        assert await working is None
        assert job.stopping

    asyncio.run(scene())


def test_two_bodies_of_one_kind_are_a_mistake() -> None:
    """But an older format may stay beside a newer one, and a body may be imported in several places."""

    @workflow("x", format=1)
    async def older(job: Job) -> None: ...

    @workflow("x", format=2)
    async def newer(job: Job) -> None: ...

    @workflow("x", format=2)
    async def other(job: Job) -> None: ...

    assert {one.format for one in workflows_in(SimpleNamespace(a=older, b=newer), SimpleNamespace(c=newer))} == {1, 2}
    with pytest.raises(ValueError, match="two bodies"):
        workflows_in(SimpleNamespace(a=newer, b=other))
