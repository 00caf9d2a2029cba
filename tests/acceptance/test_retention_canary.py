"""A day's worth of calls, and then a search for what was said in them: nothing of it may have stayed anywhere."""

from __future__ import annotations

import base64
import contextlib
import json
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest
from botocore.exceptions import ClientError

from tests.acceptance import rawhttp
from tests.acceptance.door_keys import short_term
from tests.acceptance.serving import CLAUDE, CLAUDE_2, GPT, converse_path
from tests.acceptance.test_door_media import CANVAS, PICTURE, TITAN
from tests.fakes import embedders, scripts
from tests.fakes import upstream as chat
from tests.fakes.upstream import FakeUpstream, Request
from tests.running import Running, model_config

LOCAL = "craton.chat-mini-v1:0"
# Written so that no part of Craton can hold it by chance; the reply has a word of its own.
PROMPT, REPLY = f"canary{secrets.token_hex(8)}", f"nightingale{secrets.token_hex(8)}"
TOOL = {
    "toolSpec": {"name": "look", "inputSchema": {"json": {"type": "object", "properties": {"q": {"type": "string"}}}}}
}
SAID = (ClientError, openai.APIError, anthropic.APIError)


def natural(request: Request) -> scripts.Script:
    """Every kind of vendor, each with the reply's word in what it says."""
    if "/images/" in request.path:
        return scripts.reply({"created": 1700000000, "data": [{"b64_json": PICTURE, "revised_prompt": REPLY}]})
    if request.path.endswith("/embeddings"):
        return embedders.natural(request)
    streams = b'"stream":true' in request.body.replace(b" ", b"")
    if request.path.endswith("/chat/completions"):
        return scripts.openai_stream([REPLY[:8], REPLY[8:]]) if streams else scripts.openai_reply(REPLY)
    if request.path.endswith("/messages"):
        return scripts.anthropic_stream([REPLY[:8], REPLY[8:]]) if streams else scripts.anthropic_reply(REPLY)
    return chat.natural(request)


@pytest.fixture(scope="module")
def up() -> Iterator[FakeUpstream]:
    with FakeUpstream(fallback=natural) as upstream:
        yield upstream


def config(up: FakeUpstream, more: str = "") -> str:
    closed = "http://127.0.0.1:9"  # nobody listens there
    return more + "".join(
        [
            model_config(CLAUDE, "anthropic", up.anthropic_url),
            model_config(GPT, "openai", up.openai_url),
            model_config(CLAUDE_2, "openai", closed),
            model_config(TITAN, "openai", up.openai_url, model="text-embedding-3-small"),
            model_config(CANVAS, "openai", up.openai_url, model="gpt-image-1"),
        ]
    )


def a_day(server: Running, up: FakeUpstream) -> int:
    """Calls of every kind, the good and the bad; how many."""
    done = 0
    for call in (*bedrock_calls(server), *door_calls(server), *bad_calls(server, up)):
        with contextlib.suppress(*SAID):
            call()
        done += 1
    return done


def bedrock_calls(server: Running) -> Iterator[Callable[[], Any]]:
    runtime, bedrock = server.client("bedrock-runtime"), server.client("bedrock")
    messages = [{"role": "user", "content": [{"text": PROMPT}]}]
    plain: dict[str, Any] = {"messages": messages, "system": [{"text": f"system {PROMPT}"}]}
    tools = {"toolConfig": {"tools": [TOOL]}}
    for model in (CLAUDE, GPT, CLAUDE_2):
        yield lambda model=model: runtime.converse(modelId=model, **plain)  # type: ignore[misc]
        yield lambda model=model: list(runtime.converse_stream(modelId=model, **plain)["stream"])  # type: ignore[misc]
        yield lambda model=model: runtime.converse(modelId=model, **plain, **tools)  # type: ignore[misc]
        yield lambda model=model: runtime.count_tokens(modelId=model, input={"converse": plain})  # type: ignore[misc]
    local = {"messages": messages, "inferenceConfig": {"maxTokens": 5}}
    yield lambda: runtime.converse(modelId=LOCAL, **local)
    yield lambda: list(runtime.converse_stream(modelId=LOCAL, **local)["stream"])
    native = {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": PROMPT}],
    }
    yield lambda: bytes(runtime.invoke_model(modelId=CLAUDE, body=json.dumps(native))["body"].read())
    yield lambda: list(runtime.invoke_model_with_response_stream(modelId=CLAUDE, body=json.dumps(native))["body"])
    yield lambda: runtime.invoke_model(modelId=TITAN, body=json.dumps({"inputText": PROMPT}))
    picture = {"taskType": "TEXT_IMAGE", "textToImageParams": {"text": PROMPT}}
    yield lambda: runtime.invoke_model(modelId=CANVAS, body=json.dumps(picture))
    document = {"document": {"format": "txt", "name": "notes", "source": {"bytes": PROMPT.encode()}}}
    yield lambda: runtime.converse(modelId=GPT, messages=[{"role": "user", "content": [{"text": "x"}, document]}])
    yield bedrock.list_foundation_models


