"""The policy of an upload by form: who signed it, until when it holds, and what the form's fields may say.

This file owns the signatures of forms (versions 4 and 2), and the meaning of a policy's conditions. It must not know
how a form is read nor what is done with the file. Pure.
Source: "Creating an HTML form (using AWS Signature Version 4)" and "POST policy", S3 API reference.
"""

from __future__ import annotations

import base64
import hmac
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec

from craton.aws.wire import s3_faults, sigv2
from craton.aws.wire.canonical import TERMINATOR, signing_key
from craton.aws.wire.sigv2 import Key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from craton.aws.wire.faults import Fault
    from craton.aws.wire.sigv2 import Lookup, Sessions

# Fields that no condition has to name.
_FREE: Final = frozenset({"awsaccesskeyid", "file", "policy", "signature", "x-amz-signature"})
_IGNORED: Final = "x-ignore-"


class Signature(msgspec.Struct, frozen=True):
    """Whose form it is, and the region of the signature, if it names one."""

    key: Key
    region: str | None


def is_signed(fields: Mapping[str, str]) -> bool:
    return "x-amz-signature" in fields or "awsaccesskeyid" in fields or "x-amz-credential" in fields


def verify(fields: Mapping[str, str], lookup: Lookup, now: datetime, sessions: Sessions) -> Signature:
    """Who signed a form; raises Fault in S3's words."""
    policy, token = fields.get("policy"), fields.get("x-amz-security-token")
    if not policy:
        raise _lacks("policy")
    if "x-amz-signature" not in fields and "awsaccesskeyid" in fields:
        access_key_id = fields["awsaccesskeyid"]
        secret = sigv2.known(access_key_id, token, lookup, now, sessions)
        sigv2.check(secret, policy.encode(), fields.get("signature", ""), access_key_id)
        return Signature(Key(access_key_id, token), None)
    for name in ("x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature"):
        if not fields.get(name):
            raise _lacks(name)
    scope = fields["x-amz-credential"].split("/")
    if len(scope) != 5 or scope[3] != "s3" or scope[4] != TERMINATOR or fields["x-amz-algorithm"] != "AWS4-HMAC-SHA256":
        raise s3_faults.invalid_argument(
            'the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".',
            "x-amz-credential",
            fields["x-amz-credential"][:256],
        )
    access_key_id, day, region, service, _ = scope
    secret = sigv2.known(access_key_id, token, lookup, now, sessions)
    key = signing_key(secret.secret_access_key, day, region, service)
    made = hmac.new(key, policy.encode(), "sha256").hexdigest()
    if not hmac.compare_digest(made, fields["x-amz-signature"].encode("ascii", "replace").decode()):
        raise s3_faults.bad_signature(AWSAccessKeyId=access_key_id, SignatureProvided=fields["x-amz-signature"][:64])
    return Signature(Key(access_key_id, token), region)


class Range(msgspec.Struct, frozen=True):
    """How many bytes the file may have."""

    least: int
    most: int


def judge(fields: Mapping[str, str], bucket: str, now: datetime) -> Range | None:
    """Raise AccessDenied unless the form is what its policy lets it be; the file's size, if the policy limits it.

    Args:
        fields: the form's, by name in lower case, variables replaced.
        bucket: the one that the form is sent to.
        now: the present.
    """
    document = _document(fields["policy"])
    if _moment(document.get("expiration")) <= now:
        raise _against("Policy expired.")
    conditions = document.get("conditions")
    if not isinstance(conditions, list):
        raise _invalid("Policy missing conditions.")
    values = {**fields, "bucket": bucket}
    named: set[str] = set()
    found: Range | None = None
    for condition in conditions:
        kind, name, value = _condition(condition)
        if kind == "content-length-range":
            found = Range(int(name), int(value))
            continue
        named.add(name)
        if not _holds(kind, values.get(name, ""), str(value), name):
            raise _against(f"Policy Condition failed: {msgspec.json.encode([kind, f'${name}', value]).decode()}")
    extra = [name for name in fields if name not in named and name not in _FREE and not name.startswith(_IGNORED)]
    if extra:
        raise _against(f"Extra input fields: {extra[0][:128]}")
    return found


def _holds(kind: str, given: str, wanted: str, name: str) -> bool:
    if kind == "eq":
        return given == wanted
    parts = given.split(",") if name == "content-type" else [given]
    return all(part.strip().startswith(wanted) for part in parts)


def _condition(condition: Any) -> tuple[str, Any, Any]:
    """The kind, the field's name in lower case and the value; of a range its two ends."""
    if isinstance(condition, dict) and len(condition) == 1:
        ((name, value),) = condition.items()
        return "eq", name.lower(), value
    if isinstance(condition, list) and len(condition) == 3:
        kind, name, value = condition
        if kind == "content-length-range" and _is_size(name) and _is_size(value):
            return kind, name, value
        if kind in ("eq", "starts-with") and isinstance(name, str) and name.startswith("$"):
            return kind, name[1:].lower(), value
    raise _invalid("Invalid Condition.")


def _is_size(value: object) -> bool:
    return (isinstance(value, int) and value >= 0) or (isinstance(value, str) and value.isdecimal() and len(value) < 16)


def _document(policy: str) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(base64.b64decode(policy, validate=True))
    except (ValueError, RecursionError):
        raise _invalid("Invalid JSON.") from None
    if not isinstance(found, dict):
        raise _invalid("Invalid JSON.")
    return found


def _moment(value: object) -> datetime:
    try:
        found = datetime.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        raise _invalid("Invalid 'expiration' value.") from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found


def _lacks(name: str) -> Fault:
    text = (
        f"Bucket POST must contain a field named '{name}'.  If it is specified, please check the order of the fields."
    )
    return s3_faults.invalid_argument(text, name, "")


def _invalid(why: str) -> Fault:
    return s3_faults.fault("InvalidPolicyDocument", f"Invalid Policy: {why}")


def _against(why: str) -> Fault:
    return s3_faults.fault("AccessDenied", f"Invalid according to Policy: {why}")
