"""A customer's key in Bedrock's own operations: it must be there, enabled, and for the caller to use through Bedrock."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from craton.aws.access.credentials import root_principal
from craton.aws.wire.faults import Fault
from craton.aws.wire.model import load
from craton.context import Call
from craton.infra.cipher import rows
from craton.infra.cipher.rows import Key, KeyBody
from craton.services.kms import access, use
from tests.integration.access.inprocess import ACCOUNT, REGION, Scene, allow

BEDROCK = load("bedrock")
THROUGH = {"StringEquals": {"kms:ViaService": f"bedrock.{REGION}.amazonaws.com"}}


async def nothing() -> None:
    """No other worker has to hear of a write."""


class World:
    """A worker of this process, with a store."""

    def __init__(self, home: Path) -> None:
        self.scene = Scene(home)
        self.scene.worker.storage._refresh = nothing

    def call(self, principal: Any) -> Call:
        """A call of some operation that takes a key."""
        app, operation = self.scene.worker.doors.app, BEDROCK.operations["CreateGuardrail"]
        return Call(app, operation, principal, REGION, "id", {}, 0.0, lambda _: None)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.scene.worker.storage.close()


def key(world: World, status: str = rows.ENABLED) -> Key:
    """A key of the account in some state."""
    app = world.scene.worker.doors.app
    body = KeyBody(policy=access.default_policy(ACCOUNT), materials=[])

    async def make() -> Any:
        row = rows.new_key(app.cipher.keyring, ACCOUNT, REGION, app.clock.now(), body)
        made = await app.storage.write(lambda tx: tx.create(row))
        found = Key(made, made.read(KeyBody))
        return await app.storage.write(lambda tx: tx.update(rows.changed(found, found.body, app.clock.now(), status)))

    row = asyncio.run(make())
    return Key(row, row.read(KeyBody))


def checked(world: World, principal: Any, name: str) -> str:
    return asyncio.run(use.customer_key(world.call(principal), name))


def refused(world: World, principal: Any, name: str, error: str, told: str) -> None:
    with pytest.raises(Fault) as caught:
        checked(world, principal, name)
    assert (caught.value.name, told in caught.value.message) == (error, True), caught.value


def test_a_key_that_can_be_used(world: World) -> None:
    """By id or ARN; the operation keeps the ARN."""
    found = key(world)
    root = root_principal(ACCOUNT)
    assert checked(world, root, found.row.id) == checked(world, root, found.arn) == found.arn


@pytest.mark.parametrize(("status", "told"), [(rows.DISABLED, "is disabled"), (rows.PENDING, "pending deletion")])
def test_a_key_that_does_nothing(world: World, status: str, told: str) -> None:
    """The request is at fault, and the text names the key."""
    found = key(world, status)
    refused(world, root_principal(ACCOUNT), found.arn, "ValidationException", told)


def test_a_key_that_is_not_there(world: World) -> None:
    """Likewise."""
    refused(world, root_principal(ACCOUNT), "alias/none", "ValidationException", "alias/none is not found")


def test_the_caller_must_be_allowed_through_bedrock(world: World) -> None:
    """kms:GenerateDataKey, kms:Decrypt and kms:DescribeKey, which a policy may allow through Bedrock alone."""
    found = key(world)
    caller = world.scene.session
    world.scene.grant(allow("bedrock:*"))
    refused(world, caller, found.arn, "AccessDeniedException", "kms:GenerateDataKey")
    world.scene.grant(allow("kms:GenerateDataKey", Condition=THROUGH))
    refused(world, caller, found.arn, "AccessDeniedException", "kms:Decrypt")
    world.scene.grant(allow(["kms:GenerateDataKey", "kms:Decrypt", "kms:DescribeKey"], Condition=THROUGH))
    assert checked(world, caller, found.arn) == found.arn


def test_the_managed_key_is_used_through_bedrock(world: World) -> None:
    """Whoever may use Bedrock in the account may use alias/aws/bedrock through it, without a policy of its own for KMS."""
    assert checked(world, root_principal(ACCOUNT), "alias/aws/bedrock").startswith(
        f"arn:aws:kms:{REGION}:{ACCOUNT}:key/"
    )
