"""Who may do what, now: the identities of all accounts, their policies compiled when they are first needed.

Owns the way from a principal to the policies that bear on it (its own, its boundary, its session's, the organisation's
guards), and the memory of what was compiled: per policy version, per set of policies, per principal, all bounded. A new
snapshot makes a new authority, which takes over what has not changed. A policy that cannot be read refuses everything
to whom it is attached, because it may have held a Deny. It must not know operations, HTTP or where identities are kept.
Pure but for those memories.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

import msgspec

from craton.aws.access import explain
from craton.aws.access.compile import PolicySet, Rule, rules_of
from craton.aws.access.credentials import Principal
from craton.aws.access.evaluate import Decision, Policies, evaluate
from craton.aws.access.identities import Identities, Identity, PolicyText
from craton.aws.access.keys import NOTHING, Circumstances, RequestKeys, account_of
from craton.aws.access.organization import Organization
from craton.aws.access.policy import parse
from craton.aws.access.recent import Recent
from craton.aws.access.record import Calls, Record
from craton.aws.access.request import Request, Subject, principal_keys, service_keys
from craton.aws.access.variables import Keys, Value
from craton.aws.wire.faults import Fault

Judged = tuple[str, Keys]
"""A resource and the keys that belong to it alone."""
Attached = Literal["identity", "boundary", "session"]

NO_ONE: Final = Identities()
NO_GUARDS: Final = Organization()
_NOTHING_AT_ALL: Final = '{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}'
_MAX_POLICIES: Final = 4096
_MAX_SETS: Final = 512
_MAX_STANDINGS: Final = 2048


class Standing:
    """A principal as the authority judges it.

    `free`: root, whom nothing holds in its own account. `sole`: its own policies, where nothing else bears on it.
    """

    __slots__ = ("calls", "free", "keys", "parts", "policies", "principal", "sole", "subject")

    def __init__(
        self, principal: Principal, subject: Subject, keys: dict[str, Value], parts: Parts, calls: Calls, *, free: bool
    ) -> None:
        self.principal = principal
        self.subject = subject
        self.keys = keys
        self.parts = parts
        self.policies = parts.joined()
        self.sole = parts.identity if self.policies.by_caller == (("identity", parts.identity),) else None
        self.calls = calls
        self.free = free

    def fits(self, principal: Principal) -> bool:
        """Whether it is still this principal's: the same caller, whichever way it came in."""
        mine = self.principal
        return mine is principal or (
            mine.arn == principal.arn
            and mine.account == principal.account  # that of a service of AWS's is not in its ARN
            and mine.source_arn == principal.source_arn
            and mine.role_arn == principal.role_arn
            and mine.session_policies == principal.session_policies
            and mine.session_tags == principal.session_tags
            and mine.issued_at == principal.issued_at
            and mine.source_identity == principal.source_identity
        )


class Parts:
    """The sets of policies that bear on a principal, before a resource's own joins them."""

    __slots__ = ("boundary", "identity", "organization", "session")

    def __init__(
        self, organization: Organization, identity: PolicySet, boundary: PolicySet | None, session: PolicySet | None
    ) -> None:
        self.organization = organization
        self.identity = identity
        self.boundary = boundary
        self.session = session

    def joined(self, resource: PolicySet | None = None, *, decides: bool = False) -> Policies:
        """All together. `decides`: without the resource's Allow nobody gets in, as with trust policies and keys."""
        return Policies(
            identity=self.identity,
            boundary=self.boundary,
            session=self.session,
            service_control=self.organization.service_control,
            resource_control=self.organization.resource_control,
            resource=resource,
            resource_decides=decides,
        )


