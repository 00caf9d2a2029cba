"""What a worker counts, how it is told, and what becomes of it at the supervisor."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from craton.aws.wire.faults import Fault, throttled, validation
from craton.features.inference.targets.report import TargetRow
from craton.features.metering.line import MeterLine
from craton.features.metering.meter import Meter
from craton.features.metering.record import Record, Row, add
from craton.features.metering.samples import samples_of
from craton.features.metering.tally import Tally
from craton.features.metering.totals import Totals
from craton.front.prometheus import Standing, text
from craton.front.prometheus_models import Models
from craton.infra.control.wire import ControlLost
from craton.infra.store.port import StoreError, Unavailable

START = datetime(2026, 1, 1, 12, 0, 50, tzinfo=UTC)
MINUTE = int(datetime(2026, 1, 1, 12, 0, tzinfo=UTC).timestamp())


class Time:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.passed_s = 0.0

    def now(self) -> datetime:
        return START + timedelta(seconds=self.passed_s)

    def monotonic(self) -> float:
        return 100.0 + self.passed_s


def used(given: int = 5, out: int = 7, read: int = 0, write: int = 0) -> Any:
    return SimpleNamespace(
        input_tokens=given, output_tokens=out, cache_read_input_tokens=read, cache_write_input_tokens=write
    )


def call(name: str = "Converse", model: str = "m", *, resolved: Any = True, **more: Any) -> Any:
    given = {"started_at": 100.0, "images": 0, "used": used(), "named": model, "region": "r", "metadata": None, **more}
    reached = SimpleNamespace(route=SimpleNamespace(model_id=model, kind="chat"), resources=(f"arn:m/{model}",))
    return SimpleNamespace(
        operation=SimpleNamespace(name=name), caller=SimpleNamespace(account="1", arn="arn:user/ann"),
        resolved=reached if resolved else None, resource_tags=lambda _arn: {}, **given,
    )  # fmt: skip


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def meter(time: Time) -> Meter:
    return Meter(time.now, time.monotonic)


def test_an_invocation_is_counted_with_its_usage(time: Time, meter: Meter) -> None:
    """Latency, tokens, and the first token of streams alone."""
    time.passed_s = 0.25
    meter.served(call(used=used(read=3)))
    meter.served(call("ConverseStream"), streamed_at=100.1)
    (row,) = meter.take()
    assert (row.minute_s, row.account, row.region, row.model) == (MINUTE, "1", "r", "m")
    assert row.record == Record(
        2, latency_ms={250: 2}, first_ms={100: 1}, input_tokens={5: 2}, output_tokens={7: 2}, cache_read_tokens={3: 1}
    )
    assert meter.take() == []


def test_the_minute_is_that_in_which_it_ended(time: Time, meter: Meter) -> None:
    """So that an hour's sum is what ended in it."""
    meter.served(call())
    time.passed_s = 10.0
    meter.served(call())
    time.passed_s = 69.9
    meter.served(call())
    assert [(row.minute_s, row.record.invocations) for row in meter.take()] == [(MINUTE, 1), (MINUTE + 60, 2)]


@pytest.mark.parametrize(
    ("fault", "name"),
    [
        (validation("no"), "client_errors"),
        (throttled(), "throttles"),
        (Fault("ModelErrorException", "no"), "server_errors"),
        (Fault("InternalServerException", "no"), "server_errors"),
    ],
)
def test_failures_are_somebodys(meter: Meter, fault: Fault, name: str) -> None:
    """Throttles are no errors, and what a model did wrong is not the caller's fault."""
    meter.failed(call(), fault)
    (row,) = meter.take()
    expected = Record()
    setattr(expected, name, 1)
    assert row.record == expected


def test_other_operations_do_not_count(meter: Meter) -> None:
    """Nor a model that is not there: its name could be anything."""
    meter.served(call("CountTokens"))
    meter.failed(call(resolved=None), validation("no"))
    assert meter.take() == []


@dataclass
class FakeControl:
    """A supervisor that is away, takes what it is told and then breaks the line, or answers."""

    tally: Tally
    trouble: list[str] = field(default_factory=list)

    async def call(self, method: str, params: dict[str, object], *, timeout_s: float) -> Any:
        trouble = self.trouble.pop(0) if self.trouble else ""
        if trouble == "away":
            raise ControlLost("away")
        sent = msgspec.msgpack.decode(msgspec.msgpack.encode(params))
        asked: Any = SimpleNamespace(params=sent, peer=SimpleNamespace(pid=7))
        answer = await self.tally.methods[method](asked)
        if trouble == "broken":
            raise ControlLost("broken")
        return answer


class FakeStore:
    """Takes batches, or is away."""

    def __init__(self) -> None:
        self.trouble: list[StoreError] = []
        self.asked: list[Any] = []

    async def ask(self, work: Any) -> None:
        self.asked.append(work.args)
        if self.trouble:
            raise self.trouble.pop(0)


def test_nothing_is_told_twice_or_lost(meter: Meter) -> None:
    """While the line breaks, before or after the supervisor has heard."""
    tally = Tally(FakeStore().ask, lambda: False)
    line = MeterLine(meter, FakeControl(tally, ["away", "broken", "", "broken"]))

    async def work() -> None:
        for _ in range(5):
            meter.served(call())
            await line.tell()
        await line.tell()
        await line.tell()

    asyncio.run(work())
    (total,) = tally.totals.rows
    assert (total.counts[0], total.tokens[0]) == (5, 25)


