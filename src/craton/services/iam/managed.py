"""Managed policies as operations meet them: found by ARN, and the two sides of an attachment.

Owns which policies an account can name (its own, and those that are there from the beginning), and that an identity and
a policy agree about being attached, because both rows are written in one transaction. It must not know any operation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from craton.aws.access.keys import NOTHING
from craton.aws.access.variables import Keys
from craton.context import Call
from craton.infra.identities import records
from craton.infra.identities.managed import aws_policies
from craton.infra.identities.records import ManagedPolicy
from craton.infra.store.port import Reader, Resource, Transaction
from craton.services.iam.nouns import action, faults, invalid, no_such, resource_tags, write

USES = "iam-aws-policy"
"""The kind of rows in which an account keeps how it uses the policies that belong to nobody."""

T = TypeVar("T")


def missing(arn: str) -> Exception:
    return no_such(f"Policy {arn} was not found.")


def not_attachable(arn: str) -> Exception:
    return no_such(f"Policy {arn} does not exist or is not attachable.")


def own(store: Reader, account: str, arn: str) -> Resource | None:
    """The account's own policy with this ARN."""
    row = store.get(arn)
    return row if row is not None and row.kind == records.POLICY and row.account == account else None


def uses(store: Reader, account: str, arn: str) -> Resource | None:
    """The row in which the account keeps how it uses a policy, its own or one that belongs to nobody."""
    return store.get(_uses_arn(account, arn)) if arn in aws_policies() else own(store, account, arn)


async def read_own(call: Call, arn: str, given: Keys = NOTHING) -> Resource:
    """The caller's account's policy, after the call was authorized on it."""
    with faults():
        row = await call.app.storage.read(lambda store: own(store, call.account, arn))
    keys = resource_tags(row.read(ManagedPolicy).tags) if row is not None else {}
    call.authorize(action(call), arn, given={**keys, **given})
    if row is None:
        if arn in aws_policies():
            raise invalid(f"Policy {arn} is AWS's and cannot be changed.")
        raise missing(arn)
    return row


async def change(
    call: Call,
    arn: str,
    alter: Callable[[Transaction, Resource, ManagedPolicy], T],
    given: Keys = NOTHING,
) -> T:
    """Authorize the call on one policy and change its body. `alter` changes its third argument in place."""
    seen = await read_own(call, arn, given)

    def work(transaction: Transaction) -> T:
        row = own(transaction, call.account, arn)
        if row is None or row.id != seen.id:
            raise missing(arn)
        body = row.read(ManagedPolicy)
        result = alter(transaction, row, body)
        transaction.update(records.rewritten(row, body, call.app.clock.now()))
        return result

    return await write(call, work)


def note(call: Call, transaction: Transaction, arn: str, alter: Callable[[ManagedPolicy], None]) -> None:
    """Change the policy's side of an attachment. Raises NoSuchEntity for a policy that the account cannot name."""
    now = call.app.clock.now()
    row = uses(transaction, call.account, arn)
    if row is not None:
        body = row.read(ManagedPolicy)
        alter(body)
        transaction.update(_kept(row, body))
        return
    found = aws_policies().get(arn)
    if found is None:
        raise not_attachable(arn)
    body = ManagedPolicy(name=found.name)
    alter(body)
    transaction.create(records.row_of(USES, call.account, body, now, id=found.id, arn=_uses_arn(call.account, arn)))


def forget(call: Call, transaction: Transaction, arn: str | None, unique_id: str) -> None:
    """The policy no longer bounds this identity, which lets it go or goes itself."""
    if arn is not None and uses(transaction, call.account, arn) is not None:
        note(call, transaction, arn, lambda body: body.bounding.remove(unique_id))


def _kept(row: Resource, body: ManagedPolicy) -> Resource:
    """The row with a new body; an attachment is no update of the policy, whose UpdateDate stays."""
    return records.rewritten(row, body, row.updated_at)


def _uses_arn(account: str, arn: str) -> str:
    return f"arn:aws:iam::{account}:aws-policy/{arn.rpartition('/')[2]}"
