"""Usage of two workers across restarts as `craton usage` tells it: by caller, model, profile, tag and metadata."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from craton.cli.main import cli
from tests.acceptance.identities import HELLO, NOVA, allow, document
from tests.fakes.upstream import FakeUpstream
from tests.running import Running, model_config


@pytest.fixture(scope="module")
def up() -> Iterator[FakeUpstream]:
    with FakeUpstream() as fake:
        yield fake


def told(home: Path, *options: str) -> list[dict[str, str]]:
    done = CliRunner().invoke(cli, ["usage", "--home", str(home), "--csv", *options])
    assert done.exit_code == 0, done.output
    return list(csv.DictReader(io.StringIO(done.output)))


def until_told(home: Path, invocations: int) -> None:
    end = time.monotonic() + 90
    while [row["invocations"] for row in told(home, "--by", "account")] != [str(invocations)]:
        assert time.monotonic() < end, told(home, "--by", "account")
        time.sleep(0.2)


def ann(server: Running) -> Any:
    """A client of a user who may invoke models."""
    iam = server.client("iam")
    iam.create_user(UserName="ann")
    policy = document(allow("bedrock:InvokeModel*"))
    iam.put_user_policy(UserName="ann", PolicyName="asks", PolicyDocument=policy)
    key = iam.create_access_key(UserName="ann")["AccessKey"]
    return server.client(
        "bedrock-runtime", aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"]
    )


def test_usage_is_what_was_served(tmp_path: Path, up: FakeUpstream) -> None:
    """Nothing is lost or counted twice when the server ends in order and begins again."""
    config = model_config(NOVA, "openai", up.openai_url)
    tokens = {"inputTokens": 0, "outputTokens": 0}

    def ask(bedrock: Any, model: str = NOVA, **more: Any) -> None:
        usage = bedrock.converse(modelId=model, messages=HELLO, **more)["usage"]
        for name in tokens:
            tokens[name] += usage[name]

    with Running(tmp_path, config, "--workers", "2") as server:
        root, user = server.client("bedrock-runtime"), ann(server)
        profile = server.client("bedrock").create_inference_profile(
            inferenceProfileName="blue", tags=[{"key": "team", "value": "blue"}],
            modelSource={"copyFrom": f"arn:aws:bedrock:us-east-1::foundation-model/{NOVA}"},
        )["inferenceProfileArn"]  # fmt: skip
        for _ in range(6):
            ask(root)
            ask(user, requestMetadata={"app": "shop", "run": "1"})
        ask(user, profile)
        body = json.dumps({"messages": HELLO, "schemaVersion": "messages-v1"})
        root.invoke_model(modelId=NOVA, body=body, requestMetadata='{"app":"native"}')
        until_told(tmp_path, 14)
    with Running(tmp_path, config, "--workers", "2") as server:
        ask(server.client("bedrock-runtime"))
    by_who = {row["principal"].rpartition(":")[2]: row["invocations"] for row in told(tmp_path, "--by", "principal")}
    assert by_who == {"root": "8", "user/ann": "7"}
    (whole,) = told(tmp_path, "--by", "base")
    native_in, native_out = int(whole["input_tokens"]) - tokens["inputTokens"], int(whole["output_tokens"])
    assert 0 < native_in <= tokens["inputTokens"]
    expected = int(whole["input_tokens"]) * Decimal("0.06") + native_out * Decimal("0.24")
    assert Decimal(whole["cost"]) == expected / 1_000_000
    assert (whole["base"], whole["unpriced_invocations"], whole["currency"]) == (NOVA, "0", "USD")
    told_apart = {
        (row["tag:team"], row["metadata:app"], row["profile"]): row["invocations"]
        for row in told(tmp_path, "--by", "tag:team,metadata:app,profile")
    }
    assert told_apart == {
        ("", "", ""): "7",
        ("", "shop", ""): "6",
        ("", "native", ""): "1",
        ("blue", "", profile): "1",
    }
    assert {row["model"] for row in told(tmp_path, "--by", "model")} == {NOVA, profile}
    assert told(tmp_path, "--to", "2d") == []


def test_the_table_says_what_has_no_price(tmp_path: Path, up: FakeUpstream) -> None:
    """And takes prices from a file of one's own; a dimension that is none is refused."""
    prices = tmp_path / "prices.toml"
    prices.write_text('currency = "EUR"\n[[lists]]\ndated = 2026-01-01\nsource = "contract"\n[lists.prices]\n')
    config = model_config(NOVA, "openai", up.openai_url) + f'\n[prices]\nfile = "{prices}"\n'
    with Running(tmp_path / "home", config) as server:
        server.client("bedrock-runtime").converse(modelId=NOVA, messages=HELLO)
    options = ["usage", "--home", str(tmp_path / "home"), "--config", str(tmp_path / "home" / "test.toml")]
    shown = CliRunner().invoke(cli, options).output
    assert "EUR" in shown
    assert "0.000000 +?" in shown
    refused = CliRunner().invoke(cli, [*options, "--by", "colour"])
    assert refused.exit_code == 2
    assert "colour" in refused.output
    (row,) = json.loads(CliRunner().invoke(cli, [*options, "--by", "day,model", "--json"]).output)
    assert (row["model"], row["invocations"], row["unpriced_invocations"], row["cost"]) == (NOVA, 1, 1, "0")
