"""Several servers, each with a home of its own, on one PostgreSQL: what one keeps, the others live by."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tests.acceptance import rawhttp
from tests.acceptance.resources import FM, profile, refused
from tests.acceptance.serving import GPT, HAIKU, HELLO, Served, converse_path, serving
from tests.postgres import PASSWORD, PostgreSQL
from tests.running import START_TIMEOUT_S

SECRET = "a secret that all servers on one store share"
SPREAD_WITHIN_S = 1.0
BODY = json.dumps({"messages": HELLO}).encode()


@pytest.fixture(scope="module")
def postgresql() -> Iterator[PostgreSQL]:
    with PostgreSQL() as server:
        yield server


@contextmanager
def server_on(
    postgresql: PostgreSQL, name: str, home: Path, *, secret: str = SECRET, extra: str = ""
) -> Iterator[Served]:
    """A server on the database `name`."""
    url = postgresql.url(name, with_password=False)
    config = f'[store]\nurl = "{url}"\npassword = "env:STORE_PASSWORD"\nsecret = "env:STORE_SECRET"\n{extra}'
    environment = {"STORE_PASSWORD": PASSWORD, "STORE_SECRET": secret}
    with serving(home, config, env=environment) as running:
        yield running


@pytest.fixture(scope="module")
def pair(postgresql: PostgreSQL, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, Served]]:
    """Two servers, started one after the other on an empty database."""
    name = postgresql.database().rpartition("/")[2]
    one, two = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("two")
    with server_on(postgresql, name, one) as first, server_on(postgresql, name, two) as second:
        yield first, second


def status(served: Served, name: str) -> int:
    return rawhttp.call(served.server, "POST", converse_path(name.replace("/", "%2F")), BODY).status


def within(seconds: float, holds: Callable[[], bool]) -> float:
    """How long it took until `holds`; fails the test when it takes much longer than `seconds`."""
    began = time.monotonic()
    while not holds():
        # A second is the promise; a machine that runs other tests beside gets more.
        assert time.monotonic() - began < 30 * seconds
        time.sleep(0.02)
    return time.monotonic() - began


def test_what_one_makes_the_other_serves_within_a_second(pair: tuple[Served, Served]) -> None:
    """A profile is called through the other server, and is gone there when it was deleted, without any word to it."""
    first, second = pair
    arn = profile(first.client("bedrock"), "spread", tags=[{"key": "team", "value": "a"}])
    assert status(first, arn) == 200
    within(SPREAD_WITHIN_S, lambda: status(second, arn) == 200)
    shown = second.client("bedrock")
    assert shown.get_inference_profile(inferenceProfileIdentifier=arn)["inferenceProfileName"] == "spread"
    shown.delete_inference_profile(inferenceProfileIdentifier=arn)
    assert status(second, arn) == 400
    within(SPREAD_WITHIN_S, lambda: status(first, arn) == 400)


def test_a_name_has_one_holder_on_all_servers(pair: tuple[Served, Served]) -> None:
    """Eight callers race for a name at two servers: one makes it, the others are told, nothing else fails."""

    def one(number: int) -> str:
        client = pair[number % 2].client("bedrock")
        try:
            return profile(client, "contested")
        except client.exceptions.ConflictException:
            return ""

    with ThreadPoolExecutor(8) as pool:
        made = [arn for arn in pool.map(one, range(8)) if arn]
    assert len(made) == 1
    pair[0].client("bedrock").delete_inference_profile(inferenceProfileIdentifier=made[0])


def test_a_client_token_makes_one_thing_on_all_servers(pair: tuple[Served, Served]) -> None:
    """The same request with the same token at two servers at once: one profile, whose ARN all get."""

    def one(number: int) -> str:
        return profile(pair[number % 2].client("bedrock"), "idempotent", clientRequestToken="token-1")

    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(one, range(8)))
    assert len(made) == 1
    listed = pair[1].client("bedrock").list_inference_profiles(typeEquals="APPLICATION")
    names = [each["inferenceProfileName"] for each in listed["inferenceProfileSummaries"]]
    assert names.count("idempotent") == 1
    with refused("ConflictException", 400, "token"):
        profile(pair[0].client("bedrock"), "another", clientRequestToken="token-1")
    pair[0].client("bedrock").delete_inference_profile(inferenceProfileIdentifier=made.pop())


def test_a_page_token_of_one_opens_at_the_other(pair: tuple[Served, Served]) -> None:
    """A listing behind a balancer goes on wherever its next request arrives."""
    first, second = (each.client("bedrock") for each in pair)
    made = [profile(first, f"page {number}") for number in range(3)]
    head = first.list_inference_profiles(typeEquals="APPLICATION", maxResults=2)
    rest = second.list_inference_profiles(typeEquals="APPLICATION", maxResults=2, nextToken=head["nextToken"])
    shown = [each["inferenceProfileArn"] for part in (head, rest) for each in part["inferenceProfileSummaries"]]
    assert shown == made
    for arn in made:
        second.delete_inference_profile(inferenceProfileIdentifier=arn)


def test_a_key_made_by_the_command_line_of_one_home_counts_everywhere(pair: tuple[Served, Served]) -> None:
    """`craton keys create` at the first home; its bearer key is taken by the second server within a second."""
    first, second = pair
    environment = {**os.environ, "STORE_PASSWORD": PASSWORD, "STORE_SECRET": SECRET}
    command = [sys.executable, "-m", "craton.cli.main", "keys", "create", "--home", str(first.server.home)]
    told = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    key = told.strip().rpartition("AWS_BEARER_TOKEN_BEDROCK=")[2]
    headers = [("Authorization", f"Bearer {key}"), ("Content-Type", "application/json")]

    def taken() -> bool:
        given = [*headers, ("Content-Length", str(len(BODY)))]
        request = rawhttp.head(second.server, "POST", converse_path(GPT), given) + BODY
        return rawhttp.exchange(second.server, request).status == 200

    within(SPREAD_WITHIN_S, taken)


def test_a_killed_server_loses_nothing_that_it_acknowledged(
    pair: tuple[Served, Served], postgresql: PostgreSQL, tmp_path: Path
) -> None:
    """kill -9 of a third server amid writes: all that it answered is served by another, and nothing is half there."""
    first = pair[0]
    name = _database_of(first)
    told: list[str] = []
    with server_on(postgresql, name, tmp_path) as third:
        bedrock = third.client("bedrock")

        def write() -> None:
            for number in range(1000):
                try:
                    told.append(profile(bedrock, f"doomed {number}"))
                except (ClientError, BotoCoreError):
                    return

        writer = threading.Thread(target=write)
        writer.start()
        while len(told) < 10:
            time.sleep(0.01)
        third.server.stop(signal.SIGKILL)
        writer.join()
    own = first.client("bedrock")
    found = own.get_paginator("list_inference_profiles").paginate(typeEquals="APPLICATION").build_full_result()
    kept = [each["inferenceProfileArn"] for each in found["inferenceProfileSummaries"]]
    assert set(told) <= set(kept)
    assert len(kept) <= len(told) + 1  # the last may have been kept without an answer
    for arn in kept:
        within(SPREAD_WITHIN_S, lambda arn=arn: status(first, arn) == 200)
        own.delete_inference_profile(inferenceProfileIdentifier=arn)


def test_inference_does_not_notice_that_the_database_is_away(
    pair: tuple[Served, Served], postgresql: PostgreSQL
) -> None:
    """While it is down profiles are served on; a write that waits for it is kept once it is back; then all is as before."""
    first, second = pair
    arn = profile(first.client("bedrock"), "before")
    within(SPREAD_WITHIN_S, lambda: status(second, arn) == 200)
    postgresql.kill()
    try:
        assert [status(served, arn) for served in (first, second) for _ in range(10)] == [200] * 20
        with ThreadPoolExecutor(1) as pool:
            making = pool.submit(profile, first.client("bedrock"), "meanwhile")
            time.sleep(0.5)
            assert not making.done()
            postgresql.start()
            later = making.result(timeout=START_TIMEOUT_S)
    finally:
        if postgresql.process is None or postgresql.process.poll() is not None:
            postgresql.start()
    assert status(first, later) == 200
    within(SPREAD_WITHIN_S, lambda: status(second, later) == 200)
    assert "the store could not be read" in second.server.output()
    for each in (arn, later):
        second.client("bedrock").delete_inference_profile(inferenceProfileIdentifier=each)


def test_a_user_of_one_server_is_known_to_the_other(pair: tuple[Served, Served]) -> None:
    """A user's access key and a session made from it work at both: what seals them is shared."""
    first, second = pair
    iam = first.client("iam")
    user = iam.create_user(UserName="spread")["User"]
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    iam.put_user_policy(UserName="spread", PolicyName="all", PolicyDocument=json.dumps(document))
    made = iam.create_access_key(UserName="spread")["AccessKey"]
    keys = {"aws_access_key_id": made["AccessKeyId"], "aws_secret_access_key": made["SecretAccessKey"]}

    def known() -> bool:
        try:
            answer = second.client("sts", **keys).get_caller_identity()
        except ClientError:
            return False
        return bool(answer["Arn"] == user["Arn"])

    within(SPREAD_WITHIN_S, known)
    session: dict[str, Any] = first.client("sts", **keys).get_session_token()["Credentials"]
    passing = {
        "aws_access_key_id": session["AccessKeyId"],
        "aws_secret_access_key": session["SecretAccessKey"],
        "aws_session_token": session["SessionToken"],
    }
    answer = second.client("bedrock-runtime", **passing).converse(modelId=GPT, messages=HELLO)
    assert answer["output"]["message"]["content"] == [{"text": "Echo: Hello"}]


