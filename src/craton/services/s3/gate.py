"""Nobody gets at a bucket but through here: the bucket's row, once the caller may do the action that it names.

Owns who may do what with a bucket and its objects: identities' policies and the bucket's own together, both needed
across accounts; the public access block; anonymous callers, whom only the bucket's policy lets in. It must not know
what is then done. Sources: S3 user guide, "How Amazon S3 authorizes a request" and "Blocking public access".
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final

import msgspec

from craton.aws.access import explain
from craton.aws.access.compile import PolicySet
from craton.aws.access.evaluate import Decision
from craton.aws.access.keys import NOTHING
from craton.aws.access.policy import Policy, parse
from craton.aws.access.request import Request
from craton.aws.access.variables import Keys, Value
from craton.aws.wire.faults import Fault
from craton.context import Call
from craton.infra.objects.record import Version
from craton.infra.store.port import Reader, Resource
from craton.services.s3.bucket_record import KIND, Bucket, arn_of
from craton.services.s3.faults import access_denied, no_such_bucket, no_such_key
from craton.services.s3.public import is_public
from craton.services.s3.trouble import as_s3

EXISTING_TAG: Final = "s3:existingobjecttag/"
# Whoever is root of the bucket's account may always do these: no policy can lock an account out of its own bucket.
_ALWAYS_ROOTS: Final = frozenset({"s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy"})

Look = Callable[[Reader, str], Version | None]
"""How the object in question is read, from the bucket of this name."""


class Opened(msgspec.Struct, frozen=True):
    """A bucket that the caller may use as it asked to, and the object that was looked for on the way."""

    row: Resource
    bucket: Bucket
    seen: Version | None = None

    @property
    def name(self) -> str:
        return self.row.id

    @property
    def owner(self) -> str:
        """The account that the bucket belongs to."""
        return self.row.account

    @property
    def region(self) -> str:
        """Where it was made."""
        return self.row.region

    @property
    def arn(self) -> str:
        return self.row.arn


async def opened(
    call: Call, bucket: str, action: str, key: str | None = None, *,
    given: Keys = NOTHING, expected_owner: str | None = None, look: Look | None = None,
) -> Opened:  # fmt: skip
    """The bucket, for an action on it, or on the object `key` in it.

    `given` are condition keys of the request (see `condition_keys.given_by`). `look` reads the object beside the bucket,
    so that both cost one way to the store; its tags can be asked for by policies. Raises NoSuchBucket, AccessDenied.
    """
    with as_s3():
        row, seen = await call.app.storage.read(lambda store: (find(store, bucket), look and look(store, bucket)))
    if expected_owner is not None and expected_owner != row.account:
        raise access_denied()
    found = Opened(row, row.read(Bucket), seen)
    refused = refusal(call, found, action, key, given)
    if refused is not None:
        raise refused
    return found


def refusal(call: Call, found: Opened, action: str, key: str | None, given: Keys) -> Fault | None:
    """Why the caller may not do the action; None: it may. Policies may ask for the tags of the object that was seen."""
    asked = _Keys(given, found.owner)
    refused = _judge(call, found, action, key, asked)
    if found.seen is not None and asked.wants_tags:
        asked.update({EXISTING_TAG + name.lower(): value for name, value in found.seen.detail.tags.items()})
        refused = _judge(call, found, action, key, asked)
    return refused


def find(store: Reader, bucket: str) -> Resource:
    """The row of a bucket, whoever's it is. Raises NoSuchBucket."""
    row = store.get(arn_of(bucket))
    if row is None or row.kind != KIND:
        raise no_such_bucket(bucket)
    return row


def check(call: Call, found: Opened, action: str, key: str | None = None, given: Keys = NOTHING) -> None:
    """Raise AccessDenied unless the caller may do a further action with a bucket that was opened."""
    refused = judged(call, found, action, key, given)
    if refused is not None:
        raise refused


def judged(call: Call, found: Opened, action: str, key: str | None, given: Keys = NOTHING) -> Fault | None:
    """Why the caller may not do the action; None: it may."""
    return _judge(call, found, action, key, _Keys(given, found.owner))


def _judge(call: Call, found: Opened, action: str, key: str | None, keys: _Keys) -> Fault | None:
    owner, caller = found.owner, call.caller
    if caller.is_root and caller.account == owner and action in _ALWAYS_ROOTS:
        return None
    text = found.bucket.policy
    if not caller.account and text is None:
        return access_denied()
    if text is not None and _is_shut_out(call, found, text):
        return access_denied()
    policy = None if text is None else compiled(text)
    arn = arn_of(found.name, key)
    request, decision = call.app.live.authority.weigh(call, action, arn, keys, policy=policy, owner=owner)
    return None if decision.allowed else denied(request, decision)


def allow(call: Call, action: str, resource: str = "*", given: Keys = NOTHING) -> None:
    """Raise AccessDenied unless the caller's own policies let it do an action for which there is no bucket yet."""
    if not call.caller.account:
        raise access_denied()
    request, decision = call.app.live.authority.weigh(call, action, resource, given)
    if not decision.allowed:
        raise denied(request, decision)


def missing_key(call: Call, found: Opened, key: str) -> Fault:
    """What a caller learns of a key that is not there: only who may list the bucket learns that."""
    refused = judged(call, found, "s3:ListBucket", None)
    return no_such_key(key) if refused is None else refused


def denied(request: Request, decision: Decision) -> Fault:
    """S3's refusal: in full within an account, without a reason across accounts and for anonymous callers."""
    if request.crosses_accounts or not request.subject.account:
        return access_denied()
    text, resource = explain.denial(request, decision), request.resource
    return access_denied(text.replace(f"on resource: {resource} ", f'on resource: "{resource}" ', 1))


def _is_shut_out(call: Call, found: Opened, text: str) -> bool:
    """Whether a public policy is there and the public is not to come in: all but the account and services of AWS."""
    if call.caller.account == found.owner or call.caller.kind == "service":
        return False
    return found.bucket.blocks("RestrictPublicBuckets") and is_public(read_policy(text))


class _Keys(dict[str, Value]):
    """Condition keys of a request to a bucket, which notice when a policy asks for the tags of the object."""

    __slots__ = ("wants_tags",)

    def __init__(self, given: Keys, owner: str) -> None:
        super().__init__(given)
        self["aws:resourceaccount"] = self["s3:resourceaccount"] = owner
        self.wants_tags = False

    def __contains__(self, key: object) -> bool:
        if super().__contains__(key):
            return True
        if isinstance(key, str) and key.startswith(EXISTING_TAG):
            self.wants_tags = True
        return False


@lru_cache(maxsize=512)
def read_policy(text: str) -> Policy:
    """A bucket's policy that was checked when it was put."""
    return parse(text, "resource", "bucket policy")


@lru_cache(maxsize=512)
def compiled(text: str) -> PolicySet:
    """A bucket's policy, ready to judge by. The same text is the same policy, whichever bucket it hangs on."""
    return PolicySet([read_policy(text)])
