"""Functions with the AWS CLI, as docs/lambda.md has it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.acceptance.functions import ECHO, make_role, zipped
from tests.running import Running

TOOLS = Path(__file__).resolve().parents[2] / ".tools" / "awscli" / "bin" / "aws"
AWS = str(TOOLS) if TOOLS.exists() else shutil.which("aws")


@pytest.mark.skipif(AWS is None, reason="the AWS CLI is not installed")
def test_a_function_is_made_and_invoked(server: Running, tmp_path: Path) -> None:
    """create-function with a file, wait, invoke into a file, list, delete."""
    role = make_role(server, "cli-runs")
    (tmp_path / "code.zip").write_bytes(zipped({"app.py": ECHO}))

    def aws(*words: str) -> str:
        command = [str(AWS), "lambda", *words, "--output", "json"]
        environment = {**os.environ, **server.environment(), "AWS_PAGER": ""}
        done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    aws(
        "create-function", "--function-name", "by-cli", "--runtime", "python3.11", "--handler", "app.handler",
        "--role", role, "--zip-file", "fileb://code.zip",
    )  # fmt: skip
    aws("wait", "function-active-v2", "--function-name", "by-cli")
    (tmp_path / "in.json").write_text('{"a": 1}')
    aws("invoke", "--function-name", "by-cli", "--payload", "fileb://in.json", "out.json")
    assert json.loads((tmp_path / "out.json").read_text()) == {"a": 1}
    assert "by-cli" in aws("list-functions")
    aws("delete-function", "--function-name", "by-cli")
