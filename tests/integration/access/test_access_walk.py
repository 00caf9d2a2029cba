"""Every operation and every door, walked by a user that may nothing, with every kind of proof, and by root."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.integration.access.inprocess import ACCOUNT, HELLO, PROOFS, Scene
from tests.unit.wire.generate import SERVICES, Draw, all_operations, service_model

WITH_KEYS = ("bedrock", "bedrock-runtime")
BOTH_WAYS = "InvokeModelWithBidirectionalStream"  # boto3 has no such method
MODEL = "anthropic.claude-3-haiku-20240307-v1:0"
CHAT = {"model": MODEL, "messages": [{"role": "user", "content": "Hello"}]}
DOORS: list[tuple[str, str, Any]] = [
    ("POST", "/v1/chat/completions", CHAT),
    ("POST", "/openai/v1/chat/completions", {**CHAT, "stream": True}),
    ("POST", "/v1/responses", {"model": MODEL, "input": "Hello"}),
    ("POST", "/v1/responses/input_tokens", {"model": MODEL, "input": "Hello"}),
    ("GET", "/v1/responses/resp_1", None),
    ("DELETE", "/v1/responses/resp_1", None),
    ("GET", "/v1/responses/resp_1/input_items", None),
    ("POST", "/v1/responses/resp_1/cancel", None),
    ("POST", "/v1/responses", {"model": MODEL, "input": "Hello", "previous_response_id": "resp_1"}),
    ("POST", "/v1/embeddings", {"model": "amazon.titan-embed-text-v2:0", "input": "Hello"}),
    ("POST", "/v1/images/generations", {"model": "stability.sd3-5-large-v1:0", "prompt": "a cat"}),
    ("GET", "/v1/models", None),
    ("GET", f"/v1/models/{MODEL}", None),
    ("GET", "/v1/models/nobody.knows-me", None),
    ("POST", "/v1/chat/completions", {**CHAT, "model": "nobody.knows-me"}),
    ("POST", "/anthropic/v1/messages", {**CHAT, "max_tokens": 5}),
    ("POST", "/v1/messages", {**CHAT, "max_tokens": 5, "stream": True}),
    ("POST", "/v1/messages/count_tokens", CHAT),
    ("GET", "/anthropic/v1/models", None),
    ("GET", f"/anthropic/v1/models/{MODEL}", None),
    (
        "POST",
        "/craton/explain",
        {"action": "bedrock:InvokeModel", "resource": "*", "as": f"arn:aws:iam::{ACCOUNT}:root"},
    ),
]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """A worker in which bob and the role artists may nothing."""
    return Scene(tmp_path_factory.mktemp("home"), {"retention": {"responses": True}})


def drawn(service: str, operation: str) -> dict[str, Any]:
    """A request that the model allows, about this account."""
    shape = service_model(service).operation_model(operation).input_shape
    if shape is None:
        return {}
    given = Draw(f"{service}.{operation}", 0.0).structure(shape)
    return _mine(given)


def _mine(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _mine(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_mine(one) for one in value]
    return re.sub(r"(?<=:)[0-9]{12}(?=:)", ACCOUNT, value) if isinstance(value, str) else value


def refusal(client: Any, operation: str, given: dict[str, Any]) -> tuple[str, str, int]:
    """Name, message and status of the error, empty for an answer."""
    method = next(name for name, each in client.meta.method_to_api_mapping.items() if each == operation)
    try:
        getattr(client, method)(**given)
    except ClientError as error:
        told = error.response["Error"]
        return told["Code"], told["Message"], error.response["ResponseMetadata"]["HTTPStatusCode"]
    return "", "", 200


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("how", PROOFS)
def test_every_operation_refuses(scene: Scene, service: str, how: str) -> None:
    """Whoever may nothing gets AccessDeniedException from each of the operations, built or not."""
    scene.grant()
    client = scene.client(service, how)
    for each, operation in all_operations():
        if each != service or operation == BOTH_WAYS:
            continue
        name, message, status = refusal(client, operation, drawn(service, operation))
        if service not in WITH_KEYS and how.endswith("term key"):
            assert (name, status) == ("MissingAuthenticationTokenException", 403), operation
        else:
            assert (name, status) == ("AccessDeniedException", 403), (operation, message)
            assert "is not authorized to perform: " in message, (operation, message)


def test_both_ways(scene: Scene) -> None:
    """The stream in both directions is judged as InvokeModel before it is said not to be built."""
    path = f"/model/{MODEL.replace(':', '%3A')}/invoke-with-bidirectional-stream"
    scene.grant()
    refused = scene.signed("POST", path)
    assert refused.unauthorized
    assert "bedrock:InvokeModel on resource: arn:aws:bedrock:us-east-1::foundation-model/" in refused.json["Message"]
    scene.grant({"Effect": "Allow", "Action": "bedrock:InvokeModel", "Resource": "*"})
    assert "not implemented" in scene.signed("POST", path).json["message"]


@pytest.mark.parametrize("service", SERVICES)
def test_root_is_told_more(scene: Scene, service: str) -> None:
    """Root is never refused by a policy: whatever it is told, it is something else."""
    client = scene.client(service, "root")
    for each, operation in all_operations():
        if each == service and operation != BOTH_WAYS:
            _, message, _ = refusal(client, operation, drawn(service, operation))
            assert "is not authorized to perform" not in message, (operation, message)


@pytest.mark.parametrize("how", PROOFS)
@pytest.mark.parametrize(("method", "path", "body"), DOORS, ids=[f"{one[0]} {one[1]}" for one in DOORS])
def test_every_door_refuses(scene: Scene, method: str, path: str, body: Any, how: str) -> None:
    """At the doors it is 403 in the door's own shape, whether or not what was asked for is there."""
    scene.grant()
    answer = scene.ask(method, path, body, how)
    assert answer.status == 403, answer
    assert "is not authorized to perform: " in json.dumps(answer.json)
    if path.startswith("/craton/"):
        assert set(answer.json) == {"Message"}
    elif path.startswith(("/anthropic/", "/v1/messages")):
        assert answer.json["error"]["type"] == "permission_error"
    else:
        assert answer.json["error"]["type"] == "insufficient_permissions"


def test_root_at_the_doors(scene: Scene) -> None:
    """Root is told something else at each of them."""
    for method, path, body in DOORS:
        assert "is not authorized to perform" not in scene.ask(method, path, body, "root").body.decode(), path


def test_the_key_itself_is_judged(scene: Scene) -> None:
    """A Bedrock API key needs CallWithBearerToken besides, and its kind can be told apart."""
    path = f"/model/{MODEL.replace(':', '%3A')}/converse"
    invoke = {"Effect": "Allow", "Action": "bedrock:InvokeModel", "Resource": "*"}
    scene.grant(invoke)
    for how in ("long-term key", "short-term key"):
        refused = scene.ask("POST", path, {"messages": HELLO}, how)
        assert refused.json["Message"].endswith(
            "bedrock:CallWithBearerToken on resource: * because no identity-based policy allows the "
            "bedrock:CallWithBearerToken action"
        )
    short = {"StringEquals": {"bedrock:BearerTokenType": "SHORT_TERM"}}
    scene.grant(
        invoke, {"Effect": "Allow", "Action": "bedrock:CallWithBearerToken", "Resource": "*", "Condition": short}
    )
    assert scene.ask("POST", path, {"messages": HELLO}, "long-term key").unauthorized
    assert not scene.ask("POST", path, {"messages": HELLO}, "short-term key").unauthorized
