"""Nobody gets at a function but through here: its row, once the caller may do the action on it.

Owns the forms in which a function is named, and who may do what: identities' policies together with the function's own,
both needed across accounts. It must not know what is then done. Source: AWS Lambda developer guide, "Permissions".
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

import msgspec

from craton.aws.access import explain
from craton.aws.access.compile import PolicySet
from craton.aws.access.keys import NOTHING
from craton.aws.access.policy import parse
from craton.aws.access.request import tag_keys
from craton.aws.access.variables import Keys
from craton.aws.wire.faults import Fault
from craton.context import Call
from craton.features.functions.function import (
    ALIAS,
    FUNCTION,
    LATEST,
    VERSION,
    Alias,
    Configuration,
    Function,
    function_arn,
)
from craton.infra.store.port import Reader, Resource
from craton.services.lambda_.faults import BAD_QUALIFIER, as_faults, invalid, missing, no_alias, no_function

_NAME: Final = re.compile(
    r"(?:arn:aws[a-zA-Z-]*:lambda:)?(?:(?P<region>[a-z]{2}(?:-[a-z]+)+-\d):)?(?:(?P<account>\d{12}):)?"
    r"(?:function:)?(?P<name>[a-zA-Z0-9_.-]+)(?::(?P<qualifier>\$LATEST|[a-zA-Z0-9_-]+))?"
)
_ELSEWHERE: Final = "Functions from '{there}' are not reachable in this region ('{here}')"


class Named(msgspec.Struct, frozen=True):
    """Which function a request names, and which of its versions or aliases."""

    account: str
    region: str
    name: str
    qualifier: str | None

    @property
    def arn(self) -> str:
        """The function's own."""
        return function_arn(self.account, self.region, self.name)

    @property
    def asked(self) -> str:
        """With the qualifier, if one was named."""
        return function_arn(self.account, self.region, self.name, self.qualifier)


class Opened(msgspec.Struct, frozen=True):
    """A function that the caller may use as it asked to; `alias` and `version` where the qualifier leads to such."""

    named: Named
    row: Resource
    function: Function
    alias: Resource | None = None
    version: Resource | None = None

    @property
    def configuration(self) -> Configuration:
        """Of the version that was named; an alias's own one. Raises ResourceNotFoundException."""
        if self.named.qualifier in (None, LATEST):
            return self.function.latest
        if self.version is None:
            raise no_function(self.named.asked)
        return self.version.read(Configuration)


def named(call: Call, name: str, qualifier: str | None = None) -> Named:
    """What a request names. Raises InvalidParameterValueException, ResourceNotFoundException (of another region)."""
    found = _NAME.fullmatch(name)
    if found is None:
        raise invalid(f"Invalid function name: {name[:200]}")
    region = found["region"] or call.region
    if region != call.region:
        raise missing(_ELSEWHERE.format(there=region, here=call.region))
    derived = found["qualifier"]
    if derived is not None and qualifier is not None and derived != qualifier:
        raise invalid(BAD_QUALIFIER)
    return Named(found["account"] or call.account, region, found["name"], qualifier or derived)


async def opened(
    call: Call, action: str, name: str, qualifier: str | None = None, *, given: Keys = NOTHING
) -> Opened:  # fmt: skip
    """The function, for an action on it. Raises AccessDeniedException, ResourceNotFoundException."""
    wanted = named(call, name, qualifier)
    with as_faults():
        found = await call.app.storage.read(lambda store: look(store, wanted))
    check(call, action, wanted, found, given=given)
    if found is None:
        raise no_function(wanted.asked)
    if wanted.qualifier not in (None, LATEST) and found.alias is None and found.version is None:
        raise no_function(wanted.asked)
    return found


async def opened_alias(call: Call, action: str, name: str, alias: str) -> Opened:
    """A function by itself, for an action on one of its aliases. Raises ResourceNotFoundException for no such alias."""
    wanted = named(call, name)
    at = msgspec.structs.replace(wanted, qualifier=alias)
    with as_faults():
        found = await call.app.storage.read(lambda store: look(store, at))
    check(call, action, wanted, found)
    if found is None:
        raise no_function(wanted.arn)
    if found.alias is None:
        raise no_alias(at.asked)
    return found


def look(store: Reader, wanted: Named) -> Opened | None:
    """The rows of a function and of what its qualifier leads to."""
    row = store.get(wanted.arn)
    if row is None or row.kind != FUNCTION:
        return None
    found = Opened(wanted, row, row.read(Function))
    if wanted.qualifier in (None, LATEST):
        return found
    other = store.get(wanted.asked)
    if other is not None and other.kind == ALIAS:
        version = version_row(store, wanted, other.read(Alias).version)
        return msgspec.structs.replace(found, alias=other, version=version)
    if other is not None and other.kind == VERSION:
        return msgspec.structs.replace(found, version=other)
    return found


def version_row(store: Reader, wanted: Named, number: str) -> Resource | None:
    """A version of a function; an alias of `$LATEST` has it in the function's own row."""
    if number == LATEST:
        row = store.get(wanted.arn)
        return (
            None if row is None else msgspec.structs.replace(row, body=msgspec.json.encode(row.read(Function).latest))
        )
    return store.get(f"{wanted.arn}:{number}")


def check(call: Call, action: str, wanted: Named, found: Opened | None, *, given: Keys = NOTHING) -> None:
    """Raise AccessDeniedException unless the caller may do the action; who may not learns nothing of what is there."""
    tags = {} if found is None else found.function.tags
    policy = None if found is None else found.function.policies.get(wanted.qualifier or "")
    refused = judged(
        call, action, wanted.asked, policy.document if policy else None, {**tag_keys(resource_tags=tags), **given}
    )
    if refused is not None:
        raise refused


def judged(call: Call, action: str, arn: str, policy: str | None, given: Keys = NOTHING) -> Fault | None:
    """Why the caller may not do the action; None: it may."""
    compiled_policy = None if policy is None else compiled(policy)
    request, decision = call.app.live.authority.weigh(call, action, arn, given, policy=compiled_policy)
    return None if decision.allowed else explain.fault(request, decision)


@lru_cache(maxsize=512)
def compiled(text: str) -> PolicySet:
    """A function's policy, ready to judge by. The same text is the same policy, whichever function it hangs on."""
    return PolicySet([parse(text, "resource", "function policy")])
