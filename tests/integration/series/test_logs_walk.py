"""Every operation of CloudWatch Logs, walked by a user that may nothing or one thing, and by root: built or not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import ClientError

from craton.services.logs.all import HANDLERS
from craton.services.operation import labelled
from tests.integration.access.inprocess import ACCOUNT, HOST, REGION, ROOT_KEY, SECRET, USER_KEY, Raw, Scene, allow
from tests.unit.wire.generate import Draw, service_model

GROUP, STREAM = "walked", "s"
BUILT = frozenset(name for _, name in labelled(HANDLERS))
# What a request needs although the model does not say so.
MORE: dict[str, dict[str, Any]] = {
    "AssociateKmsKey": {"logGroupName": GROUP},
    "DisassociateKmsKey": {"logGroupName": GROUP},
    "DescribeLogStreams": {"logGroupName": GROUP},
    "FilterLogEvents": {"logGroupName": GROUP},
    "GetLogEvents": {"logGroupName": GROUP},
    "GetLogGroupFields": {"logGroupName": GROUP},
}


async def nothing() -> None:
    """No other worker has to hear of a write."""


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A worker with a group and a stream in it."""
    made = Scene(tmp_path_factory.mktemp("home"), {"audit": {"enabled": False}})
    made.worker.storage._refresh = nothing
    root = client_of(made, ROOT_KEY)
    root.create_log_group(logGroupName=GROUP)
    root.create_log_stream(logGroupName=GROUP, logStreamName=STREAM)
    yield made
    made.worker.storage.close()


def client_of(scene: Scene, key: str) -> Any:
    """boto3's client with this key, whose requests go to the scene as they are signed."""
    made = boto3.client(
        "logs", endpoint_url=f"http://{HOST}", region_name=REGION, aws_access_key_id=key, aws_secret_access_key=SECRET,
        config=Config(retries={"max_attempts": 0}, inject_host_prefix=False),
    )  # fmt: skip

    def answer(request: Any, **_: Any) -> AWSResponse:
        body = request.body.encode() if isinstance(request.body, str) else request.body or b""
        headers = {
            name: value.decode("latin-1") if isinstance(value, bytes) else str(value)
            for name, value in request.headers.items()
        }
        got = scene.send(request.method, urlsplit(request.url).path, {"host": HOST, **headers}, body)
        return AWSResponse(request.url, got.status, got.headers, Raw(got.body))

    made.meta.events.register("before-send.cloudwatch-logs.*", answer)
    return made


def told(client: Any, name: str) -> str:
    """The name of the error; empty for an answer."""
    model = service_model("logs").operation_model(name)
    drawn = Draw(f"logs.{name}", 0.0).structure(model.input_shape) if model.input_shape is not None else {}
    members = model.input_shape.required_members if model.input_shape else ()
    places = {
        "logGroupName": GROUP,
        "logStreamName": STREAM,
        "resourceArn": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{GROUP}",
    }
    least = {member: places.get(member, drawn[member]) for member in members} | MORE.get(name, {})
    method = next(each for each, operation in client.meta.method_to_api_mapping.items() if operation == name)
    try:
        getattr(client, method)(**least)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""


def test_every_operation_refuses(scene: Scene) -> None:
    """Whoever may nothing is refused by each of them, before anything is done or told."""
    scene.grant()
    client = client_of(scene, USER_KEY)
    for name in service_model("logs").operation_names:
        assert told(client, name) == "AccessDeniedException", name


def test_the_own_action_opens(scene: Scene) -> None:
    """With the action of the operation's own name, nobody is told of a missing right."""
    client = client_of(scene, USER_KEY)
    for name in BUILT - {"CreateLogGroup", "DeleteLogGroup", "DeleteLogStream", "AssociateKmsKey"}:
        scene.grant(allow(f"logs:{name}"))
        assert told(client, name) != "AccessDeniedException", name


def test_what_is_not_built_says_so(scene: Scene) -> None:
    """Root learns which operations are not here; none pretends."""
    client = client_of(scene, ROOT_KEY)
    for name in set(service_model("logs").operation_names) - BUILT:
        assert told(client, name) == "UnsupportedOperationException", name


def test_rights_on_the_group_and_all_in_it_suffice(scene: Scene) -> None:
    """The resource that policies for logs are written with, `log-group:NAME:*`, covers groups and streams."""
    client = client_of(scene, USER_KEY)
    for name in ("DescribeLogStreams", "FilterLogEvents", "GetLogEvents", "PutLogEvents", "PutRetentionPolicy"):
        scene.grant(allow(f"logs:{name}", f"arn:aws:logs:{REGION}:*:log-group:{GROUP}:*"))
        assert told(client, name) != "AccessDeniedException", name
