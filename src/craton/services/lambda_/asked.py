"""A function's configuration as it is asked for: what this server can run, and the errors for all else.

Owns the rules of runtime, handler, memory and the like, the execution role, layers and variables. It must not know how
rows are kept.
"""

from __future__ import annotations

import re
from typing import Any, Final
from uuid import uuid4

import msgspec

from craton.aws.access.variables import Value
from craton.aws.wire.faults import access_denied
from craton.context import Call
from craton.features.functions import archive, environment
from craton.features.functions.function import SERVICE, Configuration, LayerUse, LayerVersion
from craton.features.functions.host import runtimes
from craton.services.lambda_ import keys
from craton.services.lambda_.faults import as_faults, invalid
from craton.services.passing import trusts

_ROLE: Final = re.compile(r"arn:aws[a-zA-Z-]*:iam::(\d{12}):role/?[a-zA-Z_0-9+=,.@\-_/]+")
_MOST_LAYERS: Final = 5
_MOST_TIMEOUT_S, _MOST_MEMORY_MB, _MOST_EPHEMERAL_MB = 900, 10_240, 10_240
_ARCHITECTURES: Final = ("x86_64", "arm64")
# What a request may ask for that nothing here stands behind, and the members that say that nothing is asked for.
_NOT_HERE: Final = {
    "FileSystemConfigs": "file systems",
    "ImageConfig": "container images",
    "CapacityProviderConfig": "capacity providers",
    "DurableConfig": "durable executions",
    "TenancyConfig": "tenant isolation",
    "AcceleratorConfig": "accelerators",
    "CodeSigningConfigArn": "code signing",
    "PublishTo": "capacity providers",
}
_DEFAULT_LOGGING: Final = {"LogFormat": "Text"}


def check_supported(req: Any) -> None:
    """Raise InvalidParameterValueException for what this server does not have, rather than leave it out in silence."""
    for member, what in _NOT_HERE.items():
        if getattr(req, member, None):
            raise invalid(f"{member}: this server has no {what} for functions.")
    snap = getattr(req, "SnapStart", None)
    if snap is not None and snap.ApplyOn == "PublishedVersions":
        raise invalid("SnapStart: this server has no snapshots of environments. Use provisioned concurrency instead.")
    if getattr(req, "PackageType", None) == "Image":
        raise invalid("Functions from container images are not run by this server: give a zip (PackageType Zip).")


def check_runtime(call: Call, runtime: str | None, handler: str | None) -> None:
    """Raise InvalidParameterValueException for a runtime that this machine cannot run, naming those that it can."""
    if runtime is None:
        raise invalid("Runtime is mandatory for functions created with deployment packages.")
    client = call.app.settings.file.lambda_.node_client
    if runtime not in runtimes.available(client):
        raise invalid(runtimes.refusal(runtime, client))
    if not handler:
        raise invalid("Handler is mandatory for functions created with deployment packages.")


async def check_role(call: Call, role_arn: str, function: str) -> None:
    """Raise unless the caller may pass the role to Lambda, and the role trusts it for this function."""
    found = _ROLE.fullmatch(role_arn)
    if found is None or found[1] != call.account:
        raise access_denied("Cross-account pass role is not allowed.")
    given: dict[str, Value] = {"iam:passedtoservice": SERVICE, "iam:associatedresourcearn": function}
    call.authorize("iam:PassRole", role_arn, given=given)
    with as_faults():
        row = await call.app.storage.read(lambda store: store.get(role_arn))
    if row is None or not trusts(row, SERVICE, function):
        raise invalid("The role defined for the function cannot be assumed by Lambda.")


