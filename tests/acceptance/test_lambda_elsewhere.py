"""Lambda at another endpoint: a second server of ours stands for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.acceptance.functions import called, make, make_role
from tests.acceptance.identities import with_key
from tests.running import ACCESS_KEY, SECRET_KEY, Running


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("outside")) as running:
        make(running.client("lambda"), "there", make_role(running, "runs"))
        yield running


@pytest.fixture(scope="module")
def server(outside: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    keys = 'access_key = "env:OUT_ID"\nsecret_key = "env:OUT_SECRET"\n'
    config = f'[lambda]\nendpoint_url = "{outside.url}"\n{keys}'
    env = {"OUT_ID": ACCESS_KEY, "OUT_SECRET": SECRET_KEY}
    with Running(tmp_path_factory.mktemp("home"), config, env=env) as running:
        yield running


def test_operations_are_passed_on(server: Running) -> None:
    """Answers, errors and payloads are those of the other endpoint."""
    client: Any = server.client("lambda")
    assert [one["FunctionName"] for one in client.list_functions()["Functions"]] == ["there"]
    assert called(client, "there", {"a": 1}) == {"a": 1}
    assert client.invoke(FunctionName="there", LogType="Tail")["LogResult"]
    with pytest.raises(ClientError, match="Function not found"):
        client.invoke(FunctionName="nowhere")


def test_who_may_not_here_may_not_there(server: Running) -> None:
    """The caller's own policies are asked before anything leaves."""
    iam = server.client("iam")
    iam.create_user(UserName="nobody")
    nobody = with_key(server, iam.create_access_key(UserName="nobody")["AccessKey"], "lambda")
    with pytest.raises(ClientError, match="AccessDenied"):
        nobody.invoke(FunctionName="there")
