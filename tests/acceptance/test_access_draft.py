"""`craton explain --draft` on a server with several workers: the calls of all of them are in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.acceptance.identities import allow, document, user_key, with_key
from tests.running import ACCESS_KEY, SECRET_KEY, Running

ACTIONS = {"bedrock:ListFoundationModels", "bedrock:ListInferenceProfiles", "bedrock:ListPromptRouters"}


def drafted(server: Running, arn: str) -> set[str]:
    command = [sys.executable, "-m", "craton.cli.main", "explain", "--draft", "--as", arn, "--json"]
    keys = {"CRATON_ROOT_ACCESS_KEY_ID": ACCESS_KEY, "CRATON_ROOT_SECRET_ACCESS_KEY": SECRET_KEY}
    done = subprocess.run(
        [*command, "--home", str(server.home)], capture_output=True, text=True, check=True, timeout=60,
        env={**os.environ, **keys},
    )  # fmt: skip
    policy: dict[str, Any] = json.loads(done.stdout)["policy"]
    return {action for statement in policy["Statement"] for action in statement["Action"]}


def test_a_draft_holds_the_calls_of_all_workers(tmp_path: Path) -> None:
    """Whichever worker is asked, and whichever took the calls, each over a connection of its own."""
    with Running(tmp_path / "home", "", "--workers", "3") as server:
        key = user_key(server, "program", document(allow("*")))
        for call in ("list_foundation_models", "list_inference_profiles", "list_prompt_routers"):
            getattr(with_key(server, key, "bedrock"), call)()
        arn = "arn:aws:iam::000000000000:user/program"
        end = time.monotonic() + 60
        seen: list[set[str]] = []
        while seen[-4:] != [ACTIONS] * 4:
            assert time.monotonic() < end, seen
            seen.append(drafted(server, arn))
