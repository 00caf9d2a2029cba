"""Who may do what with a key: its own policy first, then identities, then grants.

Owns AWS's rule that nobody gets at a key whom its policy does not let in, not even the account's root, and the
condition keys of KMS. A grant is an Allow for what the policies are silent about; an explicit Deny beats it. It must not
know how keys are kept. Source: KMS developer guide, "Determining access" and "AWS KMS condition keys".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache

from craton.aws.access import explain
from craton.aws.access.compile import PolicySet
from craton.aws.access.policy import Policy, parse
from craton.aws.access.variables import Value
from craton.aws.wire.faults import Fault, access_denied
from craton.context import Call
from craton.infra.cipher.rows import MANAGED_ALIAS, Key, Place
from craton.services.kms.faults import LOCKED_OUT, malformed_policy, validation
from craton.services.kms.grant_rows import Grant, allows

# A policy's name in explanations; KMS knows no other.
POLICY_NAME = "default"
_HIDDEN = (
    "User: {user} is not authorized to perform: {action} on this resource because the resource does not exist in this "
    "Region, no resource-based policies allow access, or a resource-based policy explicitly denies access"
)


def judge(
    call: Call, action: str, key: Key, given: Mapping[str, Value] | None = None, *,
    grants: Callable[[], Iterable[Grant]] = tuple, context: Mapping[str, str] | None = None, via: str | None = None,
) -> None:  # fmt: skip
    """Raise AccessDeniedException unless the caller may do the action with the key.

    `given` are condition keys of this request beside those of the key and of the encryption `context`; `grants` gives
    those that reach far enough, if it comes to them; `via` is the service through which the caller comes.
    """
    keys: dict[str, Value] = {**of_key(call, key), **of_context(context), **(given or {})}
    if via is not None:
        keys["kms:viaservice"] = via
        keys["aws:viaawsservice"] = "true"
    policy = compiled(key.body.policy)
    authority = call.app.live.authority
    request, decision = authority.weigh(call, action, key.arn, keys, policy=policy, decides=True)
    allowed = decision.allowed
    if decision.reason == "implicit deny" and decision.kind in ("identity", "resource"):
        operation = action.removeprefix("kms:")
        allowed = any(allows(one, call.caller, operation, context or {}) for one in grants())
    authority.standing(call.caller).calls.take((action, key.arn), allowed=allowed)
    if allowed:
        return
    raise hidden(call, action) if key.row.account != call.account else explain.fault(request, decision)


def hidden(call: Call, action: str) -> Fault:
    """What a caller learns of another account's key that is not there, or not for it."""
    return access_denied(_HIDDEN.format(user=call.caller.arn, action=action))


def of_key(call: Call, key: Key) -> dict[str, Value]:
    """The condition keys that belong to the key and to the caller's account."""
    keys: dict[str, Value] = {
        "kms:calleraccount": call.account,
        "kms:keyspec": "SYMMETRIC_DEFAULT",
        "kms:keyusage": "ENCRYPT_DECRYPT",
        "kms:keyorigin": "AWS_KMS",
        "kms:multiregion": "false",
        **{f"aws:resourcetag/{name.lower()}": value for name, value in key.body.tags.items()},
    }
    if key.alias:
        keys["kms:requestalias"] = key.alias
    return keys


def of_context(context: Mapping[str, str] | None) -> dict[str, Value]:
    """kms:EncryptionContext:…, kms:EncryptionContextKeys and kms:EncryptionAlgorithm of a cryptographic operation.

    Raises ValidationException for names that differ in case alone: conditions could be asked about one and the other
    be meant, for to them the case of a name is no difference.
    """
    if context is None:
        return {}
    keys: dict[str, Value] = {f"kms:encryptioncontext:{name.lower()}": value for name, value in context.items()}
    if len(keys) != len(context):
        raise validation("The names in an encryption context must differ by more than upper and lower case.")
    if context:
        keys["kms:encryptioncontextkeys"] = tuple(context)
    keys["kms:encryptionalgorithm"] = "SYMMETRIC_DEFAULT"
    return keys


def default_policy(account: str) -> str:
    """The policy of a key that is made without one: the account's own policies decide."""
    return (
        '{"Version":"2012-10-17","Id":"key-default-1","Statement":[{"Sid":"Enable IAM User Permissions",'
        f'"Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::{account}:root"}},"Action":"kms:*","Resource":"*"}}]}}'
    )


def read_policy(text: str) -> Policy:
    """A key policy. Raises MalformedPolicyDocumentException with the place, LimitExceededException."""
    try:
        return parse(text, "resource", POLICY_NAME)
    except Fault as fault:
        name = "LimitExceededException" if fault.name == "LimitExceeded" else "MalformedPolicyDocumentException"
        raise Fault(name, fault.message) from None


def check_lockout(call: Call, text: str, place: Place) -> None:
    """The safety check: under the new policy the caller can still change it. Raises MalformedPolicyDocumentException."""
    _, decision = call.app.live.authority.weigh(
        call, "kms:PutKeyPolicy", place.arn, {"kms:calleraccount": call.account}, policy=compiled(text), decides=True
    )
    if not decision.allowed:
        raise malformed_policy(LOCKED_OUT)


@lru_cache(maxsize=512)
def compiled(text: str) -> PolicySet:
    """A key policy, ready to judge by. The same text is the same policy, whichever key it hangs on."""
    return PolicySet([read_policy(text)])


def is_managed(name: str) -> bool:
    """Whether a name is that of a key which the account gets by itself."""
    return name == MANAGED_ALIAS or name.endswith(f":{MANAGED_ALIAS}")
