"""A judge's program as the tests hold it: a process beside a server whose vendor can be told what to say.

    with judging(home, "judge_strands.py") as judge:
        judge.up.play(scripts.error_anthropic(429))
        failed = judge.fails("text", model=CLAUDE)

The process starts once for a module, since importing such clients takes seconds; each test asks it for scenarios.
"""

from __future__ import annotations

import json
import os
import selectors
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.acceptance.clients import competent
from tests.acceptance.serving import Served, serving
from tests.fakes.upstream import FakeUpstream

HERE = Path(__file__).parent
TOOLS = HERE.parents[2] / ".tools"
ANSWER_TIMEOUT_S = 90.0

# Models whose answers follow a schema on Bedrock, and those that are no chat models: id → provider.
SONNET = "anthropic.claude-sonnet-4-5-20250929-v1:0"
SONNET_PROFILE = "us." + SONNET
HAIKU_45 = "anthropic.claude-haiku-4-5-20251001-v1:0"  # an OpenAI-compatible server in its place
HAIKU_45_PROFILE = "us." + HAIKU_45
TITAN_EMBED = "amazon.titan-embed-text-v2:0"
COHERE_EMBED = "cohere.embed-english-v3"
COHERE_RERANK = "cohere.rerank-v3-5:0"
ALSO = {SONNET: "anthropic", HAIKU_45: "openai", TITAN_EMBED: "openai", COHERE_EMBED: "openai", COHERE_RERANK: "openai"}


def command(script: str) -> list[str]:
    """How a script starts: by node, or in the judges' Python."""
    if script.endswith(".mjs"):
        return ["node", str(HERE / script)]
    return [str(TOOLS / "judges" / "bin" / "python"), "-W", "ignore", str(HERE / script)]


def environment(served: Served) -> dict[str, str]:
    """What a user has after `eval "$(craton env)"`, and nothing of this machine's own settings."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(served.server.home),
        **served.server.environment(),
        "AWS_MAX_ATTEMPTS": "1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "CLIENTS_ROOT": str(TOOLS / "js"),
        "NODE_NO_WARNINGS": "1",
        "PYTHONPATH": str(HERE),
        # Each of these clients would otherwise call home or fetch a table from the network.
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LANGCHAIN_TRACING_V2": "false",
        "OTEL_SDK_DISABLED": "true",
    }


@dataclass
class Judge:
    """The process, the server and the vendor."""

    process: subprocess.Popen[str]
    served: Served

    @property
    def up(self) -> FakeUpstream:
        return self.served.up

    def play(self, name: str, **arguments: Any) -> dict[str, Any]:
        """What the program said of this scenario. Raises AssertionError if it says nothing."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"name": name, "arguments": arguments}) + "\n")
        self.process.stdin.flush()
        with selectors.DefaultSelector() as ready:
            ready.register(self.process.stdout, selectors.EVENT_READ)
            assert ready.select(ANSWER_TIMEOUT_S), f"{name} did not end"
        line = self.process.stdout.readline()
        assert line, f"the program ended with {self.process.wait(10)} in {name}"
        answer: dict[str, Any] = json.loads(line)
        return answer

    def value(self, name: str, **arguments: Any) -> Any:
        """What the scenario gave; it must not fail."""
        answer = self.play(name, **arguments)
        assert "value" in answer, f"{answer}\n{self.served.server.output()[-2000:]}"
        return answer["value"]

    def fails(self, name: str, **arguments: Any) -> dict[str, Any]:
        """What was raised; it must fail."""
        answer = self.play(name, **arguments)
        assert "error" in answer, answer
        return answer

    def sent(self) -> dict[str, Any]:
        """The body of the last request that reached the vendor."""
        return self.served.sent()

    def begin(self) -> None:
        """Forget what an earlier test left."""
        self.up.scripts.clear()
        self.up.requests.clear()


@contextmanager
def serving_competently(home: Path, config: str = "", also: Mapping[str, str] | None = None) -> Iterator[Served]:
    """A server whose vendor behaves as a good model does: it calls tools, follows schemas, embeds."""
    with serving(home, config, also={**ALSO, **(also or {})}) as served:
        served.up.fallback = competent.natural
        yield served


@contextmanager
def judging(home: Path, script: str, config: str = "", also: Mapping[str, str] | None = None) -> Iterator[Judge]:
    """The program of `script`, ready for scenarios."""
    with serving_competently(home, config, also) as served, (home / "judge.log").open("w") as log:
        process = subprocess.Popen(
            command(script),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=environment(served),
        )
        try:
            yield Judge(process, served)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
