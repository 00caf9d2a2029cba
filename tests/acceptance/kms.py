"""What the tests of KMS share: a server with two workers and two accounts, clients, and the shape of a refusal."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.acceptance.resources import ACCOUNT, CONFIG, OTHER, OTHER_KEY, OTHER_SECRET
from tests.running import Running

__all__ = ["ACCOUNT", "OTHER", "made", "of_user", "others", "policy", "refused", "serving_keys"]


@contextmanager
def serving_keys(home: Path, config: str = CONFIG, *options: str, **more: Any) -> Iterator[Running]:
    with Running(home, config, "--workers", "2", *options, **more) as server:
        yield server


def others(server: Running, service: str = "kms") -> Any:
    """A client of the second account's root user."""
    return server.client(service, aws_access_key_id=OTHER_KEY, aws_secret_access_key=OTHER_SECRET)


def of_user(server: Running, name: str, *statements: dict[str, Any], service: str = "kms") -> tuple[Any, str]:
    """A client of a new user with these statements as its only policy, and the user's ARN."""
    iam = server.client("iam")
    arn: str = iam.create_user(UserName=name)["User"]["Arn"]
    if statements:
        iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=policy(*statements))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    client = server.client(service, aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"])
    return client, arn


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def made(kms: Any, **more: Any) -> str:
    """The ARN of a new key."""
    arn: str = kms.create_key(**more)["KeyMetadata"]["Arn"]
    return arn


def refused(name: str, told: str, call: Callable[..., Any], **given: Any) -> None:
    """The call ends with this error of AWS's."""
    with pytest.raises(ClientError) as caught:
        call(**given)
    error = caught.value.response["Error"]
    assert (error["Code"], told in error["Message"]) == (name, True), error
