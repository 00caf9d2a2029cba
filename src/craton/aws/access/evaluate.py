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


class Policies:
    """All that bears on a request. None (or an empty tuple) means that there is no such policy. Never changes.

    `identity` joins the user's (or role's) own, inline and attached, and its groups'. `session` holds the policies
    given when the session was made: one set. `service_control` and `resource_control` hold a set per level of the
    organisation (root, units, account), each of which must allow. `resource` hangs on the resource;
    `resource_decides` says that without its Allow nobody gets in, as with trust policies and keys.
    """

    __slots__ = ("bounded", "by_caller", "by_stranger", "in_session", "organised", "resource", "resource_decides")

    def __init__(
        self,
        *,
        identity: PolicySet | None = None,
        boundary: PolicySet | None = None,
        session: PolicySet | None = None,
        service_control: tuple[PolicySet, ...] = (),
        resource_control: tuple[PolicySet, ...] = (),
        resource: PolicySet | None = None,
        resource_decides: bool = False,
    ) -> None:
        # Whoever has no account has no identity, and no organisation guards it.
        self.by_stranger: tuple[tuple[Kind, PolicySet], ...] = tuple(("rcp", one) for one in resource_control)
        own: tuple[tuple[Kind, PolicySet | None], ...] = (
            *(("scp", one) for one in service_control),
            ("identity", identity),
            ("boundary", boundary),
            ("session", session),
        )
        self.by_caller = self.by_stranger + tuple((kind, one) for kind, one in own if one is not None)
        self.organised = bool(service_control)
        self.bounded = boundary is not None
        self.in_session = session is not None
        self.resource = resource
        self.resource_decides = resource_decides

    def sets(self) -> tuple[PolicySet, ...]:
        """Every set there is, the resource's last."""
        return tuple(one for _, one in self.by_caller) + (() if self.resource is None else (self.resource,))


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
    subject = request.subject
    lacking: list[Kind] = []
    own: Rule | None = None
    # Every set is asked before anything is refused for want of an Allow: a Deny in a later one is the stronger answer.
    for kind, one in policies.by_caller if subject.account else policies.by_stranger:
        rule = one.decide(request)
        if rule is None:
            lacking.append(kind)
        elif rule.effect == "Deny":
            return Decision("explicit deny", kind, rule)
        elif kind == "identity":
            own = rule
    granted, theirs = Strength.NOT, None
    if policies.resource is not None:
        theirs, granted = policies.resource.decide_by_strength(request)
        if theirs is not None and theirs.effect == "Deny":
            return Decision("explicit deny", "resource", theirs)
    elif own is not None and not lacking and not policies.resource_decides and not request.crosses_accounts:
        return Decision("allowed", "identity", own)
    if own is None:
        lacking.append("identity")
    if theirs is None:
        lacking.append("resource")
    for kind in _obligations(request, policies, granted):
        if kind in lacking:
            return Decision("implicit deny", kind)
    # The Allow to show is the identity's own, else the resource's; guards, boundaries and sessions only limit.
    if own is not None:
        return Decision("allowed", "identity", own)
    return Decision("allowed") if theirs is None else Decision("allowed", "resource", theirs)


def _obligations(request: Request, policies: Policies, granted: Strength) -> list[Kind]:
    """The kinds of which an Allow is needed, in the order in which AWS asks."""
    subject = request.subject
    kinds: list[Kind] = ["rcp"] if policies.by_stranger else []
    if not subject.account:
        return [*kinds, "resource"]
    if policies.organised:
        kinds.append("scp")
    crosses = request.crosses_accounts
    if crosses or policies.resource_decides:
        kinds.append("resource")
    if granted is Strength.EXACT and not crosses:
        return kinds
    # Root needs no policy of its own; a role (or everyone) that is named by its own account's resource needs none.
    if subject.kind != "root" and (crosses or granted is not Strength.ROLE):
        kinds.append("identity")
    if policies.bounded:
        kinds.append("boundary")
    if policies.in_session:
        kinds.append("session")
    return kinds
