"""A budget that refuses, in a whole server with two workers, before and after a restart."""

from __future__ import annotations

import time
import urllib.request
from pathlib import Path

from botocore.exceptions import ClientError

from tests.acceptance.identities import HELLO, LLAMA, NOVA
from tests.fakes.upstream import FakeUpstream
from tests.running import Running, model_config

BUDGET = f"""
[[budget]]
name = "little"
amount = 0.000001
action = "refuse"
model = "{NOVA}"
"""


def refusal(server: Running) -> str:
    """What a conversation through a connection of its own was refused with, "" for an answer."""
    try:
        server.client("bedrock-runtime").converse(modelId=NOVA, messages=HELLO)
    except ClientError as error:
        return str(error)
    return ""


def test_a_budget_refuses(tmp_path: Path) -> None:
    """Within seconds, in every worker and after a restart; what it is not of is served on."""
    with FakeUpstream() as up:
        config = model_config(NOVA, "openai", up.openai_url) + model_config(LLAMA, "openai", up.openai_url) + BUDGET
        with Running(tmp_path, config, "--workers", "2") as server:
            end, refused = time.monotonic() + 20, 0
            while refused < 8:
                assert time.monotonic() < end
                error = refusal(server)
                refused = refused + 1 if error else 0
                assert not error or "ThrottlingException" in error
                assert not error or "The budget little for this month is used up." in error
                time.sleep(0 if error else 0.2)
            server.client("bedrock-runtime").converse(modelId=LLAMA, messages=HELLO)
            with urllib.request.urlopen(f"{server.url}/metrics") as page:
                assert b'craton_budget_spent{budget="little"}' in page.read()
        asked = len(up.requests)
        with Running(tmp_path, config) as server:
            time.sleep(0.5)
            assert "ThrottlingException" in refusal(server)
        assert len(up.requests) == asked
