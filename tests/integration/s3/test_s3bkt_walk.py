"""Every operation of S3, walked by a user that may nothing, by nobody, and by root: built or not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import ClientError, ParamValidationError

from craton.aws.access.s3_actions import INSTEAD, action_of
from tests.integration.access.inprocess import HOST, REGION, ROOT_KEY, SECRET, USER_KEY, Raw, Scene, allow
from tests.unit.wire.generate import Draw, service_model

BUCKET, KEY = "walked", "a/key"
# S3 Express and Object Lambda have endpoints and actions of their own; boto3 needs more than a bucket for them.
ELSEWHERE = frozenset({"CreateSession", "ListDirectoryBuckets", "WriteGetObjectResponse", "RenameObject"})
SELECTS = frozenset({"SelectObjectContent"})


async def nothing() -> None:
    """No other worker has to hear of a write."""


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A worker with a bucket and an object in it."""
    made = Scene(tmp_path_factory.mktemp("home"), {"audit": {"enabled": False}})
    made.worker.storage._refresh = nothing
    root = client_of(made, ROOT_KEY)
    root.create_bucket(Bucket=BUCKET)
    root.put_object(Bucket=BUCKET, Key=KEY, Body=b"hello")
    yield made
    made.worker.storage.close()


def client_of(scene: Scene, key: str) -> Any:
    """boto3's S3 with this key, whose requests go to the scene as they are signed."""
    made = boto3.client(
        "s3", endpoint_url=f"http://{HOST}", region_name=REGION, aws_access_key_id=key, aws_secret_access_key=SECRET,
        config=Config(retries={"max_attempts": 0}),
    )  # fmt: skip

    def answer(request: Any, **_: Any) -> AWSResponse:
        parts = urlsplit(request.url)
        body = request.body or b""
        body = body.encode() if isinstance(body, str) else body if isinstance(body, bytes) else body.read()
        headers = {
            name: value.decode("latin-1") if isinstance(value, bytes) else str(value)
            for name, value in request.headers.items()
        }
        headers.setdefault("Content-Length", str(len(body)))
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        got = scene.send(request.method, path, {"host": HOST, **headers}, body)
        return AWSResponse(request.url, got.status, got.headers, Raw(got.body))

    made.meta.events.register("before-send.s3.*", answer)
    return made


class Least(Draw):
    """Draws what must be there, and one of everything that is a list."""

    def _size(self, shape: Any, most: int = 1) -> int:
        return max(shape.metadata.get("min") or 0, 1)


def operations() -> list[str]:
    return [name for name in service_model("s3").operation_names if name not in ELSEWHERE | SELECTS]


def given(name: str) -> dict[str, Any]:
    """The least request that boto3 sends, about the bucket and the object."""
    model = service_model("s3").operation_model(name)
    drawn = Least(f"s3.{name}", 0.0).structure(model.input_shape) if model.input_shape is not None else {}
    least = {member: drawn[member] for member in model.input_shape.required_members} if model.input_shape else {}
    places = {"Bucket": BUCKET, "Key": KEY, "CopySource": f"{BUCKET}/{KEY}", "Body": b"x"}
    if name == "CreateBucket":
        places["Bucket"] = "not-yet-made"
    return {**least, **{member: value for member, value in places.items() if member in model.input_shape.members}}


def told(client: Any, name: str) -> tuple[str, str, int]:
    """Name, message and status of the error; empty for an answer."""
    method = next(each for each, operation in client.meta.method_to_api_mapping.items() if operation == name)
    try:
        answer = getattr(client, method)(**given(name))
    except ClientError as error:
        found = error.response["Error"]
        return found["Code"], found["Message"], error.response["ResponseMetadata"]["HTTPStatusCode"]
    except ParamValidationError as error:
        raise AssertionError(f"{name}: {error}") from error
    # Deletions of many keys are refused key by key.
    return next(((one["Code"], one["Message"], 403) for one in answer.get("Errors", ())), ("", "", 200))


def test_every_operation_refuses(scene: Scene) -> None:
    """Whoever may nothing is refused by each of them, and the action that S3 asks for is named."""
    scene.grant()
    client = client_of(scene, USER_KEY)
    for name in operations():
        code, message, status = told(client, name)
        assert status == 403, (name, code, message)
        if not name.startswith("Head"):
            assert code == "AccessDenied", (name, message)
            assert message.partition("perform: ")[2].split()[0] in _actions(name), (name, message)


def _actions(name: str) -> set[str]:
    """The action of an operation; copies may be refused for their source first, attributes for the object."""
    actions = {action_of(name), action_of(name, version=True)}
    return actions | {"s3:GetObject"} if name in ("CopyObject", "UploadPartCopy", "GetObjectAttributes") else actions


def test_the_right_action_opens(scene: Scene) -> None:
    """With the action of the table alone, nobody is told of a missing right to do that action."""
    client = client_of(scene, USER_KEY)
    for name in operations():
        scene.grant(allow(action_of(name)), allow(action_of(name, version=True)))
        code, message, _ = told(client, name)
        assert f"perform: {action_of(name)} " not in message, (name, code, message)


def test_root_is_told_more(scene: Scene) -> None:
    """Root is never refused by a policy, except for public ones."""
    client = client_of(scene, ROOT_KEY)
    for name in operations():
        if name not in ("DeleteBucket", "DeleteObject", "DeleteObjects"):
            _, message, status = told(client, name)
            assert "is not authorized to perform" not in message, (name, message)
            assert status != 500, (name, message)


def test_the_table_has_only_what_differs() -> None:
    """No row says what the operation's own name says already."""
    assert [name for name, action in INSTEAD.items() if name == action] == []
