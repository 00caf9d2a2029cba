"""The pytest plugin as people use it: in sessions of their own, alone and under xdist."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from craton.cli.testing_script import CratonScript
from craton.cli.testing_server import CratonServer, Refusal
from tests.acceptance import rawhttp
from tests.acceptance.serving import CLAUDE, HELLO

pytest_plugins = ["pytester"]
EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "testing"
PLUGIN = ("-p", "craton.cli.pytest_plugin", "-p", "no:cacheprovider")


@pytest.fixture
def session(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A folder for a session that has this plugin and no other."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("AWS_PROFILE", "not-there")
    return pytester


def run(session: pytest.Pytester, *options: str) -> pytest.RunResult:
    return session.runpytest_subprocess(*PLUGIN, *options, timeout=120)


@pytest.mark.parametrize(
    ("options", "passed"), [((), 9), (("-p", "xdist", "-n", "2", "test_weather.py"), 6)], ids=["alone", "xdist"]
)
def test_the_examples_pass(session: pytest.Pytester, options: tuple[str, ...], passed: int) -> None:
    """A plain boto3 program and a LangChain program, as the manual has them."""
    shutil.copytree(EXAMPLES, session.path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    run(session, *options).assert_outcomes(passed=passed)


def test_each_test_begins_anew(session: pytest.Pytester) -> None:
    """Rules, calls, keys and the environment of one test do not reach the next."""
    session.makepyfile(
        """
        import os, boto3
        HELLO = [{"role": "user", "content": [{"text": "Hello"}]}]

        def ask():
            return boto3.client("bedrock-runtime").converse(modelId="craton.chat-mini-v1:0", messages=HELLO)

        def test_one(craton_script):
            craton_script.default("scripted")
            assert ask()["output"]["message"]["content"] == [{"text": "scripted"}]
            assert len(craton_script.calls) == 1

        def test_two(craton_script):
            assert craton_script.calls == []
            craton_script.passthrough()
            assert ask()["output"]["message"]["content"][0]["text"] != "scripted"
            assert [call.rule for call in craton_script.calls] == ["pass"]

        def test_three(craton_server, bedrock):
            assert os.environ["AWS_ENDPOINT_URL"] == craton_server.url
            assert bedrock("bedrock").list_foundation_models()["modelSummaries"]
            assert ask()["usage"]["outputTokens"] > 0

        def test_four():
            assert "AWS_ENDPOINT_URL" not in os.environ
            assert os.environ["AWS_PROFILE"] == "not-there"
        """
    )
    run(session).assert_outcomes(passed=4)


def test_a_marker_records_once_and_plays_after(session: pytest.Pytester) -> None:
    """The first run asks the model behind, the second is answered from the file and can be forbidden to record."""
    session.makepyfile(
        """
        import boto3, pytest

        def ask(text):
            messages = [{"role": "user", "content": [{"text": text}]}]
            return boto3.client("bedrock-runtime").converse(modelId="anthropic.claude-v2", messages=messages)

        @pytest.mark.craton_cassette("hello.jsonl")
        def test_named(craton_cassette):
            ask("Hello")
            print("played", craton_cassette.played, "recorded", craton_cassette.recorded)

        @pytest.mark.craton_cassette
        def test_unnamed():
            ask("Hi")
        """
    )
    run(session, "--craton-record=none").assert_outcomes(errors=2)
    first = run(session, "-s")
    first.assert_outcomes(passed=2)
    first.stdout.fnmatch_lines(["*played 0 recorded 1*"])
    kept = {path.name for path in (session.path / "cassettes").iterdir()}
    assert kept == {"hello.jsonl", "test_unnamed.jsonl"}
    again = run(session, "-s", "--craton-record=none")
    again.assert_outcomes(passed=2)
    again.stdout.fnmatch_lines(["*played 1 recorded 0*"])


def test_recordings_that_nobody_asked_for_can_fail_a_test(session: pytest.Pytester) -> None:
    """`all_played` finds stale cassettes."""
    cassettes = session.path / "cassettes"
    shutil.copytree(EXAMPLES / "cassettes", cassettes)
    session.makepyfile(
        """
        import pytest

        @pytest.mark.craton_cassette("weather.jsonl", all_played=True)
        def test_it():
            pass
        """
    )
    outcome = run(session)
    outcome.assert_outcomes(passed=1, errors=1)
    outcome.stdout.fnmatch_lines(["*recordings that were not asked for:*lines 2, 5*"])


def test_the_plugin_is_light(session: pytest.Pytester) -> None:
    """A session that does not use it loads neither boto3 nor the server."""
    session.makepyfile(
        """
        import sys

        def test_it():
            loaded = {name for name in sys.modules if name.startswith("craton.") or name in ("boto3", "msgspec")}
            assert loaded <= {"craton.cli", "craton.cli.pytest_plugin"}
        """
    )
    run(session).assert_outcomes(passed=1)


# --- the server that the fixtures stand on ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CratonServer]:
    with CratonServer(tmp_path_factory.mktemp("cassettes")) as running:
        yield running


def test_a_reset_takes_no_time(server: CratonServer) -> None:
    """With rules and calls to forget: a tenth of a second is the promise."""
    script = CratonScript(server)
    took = [1.0]
    while min(took) >= 0.1 and len(took) < 100:  # on a busy machine one in a hundred is not disturbed
        script.on("x").reply("y")
        server.client().converse(modelId=CLAUDE, messages=[{"role": "user", "content": [{"text": "x"}]}])
        begin = time.monotonic()
        server.reset()
        took.append(time.monotonic() - begin)
        assert script.calls == []
    assert min(took) < 0.1


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([("Content-Type", "application/json")], 200),
        ([("Content-Type", "text/plain")], 400),
        ([("Content-Type", "application/json"), ("Origin", "http://evil.example")], 403),
    ],
)
def test_a_web_page_cannot_steer_it(server: CratonServer, headers: list[tuple[str, str]], status: int) -> None:
    """A page in a browser of this machine comes from loopback, too."""
    body = b'{"rule":[]}'
    sent = [*headers, ("Content-Length", str(len(body)))]
    answer = rawhttp.exchange(server, rawhttp.head(server, "POST", "/craton/script/rules", sent) + body)
    assert answer.status == status


@pytest.mark.parametrize("name", ["../up.jsonl", "/etc/x.jsonl", "c.txt"])
def test_a_cassette_lies_where_cassettes_lie(server: CratonServer, name: str) -> None:
    """An unsigned caller cannot have the server write anywhere else."""
    with pytest.raises(Refusal, match="a cassette is a file"):
        server.call("PUT", "/craton/cassette", {"path": str(server._cassettes / name), "mode": "once"})


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"rule": [{"usr": "x", "reply": "y"}]}, "usr"),
        ({"rule": [{"user": "(", "reply": "y"}]}, "regular"),
        ([], "object"),
    ],
)
def test_a_wrong_rule_says_what_is_wrong(server: CratonServer, value: object, text: str) -> None:
    """At once, where the test wrote it."""
    with pytest.raises(Refusal, match=text):
        server.call("POST", "/craton/script/rules", value)


def test_a_script_tells_that_it_stood_in(server: CratonServer) -> None:
    """In the header that names a stand-in, there is the script."""
    server.reset()
    CratonScript(server).default("x")
    answer = server.client().converse(modelId=CLAUDE, messages=HELLO)
    assert answer["ResponseMetadata"]["HTTPHeaders"]["x-craton-standin"] == "script"


def test_several_workers_say_that_they_cannot(tmp_path: Path) -> None:
    """Rather than let one of them have the rules."""
    from tests.running import Running

    with Running(tmp_path, "", "--ephemeral", "--workers", "2") as running:
        request = [("Content-Length", "0")]
        answer = rawhttp.exchange(running, rawhttp.head(running, "GET", "/craton/script/calls", request))
        assert answer.status == 409
        assert "--workers 1" in json.loads(answer.body)["message"]


def test_the_server_ends_with_its_session(tmp_path: Path) -> None:
    """Nothing is left behind."""
    with CratonServer(tmp_path) as running:
        process = running._process
        assert process is not None
    assert process.returncode == 0
