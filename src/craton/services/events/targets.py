"""Targets of rules: given, taken away, listed.

Owns what a target may be here, which is a function or a log group, and AWS's conditions on one. It must not know delivery.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

from craton.aws.arn import parse
from craton.aws.wire.faults import validation
from craton.context import Call
from craton.features.events.rule import Rule, Target
from craton.features.events.transform import BadTransform, Transformer, check, check_path
from craton.services.events.asked import amend, bus_named, rule_of
from craton.services.events.faults import bad, too_many
from craton.services.events.rules import SERVICE
from craton.services.operation import operation
from craton.services.passing import check_pass_role

if TYPE_CHECKING:
    from craton.aws.shapes.events import (
        ListTargetsByRuleRequest,
        ListTargetsByRuleResponse,
        PutTargetsRequest,
        PutTargetsResponse,
        RemoveTargetsRequest,
        RemoveTargetsResponse,
    )

MOST_TARGETS: Final = 5
BAD_ARN = "Provided Arn is not in correct format."
NOT_HERE = "Targets are Lambda functions and CloudWatch Logs log groups here."
LETTERS_HERE = "Dead letters go to a CloudWatch Logs log group here."
ONE_INPUT = "Only one of Input, InputPath, or InputTransformer must be provided for target {id}."
TWICE = "Target Ids must be unique in a request: {id}"
_SHAPES: Final = {
    "lambda": re.compile(r"function:[A-Za-z0-9_-]{1,64}(:[$A-Za-z0-9_-]{1,128})?"),
    "logs": re.compile(r"log-group:[.\-_/#A-Za-z0-9]{1,512}(:\*)?"),
}
# Members that belong to targets of services that are not here.
_FOREIGN: Final = ("KinesisParameters", "RunCommandParameters", "EcsParameters", "BatchParameters", "SqsParameters",
                   "HttpParameters", "RedshiftDataParameters", "SageMakerPipelineParameters", "AppSyncParameters")  # fmt: skip


@operation("events", "PutTargets")
async def put_targets(call: Call, req: PutTargetsRequest) -> PutTargetsResponse:
    bus = bus_named(call, req.EventBusName)
    given = {"events:targetarn": tuple(one.Arn for one in req.Targets)}
    row, _ = await rule_of(call, "PutTargets", req.Rule, bus, given)
    targets = [target_of(call, one) for one in req.Targets]
    for at, one in enumerate(targets):
        if any(other.id == one.id for other in targets[:at]):
            raise validation(TWICE.format(id=one.id))
        if one.role is not None:
            await check_pass_role(call, one.role, SERVICE, source_arn=row.arn)

    def merge(rule: Rule) -> Rule:
        merged = {one.id: one for one in (*rule.targets, *targets)}
        if len(merged) > MOST_TARGETS:
            raise too_many()
        return msgspec.structs.replace(rule, targets=tuple(merged.values()))

    await amend(call, req.Rule, bus, merge)
    return {"FailedEntryCount": 0, "FailedEntries": []}


def target_of(call: Call, asked: Any) -> Target:
    """A target of a request. Raises ValidationException."""
    check_arn(call, asked.Arn, asked.Arn, _SHAPES, NOT_HERE)
    for name in _FOREIGN:
        if getattr(asked, name, None) is not None:
            raise bad(name, f"It is not for target {asked.Id}.")
    transformer = asked.InputTransformer
    if sum(one is not None for one in (asked.Input, asked.InputPath, transformer)) > 1:
        raise validation(ONE_INPUT.format(id=asked.Id))
    letters = asked.DeadLetterConfig.Arn if asked.DeadLetterConfig is not None else None
    if letters is not None:
        check_arn(call, letters, "DeadLetterConfig", {"logs": _SHAPES["logs"]}, LETTERS_HERE)
    policy = asked.RetryPolicy
    target = Target(
        id=asked.Id, arn=asked.Arn, role=asked.RoleArn, input=asked.Input, input_path=asked.InputPath,
        transformer=Transformer(transformer.InputTemplate, dict(transformer.InputPathsMap or {})) if transformer else None,
        retries=policy.MaximumRetryAttempts if policy is not None else None,
        age_s=policy.MaximumEventAgeInSeconds if policy is not None else None, dead_letter=letters,
    )  # fmt: skip
    check_input(target)
    return target


def check_arn(call: Call, arn: str, shown: str, shapes: dict[str, re.Pattern[str]], otherwise: str) -> None:
    """Raise ValidationException for what cannot be reached from here."""
    found = parse(arn)
    if found is None:
        raise bad(shown, BAD_ARN)
    shape = shapes.get(found.service)
    if shape is None:
        raise bad(shown, otherwise)
    if shape.fullmatch(found.resource) is None or found.region != call.region:
        raise bad(shown, BAD_ARN)
    if found.service == "logs" and found.account != call.account:
        raise bad(shown, BAD_ARN)


def check_input(target: Target) -> None:
    """Raise ValidationException for a constant that is not JSON, a path or a template that cannot be used."""
    if target.input is not None:
        try:
            msgspec.json.decode(target.input)
        except (msgspec.DecodeError, RecursionError):
            raise bad("Input", f"JSON syntax error in input for target {target.id}.") from None
    try:
        if target.input_path is not None:
            check_path(target.input_path)
        if target.transformer is not None:
            check(target.transformer)
    except BadTransform as error:
        raise bad("Target", f"{error} for target {target.id}.") from None


@operation("events", "RemoveTargets")
async def remove_targets(call: Call, req: RemoveTargetsRequest) -> RemoveTargetsResponse:
    bus, gone = bus_named(call, req.EventBusName), frozenset(req.Ids)
    _, rule = await rule_of(call, "RemoveTargets", req.Rule, bus)
    known = {one.id for one in rule.targets}

    def lessen(rule: Rule) -> Rule:
        return msgspec.structs.replace(rule, targets=tuple(one for one in rule.targets if one.id not in gone))

    await amend(call, req.Rule, bus, lessen)
    failed = [
        {"TargetId": one, "ErrorCode": "ResourceNotFoundException",
         "ErrorMessage": f"Rule {req.Rule} does not have a target with the Id {one}."}
        for one in sorted(gone - known)
    ]  # fmt: skip
    return {"FailedEntryCount": len(failed), "FailedEntries": failed}  # type: ignore[typeddict-item]


@operation("events", "ListTargetsByRule")
async def list_targets_by_rule(call: Call, req: ListTargetsByRuleRequest) -> ListTargetsByRuleResponse:
    """All at once unless a limit asks otherwise: a rule has few. The token is the id of the next target."""
    bus = bus_named(call, req.EventBusName)
    _, rule = await rule_of(call, "ListTargetsByRule", req.Rule, bus)
    found = sorted(rule.targets, key=lambda one: one.id)
    if req.NextToken is not None:
        found = [one for one in found if one.id >= req.NextToken]
    limit = req.Limit or len(found)
    token = {"NextToken": found[limit].id} if len(found) > limit else {}
    return {"Targets": [shown(one) for one in found[:limit]], **token}  # type: ignore[typeddict-item]


def shown(target: Target) -> dict[str, Any]:
    """A target as the API has it."""
    transformer, policy = target.transformer, {}
    if target.retries is not None:
        policy["MaximumRetryAttempts"] = target.retries
    if target.age_s is not None:
        policy["MaximumEventAgeInSeconds"] = target.age_s
    found = {
        "Id": target.id, "Arn": target.arn, "RoleArn": target.role, "Input": target.input,
        "InputPath": target.input_path, "RetryPolicy": policy or None,
        "DeadLetterConfig": {"Arn": target.dead_letter} if target.dead_letter is not None else None,
        "InputTransformer": {"InputPathsMap": transformer.paths, "InputTemplate": transformer.template}
        if transformer is not None else None,
    }  # fmt: skip
    return {name: value for name, value in found.items() if value is not None}
