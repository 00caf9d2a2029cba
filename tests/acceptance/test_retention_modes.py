"""The data retention mode binds: what a vendor keeps is not sent there where the account says none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from botocore.exceptions import ClientError

from tests.acceptance import rawhttp
from tests.acceptance.door_keys import short_term
from tests.acceptance.resources import CONFIG, OTHER_KEY, OTHER_SECRET
from tests.acceptance.serving import CLAUDE, CLAUDE_2, GPT, HELLO, converse_path
from tests.fakes.upstream import FakeUpstream
from tests.running import Running, model_config

KEEPS, MIXED = CLAUDE_2, GPT
NOT_AVAILABLE = "data retention mode '{mode}' is not available for this model"


class World:
    """A server and two vendors: one keeps what it is sent, one does not."""

    def __init__(self, server: Running, keeper: FakeUpstream, other: FakeUpstream) -> None:
        self.server, self.keeper, self.other = server, keeper, other
        self.bedrock, self.runtime = server.client("bedrock"), server.client("bedrock-runtime")

    def put(self, mode: str) -> Any:
        return self.bedrock.put_account_data_retention(mode=mode)

    def ask(self, model: str, runtime: Any = None) -> str:
        reply = (runtime or self.runtime).converse(modelId=model, messages=HELLO)
        text: str = reply["output"]["message"]["content"][0]["text"]
        return text

    def refused(self, mode: str, model: str, runtime: Any = None) -> None:
        with pytest.raises(ClientError) as caught:
            self.ask(model, runtime)
        error = caught.value.response["Error"]
        assert error["Code"] == "ValidationException"
        assert error["Message"].startswith(NOT_AVAILABLE.format(mode=mode))


def config(keeper: FakeUpstream, other: FakeUpstream, more: str = "") -> str:
    keeping = model_config(MIXED, "openai", keeper.openai_url, extra="retains_data = true\nweight = 1000")
    target = f'[[model.target]]\nprovider = "openai"\nbase_url = "{other.openai_url}"\nmodel = "m"\n'
    return (
        CONFIG
        + more
        + model_config(KEEPS, "openai", keeper.openai_url, extra="retains_data = true")
        + keeping
        + target
        + model_config(CLAUDE, "anthropic", other.anthropic_url)
    )


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with FakeUpstream() as keeper, FakeUpstream() as other:
        text = config(keeper, other, "[retention]\nresponses = true\n")
        with Running(tmp_path_factory.mktemp("home"), text, "--workers", "2") as server:
            yield World(server, keeper, other)


@pytest.fixture(autouse=True)
def _fresh(request: pytest.FixtureRequest) -> None:
    if "world" in request.fixturenames:
        world = request.getfixturevalue("world")
        world.put("inherit")
        world.keeper.requests.clear()
        world.other.requests.clear()


def test_an_account_begins_with_inherit(tmp_path: Path) -> None:
    """Until something is put, no mode is set; and nothing is refused."""
    with Running(tmp_path) as server:
        answer = server.client("bedrock").get_account_data_retention()
        assert (answer["mode"], "updatedAt" in answer) == ("inherit", False)


def test_what_is_put_is_got(world: World) -> None:
    """Every mode, with the time of its change; others are refused by AWS's validation."""
    for mode in ("none", "aws_review", "provider_data_share", "default"):
        assert world.put(mode)["mode"] == mode
        got = world.bedrock.get_account_data_retention()
        assert (got["mode"], bool(got["updatedAt"])) == (mode, True)
    wrong = rawhttp.call(world.server, "PUT", "/data-retention", b'{"mode":"forever"}')
    rawhttp.refused(wrong, 400, "ValidationException", "enum value set: [default, none")


@pytest.mark.parametrize("mode", ["none", "aws_review"])
def test_a_strict_mode_refuses_vendors_that_keep(world: World, mode: str) -> None:
    """From the answer on, in every worker, and the error names the mode and the model; the vendor hears nothing."""
    assert world.ask(KEEPS) == "Echo: Hello"
    world.keeper.requests.clear()
    world.put(mode)
    for _ in range(8):
        world.refused(mode, KEEPS)
    assert world.keeper.requests == []
    assert world.ask(CLAUDE) == "Echo: Hello"
    world.put("provider_data_share")
    assert world.ask(KEEPS) == "Echo: Hello"


