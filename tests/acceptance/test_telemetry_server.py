"""Traces of a whole server: from the caller's traceparent through two workers to the upstream and the collector."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.acceptance.identities import HELLO, NOVA
from tests.fakes.collector import Collector, attributes
from tests.fakes.scripts import error_openai
from tests.fakes.upstream import FakeUpstream
from tests.running import Running, model_config

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.fixture(scope="module")
def up() -> Iterator[FakeUpstream]:
    with FakeUpstream() as fake:
        yield fake


def config(up: FakeUpstream, endpoint: str) -> str:
    told = (
        f'\n[telemetry]\nendpoint = "{endpoint}"\nservice_name = "gate"\nheaders = {{ x-key = "env:COLLECTOR_KEY" }}\n'
    )
    return model_config(NOVA, "openai", up.openai_url) + told


def traced(server: Running, sampled: bool = True) -> Any:
    """A client whose requests belong to a trace."""
    client = server.client("bedrock-runtime")

    def add(request: Any, **_more: Any) -> None:
        request.headers["traceparent"] = f"00-{TRACE}-{PARENT}-0{int(sampled)}"
        request.headers["tracestate"] = "caller=1"

    client.meta.events.register("before-send.bedrock-runtime.*", add)
    return client


def until(check: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not check():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_telemetry_goes_through(tmp_path: Path, up: FakeUpstream) -> None:
    """Caller, request, invocation and upstream are one chain; sums and the log arrive; nothing that was said is in it."""
    with Collector() as collector:
        with Running(
            tmp_path, config(up, collector.url), "--workers", "2", env={"COLLECTOR_KEY": "k-123"}
        ) as server:  # fmt: skip
            collector.answers.append((400, {}, b"no"))
            server.client("bedrock-runtime").converse(modelId=NOVA, messages=HELLO)
            until(lambda: any("HTTP 400" in one.body.string_value for one in collector.records))
            up.requests.clear()
            client = traced(server)
            usage = client.converse(modelId=NOVA, messages=HELLO)["usage"]
            (sent,) = up.requests
            until(lambda: len(collector.spans) == 2)
            outer, inner = collector.spans
            assert outer.trace_id.hex() == inner.trace_id.hex() == TRACE
            assert (outer.parent_span_id.hex(), inner.parent_span_id) == (PARENT, outer.span_id)
            assert sent.headers["traceparent"] == f"00-{TRACE}-{inner.span_id.hex()}-01"
            assert sent.headers["tracestate"] == "caller=1"
            told = attributes(inner)
            assert told["gen_ai.request.model"] == NOVA
            assert told["gen_ai.usage.output_tokens"] == usage["outputTokens"]
            list(client.converse_stream(modelId=NOVA, messages=HELLO)["stream"])
            traced(server, sampled=False).converse(modelId=NOVA, messages=HELLO)
            assert up.requests[-1].headers["traceparent"].endswith("-00")
            up.play(*[error_openai(429)] * 9)
            with pytest.raises(client.exceptions.ThrottlingException):
                client.converse(modelId=NOVA, messages=HELLO)
            up.scripts.clear()
            # Of boto3's own tries each is a request, and so a span.
            server.client("bedrock-runtime").converse(modelId=NOVA, messages=HELLO)
        found = [attributes(one) for one in collector.spans if one.kind == one.SPAN_KIND_SERVER]
        assert {one["rpc.method"] for one in found} == {"Converse", "ConverseStream"}
        assert {one.get("error.type") for one in found} == {None, "ThrottlingException"}
        assert len({one.trace_id for one in collector.spans}) == 2
        assert {one["x-key"] for one in collector.headers} == {"k-123"}
        (point,) = collector.metrics["gen_ai.client.operation.duration"].histogram.data_points
        assert (point.count, attributes(point)["gen_ai.request.model"]) == (5, NOVA)
        thrown = [one for one in collector.records if one.event_name == "gen_ai.client.operation.exception"]
        assert {attributes(one)["error.type"] for one in thrown} == {"ThrottlingException"}
        assert {one.trace_id.hex() for one in thrown} == {TRACE}
        assert b"Hello" not in b"".join(collector.bodies)


def test_nobody_waits_for_a_collector(tmp_path: Path, up: FakeUpstream) -> None:
    """While it is away requests are served and spans wait, counted on the page of metrics."""
    with Running(tmp_path, config(up, "http://127.0.0.1:9"), env={"COLLECTOR_KEY": "k"}) as server:
        server.client("bedrock-runtime").converse(modelId=NOVA, messages=HELLO)

        def waiting() -> float:
            with urllib.request.urlopen(f"{server.url}/metrics") as got:
                families = {one.name: one for one in text_string_to_metric_families(got.read().decode())}
            counts = {one.labels["outcome"]: one.value for one in families["craton_spans"].samples}
            return counts["waiting"]

        until(lambda: waiting() == 1)
    assert "telemetry" in server.output()
    assert "Traceback" not in server.output()


def test_without_a_collector_nothing_is_carried(tmp_path: Path, up: FakeUpstream) -> None:
    """Vendors learn nothing of the caller's traces."""
    with Running(tmp_path, model_config(NOVA, "openai", up.openai_url)) as server:
        traced(server).converse(modelId=NOVA, messages=HELLO)
        assert "traceparent" not in up.requests[-1].headers
