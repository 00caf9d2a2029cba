"""Record through a whole server, then replay offline: every door, every operation, errors and all."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

import pytest
from botocore.exceptions import ClientError

from tests.acceptance import rawhttp
from tests.acceptance.serving import CLAUDE, GPT, HELLO
from tests.fakes import scripts
from tests.fakes.upstream import FakeUpstream
from tests.running import ACCESS_KEY, SECRET_KEY, Running, model_config

BODY = json.dumps(
    {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 9, "messages": [{"role": "user", "content": "Hello"}]}
)


def config(up: FakeUpstream, extra: str = "") -> str:
    return model_config(CLAUDE, "anthropic", up.anthropic_url, extra=extra) + model_config(
        GPT, "openai", up.openai_url, extra=extra
    )


def replaying(path: Path, extra: str = "") -> str:
    return "".join(
        f'[[model]]\nid = "{name}"\n[[model.target]]\nprovider = "replay"\ncassette = "{path}"\n{extra}\n'
        for name in (CLAUDE, GPT)
    )


def everything(server: Running) -> list[Any]:
    """What a program hears that asks in every way."""
    client = server.client("bedrock-runtime")
    heard: list[Any] = []
    for model in (CLAUDE, GPT):
        whole = client.converse(modelId=model, messages=HELLO, inferenceConfig={"maxTokens": 20})
        heard += [whole["output"], whole["usage"], whole["stopReason"]]
        stream = client.converse_stream(modelId=model, messages=HELLO)["stream"]
        heard += [event for event in stream if "metadata" not in event]
    native = client.invoke_model(modelId=CLAUDE, body=BODY)
    heard.append(json.loads(native["body"].read()))
    chunks = client.invoke_model_with_response_stream(modelId=CLAUDE, body=BODY)["body"]
    heard += [without_metrics(event["chunk"]["bytes"]) for event in chunks]
    with pytest.raises(ClientError) as caught:
        client.converse(modelId=CLAUDE, messages=[{"role": "user", "content": [{"text": "fail"}]}])
    return [*heard, caught.value.response["Error"]]


def without_metrics(chunk: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(chunk)
    found.pop("amazon-bedrock-invocationMetrics", None)
    return found


class Recording(Running):
    """`craton record` in the place of `craton serve`."""

    def __init__(self, home: Path, config: str, to: Path, *options: str) -> None:
        super().__init__(home, config, *options)
        self.to = to

    def __enter__(self) -> Self:
        self.home.mkdir(parents=True, exist_ok=True)
        (self.home / "test.toml").write_text(self.config)
        command = [sys.executable, "-m", "craton.cli.main", "record", "--to", str(self.to), "--port", "0"]
        command += ["--home", str(self.home), "--config", str(self.home / "test.toml"), *self.options]
        keys = {"CRATON_ROOT_ACCESS_KEY_ID": ACCESS_KEY, "CRATON_ROOT_SECRET_ACCESS_KEY": SECRET_KEY}
        self.log = (self.home / "server.log").open("w+b")
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log, env={**os.environ, **keys})
        self.url = self._wait()
        return self


def failing(up: FakeUpstream) -> FakeUpstream:
    """The vendor, overloaded where it is asked to fail."""
    well = up.fallback
    up.fallback = lambda request: scripts.error_anthropic(529) if b"fail" in request.body else well(request)
    return up


@pytest.mark.parametrize("how", ["target", "command"])
def test_what_was_recorded_is_replayed_offline(tmp_path: Path, how: str) -> None:
    """By `record` of a target and by `craton record`: the same answers, byte for byte where they are native."""
    path = tmp_path / "tour.jsonl"
    with FakeUpstream() as up:
        first = (
            Running(tmp_path / "one", config(failing(up), f'record = "{path}"'))
            if how == "target"
            else Recording(tmp_path / "one", config(failing(up)), path)
        )
        with first as server:
            heard = everything(server)
        assert len(up.requests) == 7
        headers = [value for request in up.requests for value in request.headers.values()]
    if how == "command":
        assert "Kept 7 calls in" in first.output()
        assert "1 error" in first.output()
    assert path.stat().st_mode & 0o777 == 0o600
    assert "authorization" not in path.read_text().lower()
    assert headers
    with Running(tmp_path / "two", replaying(path)) as server:
        assert everything(server) == heard


def test_one_model_may_be_recorded_alone(tmp_path: Path) -> None:
    """`--model` names it; what is there already is played, and no call is told twice."""
    path = tmp_path / "tour.jsonl"
    with FakeUpstream() as up, Recording(tmp_path / "one", config(up), path, "--model", GPT) as server:
        for model in (CLAUDE, GPT, GPT):
            server.client("bedrock-runtime").converse(modelId=model, messages=HELLO)
        assert server.stop() == 0
        assert "Kept 1 call in" in server.output()
        assert len(up.requests) == 2


def test_a_replay_answers_the_other_doors_and_forms(tmp_path: Path) -> None:
    """One recording of Converse serves ConverseStream, InvokeModel and the vendors' doors."""
    path = tmp_path / "c.jsonl"
    with FakeUpstream() as up, Running(tmp_path / "one", config(up, f'record = "{path}"')) as server:
        server.client("bedrock-runtime").converse(modelId=CLAUDE, messages=HELLO)
    with Running(tmp_path / "two", replaying(path, 'match_on = ["model", "messages"]')) as server:
        client = server.client("bedrock-runtime")
        native = json.loads(client.invoke_model(modelId=CLAUDE, body=BODY)["body"].read())
        assert native["content"] == [{"type": "text", "text": "Echo: Hello"}]
        chunks = client.invoke_model_with_response_stream(modelId=CLAUDE, body=BODY)["body"]
        texts = [json.loads(event["chunk"]["bytes"]).get("delta", {}).get("text", "") for event in chunks]
        assert "".join(texts) == "Echo: Hello"
        stream = list(client.converse_stream(modelId=CLAUDE, messages=HELLO)["stream"])
        assert "metadata" in stream[-1]
        door = {"model": CLAUDE, "max_tokens": 50, "messages": [{"role": "user", "content": "Hello"}]}
        answer = rawhttp.call(server, "POST", "/anthropic/v1/messages", json.dumps(door).encode())
        assert answer.json["content"][0]["text"] == "Echo: Hello"


