"""What the tests of IAM and STS share: a server with two workers and two accounts, documents, and clients by key."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.acceptance import rawhttp
from tests.acceptance.resources import OTHER, OTHER_KEY, OTHER_SECRET
from tests.running import Running

ACCOUNT = "000000000000"
NOVA, LLAMA, TITAN = "amazon.nova-lite-v1:0", "meta.llama3-8b-instruct-v1:0", "amazon.titan-text-express-v1"
HELLO = [{"role": "user", "content": [{"text": "Hello"}]}]
CONFIG = f"""
[[account]]
id = "{OTHER}"
access_key = "{OTHER_KEY}"
secret_key = "{OTHER_SECRET}"
[limits]
iam_groups = 40
"""


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(actions: str | list[str], resources: str | list[str] = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": resources, **more}


def trust(principal: Any, action: Any = "sts:AssumeRole", **more: Any) -> str:
    return document({"Effect": "Allow", "Principal": principal, "Action": action, **more})


def models(*ids: str) -> list[str]:
    return [f"arn:aws:bedrock:*::foundation-model/{one}" for one in ids]


MAY_INVOKE = document(allow(["bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"], models(NOVA, LLAMA)))
HOME_TRUST = trust({"AWS": f"arn:aws:iam::{ACCOUNT}:root"})


def with_key(server: Running, key: dict[str, Any], service: str) -> Any:
    """A client with the keys of an answer of CreateAccessKey, AssumeRole or their like."""
    return server.client(
        service,
        aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"],
        aws_session_token=key.get("SessionToken"),
    )


def user_key(server: Running, name: str, policy: str | None = None) -> dict[str, Any]:
    """A new user, with this inline policy, and its access key."""
    iam = server.client("iam")
    iam.create_user(UserName=name)
    if policy is not None:
        iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=policy)
    key: dict[str, Any] = iam.create_access_key(UserName=name)["AccessKey"]
    return key


def unsigned(server: Running, target: str, body: bytes, headers: dict[str, str]) -> rawhttp.Answer:
    """A POST with these headers and no signature."""
    given = [*headers.items(), ("Content-Length", str(len(body)))]
    return rawhttp.exchange(server, rawhttp.head(server, "POST", target, given) + body, "POST")


def by_bearer(server: Running, key: str, model: str = NOVA) -> int:
    """The status of a conversation with an API key."""
    body = json.dumps({"messages": HELLO, "inferenceConfig": {"maxTokens": 3}}).encode()
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    return unsigned(server, f"/model/{model.replace(':', '%3A')}/converse", body, headers).status


def converse(server: Running, key: dict[str, Any], model: str = NOVA) -> int:
    """One short conversation; the tokens that came out."""
    runtime = with_key(server, key, "bedrock-runtime")
    reply = runtime.converse(modelId=model, messages=HELLO, inferenceConfig={"maxTokens": 3})
    count: int = reply["usage"]["outputTokens"]
    return count


@contextmanager
def refused(name: str, status: int, words: str = "") -> Iterator[None]:
    """The block ends in this error, with these words in its message."""
    with pytest.raises(ClientError) as caught:
        yield
    error = caught.value.response
    assert error["Error"]["Code"] == name, error
    assert error["ResponseMetadata"]["HTTPStatusCode"] == status
    assert re.search(words, error["Error"]["Message"]), error["Error"]["Message"]
