"""Whether a service of AWS's may write to a group: the account's resource policies say.

Owns the judgement of callers that are services, which have no policies of their own. It must not know how those of the account
are put.
"""

from __future__ import annotations

from functools import lru_cache

import msgspec

from craton.aws.access import explain
from craton.aws.access.compile import PolicySet
from craton.aws.access.policy import parse
from craton.context import Call
from craton.infra.store.port import Query, Reader

POLICY = "logs-resource-policy"


class Kept(msgspec.Struct):
    """What of a policy's row is read here."""

    document: str


def policies(store: Reader, call: Call) -> tuple[str, ...]:
    """The documents of the caller's account and region; none for callers that are no service."""
    if call.caller.kind != "service":
        return ()
    page = store.list(Query(kind=POLICY, account=call.account, region=call.region, sort="id"))
    return tuple(row.read(Kept).document for row in page.items)


def check(call: Call, action: str, resource: str, documents: tuple[str, ...]) -> None:
    """Raise AccessDeniedException unless the policies let the service in."""
    request, decision = call.app.live.authority.weigh(call, f"logs:{action}", resource, policy=compiled(documents))
    if not decision.allowed:
        raise explain.fault(request, decision)


@lru_cache(maxsize=64)
def compiled(documents: tuple[str, ...]) -> PolicySet:
    return PolicySet([parse(one, "resource", "resource policy") for one in documents])
