"""One record in CloudTrail's format: who did what, when, from where, with which result; never what it was about.

Owns the members of a record and the rule of what of a request and an answer may stand in it: by the service model's
shapes, ids, names, ARNs, numbers and choices, of nothing that the model calls sensitive. Pure. It must not know where
records go. Source: CloudTrail's record contents, version 1.11.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, Literal
from uuid import uuid4

import msgspec

from craton.aws import arn
from craton.aws.access.credentials import Principal
from craton.aws.wire.faults import Fault
from craton.aws.wire.model import Operation, Shape

Category = Literal["Management", "Data"]

_VERSION: Final = "1.11"
_DATA_SERVICES: Final = frozenset({"bedrock-runtime", "bedrock-agent-runtime"})
# Their reads are as telling as their writes: who looked whether a key or a user is there, who used a key.
_TELLING: Final = frozenset({"iam", "sts", "kms"})
# What CloudTrail counts as the use of a bucket, beside all that has to do with one object.
_S3_DATA: Final = frozenset(
    {"DeleteObjects", "HeadBucket", "ListMultipartUploads", "ListObjectVersions", "ListObjects", "ListObjectsV2"}
)
# Events that go into a log group or are read in it: many, and each a caller's own content.
_LOGS_DATA: Final = frozenset({"PutLogEvents", "GetLogEvents", "FilterLogEvents", "StartLiveTail"})
# Samples that go in and come out, many times a minute.
_METRICS_DATA: Final = frozenset({"PutMetricData", "GetMetricData", "GetMetricWidgetImage"})
# Invocations, whose payloads are their callers' own.
_LAMBDA_DATA: Final = frozenset({"Invoke", "InvokeAsync", "InvokeWithResponseStream"})
_READS: Final = ("Get", "List", "Describe", "Batch", "Search", "Simulate", "Generate", "Validate", "Count", "Decode")
_READ_CALLS: Final[Mapping[str, frozenset[str]]] = {
    "kms": frozenset({"Encrypt", "Decrypt", "ReEncrypt", "Sign", "Verify", "GenerateMac", "VerifyMac"}),
    "sts": frozenset({"AssumeRole", "AssumeRoleWithWebIdentity", "AssumeRoleWithSAML"}),
}
_WRITES: Final = frozenset({"GenerateCredentialReport", "GenerateServiceLastAccessedDetails"})
# What a text member must be called to be kept, and what it must not be called.
_KEPT: Final = re.compile(
    r"(?:id|arn|identifier|name|version|alias|status|type|region|path|uri|key|prefix|bucket)s?$", re.IGNORECASE
)
_NEVER: Final = re.compile(r"secret|password|token|private|credential|description|content|apikey", re.IGNORECASE)
_POLICIES: Final = frozenset({"PolicyDocument", "AssumeRolePolicyDocument", "policy", "Policy"})
_TEXTS: Final = frozenset({"string", "character"})
_PLAIN: Final = frozenset({"boolean", "integer", "long", "float", "double", "short", "byte"})
_DEEPEST: Final = 5
_LONGEST_TEXT: Final = 1024
_LONGEST_POLICY: Final = 10_240
_MOST_ITEMS: Final = 50
# Texts that AWS composes of names and rules alone. All others may quote what was sent.
_SPOKEN: Final = frozenset(
    {"AccessDenied", "AccessDeniedException", "ResourceNotFoundException", "NoSuchEntity", "NotFoundException",
     "ConflictException", "EntityAlreadyExists", "AlreadyExistsException", "DeleteConflict", "LimitExceeded",
     "LimitExceededException", "ServiceQuotaExceededException", "ThrottlingException", "DisabledException",
     "KMSInvalidStateException", "KMSAccessDeniedException"}
)  # fmt: skip
_WITHHELD: Final = "withheld: it may quote the request"
_KINDS: Final[Mapping[str, str]] = {
    "root": "Root",
    "user": "IAMUser",
    "assumed-role": "AssumedRole",
    "federated-user": "FederatedUser",
    "service": "AWSService",
    "anonymous": "Unknown",
}
_RESOURCE_TYPES: Final[Mapping[str, str]] = {"foundation-model": "Model", "key": "Key", "alias": "Alias"}


class Circumstances(msgspec.Struct, frozen=True):
    """What a request was sent with."""

    request_id: str
    region: str
    source_ip: str | None = None
    user_agent: str | None = None
    host: str | None = None
    secure: bool = False


def category(operation: Operation) -> Category:
    """Whether an operation manages something or is the use of a model, a bucket or a log group."""
    if operation.service == "s3":
        return "Data" if "{Key+}" in operation.uri or operation.name in _S3_DATA else "Management"
    if operation.service == "logs":
        return "Data" if operation.name in _LOGS_DATA else "Management"
    if operation.service == "cloudwatch":
        return "Data" if operation.name in _METRICS_DATA else "Management"
    if operation.service == "lambda":
        return "Data" if operation.name in _LAMBDA_DATA else "Management"
    return "Data" if operation.service in _DATA_SERVICES else "Management"


def is_read_only(operation: Operation) -> bool:
    name = operation.name
    if operation.service == "s3":
        return operation.method in ("GET", "HEAD") or name == "SelectObjectContent"
    if name in _WRITES:
        return False
    return name.startswith(_READS) or name in _READ_CALLS.get(operation.service, ()) or category(operation) == "Data"


def must_be_kept(operation: Operation) -> bool:
    """Whether nobody may be told of the result before the record is durable."""
    if category(operation) == "Data":
        return False
    return operation.service in _TELLING or not is_read_only(operation)


def record(
    operation: Operation,
    caller: Principal,
    about: Circumstances,
    now: datetime,
    *,
    request: object = None,
    response: object = None,
    fault: Fault | None = None,
    home: str = "",
) -> bytes:
    """The record of one call, as JSON. `home` is the account of callers that have none."""
    kind, reads = category(operation), is_read_only(operation)
    parameters = shown(operation, operation.input_shape(), request, deep=kind == "Management")
    elements = None if reads or fault is not None else shown(operation, operation.output_shape(), response, deep=True)
    found: dict[str, object] = {
        "eventVersion": _VERSION,
        "userIdentity": identity(caller),
        "eventTime": _time(now),
        "eventSource": f"{operation.model.signing_name}.amazonaws.com",
        "eventName": operation.name,
        "awsRegion": about.region,
        "sourceIPAddress": about.source_ip or "localhost",
        "userAgent": (about.user_agent or "")[:_LONGEST_TEXT],
    }
    if fault is not None:
        found["errorCode"] = fault.name
        found["errorMessage"] = fault.message[:_LONGEST_TEXT] if fault.name in _SPOKEN else _WITHHELD
    found["requestParameters"] = parameters or None
    found["responseElements"] = elements or None
    if caller.auth != "sigv4":
        found["additionalEventData"] = {"callWithBearerToken": True}
    found["requestID"] = about.request_id
    found.update(_tail(caller.account or home, kind, reads=reads))
    resources = _resources(parameters, elements, caller.account)
    if resources:
        found["resources"] = resources
    if about.secure:
        found["tlsDetails"] = {"clientProvidedHostHeader": about.host or ""}
    return msgspec.json.encode(found)


def of_the_log(name: str, data: Mapping[str, object], *, now: datetime, account: str, region: str) -> bytes:
    """A record that the log makes of itself."""
    return msgspec.json.encode(
        {
            "eventVersion": _VERSION,
            "userIdentity": {"type": "AWSService", "invokedBy": "craton"},
            "eventTime": _time(now),
            "eventSource": "craton",
            "eventName": name,
            "awsRegion": region,
            "sourceIPAddress": "craton",
            "userAgent": "craton",
            "requestParameters": None,
            "responseElements": None,
            "additionalEventData": data,
            **_tail(account, "Management", reads=False, event_type="AwsServiceEvent"),
        }
    )


def _tail(account: str, kind: Category, *, reads: bool, event_type: str = "AwsApiCall") -> dict[str, object]:
    return {
        "eventID": str(uuid4()),
        "readOnly": reads,
        "eventType": event_type,
        "managementEvent": kind == "Management",
        "recipientAccountId": account,
        "eventCategory": kind,
    }


def _time(now: datetime) -> str:
    return now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


# --- who ---


def identity(caller: Principal) -> dict[str, object]:
    """CloudTrail's userIdentity."""
    found: dict[str, object] = {"type": _KINDS[caller.kind]}
    if caller.kind == "anonymous":
        return found
    if caller.kind == "service":
        return {**found, "invokedBy": caller.name or ""}
    found.update(principalId=caller.user_id, arn=caller.arn, accountId=caller.account)
    if caller.access_key_id is not None:
        found["accessKeyId"] = caller.access_key_id
    if caller.kind == "user" and caller.name is not None:
        found["userName"] = caller.name
    if caller.issued_at is not None:
        found["sessionContext"] = _session(caller, caller.issued_at)
    return found