def test_a_miss_tells_the_nearest_recording(tmp_path: Path) -> None:
    """An AWS error that SDKs do not retry, with the place and without the prompt."""
    path = tmp_path / "c.jsonl"
    with FakeUpstream() as up, Running(tmp_path / "one", config(up, f'record = "{path}"')) as server:
        server.client("bedrock-runtime").converse(modelId=CLAUDE, messages=HELLO)
    with Running(tmp_path / "two", replaying(path)) as server, pytest.raises(ClientError) as caught:
        other = [{"role": "user", "content": [{"text": "Hello, my secret friend"}]}]
        server.client("bedrock-runtime").converse(modelId=CLAUDE, messages=other)
    error = caught.value.response["Error"]
    assert error["Code"] == "ResourceNotFoundException"
    assert "begins at line 2; the differences: messages.0.content.0.text differs from character 5" in error["Message"]
    assert "friend" not in error["Message"]
    assert "friend" not in server.output()


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        ('provider = "replay"', "cassette is missing"),
        ('provider = "replay"\ncassette = "gone.jsonl"', "no such cassette"),
        ('provider = "script"', "rules is missing"),
        ('provider = "script"\nrules = "bad.toml"', "user is no regular expression"),
        ('provider = "local"\nrules = "bad.toml"', "rules belongs to the provider 'script'"),
        ('provider = "replay"\ncassette = "c"\nrecord = "d"', "record belongs to providers that ask somebody"),
        ('provider = "local"\nrecord = "d"\nmatch_on = ["prompt"]', "match_on takes"),
    ],
)
def test_a_mistake_ends_the_start(tmp_path: Path, lines: str, text: str) -> None:
    """With one line that names it; paths are seen from the configuration's folder."""
    (tmp_path / "bad.toml").write_text('[[rule]]\nuser = "("\nreply = "x"\n')
    with (
        pytest.raises(AssertionError, match=text),
        Running(tmp_path, f'[[model]]\nid = "x"\n[[model.target]]\n{lines}\n'),
    ):
        pass


def test_a_script_is_a_target(tmp_path: Path) -> None:
    """A rules file beside the configuration; a fault of the script takes no target out."""
    (tmp_path / "rules.toml").write_text(
        '[[rule]]\nuser = "boom"\nreply.error = { name = "ThrottlingException", retry_after_s = 60 }\n'
        '[[rule]]\nuser = "^(.*)$"\n[[rule.reply]]\ntext = "You said {1}."\n'
    )
    script = '[[model]]\nid = "my.bot"\n[[model.target]]\nprovider = "script"\nrules = "rules.toml"\n'
    with Running(tmp_path, script) as server:
        client = server.client("bedrock-runtime")
        for _ in range(7):
            with pytest.raises(ClientError, match="ThrottlingException"):
                client.converse(modelId="my.bot", messages=[{"role": "user", "content": [{"text": "boom"}]}])
        answer = client.converse(modelId="my.bot", messages=HELLO)
        assert answer["output"]["message"]["content"] == [{"text": "You said Hello."}]
        # The list of calls holds prompts: a lasting server shows it to nobody.
        assert rawhttp.call(server, "GET", "/craton/script/calls").status == 404
        assert server.stop(signal.SIGTERM) == 0
