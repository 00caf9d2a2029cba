"""Marketplace endpoints through boto3: made, called, changed, deregistered, deleted, and refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.config import Config

from tests.acceptance.containing import HELLO, HUB, known, refused, until
from tests.acceptance.identities import ACCOUNT, CONFIG, allow, document, trust, with_key
from tests.acceptance.resources import OTHER_KEY, OTHER_SECRET
from tests.integration.containers.running_containers import walled
from tests.running import Running

pytestmark = walled
ECHO, LICENSED, DYING = f"{HUB}echo/1.0.0", f"{HUB}licensed/2.1.0", f"{HUB}dying/1.0.0"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/endpoints"


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    config = CONFIG + "".join(
        [
            known("echo", gpus=0),
            known(LICENSED, head='eula = true\ninstances = ["ml.m5.large"]', gpus=0),
            known("dying", "dies", gpus=0),
            known("huge", gpus=0, memory_bytes=1 << 50),
        ]
    )
    with Running(tmp_path_factory.mktemp("endpoints"), config) as running:
        running.client("iam").create_role(
            RoleName="endpoints", AssumeRolePolicyDocument=trust({"Service": "sagemaker.amazonaws.com"})
        )
        running.client("iam").create_role(
            RoleName="other", AssumeRolePolicyDocument=trust({"Service": "bedrock.amazonaws.com"})
        )
        yield running


def sized(count: int = 1, kind: str = "ml.m5.large", role: str = ROLE, **more: Any) -> dict[str, Any]:
    return {"sageMaker": {"initialInstanceCount": count, "instanceType": kind, "executionRole": role, **more}}


def make(here: Running, name: str, source: str = ECHO, config: Any = None, **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = here.client("bedrock").create_marketplace_model_endpoint(
        modelSourceIdentifier=source, endpointName=name, endpointConfig=config or sized(), **more
    )
    found: dict[str, Any] = made["marketplaceModelEndpoint"]
    return found


def get(here: Running, arn: str) -> dict[str, Any]:
    found: dict[str, Any] = here.client("bedrock").get_marketplace_model_endpoint(endpointArn=arn)
    endpoint: dict[str, Any] = found["marketplaceModelEndpoint"]
    return endpoint


def serving(here: Running, arn: str) -> dict[str, Any]:
    found: dict[str, Any] = until(lambda: get(here, arn), lambda one: one["endpointStatus"] == "InService")
    return found


def test_an_endpoint_from_its_making_to_its_end(here: Running) -> None:
    """It is made, comes into service, answers by its ARN, and is gone after its deletion."""
    vpc = {"subnetIds": ["subnet-1"], "securityGroupIds": ["sg-1"]}
    made = make(here, "life", config=sized(vpc=vpc), tags=[{"key": "team", "value": "a"}])
    arn = made["endpointArn"]
    assert arn == f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:endpoint/life"
    assert made["endpointStatus"] in ("Creating", "InService")
    assert (made["status"], made["modelSourceIdentifier"]) == ("REGISTERED", ECHO)
    found = serving(here, arn)
    assert found["endpointConfig"] == sized(vpc=vpc)
    runtime = here.client("bedrock-runtime")
    answer = runtime.converse(modelId=arn, messages=HELLO)
    assert answer["output"]["message"]["content"] == [{"text": "Echo: Hello"}]
    body = json.dumps({"messages": [{"role": "user", "content": "native"}]})
    native = json.loads(runtime.invoke_model(modelId=arn, body=body)["body"].read())
    assert native["choices"][0]["message"]["content"] == "Echo: native"
    stream = runtime.converse_stream(modelId=arn, messages=HELLO)["stream"]
    pieces = [event["contentBlockDelta"]["delta"]["text"] for event in stream if "contentBlockDelta" in event]
    assert "".join(pieces) == "Echo: Hello"
    here.client("bedrock").delete_marketplace_model_endpoint(endpointArn=arn)
    assert (
        refused(here.client("bedrock").get_marketplace_model_endpoint, endpointArn=arn)[0]
        == "ResourceNotFoundException"
    )
    assert refused(here.client("bedrock-runtime").converse, modelId=arn, messages=HELLO)[0] == "ValidationException"


def test_a_change_of_its_instances_loses_no_request(here: Running) -> None:
    """More instances, then others: it stays in service for callers and ends with what was asked for."""
    bedrock, runtime = here.client("bedrock"), here.client("bedrock-runtime")
    arn = make(here, "change")["endpointArn"]
    serving(here, arn)
    for wanted in (sized(2), sized(1, "ml.m5.xlarge")):
        changed = bedrock.update_marketplace_model_endpoint(endpointArn=arn, endpointConfig=wanted)
        assert changed["marketplaceModelEndpoint"]["endpointConfig"] == wanted
        until(
            lambda: (runtime.converse(modelId=arn, messages=HELLO), get(here, arn))[1],
            lambda one: one["endpointStatus"] == "InService",
        )
    assert get(here, arn)["endpointConfig"] == sized(1, "ml.m5.xlarge")
    bedrock.delete_marketplace_model_endpoint(endpointArn=arn)


def test_a_deregistered_endpoint_runs_on_and_cannot_be_called(here: Running) -> None:
    """Bedrock knows it no more until it is registered again, with the model that it runs."""
    bedrock, runtime = here.client("bedrock"), here.client("bedrock-runtime")
    arn = make(here, "register")["endpointArn"]
    serving(here, arn)
    bedrock.deregister_marketplace_model_endpoint(endpointArn=arn)
    assert refused(runtime.converse, modelId=arn, messages=HELLO)[0] == "ValidationException"
    assert refused(bedrock.get_marketplace_model_endpoint, endpointArn=arn)[0] == "ResourceNotFoundException"
    assert refused(bedrock.deregister_marketplace_model_endpoint, endpointArn=arn)[0] == "ResourceNotFoundException"
    register = bedrock.register_marketplace_model_endpoint
    wrong = refused(register, endpointIdentifier=arn, modelSourceIdentifier=LICENSED)
    assert (wrong[0], "echo" in wrong[2]) == ("ValidationException", True)
    back = register(endpointIdentifier=arn, modelSourceIdentifier=ECHO)["marketplaceModelEndpoint"]
    assert (back["status"], back["endpointStatus"]) == ("REGISTERED", "InService")
    assert runtime.converse(modelId=arn, messages=HELLO)["stopReason"] == "end_turn"
    bedrock.deregister_marketplace_model_endpoint(endpointArn=arn)
    bedrock.delete_marketplace_model_endpoint(endpointArn=arn)
    assert refused(register, endpointIdentifier=arn, modelSourceIdentifier=ECHO)[0] == "ResourceNotFoundException"


def test_endpoints_are_listed_by_page_and_by_model(here: Running) -> None:
    """A page holds as many as were asked for; a filter leaves those of one model."""
    bedrock = here.client("bedrock")
    made = [make(here, f"list-{place}")["endpointArn"] for place in range(3)]
    other = make(here, "list-other", LICENSED, acceptEula=True)["endpointArn"]
    page = bedrock.list_marketplace_model_endpoints(maxResults=2, modelSourceEquals=ECHO)
    rest = bedrock.list_marketplace_model_endpoints(maxResults=2, modelSourceEquals=ECHO, nextToken=page["nextToken"])
    listed = [row["endpointArn"] for row in page["marketplaceModelEndpoints"] + rest["marketplaceModelEndpoints"]]
    assert listed == made
    assert "nextToken" not in rest
    every = bedrock.get_paginator("list_marketplace_model_endpoints").paginate(PaginationConfig={"PageSize": 1})
    assert {row["endpointArn"] for found in every for row in found["marketplaceModelEndpoints"]} == {*made, other}
    for arn in (*made, other):
        bedrock.delete_marketplace_model_endpoint(endpointArn=arn)


def test_one_that_cannot_come_up_says_why(here: Running) -> None:
    """A container that dies makes a failed endpoint, one too big for this machine waits with what is missing."""
    bedrock = here.client("bedrock")
    dying = make(here, "dying", DYING)["endpointArn"]
    failed = until(lambda: get(here, dying), lambda one: one["endpointStatus"] == "Failed")
    assert "exit code 3" in failed["endpointStatusMessage"]
    huge = make(here, "huge", f"{HUB}huge/1.0.0")["endpointArn"]
    waiting = until(lambda: get(here, huge), lambda one: "endpointStatusMessage" in one)
    assert waiting["endpointStatus"] == "Creating"
    assert "no room" in waiting["endpointStatusMessage"]
    for arn in (dying, huge):
        bedrock.delete_marketplace_model_endpoint(endpointArn=arn)


def test_tokens_and_names(here: Running) -> None:
    """The same token makes one endpoint; another request with it, and a name that is taken, conflict."""
    bedrock = here.client("bedrock")
    first = make(here, "token", clientRequestToken="a-token")
    assert make(here, "token", clientRequestToken="a-token")["endpointArn"] == first["endpointArn"]
    create = bedrock.create_marketplace_model_endpoint
    given = {"modelSourceIdentifier": ECHO, "endpointConfig": sized()}
    assert refused(create, endpointName="x", clientRequestToken="a-token", **given)[:2] == ("ConflictException", 400)
    assert refused(create, endpointName="token", **given)[0] == "ConflictException"
    bedrock.delete_marketplace_model_endpoint(endpointArn=first["endpointArn"])


def test_what_cannot_be_made_is_refused(here: Running) -> None:
    """Unknown models and instance types, licences, names and roles: each has its error, in words that help."""
    bedrock = here.client("bedrock", config=Config(parameter_validation=False, retries={"max_attempts": 0}))

    def create(source: str = ECHO, name: str = "refused", config: Any = None, **more: Any) -> tuple[str, int, str]:
        return refused(
            bedrock.create_marketplace_model_endpoint,
            modelSourceIdentifier=source,
            endpointName=name,
            endpointConfig=config or sized(),
            **more,
        )

    code, status, message = create(f"{HUB}nobody/1.0.0")
    assert (code, status) == ("ResourceNotFoundException", 404)
    assert "nobody" in message
    assert "echo" in message
    refusals = [
        (create(f"{HUB}licensed/9.9.9"), "not available"),
        (create(LICENSED), "acceptEula"),
        (create(LICENSED, config=sized(1, "ml.g5.xlarge"), acceptEula=True), "ml.m5.large"),
        (create(config=sized(1, "ml.x9.huge")), "ml.x9.huge"),
        (create(config=sized(0)), "initialInstanceCount"),
        (create(name="-x-"), "hyphen"),
        (create(name="x" * 31), "length"),
        (create(config=sized(role=f"arn:aws:iam::{ACCOUNT}:role/nobody")), "sagemaker.amazonaws.com"),
        (create(config=sized(role=f"arn:aws:iam::{ACCOUNT}:role/other")), "sagemaker.amazonaws.com"),
        (create(config=sized(kmsEncryptionKey="alias/nobody")), "KMS"),
        (create("arn:aws:sagemaker:us-east-1:aws:model/x"), "pattern"),
    ]
    for (code, _, message), words in refusals:
        assert code in ("ValidationException", "ResourceNotFoundException"), message
        assert words in message
    get_one = bedrock.get_marketplace_model_endpoint
    for arn in ("nothing", f"arn:aws:sagemaker:eu-west-1:{ACCOUNT}:endpoint/x"):
        assert refused(get_one, endpointArn=arn)[0] == "ValidationException"


def test_who_may_do_it_is_iams_to_say(here: Running) -> None:
    """Without its action, without PassRole, and from another account nothing is done; invoking needs its own action."""
    arn = make(here, "access")["endpointArn"]
    serving(here, arn)
    iam = here.client("iam")
    iam.create_user(UserName="maker")
    key = iam.create_access_key(UserName="maker")["AccessKey"]
    bedrock, runtime = with_key(here, key, "bedrock"), with_key(here, key, "bedrock-runtime")
    given = {"modelSourceIdentifier": ECHO, "endpointName": "denied", "endpointConfig": sized()}
    assert refused(bedrock.create_marketplace_model_endpoint, **given)[0] == "AccessDeniedException"
    assert refused(bedrock.get_marketplace_model_endpoint, endpointArn=arn)[0] == "AccessDeniedException"
    assert refused(runtime.converse, modelId=arn, messages=HELLO)[0] == "AccessDeniedException"
    may = document(allow("bedrock:*MarketplaceModelEndpoint*"))
    iam.put_user_policy(UserName="maker", PolicyName="p", PolicyDocument=may)
    code, _, message = refused(bedrock.create_marketplace_model_endpoint, **given)
    assert (code, "iam:PassRole" in message) == ("AccessDeniedException", True)
    assert get(here, arn)["endpointArn"] == arn
    every = f"arn:aws:bedrock:us-east-1:{ACCOUNT}:marketplace/model-endpoint/all-access"
    iam.put_user_policy(UserName="maker", PolicyName="q", PolicyDocument=document(allow("bedrock:InvokeModel", every)))
    assert runtime.converse(modelId=arn, messages=HELLO)["stopReason"] == "end_turn"
    stranger = here.client("bedrock", aws_access_key_id=OTHER_KEY, aws_secret_access_key=OTHER_SECRET)
    assert refused(stranger.get_marketplace_model_endpoint, endpointArn=arn)[0] == "ValidationException"
    here.client("bedrock").delete_marketplace_model_endpoint(endpointArn=arn)