def door_calls(server: Running) -> Iterator[Callable[[], Any]]:
    asks: Any = [{"role": "user", "content": PROMPT}]
    door = openai.OpenAI(base_url=server.url + "/openai/v1", api_key=short_term(), max_retries=0)
    yield lambda: door.chat.completions.create(model=CLAUDE, messages=asks)
    yield lambda: list(door.chat.completions.create(model=GPT, messages=asks, stream=True))
    yield lambda: door.responses.create(model=CLAUDE, input=PROMPT, store=True)
    yield lambda: list(door.responses.create(model=GPT, input=PROMPT, stream=True))
    yield lambda: door.embeddings.create(model=TITAN, input=PROMPT)
    yield lambda: door.images.generate(model=CANVAS, prompt=PROMPT)
    yield lambda: door.chat.completions.create(model=CLAUDE_2, messages=asks)
    other = anthropic.Anthropic(base_url=server.url + "/anthropic", api_key=short_term(), max_retries=0)
    yield lambda: other.messages.create(model=CLAUDE, max_tokens=9, messages=asks)
    yield lambda: list(other.messages.create(model=GPT, max_tokens=9, messages=asks, stream=True))
    yield lambda: other.messages.count_tokens(model=CLAUDE, messages=asks)


def bad_calls(server: Running, up: FakeUpstream) -> Iterator[Callable[[], Any]]:
    """Upstreams that fail with the prompt in their error, streams that break, requests that are none."""
    runtime = server.client("bedrock-runtime")
    messages = [{"role": "user", "content": [{"text": PROMPT}]}]
    echo = {"error": {"message": f"{PROMPT} {REPLY}", "type": "server_error", "code": REPLY}}
    ask = lambda: runtime.converse(modelId=GPT, messages=messages)  # noqa: E731
    flow = lambda: list(runtime.converse_stream(modelId=GPT, messages=messages)["stream"])  # noqa: E731
    for status in (400, 401, 404, 429, 500, 503):
        yield playing(up, scripts.reply(echo, status), ask)
    events = scripts.openai_events([REPLY])
    for broken in (scripts.cut_midstream(events), scripts.end_early(events), scripts.half_event(events)):
        yield playing(up, broken, flow)
    yield playing(up, scripts.plain(f"<html>{REPLY}</html>".encode()), ask)
    body = json.dumps({"messages": messages}).encode()
    for path, sent in (
        (converse_path(GPT), body[:-2]),
        (converse_path(GPT), body.replace(b'"text"', b'"words"')),
        (converse_path("no.such.model"), body),
        (converse_path(GPT, "invoke"), body),
        (f"/model/{PROMPT}/converse", body),
        (f"/nowhere/{PROMPT}?q={PROMPT}", body),
    ):
        yield lambda path=path, sent=sent: rawhttp.call(server, "POST", path, sent)  # type: ignore[misc]


def playing(up: FakeUpstream, script: scripts.Script, call: Callable[[], Any]) -> Callable[[], Any]:
    def run() -> Any:
        up.play(script)
        return call()

    return run


def found(home: Path) -> list[str]:
    """The files that hold a canary, in the clear or in base64."""
    words = [PROMPT.encode(), REPLY.encode()]
    words += [base64.b64encode(word)[4:-4] for word in words]
    return [
        f"{path.relative_to(home)}: {word!r}"
        for path in sorted(home.rglob("*"))
        if path.is_file()
        for content in (path.read_bytes(),)
        for word in words
        if word in content
    ]


def test_nothing_of_what_was_said_stays(up: FakeUpstream, tmp_path: Path) -> None:
    """No file of the home, no log of a model, no database, nothing the process printed; while it runs and after it."""
    more = "[retention]\nresponses = true\n[server]\nworkers = 2\n"
    with Running(tmp_path, config(up, more)) as server:
        assert a_day(server, up) > 45
        assert any(PROMPT.encode() in request.body for request in up.requests)
        server.client("bedrock").put_account_data_retention(mode="default")
        assert (tmp_path / "craton.db").exists()
        assert found(tmp_path) == []
        assert "Traceback" not in server.output()
    assert found(tmp_path) == []


def test_the_search_finds_what_was_recorded(up: FakeUpstream, tmp_path: Path) -> None:
    """Switched on, a recording holds both words: the search above would have seen them."""
    tape = f'record = "{tmp_path}/tape.jsonl"\nrecord_mode = "all"'
    with Running(tmp_path, model_config(GPT, "openai", up.openai_url, extra=tape)) as server:
        server.client("bedrock-runtime").converse(
            modelId=GPT, messages=[{"role": "user", "content": [{"text": PROMPT}]}]
        )
    assert {line.partition(":")[0] for line in found(tmp_path)} == {"tape.jsonl"}
    assert len(found(tmp_path)) == 2