class Authority:
    """Judges requests by one snapshot of identities. `earlier` lends what it has compiled and what it has recorded."""

    __slots__ = ("_compiled", "_roles", "_sets", "_standings", "identities", "organization", "record")  # fmt: skip

    def __init__(
        self,
        identities: Identities = NO_ONE,
        organization: Organization = NO_GUARDS,
        earlier: Authority | None = None,
    ) -> None:
        self.identities = identities
        self.organization = organization
        self.record: Record = Record() if earlier is None else earlier.record
        self._compiled: Recent[tuple[str, Attached], tuple[PolicyText, tuple[Rule, ...]]] = (
            Recent(_MAX_POLICIES) if earlier is None else earlier._compiled  # noqa: SLF001 - of its own kind
        )
        self._sets: Recent[tuple[Attached, tuple[str, ...]], PolicySet] = Recent(_MAX_SETS)
        self._standings: Recent[str, Standing] = Recent(_MAX_STANDINGS)
        self._roles: dict[tuple[str, str], str] | None = None

    # --- judging -----------------------------------------------------------------------------------------------

    def judge(self, about: Circumstances, action: str, judged: Iterable[Judged], given: Keys = NOTHING) -> None:
        """Raise AccessDeniedException, naming the first resource on which the caller may not do the action."""
        standing = self.standing(about.caller)
        calls, keys = standing.calls, None
        for resource, about_resource in judged:
            pair = (action, resource)
            # Of another account's resource a policy of its own may have allowed it then (`weigh`), and be gone now.
            if standing.free and pair in calls.allowed and account_of(resource) in {None, standing.subject.account}:
                continue
            if keys is None:
                keys = RequestKeys(about, standing.keys, given)
            keys.resource, keys.about_resource = resource, about_resource
            owner, subject = account_of(resource), standing.subject
            request = Request(subject=subject, action=action, resource=resource, keys=keys, resource_account=owner)
            if standing.sole is not None and (owner is None or owner == subject.account):
                # The commonest case of `evaluate`: its own policies alone bear on the caller, and one of them allows.
                rule = standing.sole.decide(request)
                if rule is not None and rule.effect == "Allow":
                    if pair not in calls.allowed:
                        calls.take(pair, allowed=True)
                    continue
            decision = evaluate(request, standing.policies)
            if not decision.allowed:
                calls.take(pair, allowed=False)
                raise explain.fault(request, decision)
            if pair not in calls.allowed:
                calls.take(pair, allowed=True)

    def weigh(
        self,
        about: Circumstances,
        action: str,
        resource: str,
        given: Keys = NOTHING,
        *,
        policy: PolicySet | None = None,
        decides: bool = False,
        owner: str | None = None,
    ) -> tuple[Request, Decision]:
        """The decision, whatever it is. `policy` is the resource's own; see `Parts.joined` for `decides`.

        `owner` is the resource's account where its ARN names none, as with S3's.
        """
        standing = self.standing(about.caller)
        request = self.request(standing, about, action, resource, given, owner)
        policies = standing.policies if policy is None else standing.parts.joined(policy, decides=decides)
        decision = evaluate(request, policies)
        standing.calls.take((action, resource), allowed=decision.allowed)
        return request, decision

    def request(
        self,
        standing: Standing,
        about: Circumstances,
        action: str,
        resource: str,
        given: Keys = NOTHING,
        owner: str | None = None,
    ) -> Request:
        """One question, with all that conditions may ask."""
        keys = RequestKeys(about, standing.keys, given)
        keys.resource = resource
        owner = owner or account_of(resource)
        return Request(subject=standing.subject, action=action, resource=resource, keys=keys, resource_account=owner)

    def may_sometimes(self, principal: Principal, action: str) -> bool:
        """Whether any statement lets the principal do the action on anything: for answers that name no resource yet."""
        standing = self.standing(principal)
        if standing.free:
            return True
        name = action.lower()
        return any(rule.effect == "Allow" and rule.actions.matches(name) for rule in standing.parts.identity.rules)

    # --- whom it knows -----------------------------------------------------------------------------------------

    def standing(self, principal: Principal) -> Standing:
        """The principal with everything that bears on it; one that nobody knows any more may do nothing."""
        key = principal.access_key_id or principal.arn
        found = self._standings.get(key)
        if found is not None and found.fits(principal):
            return found
        return self._standings.put(key, self._stand(principal))

    def identity(self, arn: str) -> Identity | None:
        """The user or role with this ARN."""
        return self.identities.identities.get(arn)

    def role(self, account: str, name: str) -> Identity | None:
        """The role with this name: a session's ARN leaves out the path that the role's has."""
        if self._roles is None:
            arns = (arn for arn in self.identities.identities if ":role/" in arn)
            self._roles = {(arn.split(":")[4], arn.rpartition("/")[2]): arn for arn in arns}
        return self.identity(self._roles.get((account, name), ""))

    # --- within ------------------------------------------------------------------------------------------------

    def _stand(self, principal: Principal) -> Standing:
        subject = Subject.of(principal, principal.role_arn)
        arn = principal.role_arn or principal.arn
        known = self.identities.identities.get(arn)
        tags = {**(known.tags if known is not None else {}), **principal.session_tags}
        keys = principal_keys(subject, tags, self.organization.id)
        if principal.source_identity is not None:
            keys["aws:sourceidentity"] = principal.source_identity
        if principal.source_arn is not None:
            keys.update(service_keys(subject, principal.source_arn, principal.account))
        free = principal.is_root and not self.organization.guards and not principal.session_policies
        parts = Parts(
            self.organization,
            self._set("identity", known.policies if known is not None else ()),
            self._set("boundary", (known.boundary,)) if known is not None and known.boundary is not None else None,
            self._of_session(principal.session_policies),
        )
        return Standing(principal, subject, keys, parts, self.record.of(arn), free=free)

    def _set(self, kind: Attached, ids: tuple[str, ...]) -> PolicySet:
        """The set of these policies, which all who stand under the same ones share."""
        found = self._sets.get((kind, ids))
        if found is None:
            found = PolicySet(rules=[rule for ident in ids for rule in self._rules(kind, ident)])
            self._sets.put((kind, ids), found)
        return found

    def _rules(self, kind: Attached, ident: str) -> tuple[Rule, ...]:
        text = self.identities.policies.get(ident) or PolicyText(ident, ident, "")
        found = self._compiled.get((ident, kind))
        if found is None or found[0] != text:
            found = self._compiled.put((ident, kind), (text, compiled(kind, text.document, text.arn or text.name)))
        return found[1]

    def _of_session(self, documents: tuple[str, ...]) -> PolicySet | None:
        if not documents:
            return None
        return PolicySet(rules=[rule for one in documents for rule in compiled("session", one, "session policy")])


def compiled(kind: Attached, document: str, name: str) -> tuple[Rule, ...]:
    """The rules of a document; one that cannot be read becomes a Deny of everything.

    All three kinds have one grammar. Their limits differ, but a session's may be a managed policy with that one's limit.
    """
    try:
        policy = parse(document, "identity", name)
    except Fault:
        policy = parse(_NOTHING_AT_ALL, "identity", name)
    return rules_of(msgspec.structs.replace(policy, kind=kind))
