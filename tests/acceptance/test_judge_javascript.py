"""The AWS SDK for JavaScript v3, unmodified and with its default client: HTTP/2 by prior knowledge on the clear port."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.relay import Relay
from tests.acceptance.serving import CLAUDE, CLAUDE_2, HAIKU, Served, serving
from tests.fakes import scripts
from tests.running import Running

ROOT = Path(__file__).parents[2]
SCRIPT = Path(__file__).parent / "clients" / "judge.mjs"
PREFACE = b"PRI * HTTP/2.0\r\n"
TOOLS = {
    "tools": [
        {
            "toolSpec": {
                "name": "get_weather",
                "inputSchema": {"json": {"type": "object", "properties": {"city": {"type": "string"}}}},
            }
        }
    ]
}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.fixture(autouse=True)
def _fresh(served: Served) -> None:
    served.up.scripts.clear()
    served.up.requests.clear()


def run(
    served: Served | Running, *names: str, model: str = CLAUDE, url: str = "", **scenario: Any
) -> list[dict[str, Any]]:
    """Run scenarios of the script; one result per name."""
    server = served.server if isinstance(served, Served) else served
    environment = {
        "PATH": os.environ["PATH"],
        **server.environment(),
        "CLIENTS_ROOT": str(ROOT / ".tools" / "js"),
        "SCENARIO": json.dumps({"modelId": model, **scenario}),
        "MAX_ATTEMPTS": "1",
        "NODE_NO_WARNINGS": "1",
    }
    if url:
        environment["AWS_ENDPOINT_URL"] = url
    done = subprocess.run(
        ["node", str(SCRIPT), *names], capture_output=True, text=True, env=environment, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_the_default_client_speaks_http2_on_the_clear_port(served: Served) -> None:
    """Nothing is configured, so every byte to bedrock-runtime begins with HTTP/2's preface, and it works."""
    with Relay(served.server.port) as relay:
        converse, stream, invoke = run(served, "converse", "converseStream", "invoke", model=CLAUDE_2, url=relay.url)
    assert converse["value"]["output"]["message"]["content"] == [{"text": "Echo: Hello"}]
    assert stream["value"]
    assert invoke["value"]["completion"].strip() == "Echo: Hello"
    assert converse["protocol"] == "h2"
    assert relay.firsts
    assert set(relay.firsts) == {PREFACE}


def test_converse_gives_what_programs_read(served: Served) -> None:
    """Text, stop reason, usage and latency, as the numbers that the SDK's deserializer demands."""
    (reply,) = run(served, "converse")
    value = reply["value"]
    assert value["stopReason"] == "end_turn"
    assert value["usage"] == {"inputTokens": 11, "outputTokens": 5, "totalTokens": 16}
    assert isinstance(value["metrics"]["latencyMs"], int)
    assert value["status"] == 200


def test_the_model_in_the_box_answers(server: Running) -> None:
    """With nothing configured a stand-in answers, whole and as a stream."""
    converse, stream = run(server, "converse", "converseStream")
    assert converse["value"]["output"]["message"]["content"][0]["text"].strip()
    assert "metadata" in stream["value"][-1]["event"]


def test_a_stream_arrives_piece_by_piece(served: Served) -> None:
    """Events reach the program with the vendor's own pauses between them, over HTTP/2 as well."""
    served.up.play(scripts.anthropic_stream(["one ", "two ", "three"], pace_s=0.15))
    (reply,) = run(served, "converseStream")
    deltas = [row for row in reply["value"] if "contentBlockDelta" in row["event"]]
    assert "".join(row["event"]["contentBlockDelta"]["delta"]["text"] for row in deltas) == "one two three"
    assert deltas[-1]["at"] - deltas[0]["at"] >= 200
    assert "metadata" in reply["value"][-1]["event"]


def test_invoke_model_streams_native_chunks(served: Served) -> None:
    """The SDK decodes each chunk's bytes; the last one carries the metrics."""
    (reply,) = run(served, "invokeStream", model=CLAUDE_2)
    chunks = reply["value"]
    assert "".join(chunk["completion"] for chunk in chunks).strip() == "Echo: Hello"
    assert chunks[-1]["amazon-bedrock-invocationMetrics"]["outputTokenCount"] == 5


def test_a_tool_call_is_an_object(served: Served) -> None:
    """The tool's input arrives as a document, not as text."""
    block = {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Paris"}}
    served.up.play(scripts.reply(scripts.anthropic_message("", "tool_use", [block])))
    (reply,) = run(served, "converse", tools=TOOLS)
    assert reply["value"]["stopReason"] == "tool_use"
    assert reply["value"]["output"]["message"]["content"][0]["toolUse"]["input"] == {"city": "Paris"}
    assert served.sent()["tools"][0]["name"] == "get_weather"


def test_a_tool_call_streams(served: Served) -> None:
    """The start names the tool, the deltas add up to its input."""
    served.up.play(scripts.event_stream(scripts.openai_tool_events("get_weather", ['{"city":', '"Paris"}'])))
    (reply,) = run(served, "converseStream", model=HAIKU, tools=TOOLS)
    events = [row["event"] for row in reply["value"]]
    starts = [event["contentBlockStart"]["start"] for event in events if "contentBlockStart" in event]
    assert starts[0]["toolUse"]["name"] == "get_weather"
    pieces = [
        event["contentBlockDelta"]["delta"]["toolUse"]["input"] for event in events if "contentBlockDelta" in event
    ]
    assert json.loads("".join(pieces)) == {"city": "Paris"}


@pytest.mark.parametrize(
    ("status", "name", "http"),
    [(400, "ValidationException", 400), (429, "ThrottlingException", 429), (529, "ServiceUnavailableException", 503)],
)
def test_errors_have_their_class(served: Served, status: int, name: str, http: int) -> None:
    """The class that the SDK throws is the modelled one, with its status."""
    served.up.play(scripts.error_anthropic(status))
    (reply,) = run(served, "converse")
    assert (reply["error"], reply["status"]) == (name, http)


def test_an_unknown_model_is_a_validation_exception(served: Served) -> None:
    """Bedrock's own words reach the program."""
    (reply,) = run(served, "converse", model="nobody.no-model-v1:0")
    assert (reply["error"], reply["message"]) == ("ValidationException", "The provided model identifier is invalid.")


def test_a_stream_that_breaks_throws_its_exception(served: Served) -> None:
    """An exception event becomes the modelled error, thrown out of the loop over the stream."""
    served.up.play(scripts.cut_midstream(scripts.anthropic_events(["one ", "two "])[:4]))
    (reply,) = run(served, "converseStream")
    assert reply["error"] == "ModelStreamErrorException"


def test_a_program_that_leaves_a_stream_closes_the_upstream(served: Served) -> None:
    """Aborting resets the HTTP/2 stream alone, and still the vendor is left within a second or so."""
    event = scripts.anthropic_events(["one "])
    served.up.play(scripts.hang_midstream(event[:4]))
    (reply,) = run(served, "leaveStream")
    assert reply.get("value") == "left", reply
    ended = time.monotonic()
    closed_at = served.up.requests[0].closed_at
    assert closed_at is not None
    assert closed_at < ended - 0.5, "it was the end of the process that closed it"


def test_foundation_models_are_listed(served: Served) -> None:
    """The control plane's client works with the same environment."""
    (reply,) = run(served, "list")
    assert CLAUDE in reply["value"]
    assert all(name.startswith("anthropic.") for name in reply["value"])
