"""Streams are incremental: every piece leaves when it comes, and nothing waits for a fuller buffer."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator

import pytest
from botocore.eventstream import EventStreamBuffer

from tests.acceptance import rawhttp
from tests.acceptance.h2client import H2
from tests.acceptance.serving import CLAUDE, CLAUDE_2, GPT, HAIKU, HELLO, NOVA, TITAN, Served, converse_path, serving
from tests.fakes import scripts

PACE_S = 0.12
PIECES = ["one ", "two ", "three ", "four"]
BODY = json.dumps({"messages": HELLO}).encode()
NATIVE = {
    CLAUDE: {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "x"}],
    },
    CLAUDE_2: {"prompt": "\n\nHuman: x\n\nAssistant:", "max_tokens_to_sample": 9},
    TITAN: {"inputText": "x"},
    NOVA: {"messages": [{"role": "user", "content": [{"text": "x"}]}]},
    GPT: {"messages": [{"role": "user", "content": "x"}]},
}
NATIVE[HAIKU] = NATIVE[CLAUDE]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.fixture(autouse=True)
def _next_request_works(served: Served) -> Iterator[None]:
    yield
    served.check_alive()


def paced(model: str) -> scripts.Script:
    return (scripts.anthropic_stream if model == CLAUDE else scripts.openai_stream)(PIECES, PACE_S)


def assert_spread(arrived: list[float]) -> None:
    """The pieces came apart from each other, not in one lump at the end."""
    gaps = [later - earlier for earlier, later in itertools.pairwise(arrived)]
    assert len(arrived) == len(PIECES)
    assert sum(gap > PACE_S / 2 for gap in gaps) >= len(gaps) - 1, gaps


@pytest.mark.parametrize("model", [CLAUDE, GPT, HAIKU, TITAN])
def test_converse_stream_keeps_the_pace(served: Served, model: str) -> None:
    """Whatever the upstream's format, the deltas arrive one by one."""
    served.up.play(paced(model))
    arrived = []
    for event in served.client().converse_stream(modelId=model, messages=HELLO)["stream"]:
        if event.get("contentBlockDelta", {}).get("delta", {}).get("text"):
            arrived.append(time.monotonic())
    assert_spread(arrived)


@pytest.mark.parametrize("model", list(NATIVE))
def test_native_streams_keep_the_pace(served: Served, model: str) -> None:
    """Passed through or translated, native chunks arrive one by one too."""
    served.up.play(paced(model))
    arrived = []
    stream = served.client().invoke_model_with_response_stream(modelId=model, body=json.dumps(NATIVE[model]))["body"]
    for event in stream:
        if any(piece.strip().encode() in event["chunk"]["bytes"] for piece in PIECES):
            arrived.append(time.monotonic())
    assert_spread(arrived[: len(PIECES)])


def test_the_head_does_not_wait_for_the_end(served: Served) -> None:
    """Status and headers leave with the first piece."""
    served.up.play(scripts.hang_midstream(scripts.openai_events(["one "])[:2]))
    target = converse_path(GPT, "converse-stream")
    signed = rawhttp.sign("POST", served.server.url + target, BODY)
    with rawhttp.connect(served.server, 5) as sock:
        length = ("Content-Length", str(len(BODY)))
        sock.sendall(rawhttp.head(served.server, "POST", target, [*signed.items(), length]) + BODY)
        got = b""
        while b"contentBlockDelta" not in got:
            got += sock.recv(65536)
    assert got.startswith(b"HTTP/1.1 200")
    assert b"application/vnd.amazon.eventstream" in got


def test_many_streams_share_one_http2_connection(served: Served) -> None:
    """Three at once on one connection, each whole and in its own order."""
    served.up.play(*[scripts.openai_stream([f"{name}{at} " for at in range(5)], 0.02) for name in "abc"])
    with H2(served.server) as client:
        streams = [client.post(converse_path(GPT, "converse-stream"), BODY) for _ in "abc"]
        bodies = [client.read_until(stream) for stream in streams]
    texts = set()
    for stream, body in zip(streams, bodies, strict=True):
        assert client.heads[stream][":status"] == "200"
        buffer = EventStreamBuffer()
        buffer.add_data(body)
        payloads = [json.loads(message.payload) for message in buffer]
        texts.add("".join(payload["delta"]["text"] for payload in payloads if "delta" in payload))
    assert texts == {"".join(f"{name}{at} " for at in range(5)) for name in "abc"}
