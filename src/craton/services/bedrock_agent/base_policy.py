"""The resource policy of a knowledge base: what it may say, and who may do what by it.

Owns Bedrock's rules for such a policy beyond the grammar of policies, and the judgement of a caller by it together with the
caller's own policies, both of which are needed across accounts. It must not know operations. Source: Bedrock's user guide,
"Resource policies for managed knowledge bases".
"""

from __future__ import annotations

from functools import lru_cache

from craton.aws.access import explain
from craton.aws.access.compile import PolicySet
from craton.aws.access.policy import parse
from craton.aws.access.request import tag_keys
from craton.aws.wire.faults import Fault, validation
from craton.context import Call
from craton.features.rag.resources import KnowledgeBase

ACTIONS = ("bedrock:Retrieve", "bedrock:GetDocumentContent")
NAME = "knowledge base policy"
NOT_MANAGED = "Only a knowledge base of the type MANAGED takes a resource policy."
BAD = "The provided resource policy is not valid: {why}"
OTHER_ACTION = f"the actions that a policy may name, each in full, are {' and '.join(ACTIONS)}."
OTHER_RESOURCE = "every statement must name the resource {arn} and no other."


def check(text: str, arn: str, base: KnowledgeBase) -> None:
    """Raise ValidationException for a policy that cannot hang on the knowledge base."""
    if base.configuration["type"] != "MANAGED":
        raise validation(NOT_MANAGED)
    try:
        policy = parse(text, "resource", NAME)
    except Fault as fault:
        raise validation(BAD.format(why=fault.message)) from None
    known = {one.lower() for one in ACTIONS}
    for statement in policy.statements:
        if statement.not_actions or not {one.lower() for one in statement.actions} <= known:
            raise validation(BAD.format(why=OTHER_ACTION))
        if statement.not_resources or set(statement.resources) != {arn}:
            raise validation(BAD.format(why=OTHER_RESOURCE.format(arn=arn)))


def judge(call: Call, action: str, arn: str, base: KnowledgeBase | None) -> None:
    """Raise AccessDeniedException unless the caller may do the action on the knowledge base (None: there is none)."""
    keys = tag_keys(resource_tags=base.tags if base is not None else {})
    policy = compiled(base.policy) if base is not None and base.policy else None
    # Not `Authority.judge`, which remembers what a root was allowed once: the policy that allowed it may be gone.
    request, decision = call.app.live.authority.weigh(call, action, arn, keys, policy=policy)
    if not decision.allowed:
        raise explain.fault(request, decision)


@lru_cache(maxsize=512)
def compiled(text: str) -> PolicySet:
    """A policy, ready to judge by. The same text is the same policy, whichever knowledge base it hangs on."""
    return PolicySet([parse(text, "resource", NAME)])
