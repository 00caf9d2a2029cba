"""How an object's bytes are sealed: what the request or the bucket asks for, and whether the caller may use the key.

Owns the choice of key and the checks on it (kms:ViaService of S3, encryption context), and the members by which answers
tell of it. It must not know where sealed bytes go. Source: S3 user guide, "Protecting data with server-side encryption".
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from craton.aws.wire.faults import Fault
from craton.aws.wire.s3_faults import fault, invalid_argument
from craton.context import Call
from craton.infra.cipher.port import NoSuchKey
from craton.infra.cipher.rows import MANAGED_ALIAS, find, place_of
from craton.infra.objects.record import Sealing
from craton.services.kms import asked
from craton.services.kms.asked import ONLY_ENABLED, Need
from craton.services.s3 import customer_keys
from craton.services.s3.bucket_record import SSE_S3, arn_of
from craton.services.s3.customer_keys import CustomerKey
from craton.services.s3.faults import access_denied
from craton.services.s3.gate import Opened
from craton.services.s3.trouble import as_s3, kms

KMS: Final = frozenset({"aws:kms", "aws:kms:dsse"})
_MANAGED: Final = "alias/aws/s3"
_OF_THE_REQUEST: Final = frozenset({"NotFoundException", "DisabledException", "KMSInvalidStateException"})
PART_NEEDS = (
    "The multipart upload initiate requested encryption. Subsequent part requests must include the appropriate encryption "
    "parameters."
)
TWO_WAYS = "Server Side Encryption with Customer provided key is incompatible with the encryption method specified"
WRONG_WAY = (
    "Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms"
)


class Way(msgspec.Struct, frozen=True):
    """How bytes are sealed or opened in this request: what is kept of it, and the requester's own key if it brings one."""

    sealing: Sealing
    key: CustomerKey | None = None


async def for_write(call: Call, bucket: Opened, key: str, req: Any) -> Way:
    """How a new object is to be sealed. Raises Fault for a key that is not there, or not for this caller."""
    algorithm, name, bucket_key = req.ServerSideEncryption, req.SSEKMSKeyId, req.BucketKeyEnabled
    own = customer_keys.given(req)
    if own is not None:
        if algorithm is not None:
            raise invalid_argument(TWO_WAYS, "x-amz-server-side-encryption", algorithm)
        return Way(Sealing(account=bucket.owner, algorithm="", customer_md5=own.md5), own)
    if name is not None and algorithm not in KMS:
        raise invalid_argument(WRONG_WAY, "x-amz-server-side-encryption", algorithm or "null")
    if algorithm is None:
        default = bucket.bucket.default_encryption
        algorithm, name = default.algorithm, default.key
        bucket_key = default.bucket_key if bucket_key is None else bucket_key
    if algorithm not in KMS:
        if algorithm != SSE_S3:
            text = "The encryption method specified is not supported"
            raise invalid_argument(text, "x-amz-server-side-encryption", algorithm)
        return Way(Sealing(account=bucket.owner))
    arn = await usable(call, bucket, key, name, "kms:GenerateDataKey", bucket_key=bool(bucket_key))
    context = req.SSEKMSEncryptionContext
    return Way(
        Sealing(account=bucket.owner, algorithm=algorithm, key=arn, bucket_key=bool(bucket_key), context=context)
    )


async def for_read(call: Call, bucket: Opened, key: str, sealing: Sealing, req: Any, prefix: str = "") -> Way:
    """How what is sealed so is opened. Raises unless the caller may, and brings the key if it is its own."""
    own = customer_keys.given(req, prefix)
    customer_keys.check(sealing.customer_md5, own)
    if sealing.key is not None:
        await usable(call, bucket, key, sealing.key, "kms:Decrypt", bucket_key=sealing.bucket_key)
    return Way(sealing, own)


async def for_part(call: Call, bucket: Opened, key: str, sealing: Sealing, req: Any) -> Way:
    """How a part is sealed of an upload that said so when it began."""
    own = customer_keys.given(req)
    if sealing.customer_md5 is not None and own is None:
        raise fault("InvalidRequest", PART_NEEDS)
    customer_keys.check(sealing.customer_md5, own)
    if sealing.key is not None:
        await usable(call, bucket, key, sealing.key, "kms:GenerateDataKey", bucket_key=sealing.bucket_key)
    return Way(sealing, own)


async def usable(call: Call, bucket: Opened, key: str, name: str | None, action: str, *, bucket_key: bool) -> str:
    """The ARN of a KMS key that the caller may use through S3; without a name: the key that the account has by itself."""
    if name is None or name.endswith((_MANAGED, MANAGED_ALIAS)):
        return await _managed(call, bucket)
    if await _is_managed(call, bucket, name):
        return name
    context = {"aws:s3:arn": arn_of(bucket.name, None if bucket_key else key)}
    via = f"s3.{call.region}.amazonaws.com"
    need = Need(action=action, states=ONLY_ENABLED, aliases=True, context=context, via=via)
    try:
        return (await asked.usable(call, name, need)).arn
    except Fault as error:
        if error.name in _OF_THE_REQUEST:
            raise kms(error.name, error.message) from None
        if error.name == "AccessDeniedException":
            raise access_denied(error.message) from None
        raise


async def _managed(call: Call, bucket: Opened) -> str:
    """The owner's managed key, made if need be; callers of other accounts have no right to it."""
    if call.account != bucket.owner:
        raise access_denied()
    where = place_of(MANAGED_ALIAS, bucket.owner, bucket.region)
    with as_s3():
        await asked.made_managed(call, where)
        found = await call.app.storage.read(lambda reader: find(reader, where, call.now()))
    return found.arn


async def _is_managed(call: Call, bucket: Opened, name: str) -> bool:
    """Whether an ARN is that of the owner's managed key: it is for all who may use the bucket, in its own account."""
    where = place_of(name, bucket.owner, bucket.region)
    try:
        found = await call.app.storage.read(lambda reader: find(reader, where, call.now()))
    except NoSuchKey:
        return False
    if found.body.manager != "AWS":
        return False
    if call.account != found.row.account:
        raise access_denied()
    return True


def shown(sealing: Sealing) -> dict[str, Any]:
    """The members by which an answer tells how the object is sealed."""
    if sealing.customer_md5 is not None:
        return {"SSECustomerAlgorithm": customer_keys.ALGORITHM, "SSECustomerKeyMD5": sealing.customer_md5}
    members: dict[str, Any] = {"ServerSideEncryption": sealing.algorithm}
    if sealing.key is not None:
        members["SSEKMSKeyId"] = sealing.key
    if sealing.bucket_key:
        members["BucketKeyEnabled"] = True
    return members
