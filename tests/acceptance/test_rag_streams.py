"""RetrieveAndGenerateStream: events in their order, faults behind the first byte, and a client that leaves."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from botocore.exceptions import EventStreamError

from tests.acceptance import rawhttp
from tests.acceptance.answering import Library, parts
from tests.acceptance.identities import refused
from tests.acceptance.serving import CLAUDE
from tests.fakes import scripts

ANSWER = "The Aurora pump costs 240 dollars [[1]].\n\nIt is nice. Its warranty lasts 36 months[[1]] Bye"
SOON_S = 1.0


@pytest.mark.parametrize("size", [1, 4, 1000])
def test_a_stream_says_what_the_whole_says(shelf: Library, size: int) -> None:
    """The same text without a trace of marks, and the same citations, each directly behind its text."""
    whole = shelf.ask("What does the Aurora pump cost?", ANSWER, results=2)
    pieces = [ANSWER[at : at + size] for at in range(0, len(ANSWER), size)]
    _, events = shelf.stream("What does the Aurora pump cost?", *pieces, results=2)
    seen, cited = "", []
    for event in events:
        if "output" in event:
            seen += event["output"]["text"]
            continue
        part = event["citation"]
        assert part["citation"] == {name: part[name] for name in ("generatedResponsePart", "retrievedReferences")}
        cited.append(part["citation"])
        if part["retrievedReferences"]:
            assert seen.endswith(part["generatedResponsePart"]["textResponsePart"]["text"])
    assert seen == whole["output"]["text"]
    assert parts({"output": {"text": seen}, "citations": cited}) == parts(whole)


def test_nothing_found_is_a_stream_too(shelf: Library) -> None:
    """Without asking the model."""
    _, events = shelf.stream("Cost?", where={"equals": {"key": "kind", "value": "nowhere"}})
    assert [next(iter(event)) for event in events] == ["output", "citation"]
    assert events[0]["output"]["text"] == "Sorry, I am unable to assist you with this request."
    assert shelf.served.up.requests == []


def test_what_fails_before_the_first_byte(shelf: Library) -> None:
    """It is an ordinary error."""
    with refused("ValidationException", 400, "model identifier"):
        shelf.stream("Cost?", model="no.such-model")
    shelf.served.up.scripts.clear()
    shelf.served.up.play(scripts.error_openai(500))
    with refused("DependencyFailedException", 424):
        shelf.runtime.retrieve_and_generate_stream(
            input={"text": "Cost?"}, retrieveAndGenerateConfiguration=shelf.config()
        )


def test_what_fails_behind_the_first_byte(shelf: Library) -> None:
    """It is the stream's last event; what was said stays said."""
    shelf.served.up.scripts.clear()
    shelf.served.up.play(scripts.cut_midstream(scripts.anthropic_events(["The Aurora pump", " costs"])[:6]))
    answer = shelf.runtime.retrieve_and_generate_stream(
        input={"text": "Cost?"}, retrieveAndGenerateConfiguration=shelf.config()
    )
    seen: list[Any] = []
    with pytest.raises(EventStreamError, match="dependencyFailedException|badGatewayException"):
        seen.extend(answer["stream"])
    shelf.served.up.scripts.clear()


def test_a_client_that_leaves_ends_the_upstream(shelf: Library) -> None:
    """Within a second, though the model is silent; and the conversation can be gone on with."""
    body = json.dumps({"input": {"text": "Cost?"}, "retrieveAndGenerateConfiguration": shelf.config(CLAUDE)}).encode()
    target = "/retrieveAndGenerateStream"
    server = shelf.served.server
    signed = rawhttp.sign("POST", server.url + target, body)
    shelf.served.up.scripts.clear()
    shelf.served.up.requests.clear()
    shelf.served.up.play(scripts.hang_midstream(scripts.anthropic_events(["The Aurora pump", " costs"])[:6]))
    with rawhttp.connect(server) as sock:
        sock.sendall(rawhttp.head(server, "POST", target, [*signed.items(), ("Content-Length", str(len(body)))]) + body)
        got = b""
        while b":event-type" not in got:
            got += sock.recv(65536)
    left_at = time.monotonic()
    shelf.served.up.wait(lambda up: up.requests and up.requests[-1].closed_at is not None)
    assert shelf.served.up.requests[-1].closed_at - left_at < SOON_S
    head = got.partition(b"\r\n\r\n")[0].decode()
    session = next(
        line.partition(": ")[2]
        for line in head.splitlines()
        if line.startswith("x-amzn-bedrock-knowledge-base-session-id")
    )
    assert shelf.ask("Cost?", "240.", session=session)["sessionId"] == session