def test_another_target_takes_all(world: World) -> None:
    """Of several targets only those are asked that keep nothing, whatever the weights."""
    world.put("none")
    for _ in range(6):
        assert world.ask(MIXED) == "Echo: Hello"
    assert (len(world.keeper.requests), len(world.other.requests)) == (0, 6)


def test_every_way_to_the_model_is_closed(world: World) -> None:
    """InvokeModel, streams, counts, system and application profiles, and the doors."""
    source = f"arn:aws:bedrock:us-east-1::foundation-model/{KEEPS}"
    made = world.bedrock.create_inference_profile(inferenceProfileName="kept", modelSource={"copyFrom": source})
    world.put("none")
    world.refused("none", made["inferenceProfileArn"])
    world.refused("none", source)
    body = json.dumps({"messages": HELLO}).encode()
    for action in ("converse", "converse-stream", "invoke", "invoke-with-response-stream"):
        answer = rawhttp.call(world.server, "POST", converse_path(KEEPS, action), body)
        rawhttp.refused(answer, 400, "ValidationException", NOT_AVAILABLE.format(mode="none"))
    client = openai.OpenAI(base_url=world.server.url + "/v1", api_key=short_term(), max_retries=0)
    with client, pytest.raises(openai.BadRequestError, match="data retention mode"):
        client.chat.completions.create(model=KEEPS, messages=[{"role": "user", "content": "Hello"}])
    assert world.keeper.requests == []


def test_regions_and_accounts_decide_for_themselves(world: World) -> None:
    """The mode of one holds nowhere else."""
    world.put("none")
    elsewhere = world.server.client("bedrock-runtime", region_name="us-west-2")
    assert world.ask(KEEPS, elsewhere) == "Echo: Hello"
    other = world.server.client("bedrock-runtime", aws_access_key_id=OTHER_KEY, aws_secret_access_key=OTHER_SECRET)
    assert world.ask(KEEPS, other) == "Echo: Hello"


def test_under_none_no_response_is_stored(world: World) -> None:
    """`store` is false by itself then, and whoever asks for true is told."""
    with openai.OpenAI(base_url=world.server.url + "/openai/v1", api_key=short_term(), max_retries=0) as client:
        kept = client.responses.create(model=CLAUDE, input="Hello")
        assert client.responses.retrieve(kept.id).output_text == "Echo: Hello"
        world.put("none")
        free = client.responses.create(model=CLAUDE, input="Hello")
        with pytest.raises(openai.NotFoundError):
            client.responses.retrieve(free.id)
        with pytest.raises(openai.BadRequestError, match="store must be false"):
            client.responses.create(model=CLAUDE, input="Hello", store=True)


def test_the_configuration_speaks_for_accounts_that_inherit(tmp_path: Path) -> None:
    """`[retention] mode` holds until an account sets its own; a customer's key may seal what is stored."""
    with FakeUpstream() as keeper, FakeUpstream() as other:
        more = '[retention]\nmode = "none"\nresponses = true\n[kms]\ndefault_key = "alias/mine"\n'
        with Running(tmp_path, config(keeper, other, more)) as server:
            world = World(server, keeper, other)
            world.refused("none", KEEPS)
            world.put("default")
            assert world.ask(KEEPS) == "Echo: Hello"
            sealing_key_rules(server)


def sealing_key_rules(server: Running) -> None:
    """With a default key that the customer owns, its state decides over what is stored."""
    kms = server.client("kms")
    with openai.OpenAI(base_url=server.url + "/openai/v1", api_key=short_term(), max_retries=0) as client:
        with pytest.raises(openai.PermissionDeniedError, match="alias/mine"):
            client.responses.create(model=CLAUDE, input="Hello")
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        kms.create_alias(AliasName="alias/mine", TargetKeyId=key)
        kept = client.responses.create(model=CLAUDE, input="Hello")
        kms.disable_key(KeyId=key)
        with pytest.raises(openai.PermissionDeniedError, match="is disabled"):
            client.responses.retrieve(kept.id)
        kms.enable_key(KeyId=key)
        assert client.responses.retrieve(kept.id).output_text == "Echo: Hello"
        kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
        with pytest.raises(openai.PermissionDeniedError, match="pending deletion"):
            client.responses.retrieve(kept.id)