def test_what_cannot_be_kept_waits_under_its_number() -> None:
    """The same batch comes again until it is kept, and what came meanwhile after it."""
    store = FakeStore()
    store.trouble = [Unavailable("away"), Unavailable("away")]
    tally = Tally(store.ask, lambda: True)

    async def work() -> None:
        for number in (1, 2, 3, 4):
            rows = msgspec.to_builtins([Row(MINUTE, "1", "r", "m", Record(1))], str_keys=False)
            asked: Any = SimpleNamespace(params={"number": number, "rows": rows}, peer=SimpleNamespace(pid=7))
            await tally.methods["metrics.add"](asked)
            await tally.keep()

    asyncio.run(work())
    assert [(number, rows[0].record.invocations) for _, number, rows in store.asked] == [
        (1, 1),
        (1, 1),
        (1, 1),
        (2, 2),
        (3, 1),
    ]


def test_samples_have_bedrocks_names() -> None:
    """For each model and for all together; cache tokens under both of their names."""
    rows = [
        Row(MINUTE, "1", "r", "a", Record(2, latency_ms={10: 1, 20: 1}, cache_read_tokens={4: 1})),
        Row(MINUTE, "1", "r", "b", Record(1, client_errors=3, images=2, latency_ms={30: 1})),
        Row(MINUTE, "2", "r", "a", Record(1)),
    ]
    found = {(one.metric.account, one.metric.name, one.metric.dimensions): one.summary for one in samples_of(rows)}
    assert found["1", "Invocations", ()].total == 3
    assert found["1", "Invocations", (("ModelId", "a"),)].samples == 2
    assert found["2", "Invocations", ()].total == 1
    latency = found["1", "InvocationLatency", ()]
    assert (latency.samples, latency.total, latency.least, latency.most) == (3, 60, 10, 30)
    assert found["1", "OutputImageCount", (("ModelId", "b"),)].total == 2
    assert found["1", "CacheReadInputTokens", ()].total == found["1", "CacheReadInputTokenCount", ()].total == 4
    assert ("2", "InvocationLatency", ()) not in found


def test_records_add_up() -> None:
    """Every count and every spread."""
    one = Record(1, 2, 3, 4, 5, {1: 1}, {2: 1}, {3: 1}, {4: 1}, {5: 1}, {6: 1})
    both = Record()
    add(both, one)
    add(both, one)
    assert both == Record(2, 4, 6, 8, 10, {1: 2}, {2: 2}, {3: 2}, {4: 2}, {5: 2}, {6: 2})


def test_prometheus_reads_the_text() -> None:
    """Its own parser finds the families, whatever the names of models hold."""
    totals = Totals()
    odd = '100 %s a "quoted"\\ name\nof two lines'
    totals.add(Row(MINUTE, "1", "r", odd, Record(3, 1, latency_ms={5: 1, 10: 1, 99_999_999: 1}, input_tokens={4: 3})))
    row = TargetRow(models=["m"], provider="openai", model="gpt", state="closed", answered=2)
    down = msgspec.structs.replace(row, state="open", answered=3)
    standing = Standing(
        models=Models().families(totals.packed), jobs={"running": 2}, workers={"0": 1}, targets=[(0, row), (1, down)], memory={"supervisor": 9},
        delivery={"lost_memory": 1.0}, version="1",
    )  # fmt: skip
    families = {one.name: one for one in text_string_to_metric_families(text(standing).decode())}
    (sample,) = families["craton_invocations"].samples
    assert (sample.labels, sample.value) == ({"account": "1", "region": "r", "model": odd}, 3)
    latency = {
        one.labels["le"]: one.value
        for one in families["craton_invocation_latency_seconds"].samples
        if "le" in one.labels
    }
    assert (latency["0.025"], latency["120"], latency["+Inf"]) == (2, 2, 3)
    assert families["craton_target_up"].samples[0].value == 0
    assert {one.labels["outcome"]: one.value for one in families["craton_target_asks"].samples}["answered"] == 5
    assert families["craton_jobs"].samples[0].labels == {"state": "running"}


def test_a_page_tells_what_changed() -> None:
    """Lines of models that were not used since the last page are those of then, and new ones are told in full."""
    totals, models = Totals(), Models()
    for name in "abc":
        totals.add(Row(MINUTE, "1", "r", name, Record(1, latency_ms={5: 1})))
    first = b"".join(models.families(totals.packed))
    assert b"".join(models.families(totals.packed)) == first
    totals.add(Row(MINUTE, "1", "r", "b", Record(1, images=1, latency_ms={5: 1})))
    totals.add(Row(MINUTE, "1", "r", "d", Record(0, throttles=1)))
    second = b"".join(models.families(totals.packed))
    assert second == b"".join(Models().families(totals.packed)) != first


def test_prometheus_is_told_of_replicas() -> None:
    """Deployments that have replicas, or are to have some; those that nobody called are left out."""
    figures = {"queue": 3, "outstanding": 5, "oldest_wait_s": 0.5, "refused_per_s": 0.0, "tokens_per_s": 80.0}
    row = {"id": "m", "wanted": 2, "ready": 1, "replicas": [{}], "pss_bytes": 9, **figures}
    idle = {**row, "id": "idle", "wanted": 0, "replicas": [], "queue": 0}
    told = text(Standing(deployments=[row, idle]))
    families = {one.name: one for one in text_string_to_metric_families(told.decode())}

    def samples(name: str) -> dict[tuple[str, ...], float]:
        return {tuple(one.labels.values()): one.value for one in families[name].samples}

    assert samples("craton_deployment_replicas") == {("m", "wanted"): 2, ("m", "ready"): 1}
    assert samples("craton_deployment_requests") == {("m", "outstanding"): 5, ("m", "waiting"): 3}
    assert samples("craton_deployment_tokens_per_second") == {("m",): 80}
