"""The AWS CLI, unmodified: from nothing to a role that may call two models, and the call."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from tests.acceptance.identities import HELLO, HOME_TRUST, LLAMA, MAY_INVOKE, NOVA, TITAN
from tests.acceptance.test_judge_awscli import AWS, FAILED
from tests.running import Running


def aws(server: Running, *words: str, keys: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run the CLI to its end; `keys` take the place of root's."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(server.home), **server.environment(), **(keys or {}),
                   "AWS_MAX_ATTEMPTS": "1", "AWS_PAGER": ""}  # fmt: skip
    return subprocess.run([str(AWS), *words], capture_output=True, text=True, env=environment, timeout=90, check=False)


def answer(done: subprocess.CompletedProcess[str]) -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) if done.stdout.strip() else None


def test_a_role_for_two_models(tmp_path: Path) -> None:
    """create-role, create-policy, attach, assume-role, converse; and the third model's refusal."""
    with Running(tmp_path / "home") as server:
        (tmp_path / "trust.json").write_text(HOME_TRUST)
        words = ("--role-name", "two", "--assume-role-policy-document", f"file://{tmp_path / 'trust.json'}")
        role = answer(aws(server, "iam", "create-role", *words, "--tags", "Key=team,Value=art"))["Role"]
        words = ("--policy-name", "two", "--policy-document", MAY_INVOKE)
        policy = answer(aws(server, "iam", "create-policy", *words))["Policy"]
        answer(aws(server, "iam", "attach-role-policy", "--role-name", "two", "--policy-arn", policy["Arn"]))
        listed = answer(aws(server, "iam", "list-attached-role-policies", "--role-name", "two"))
        assert listed["AttachedPolicies"] == [{"PolicyName": "two", "PolicyArn": policy["Arn"]}]
        shown = answer(aws(server, "iam", "get-role", "--role-name", "two"))["Role"]
        assert shown["AssumeRolePolicyDocument"] == json.loads(HOME_TRUST)
        words = ("--role-arn", role["Arn"], "--role-session-name", "cli")
        session = answer(aws(server, "sts", "assume-role", *words))["Credentials"]
        keys = {
            "AWS_ACCESS_KEY_ID": session["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": session["SecretAccessKey"],
            "AWS_SESSION_TOKEN": session["SessionToken"],
        }
        assert answer(aws(server, "sts", "get-caller-identity", keys=keys))["Arn"].endswith(":assumed-role/two/cli")
        ask = ("--messages", json.dumps(HELLO), "--inference-config", "maxTokens=3", "--model-id")
        for model in (NOVA, LLAMA):
            assert answer(aws(server, "bedrock-runtime", "converse", *ask, model, keys=keys))["usage"]["outputTokens"]
        denied = aws(server, "bedrock-runtime", "converse", *ask, TITAN, keys=keys)
        assert denied.returncode == FAILED
        assert "(AccessDeniedException)" in denied.stderr
        gone = aws(server, "iam", "get-user", "--user-name", "nobody")
        assert "(NoSuchEntity)" in gone.stderr
