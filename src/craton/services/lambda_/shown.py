"""A version of a function as the API shows it.

Owns the members of FunctionConfiguration, and that variables are shown only to whoever may use the key that they are
sealed under. It must not know how rows are found.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from craton.context import Call
from craton.features.functions import environment
from craton.features.functions.code import shown_sha256
from craton.features.functions.function import ACTIVE, LATEST, Configuration
from craton.infra.cipher.port import KeyUnusable, NoSuchKey
from craton.infra.store.port import Resource
from craton.services.lambda_ import keys
from craton.services.lambda_.faults import as_faults

if TYPE_CHECKING:
    from craton.aws.shapes.lambda_ import FunctionConfiguration

_KEY_DENIED = (
    "Lambda was unable to decrypt your environment variables because the KMS access was denied. Please check your KMS "
    "permissions."
)
_KEY_UNUSABLE = "Lambda was unable to decrypt your environment variables because the KMS key cannot be used."


async def configuration(
    call: Call, row: Resource, of: Configuration, *, qualified: bool = False, variables: bool = True
) -> FunctionConfiguration:
    """What a version is. `row` is the function's; `qualified`: its ARN ends in the version."""
    told = plain(row, of, qualified=qualified)
    if variables and of.environment is not None:
        told["Environment"] = await _environment(call, row.arn, of)  # type: ignore[typeddict-item]
    return told


def plain(row: Resource, of: Configuration, *, qualified: bool = False) -> FunctionConfiguration:
    """The same without variables."""
    told: Any = {
        "FunctionName": row.id,
        "FunctionArn": f"{row.arn}:{of.version}" if qualified else row.arn,
        "Runtime": of.runtime,
        "Role": of.role,
        "Handler": of.handler,
        "CodeSize": of.code.size,
        "Description": of.description,
        "Timeout": of.timeout_s,
        "MemorySize": of.memory_mb,
        "LastModified": moment(of.modified_at),
        "CodeSha256": shown_sha256(of.code),
        "Version": of.version,
        "TracingConfig": {"Mode": of.tracing},
        "RevisionId": of.revision,
        "State": ACTIVE,
        "LastUpdateStatus": "Successful",
        "PackageType": "Zip",
        "Architectures": [of.architecture],
        "EphemeralStorage": {"Size": of.ephemeral_mb},
        "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
        "LoggingConfig": of.logging or {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{row.id}"},
        "RuntimeVersionConfig": {"RuntimeVersionArn": f"arn:aws:lambda:{row.region}::runtime:{of.runtime}"},
    }
    if of.version != LATEST:
        del told["LastUpdateStatus"]
    if of.handler == "":
        del told["Handler"]
    if of.vpc:
        told["VpcConfig"] = {**of.vpc, "VpcId": ""}
    if of.dead_letter is not None:
        told["DeadLetterConfig"] = {"TargetArn": of.dead_letter}
    if of.kms_key is not None:
        told["KMSKeyArn"] = of.kms_key
    if of.layers:
        told["Layers"] = [{"Arn": layer.arn, "CodeSize": layer.code.size} for layer in of.layers]
    return told  # type: ignore[no-any-return]


async def _environment(call: Call, arn: str, of: Configuration) -> dict[str, Any]:
    """The variables, or why the caller does not see them."""
    if of.kms_key is not None:
        refused = await keys.refusal(call, of.kms_key, keys.READING)
        if refused is not None:
            return {"Error": {"ErrorCode": refused.name, "Message": _KEY_DENIED}}
    try:
        with as_faults():
            return {"Variables": await _opened(call, arn, of)}
    except Unreadable:
        return {"Error": {"ErrorCode": "KMSDisabledException", "Message": _KEY_UNUSABLE}}


class Unreadable(Exception):
    """The key that the variables are sealed under cannot be used."""


async def _opened(call: Call, arn: str, of: Configuration) -> dict[str, str]:
    try:
        return await environment.opened(call.app.cipher, arn, of.environment)
    except (NoSuchKey, KeyUnusable) as error:
        raise Unreadable from error


def moment(at: datetime) -> str:
    """A time as Lambda writes it: `2026-03-01T12:00:00.000+0000`."""
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}+0000"