def test_a_home_with_another_secret_is_refused(
    pair: tuple[Served, Served], postgresql: PostgreSQL, tmp_path: Path
) -> None:
    """It could open nothing that the others sealed; the start ends in one line that says what to do."""
    with (
        pytest.raises(AssertionError, match=r"ended with 2(.|\n)*another secret") as caught,
        server_on(postgresql, _database_of(pair[0]), tmp_path, secret="x" * 40),
    ):
        pass
    assert "Traceback" not in str(caught.value)


def test_a_start_without_the_database_ends_in_one_line(postgresql: PostgreSQL, tmp_path: Path) -> None:
    """Nothing of the password is in it."""
    with (
        pytest.raises(AssertionError, match=r"ended with 1(.|\n)*does not exist") as caught,
        server_on(postgresql, "nowhere", tmp_path),
    ):
        pass
    said = str(caught.value)
    assert "Traceback" not in said
    assert PASSWORD not in said
    assert "not%20a%20secret" not in said


def test_an_ephemeral_server_leaves_the_store_alone(pair: tuple[Served, Served], tmp_path: Path) -> None:
    """Whatever the configuration says: a reset must not empty what others live by."""
    arn = profile(pair[0].client("bedrock"), "lasting")
    config = pair[0].server.config
    environment = {"STORE_PASSWORD": PASSWORD, "STORE_SECRET": SECRET}
    with serving(tmp_path, config.partition("[routing]")[0], "--ephemeral", env=environment) as passing:
        bedrock = passing.client("bedrock")
        assert bedrock.list_inference_profiles(typeEquals="APPLICATION")["inferenceProfileSummaries"] == []
        profile(bedrock, "passing", source=FM + HAIKU)
        length = [("Content-Length", "0")]
        reset = rawhttp.exchange(passing.server, rawhttp.head(passing.server, "POST", "/craton/reset", length))
        assert reset.status == 200
    assert status(pair[0], arn) == 200
    pair[0].client("bedrock").delete_inference_profile(inferenceProfileIdentifier=arn)


def _database_of(served: Served) -> str:
    """The database's name in a server's configuration."""
    line = next(line for line in served.server.config.splitlines() if line.startswith("url ="))
    return line.rstrip('"').rpartition("/")[2]
