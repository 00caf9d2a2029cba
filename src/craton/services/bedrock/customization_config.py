"""What a customization job was asked to do, per type: which members its request must have, and which it must not.

Owns these rules, and the form in which members of a request are kept. It must not know rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from craton.aws.wire.faults import validation
from craton.context import Call
from craton.features.functions.function import LATEST
from craton.features.tuning.grading import GRADER, RULES
from craton.services import stored
from craton.services.lambda_ import gate

if TYPE_CHECKING:
    from craton.aws.shapes.bedrock import CreateModelCustomizationJobRequest

IMPORTED = "The customization type IMPORTED cannot be asked for. Use CreateCustomModel or CreateModelImportJob."
NO_TEACHER = "A job of the type DISTILLATION must have a customizationConfig with a distillationConfig."
NO_GRADER = (
    "A job of the type REINFORCEMENT_FINE_TUNING must have a customizationConfig with an rftConfig and a graderConfig."
)
ONLY_S3 = "A job of the type {type} must have an s3Uri in its trainingDataConfig."
_FROM_LOGS = ("DISTILLATION", "REINFORCEMENT_FINE_TUNING")
ONE_SOURCE = "The trainingDataConfig must have either an s3Uri or an invocationLogsConfig."
NOT_OF_TYPE = "A customizationConfig with {member} does not belong to a job of the type {type}."
NOT_A_RULE = "The grader {arn} cannot be used: names that begin with craton-grader- stand for rules: {rules}."
NO_FUNCTION = "The grader function {arn} does not exist."
ELSEWHERE = "The grader function {arn} must be in the job's Region, {region}."


class Asked(msgspec.Struct, frozen=True):
    """`hyperparameters` by Bedrock's names, wherever in the request they stood."""

    hyperparameters: dict[str, str]


def plain(member: Any) -> dict[str, Any]:
    """A member of a request as it came, without what was left out."""
    return dict(_without(msgspec.to_builtins(member))) if member is not None else {}


def _without(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without(each) for key, each in value.items() if each is not None}
    return [_without(each) for each in value] if isinstance(value, list | tuple) else value


def asked_for(call: Call, req: CreateModelCustomizationJobRequest, kind: str) -> Asked:
    """Check what the type needs. Raises ValidationException."""
    if kind == "IMPORTED":
        raise validation(IMPORTED)
    config, training = plain(req.customizationConfig), plain(req.trainingDataConfig)
    check_config(config, kind)
    if ("s3Uri" in training) == ("invocationLogsConfig" in training):
        raise validation(ONE_SOURCE)
    if kind not in _FROM_LOGS and "s3Uri" not in training:
        raise validation(ONLY_S3.format(type=kind))
    return Asked(dict(req.hyperParameters or {}))


def check_config(config: dict[str, Any], kind: str) -> None:
    """Raise ValidationException for a config that is missing, or of another type."""
    needed = {"DISTILLATION": "distillationConfig", "REINFORCEMENT_FINE_TUNING": "rftConfig"}.get(kind)
    for member in config:
        if member != needed:
            raise validation(NOT_OF_TYPE.format(member=member, type=kind))
    if kind == "DISTILLATION" and needed not in config:
        raise validation(NO_TEACHER)
    if kind == "REINFORCEMENT_FINE_TUNING":
        grader = config.get("rftConfig", {}).get("graderConfig", {}).get("lambdaGrader")
        if grader is None:
            raise validation(NO_GRADER)


async def check_grader(call: Call, config: dict[str, Any]) -> None:
    """Raise ValidationException for a grader that is neither a rule nor a function that may be there.

    Whether the role may invoke it is found out by the job, as with the data; so is a function of another account.
    """
    arn: str = config["rftConfig"]["graderConfig"]["lambdaGrader"]["lambdaArn"]
    _, _, _, region, account, _, name, *qualifier = arn.split(":")
    if name.startswith(GRADER):
        if name.removeprefix(GRADER) not in RULES:
            raise validation(NOT_A_RULE.format(arn=arn, rules=", ".join(f"{GRADER}{rule}" for rule in RULES)))
        return
    if region != call.region:
        raise validation(ELSEWHERE.format(arn=arn, region=call.region))
    wanted = gate.Named(account, region, name, qualifier[0] if qualifier else None)
    if account == call.account and not await is_there(call, wanted):
        raise validation(NO_FUNCTION.format(arn=arn))


async def is_there(call: Call, wanted: gate.Named) -> bool:
    with stored.faults("function"):
        found = await call.app.storage.read(lambda store: gate.look(store, wanted))
    if found is None:
        return False
    return wanted.qualifier in (None, LATEST) or found.alias is not None or found.version is not None
