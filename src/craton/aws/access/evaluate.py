"""Whether a request is allowed, from all policies that bear on it.

Owns AWS's order of evaluation, and nothing else: an explicit Deny anywhere; then what must allow, one kind after the
other: resource control policies, service control policies, the resource's policy, the identity's, the boundary, the
session. It must not know how a statement applies (`compile`), nor say it in words (`explain`). Pure.
Source: IAM user guide, "Policy evaluation logic" and "Cross-account policy evaluation logic".
"""

from __future__ import annotations

from typing import Literal

import msgspec

from craton.aws.access.compile import PolicySet, Rule
from craton.aws.access.policy import Kind
from craton.aws.access.principals import Strength
from craton.aws.access.request import Request

Reason = Literal["allowed", "explicit deny", "implicit deny"]


class Policies(msgspec.Struct, frozen=True, kw_only=True):
    """All that bears on a request. None (or an empty tuple) means that there is no such policy.

    `identity` joins the user's (or role's) own, inline and attached, and its groups'. `sessions` are the policies
    given when the session was made: one set. `service_control` and `resource_control` hold a set per level of the
    organisation (root, units, account), each of which must allow. `resource` hangs on the resource;
    `resource_decides` says that without its Allow nobody gets in, as with trust policies and keys.
    """

    identity: PolicySet | None = None
    boundary: PolicySet | None = None
    session: PolicySet | None = None
    service_control: tuple[PolicySet, ...] = ()
    resource_control: tuple[PolicySet, ...] = ()
    resource: PolicySet | None = None
    resource_decides: bool = False


class Decision(msgspec.Struct, frozen=True):
    """The answer. `kind` is the kind of policy that decided, `rule` its statement; an implicit deny has none.

    Root in its own account is allowed with neither.
    """

    reason: Reason
    kind: Kind | None = None
    rule: Rule | None = None

    @property
    def allowed(self) -> bool:
        """Whether the request may go on."""
        return self.reason == "allowed"


def evaluate(request: Request, policies: Policies) -> Decision:
    """Decide one action on one resource."""
    allows: dict[Kind, Rule] = {}
    granted = Strength.NOT
    # Every set is asked before anything is refused for want of an Allow: a Deny in a later one is the stronger answer.
    lacking: set[Kind] = set()
    for kind, one in _attached(request.subject.account, policies):
        rule = one.decide(request)
        if rule is None:
            lacking.add(kind)
        elif rule.effect == "Deny":
            return Decision("explicit deny", kind, rule)
        else:
            allows[kind] = rule
    if policies.resource is not None:
        rule, granted = policies.resource.decide_by_strength(request)
        if rule is not None and rule.effect == "Deny":
            return Decision("explicit deny", "resource", rule)
        if rule is not None:
            allows["resource"] = rule
    for kind in _obligations(request, policies, granted):
        if kind in lacking or kind not in allows:
            return Decision("implicit deny", kind)
    return _allowed(allows)


def _attached(account: str, policies: Policies) -> list[tuple[Kind, PolicySet]]:
    """Every set but the resource's. Whoever has no account has no identity, and no organisation guards it."""
    sets: list[tuple[Kind, PolicySet]] = [("rcp", one) for one in policies.resource_control]
    if not account:
        return sets
    sets += [("scp", one) for one in policies.service_control]
    if policies.identity is not None:
        sets.append(("identity", policies.identity))
    if policies.boundary is not None:
        sets.append(("boundary", policies.boundary))
    if policies.session is not None:
        sets.append(("session", policies.session))
    return sets


def _obligations(request: Request, policies: Policies, granted: Strength) -> list[Kind]:
    """The kinds of which an Allow is needed, in the order in which AWS asks."""
    subject = request.subject
    kinds: list[Kind] = []
    if policies.resource_control:
        kinds.append("rcp")
    if not subject.account:
        return [*kinds, "resource"]
    if policies.service_control:
        kinds.append("scp")
    crosses = request.crosses_accounts
    if crosses or policies.resource_decides:
        kinds.append("resource")
    if granted is Strength.EXACT and not crosses:
        return kinds
    # Root needs no policy of its own; a role (or everyone) that is named by its own account's resource needs none.
    if subject.kind != "root" and (crosses or granted is not Strength.ROLE):
        kinds.append("identity")
    if policies.boundary is not None:
        kinds.append("boundary")
    if policies.session is not None:
        kinds.append("session")
    return kinds


def _allowed(allows: dict[Kind, Rule]) -> Decision:
    """The Allow to show: the identity's own, else the resource's; guards, boundaries and sessions only limit."""
    kinds: tuple[Kind, ...] = ("identity", "resource")
    for kind in kinds:
        if kind in allows:
            return Decision("allowed", kind, allows[kind])
    return Decision("allowed")
