"""SimulateCustomPolicy and SimulatePrincipalPolicy: what the evaluator would decide about requests nobody makes.

Answers come from the evaluator that judges requests, with the organisation's guards. A condition key that the caller of
the simulator does not give is missing, save those that belong to the simulated principal. It must not know how a
statement is weighed (`aws.access`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from craton.aws import arn as names
from craton.aws.access.compile import PolicySet
from craton.aws.access.policy import parse
from craton.aws.access.request import Subject, principal_keys
from craton.aws.access.simulate import Matched, Simulated, Simulation, Written
from craton.aws.access.variables import Value
from craton.aws.wire.faults import Fault
from craton.context import Call
from craton.infra.identities import records
from craton.infra.identities.managed import aws_policies
from craton.infra.identities.records import Group, ManagedPolicy
from craton.infra.store.port import Reader
from craton.services.iam import pages
from craton.services.iam.nouns import action, faults, invalid, no_such
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.access.identities import Identity, PolicyText
    from craton.aws.shapes import iam

NEEDS_CALLER = "CallerArn is required when ResourcePolicy is given."
NOT_SIMULATED = "The policy source must be the ARN of a user, group or role of this account."
_INPUT = "IAM Policy"


@operation("iam", "SimulateCustomPolicy")
async def simulate_custom_policy(call: Call, req: iam.SimulateCustomPolicyRequest) -> iam.SimulatePolicyResponse:
    call.authorize(action(call), "*")
    subject = caller_of(call, req.CallerArn)
    levels = guards(level.ServiceControlPolicyInputList for level in req.OrderedOrganizationPolicyInputList or ())
    made = simulation(subject, given("PolicyInputList", req.PolicyInputList), req, levels)
    return answer(call, req, made, principal_keys(subject))


@operation("iam", "SimulatePrincipalPolicy")
async def simulate_principal_policy(call: Call, req: iam.SimulatePrincipalPolicyRequest) -> iam.SimulatePolicyResponse:
    call.authorize(action(call), req.PolicySourceArn)
    authority = call.app.live.authority
    own, found = await policies_of(call, req.PolicySourceArn)
    tags: dict[str, str] = {}
    boundary: list[Written] = []
    if found is None:
        subject = caller_of(call, req.CallerArn)
    else:
        if found.boundary is not None:
            boundary = [shown(authority.identities.policies[found.boundary], found.kind)]
        subject, tags = caller_of(call, req.CallerArn or req.PolicySourceArn), found.tags
    levels = authority.organization.service_control
    made = simulation(subject, [*own, *given("PolicyInputList", req.PolicyInputList)], req, levels, boundary)
    return answer(call, req, made, principal_keys(subject, tags, authority.organization.id))


def simulation(
    subject: Subject, own: list[Written], req: Any, levels: tuple[PolicySet, ...], boundary: Iterable[Written] = ()
) -> Simulation:
    """Raises InvalidInput for a policy that cannot be read."""
    if req.ResourcePolicy is not None and not req.CallerArn:
        raise invalid(NEEDS_CALLER)
    bounds = given("PermissionsBoundaryPolicyInputList", req.PermissionsBoundaryPolicyInputList) or list(boundary)
    resource = Written("ResourcePolicy", "Resource Policy", req.ResourcePolicy) if req.ResourcePolicy else None
    try:
        return Simulation(subject, own, boundary=bounds, service_control=levels, resource=resource)
    except Fault as fault:
        raise invalid(fault.message) from None


def answer(call: Call, req: Any, made: Simulation, own_keys: dict[str, Value]) -> iam.SimulatePolicyResponse:
    """A page of the decisions on every action and resource."""
    keys = {**own_keys, **context(req.ContextEntries or ())}
    owner = account_of(req.ResourceOwner) if req.ResourceOwner else None
    pairs = [(name, resource) for name in req.ActionNames for resource in req.ResourceArns or ["*"]]
    numbered = [(f"{number:06d}", pair) for number, pair in enumerate(pairs)]
    chosen, tail = pages.of_list(call, req, numbered, lambda one: one[0], req.ActionNames, req.ResourceArns)
    results = [result(made.ask(name, resource, keys, owner)) for _, (name, resource) in chosen]
    return {"EvaluationResults": results, **tail}  # type: ignore[typeddict-item]


def result(found: Simulated) -> iam.EvaluationResult:
    shown: iam.EvaluationResult = {
        "EvalActionName": found.action,
        "EvalResourceName": found.resource,
        "EvalDecision": found.verdict,
        "MatchedStatements": [statement(one) for one in found.matched],
        "MissingContextValues": list(found.missing),
        "ResourceSpecificResults": [],
    }
    if "scp" in found.limits:
        shown["OrganizationsDecisionDetail"] = {"AllowedByOrganizations": found.limits["scp"]}
    if "boundary" in found.limits:
        shown["PermissionsBoundaryDecisionDetail"] = {"AllowedByPermissionsBoundary": found.limits["boundary"]}
    return shown


def statement(one: Matched) -> iam.Statement:
    (line, column), (last_line, last_column) = one.start, one.end
    return {
        "SourcePolicyId": one.policy.id,
        "SourcePolicyType": one.policy.source,
        "StartPosition": {"Line": line, "Column": column},
        "EndPosition": {"Line": last_line, "Column": last_column},
    }


# --- what is simulated -----------------------------------------------------------------------------------------


def given(member: str, documents: Iterable[str] | None) -> list[Written]:
    """Documents of a request, named as AWS's simulator names them."""
    return [Written(f"{member}.{number}", _INPUT, text) for number, text in enumerate(documents or (), 1)]