def sized(configuration: Configuration, req: Any) -> Configuration:
    """The configuration with what of a request is plain numbers and words. Raises InvalidParameterValueException."""
    changes: dict[str, Any] = {}
    _number(changes, "timeout_s", "Timeout", req.Timeout, _MOST_TIMEOUT_S)
    _number(changes, "memory_mb", "MemorySize", req.MemorySize, _MOST_MEMORY_MB)
    if req.EphemeralStorage is not None:
        _number(changes, "ephemeral_mb", "EphemeralStorage", req.EphemeralStorage.Size, _MOST_EPHEMERAL_MB)
    for field, member in (
        ("description", "Description"),
        ("handler", "Handler"),
        ("runtime", "Runtime"),
        ("role", "Role"),
    ):
        if (value := getattr(req, member)) is not None:
            changes[field] = value
    if req.TracingConfig is not None and req.TracingConfig.Mode is not None:
        changes["tracing"] = req.TracingConfig.Mode
    if req.DeadLetterConfig is not None:
        changes["dead_letter"] = dead_letter(req.DeadLetterConfig.TargetArn)
    if req.VpcConfig is not None:
        subnets, groups = list(req.VpcConfig.SubnetIds or ()), list(req.VpcConfig.SecurityGroupIds or ())
        changes["vpc"] = {"SubnetIds": subnets, "SecurityGroupIds": groups} if subnets or groups else {}
    if req.LoggingConfig is not None:
        changes["logging"] = logging(configuration.logging, req.LoggingConfig)
    return msgspec.structs.replace(configuration, **changes)


def _number(changes: dict[str, Any], field: str, member: str, value: int | None, most: int) -> None:
    if value is None:
        return
    if value > most:
        raise invalid(
            f"'{member}' value failed to satisfy constraint: Member must have value less than or equal to {most}"
        )
    changes[field] = value


def dead_letter(target: str | None) -> str | None:
    """Where events go that could not be handled. Raises InvalidParameterValueException for a service that is not here."""
    if not target:
        return None
    if target.split(":")[2:3] not in (["lambda"], ["logs"]):
        raise invalid(
            "The provided target is not supported by this server: a function's or a log group's ARN takes the place of "
            "a queue or topic."
        )
    return target


def logging(before: dict[str, str], given: Any) -> dict[str, str]:
    """LoggingConfig with the members that its format has."""
    told = {**_DEFAULT_LOGGING, **before}
    for member in ("LogFormat", "ApplicationLogLevel", "SystemLogLevel", "LogGroup"):
        if (value := getattr(given, member)) is not None:
            told[member] = value
    if told["LogFormat"] == "Text":
        if given.ApplicationLogLevel or given.SystemLogLevel:
            raise invalid("Log levels can only be set for functions with the JSON log format.")
        told.pop("ApplicationLogLevel", None)
        told.pop("SystemLogLevel", None)
    else:
        told = {"ApplicationLogLevel": "INFO", "SystemLogLevel": "INFO", **told}
    return told


def architecture(given: list[str] | None) -> str:
    """One of AWS's two names. Code without binaries runs on either, so it is kept, and this machine runs it."""
    if given is None:
        return _ARCHITECTURES[0]
    if len(given) != 1 or given[0] not in _ARCHITECTURES:
        raise invalid("Architectures must name exactly one of x86_64 and arm64.")
    return given[0]


async def key(call: Call, asked: str | None, before: str | None) -> str | None:
    """The key for variables: as asked, or what it was. An empty one takes it away."""
    if asked is None:
        return before
    return await keys.usable(call, asked) if asked else None


async def variables(call: Call, function: str, key_arn: str | None, given: dict[str, str]) -> bytes | None:
    """Variables, checked and sealed; None for none."""
    wrong = environment.fault(given)
    if wrong is not None:
        raise invalid(wrong)
    if not given:
        return None
    with as_faults():
        return await environment.sealed(call.app.cipher, function, key_arn, given)


async def layers(call: Call, arns: list[str], unpacked: int) -> tuple[LayerUse, ...]:
    """The layers' versions, if the caller may use them and all fits together with `unpacked` bytes of code."""
    from craton.services.lambda_ import layers as nouns

    if len(arns) > _MOST_LAYERS:
        raise invalid(f"Cannot reference more than {_MOST_LAYERS} layers.")
    names = [arn.rpartition(":")[0] for arn in arns]
    if len(set(names)) != len(names):
        raise invalid("Two different versions of the same layer are not allowed to be referenced in the same function.")
    used = []
    for arn in arns:
        found = await nouns.usable(call, arn)
        used.append(LayerUse(arn, found.read(LayerVersion).code))
    if unpacked + sum(one.code.unpacked for one in used) >= archive.MOST_UNPACKED:
        raise invalid(
            f"Function code combined with layers exceeds the maximum allowed size of {archive.MOST_UNPACKED} bytes."
        )
    return tuple(used)


def new_revision() -> str:
    return str(uuid4())
