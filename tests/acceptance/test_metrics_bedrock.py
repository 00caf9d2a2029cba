"""Bedrock's own metrics of what two workers served, exact across deaths and restarts, and the page of Prometheus."""

from __future__ import annotations

import json
import os
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.acceptance.identities import HELLO, NOVA
from tests.acceptance.metrics import client, minute, query
from tests.acceptance.test_iam_awscli import answer, aws
from tests.fakes.scripts import error_openai
from tests.fakes.upstream import FakeUpstream
from tests.running import Running, model_config


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("counted")


@pytest.fixture(scope="module")
def up() -> Iterator[FakeUpstream]:
    with FakeUpstream() as fake:
        yield fake


def serving(home: Path, up: FakeUpstream, *options: str) -> Running:
    """A server whose model answers through the fake vendor."""
    return Running(home, model_config(NOVA, "openai", up.openai_url), *options)


def ask(server: Running, count: int) -> dict[str, int]:
    """So many conversations, every third of them streamed; the tokens that their answers told."""
    bedrock = server.client("bedrock-runtime")

    def one(number: int) -> dict[str, int]:
        if number % 3:
            return bedrock.converse(modelId=NOVA, messages=HELLO)["usage"]  # type: ignore[no-any-return]
        events = list(bedrock.converse_stream(modelId=NOVA, messages=HELLO)["stream"])
        return events[-1]["metadata"]["usage"]  # type: ignore[no-any-return]

    with ThreadPoolExecutor(8) as pool:
        usages = list(pool.map(one, range(count)))
    return {name: sum(usage[name] for usage in usages) for name in ("inputTokens", "outputTokens")}


def sums(server: Running, *metrics: str, model: str = "") -> dict[str, float]:
    queries = [query(f"m{number}", "AWS/Bedrock", name, ModelId=model) for number, name in enumerate(metrics)]
    found = client(server).get_metric_data(MetricDataQueries=queries, StartTime=minute(60), EndTime=minute(-2))
    return {name: sum(one["Values"]) for name, one in zip(metrics, found["MetricDataResults"], strict=True)}


def until(check: Callable[[], bool]) -> None:
    end = time.monotonic() + 90
    while not check():
        assert time.monotonic() < end
        time.sleep(0.1)


def families(server: Running, **headers: str) -> dict[str, Any]:
    with urllib.request.urlopen(urllib.request.Request(f"{server.url}/metrics", headers=headers)) as got:
        assert got.headers["content-type"].startswith("text/plain; version=0.0.4")
        return {one.name: one for one in text_string_to_metric_families(got.read().decode())}


def shown(server: Running, name: str, **labels: str) -> float:
    found = families(server).get(name)
    samples = [] if found is None else found.samples
    return float(sum(one.value for one in samples if labels.items() <= one.labels.items()))


def test_sums_are_what_was_served(home: Path, up: FakeUpstream) -> None:
    """By two workers, before and after a restart, for the model and for all together; failures beside."""
    with serving(home, up, "--workers", "2") as server:
        told = ask(server, 30)
        bedrock = server.client("bedrock-runtime")
        with pytest.raises(bedrock.exceptions.ValidationException):
            bedrock.converse(modelId=NOVA, messages=[])
        with pytest.raises(bedrock.exceptions.ClientError):
            bedrock.converse(modelId="nobody.knows-v1:0", messages=HELLO)
        up.play(*[error_openai(429)] * 9)
        with pytest.raises(bedrock.exceptions.ThrottlingException):
            bedrock.converse(modelId=NOVA, messages=HELLO)
        up.scripts.clear()
        until(lambda: shown(server, "craton_invocations") == 30)
        assert shown(server, "craton_invocation_errors", kind="client") == 1
        assert shown(server, "craton_invocation_errors", kind="throttle") == 1
        assert shown(server, "craton_tokens", kind="output", model=NOVA) == told["outputTokens"]
        assert shown(server, "craton_workers") == 2
    with serving(home, up, "--workers", "2") as server:
        again = ask(server, 5)
        expected = {
            "Invocations": 35.0,
            "InputTokenCount": told["inputTokens"] + again["inputTokens"],
            "OutputTokenCount": told["outputTokens"] + again["outputTokens"],
            "InvocationClientErrors": 1.0,
            "InvocationThrottles": 1.0,
        }
        until(lambda: sums(server, "Invocations")["Invocations"] == 35)
        assert sums(server, *expected) == expected
        assert sums(server, *expected, model=NOVA) == expected
        asked = {"Namespace": "AWS/Bedrock", "MetricName": "TimeToFirstToken", "Period": 3600}
        points = client(server).get_metric_statistics(
            **asked, StartTime=minute(60), EndTime=minute(-2), Statistics=["SampleCount"], ExtendedStatistics=["p50"]
        )["Datapoints"]
        assert sum(one["SampleCount"] for one in points) == 12
        assert all(one["Unit"] == "Milliseconds" and one["ExtendedStatistics"]["p50"] >= 0 for one in points)


