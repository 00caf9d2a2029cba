"""The AWS CLI, unmodified, with the environment that `craton env` gives."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.serving import CLAUDE, CLAUDE_2, HELLO, Served, serving
from tests.fakes import scripts
from tests.running import Running

AWS = Path(__file__).parents[2] / ".tools" / "awscli" / "bin" / "aws"
FAILED = 255  # the exit status of the CLI's version 1 for an error that the service answered


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.fixture(autouse=True)
def _fresh(served: Served) -> None:
    served.up.scripts.clear()
    served.up.requests.clear()


def aws(served: Served | Running, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the CLI to its end, without retries and without this machine's own settings."""
    server = served.server if isinstance(served, Served) else served
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(server.home),
        **server.environment(),
        "AWS_MAX_ATTEMPTS": "1",
        "AWS_PAGER": "",
    }
    return subprocess.run([str(AWS), *words], capture_output=True, text=True, env=environment, timeout=90, check=False)


def answer(done: subprocess.CompletedProcess[str]) -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_list_foundation_models(served: Served) -> None:
    """The catalog, narrowed by the CLI's own filters and queries."""
    words = ("bedrock", "list-foundation-models", "--by-provider", "anthropic", "--query", "modelSummaries[].modelId")
    assert CLAUDE in answer(aws(served, *words))


def test_converse(served: Served) -> None:
    """A conversation from the shell: shorthand in, JSON out."""
    reply = answer(
        aws(
            served,
            *(
                "bedrock-runtime",
                "converse",
                "--model-id",
                CLAUDE,
                "--inference-config",
                "maxTokens=50,temperature=0.5",
            ),
            *("--messages", json.dumps(HELLO), "--system", "text=Be brief"),
        )
    )
    assert reply["output"]["message"]["content"] == [{"text": "Echo: Hello"}]
    assert reply["usage"] == {"inputTokens": 11, "outputTokens": 5, "totalTokens": 16}
    assert served.sent()["max_tokens"] == 50
    assert "Be brief" in json.dumps(served.sent()["system"])


def test_converse_with_the_model_in_the_box(server: Running) -> None:
    """The same with nothing configured: a stand-in answers in Claude's place."""
    words = ("--model-id", CLAUDE, "--messages", json.dumps(HELLO), "--inference-config", "maxTokens=20")
    reply = answer(aws(server, "bedrock-runtime", "converse", *words))
    assert reply["output"]["message"]["content"][0]["text"].strip()
    assert reply["usage"]["outputTokens"] > 0


def test_converse_with_a_tool(served: Served) -> None:
    """Tools go in as JSON and their calls come out with an object as input."""
    block = {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Paris"}}
    served.up.play(scripts.reply(scripts.anthropic_message("", "tool_use", [block])))
    tools = {"tools": [{"toolSpec": {"name": "get_weather", "inputSchema": {"json": {"type": "object"}}}}]}
    words = ("--model-id", CLAUDE, "--messages", json.dumps(HELLO), "--tool-config", json.dumps(tools))
    reply = answer(aws(served, "bedrock-runtime", "converse", *words))
    assert reply["stopReason"] == "tool_use"
    assert reply["output"]["message"]["content"][0]["toolUse"]["input"] == {"city": "Paris"}


def test_invoke_model_writes_the_body_to_a_file(served: Served, tmp_path: Path) -> None:
    """A native body goes as it stands, and the native reply lies in the file it names."""
    body = json.dumps({"prompt": "\n\nHuman: Hello\n\nAssistant:", "max_tokens_to_sample": 20})
    out = tmp_path / "reply.json"
    words = ("--model-id", CLAUDE_2, "--body", body, str(out))
    done = aws(served, "bedrock-runtime", "invoke-model", *words)
    assert answer(done)["contentType"] == "application/json"
    assert json.loads(out.read_bytes())["completion"].strip() == "Echo: Hello"


def test_count_tokens(served: Served) -> None:
    """The count is the upstream's own."""
    words = ("--model-id", CLAUDE, "--input", json.dumps({"converse": {"messages": HELLO}}))
    assert answer(aws(served, "bedrock-runtime", "count-tokens", *words)) == {"inputTokens": 42}


def test_an_error_ends_the_cli_with_its_status(served: Served) -> None:
    """The CLI names the exception, repeats Bedrock's words and fails."""
    done = aws(served, "bedrock-runtime", "converse", "--model-id", "nobody.none", "--messages", json.dumps(HELLO))
    assert done.returncode == FAILED
    assert "(ValidationException)" in done.stderr
    assert "The provided model identifier is invalid." in done.stderr


def test_a_throttled_call_is_named_so(served: Served) -> None:
    """The vendor's 429 is a ThrottlingException in the shell too."""
    served.up.play(scripts.error_anthropic(429))
    done = aws(served, "bedrock-runtime", "converse", "--model-id", CLAUDE, "--messages", json.dumps(HELLO))
    assert done.returncode == FAILED
    assert "(ThrottlingException)" in done.stderr


def test_an_operation_that_is_not_built_says_so(served: Served) -> None:
    """No made-up success: the modelled error names the operation."""
    done = aws(served, "bedrock", "list-guardrails")
    assert done.returncode == FAILED
    assert "ListGuardrails is not implemented" in done.stderr