def shown(text: PolicyText, kind: str) -> Written:
    """A policy that is in force."""
    if text.arn is None:
        return Written(text.name, kind, text.document)
    return Written(text.arn, "aws-managed" if ":aws:policy/" in text.arn else "user-managed", text.document)


async def policies_of(call: Call, arn: str) -> tuple[list[Written], Identity | None]:
    """All policies that a user, group or role stands under; itself if it is no group.

    Raises InvalidInput for what is none of this account, NoSuchEntity.
    """
    source = names.parse(arn)
    if source is None or source.account != call.account or source.type not in ("user", "group", "role"):
        raise invalid(NOT_SIMULATED)
    if source.type == "group":
        return await of_group(call, source.id.rpartition("/")[2], arn), None
    authority = call.app.live.authority
    found = authority.identity(arn)
    if found is None:
        raise no_such(f"The {source.type} with ARN {arn} cannot be found.")
    return [shown(authority.identities.policies[ident], found.kind) for ident in found.policies], found


async def of_group(call: Call, name: str, arn: str) -> list[Written]:
    """The policies of a group. Raises NoSuchEntity."""

    def work(store: Reader) -> list[Written] | None:
        row = records.named(store, call.account, records.GROUP, name)
        if row is None or row.arn != arn:
            return None
        body = row.read(Group)
        inline = [Written(one, "group", document) for one, document in body.inline.items()]
        return [*inline, *(Written(*one) for one in attached(store, body.attached))]

    with faults():
        found = await call.app.storage.read(work)
    if found is None:
        raise no_such(f"The group with ARN {arn} cannot be found.")
    return found


def attached(store: Reader, arns: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    """Managed policies: ARN, whose, and the text in force."""
    for arn in arns:
        ours, row = aws_policies().get(arn), store.get(arn)
        if ours is not None:
            yield arn, "aws-managed", ours.document
        elif row is not None:
            yield arn, "user-managed", row.read(ManagedPolicy).document


def guards(levels: Iterable[Iterable[str] | None]) -> tuple[PolicySet, ...]:
    """The levels of an organisation, each of which must allow. Raises InvalidInput."""
    try:
        return tuple(PolicySet([parse(text, "scp") for text in level or ()]) for level in levels)
    except Fault as fault:
        raise invalid(fault.message) from None


def caller_of(call: Call, arn: str | None) -> Subject:
    """Whom the simulated requests would come from: a user, a role's session; without an ARN, a user without a name."""
    parts = names.parse(arn) if arn else None
    if arn and parts is None:
        raise invalid(f"{arn} is not an ARN.")
    if parts is None:
        return Subject(kind="user", arn=f"arn:aws:iam::{call.account}:user/simulated", account=call.account)
    name = parts.id.rpartition("/")[2]
    if parts.type in ("role", "assumed-role"):
        role = arn if parts.type == "role" else None
        return Subject(kind="assumed-role", arn=arn or "", account=parts.account, role_arn=role)
    return Subject(kind="user", arn=arn or "", account=parts.account, name=name)


def context(entries: Iterable[Any]) -> dict[str, Value]:
    """Condition keys as the request gives them; a list stays one, whatever it holds."""
    found: dict[str, Value] = {}
    for entry in entries:
        values = tuple(entry.ContextKeyValues or ())
        listed = (entry.ContextKeyType or "").endswith("List") or len(values) != 1
        found[(entry.ContextKeyName or "").lower()] = values if listed else values[0]
    return found


def account_of(owner: str) -> str:
    """The account in a ResourceOwner, which is an ARN or an account's number."""
    parts = names.parse(owner)
    return owner if parts is None else parts.account