def _session(caller: Principal, issued_at: datetime) -> dict[str, object]:
    found: dict[str, object] = {"attributes": {"creationDate": _time(issued_at), "mfaAuthenticated": "false"}}
    if caller.role_arn is not None:
        found["sessionIssuer"] = {
            "type": "Role",
            "principalId": caller.user_id.partition(":")[0],
            "arn": caller.role_arn,
            "accountId": caller.account,
            "userName": caller.role_arn.rpartition("/")[2],
        }
    if caller.source_identity is not None:
        found["sourceIdentity"] = caller.source_identity
    return found


# --- what, without what it was about ---


def shown(operation: Operation, shape: Shape | None, value: object, *, deep: bool) -> dict[str, Any]:
    """What may be kept of a request or an answer. `deep`: also of the structures within it."""
    if shape is None or value is None:
        return {}
    return _structure(operation.model.shapes, shape, value, _DEEPEST if deep else 0)


def _structure(shapes: Mapping[str, Shape], shape: Shape, value: object, depth: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, member in shape.members.items():
        inner = _member(value, name)
        if inner is None or inner is msgspec.UNSET:
            continue
        kept = _value(shapes, shapes[member.shape], name, inner, depth)
        if kept not in (None, {}, []):
            found[name[:1].lower() + name[1:]] = kept
    return found


def _value(shapes: Mapping[str, Shape], shape: Shape, name: str, value: object, depth: int) -> Any:
    """What is kept of one member, None for nothing."""
    if shape.sensitive or _NEVER.search(name):
        return None
    if shape.type in _PLAIN:
        return value if isinstance(value, (bool, int, float)) else None
    if shape.type in _TEXTS:
        return _text(shape, name, value)
    if shape.type == "structure" and depth > 0 and not shape.document:
        return _structure(shapes, shape, value, depth - 1)
    if shape.type == "list" and depth > 0 and shape.element is not None and isinstance(value, (list, tuple)):
        element = shapes[shape.element]
        inner = [_value(shapes, element, name, one, depth - 1) for one in value[:_MOST_ITEMS]]
        return [one for one in inner if one not in (None, {}, [])]
    return None


def _text(shape: Shape, name: str, value: object) -> str | None:
    if not isinstance(value, str):
        return None
    if name in _POLICIES:
        return value[:_LONGEST_POLICY]
    return value[:_LONGEST_TEXT] if value in shape.enum or _KEPT.search(name) else None


def _member(value: object, name: str) -> object:
    """A member by AWS's name, of a mapping or of a Struct that has that name on the wire."""
    if isinstance(value, Mapping):
        return value.get(name)
    if isinstance(value, msgspec.Struct):
        own = _fields(type(value)).get(name)
        return None if own is None else getattr(value, own)
    return None


@lru_cache(maxsize=1024)
def _fields(kind: type[msgspec.Struct]) -> dict[str, str]:
    return {field.encode_name: field.name for field in msgspec.structs.fields(kind)} | {
        field.name: field.name for field in msgspec.structs.fields(kind)
    }


def _resources(parameters: object, elements: object, account: str) -> list[dict[str, str]]:
    """The ARNs that stand in either, once each."""
    found: dict[str, dict[str, str]] = {}
    for text in (*_texts(parameters), *_texts(elements)):
        parts = arn.parse(text) if text.startswith("arn:") else None
        if parts is not None and text not in found:
            service = parts.service.upper() if len(parts.service) <= 3 else parts.service.title()
            noun = _RESOURCE_TYPES.get(parts.type) or parts.type.replace("-", " ").title().replace(" ", "")
            found[text] = {"ARN": text, "accountId": parts.account or account, "type": f"AWS::{service}::{noun}"}
    return list(found.values())[:_MOST_ITEMS]


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)