def test_a_worker_that_dies_takes_a_second_with_it(home: Path, up: FakeUpstream) -> None:
    """What it had told is kept, and what the others and its heir serve is added."""
    with serving(home, up, "--workers", "2") as server:
        before = sums(server, "Invocations")["Invocations"]
        ask(server, 10)
        until(lambda: shown(server, "craton_invocations") == 10)
        assert server.process is not None
        children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
        workers = [pid for pid in children if b"craton.front.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()]
        for pid in workers[:1]:
            os.kill(int(pid), signal.SIGKILL)
        ask(server, 10)
        until(lambda: sums(server, "Invocations")["Invocations"] == before + 20)


def test_the_aws_cli_reads_metrics(home: Path, up: FakeUpstream) -> None:
    """`get-metric-data` and `list-metrics`, unmodified."""
    with serving(home, up) as server:
        ask(server, 1)
        until(lambda: sums(server, "Invocations")["Invocations"] > 0)
        span = ("--start-time", minute(60).isoformat(), "--end-time", minute(-2).isoformat())
        queries = json.dumps([query("served", "AWS/Bedrock", "Invocations", period=3600)])
        found = answer(aws(server, "cloudwatch", "get-metric-data", "--metric-data-queries", queries, *span))
        assert sum(found["MetricDataResults"][0]["Values"]) > 0
        listed = answer(aws(server, "cloudwatch", "list-metrics", "--metric-name", "InvocationLatency"))["Metrics"]
        assert {len(one["Dimensions"]) for one in listed} == {0, 1}


@pytest.fixture
def ephemeral(tmp_path: Path, up: FakeUpstream) -> Iterator[Running]:
    with serving(tmp_path, up, "--ephemeral") as server:
        yield server


def test_a_reset_forgets_what_was_counted(ephemeral: Running) -> None:
    """Both what is kept and what Prometheus is shown."""
    ask(ephemeral, 3)
    until(lambda: sums(ephemeral, "Invocations")["Invocations"] == 3)
    urllib.request.urlopen(urllib.request.Request(f"{ephemeral.url}/craton/reset", method="POST")).close()
    assert shown(ephemeral, "craton_invocations") == 0
    assert client(ephemeral).list_metrics()["Metrics"] == []
    ask(ephemeral, 2)
    until(lambda: shown(ephemeral, "craton_invocations") == 2)


def test_a_vendors_door_counts_too(ephemeral: Running) -> None:
    """As the operation that it is a form of, also when it streams."""
    from openai import OpenAI

    key = ephemeral.client("iam")
    key.create_user(UserName="u")
    key.attach_user_policy(UserName="u", PolicyArn="arn:aws:iam::aws:policy/AmazonBedrockFullAccess")
    token = key.create_service_specific_credential(UserName="u", ServiceName="bedrock.amazonaws.com")
    secret = token["ServiceSpecificCredential"]["ServiceCredentialSecret"]
    openai = OpenAI(base_url=f"{ephemeral.url}/openai/v1", api_key=secret)
    asked: Any = {"model": NOVA, "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 4}
    openai.chat.completions.create(**asked)
    assert list(openai.chat.completions.create(**asked, stream=True))
    until(lambda: shown(ephemeral, "craton_invocations", model=NOVA) == 2)
    first = families(ephemeral)["craton_time_to_first_token_seconds"].samples
    assert [one.value for one in first if one.name.endswith("_count")] == [1]


def test_pictures_are_counted(ephemeral: Running) -> None:
    """As many as the answer holds."""
    body = {"taskType": "TEXT_IMAGE", "textToImageParams": {"text": "a tree"},
            "imageGenerationConfig": {"numberOfImages": 2, "width": 512, "height": 512}}  # fmt: skip
    ephemeral.client("bedrock-runtime").invoke_model(modelId="amazon.nova-canvas-v1:0", body=json.dumps(body))
    until(lambda: shown(ephemeral, "craton_images") == 2)
