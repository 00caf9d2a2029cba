"""Where a zip comes from: the request itself, or an object in S3 that is read as the caller.

Owns that exactly one source is named, and its errors. What a zip may hold is `features.functions.archive`'s.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from craton.aws.wire.faults import Fault
from craton.context import Call
from craton.features.functions import code, links
from craton.features.functions.archive import BadArchive
from craton.features.functions.code import Keeping
from craton.features.functions.function import CODE, Code
from craton.infra.store.port import After, Page, Query, Reader
from craton.services.lambda_ import keys
from craton.services.lambda_.faults import as_faults, invalid

_ONE_SOURCE = "Please provide a source for function code."
_ONLY_ONE = "Please do not provide other FunctionCode parameters when providing a ZipFile."
_NO_IMAGE = "Functions from container images are not run by this server: give a zip (PackageType Zip)."
_S3 = "Error occurred while GetObject. S3 Error Code: {code}. S3 Error Message: {message}"
_MOST_ZIPPED = 262_144_000


def keeping(call: Call) -> Keeping:
    app = call.app
    return Keeping(app.storage, app.blobs, app.cipher)


async def kept(call: Call, given: Any) -> Code:
    """The code that a request names, looked through and kept. Raises InvalidParameterValueException and the like."""
    if getattr(given, "ImageUri", None):
        raise invalid(_NO_IMAGE)
    if given.ZipFile is not None and (given.S3Bucket or given.S3Key):
        raise invalid(_ONLY_ONE)
    key_asked = getattr(given, "SourceKMSKeyArn", None)
    key = await keys.usable(call, key_asked) if key_asked else None
    data = given.ZipFile if given.ZipFile is not None else await _from_s3(call, given)
    await check_room(call, len(data))
    try:
        with as_faults():
            return await code.keep(keeping(call), call.account, call.region, key, data, call.now())
    except BadArchive as error:
        raise invalid(str(error)) from None


async def link(call: Call, account: str, of: Code) -> str:
    """The URL by which a zip is fetched."""
    with as_faults():
        return await links.link(call, account, of)


async def check_room(call: Call, more: int) -> None:
    """Raise CodeStorageExceededException unless the account may keep so many bytes more."""
    limit = call.app.settings.file.lambda_.code_bytes
    if await stored_bytes(call) + more > limit:
        raise Fault("CodeStorageExceededException", "Code storage limit exceeded.", fields={"Type": "User"})


async def stored_bytes(call: Call) -> int:
    """What the zips of the account measure in this region."""
    total = 0
    after: After | None = None
    while True:
        query = Query(kind=CODE, account=call.account, region=call.region, limit=1000, after=after)
        with as_faults():
            page = await call.app.storage.read(partial(_listed, query))
        total += sum(row.read(Code).size for row in page.items)
        after = page.after
        if after is None:
            return total


def _listed(query: Query, store: Reader) -> Page:
    return store.list(query)


async def _from_s3(call: Call, given: Any) -> bytes:
    if not given.S3Bucket or not given.S3Key:
        raise invalid(_ONE_SOURCE)
    try:
        return await _object(call, given.S3Bucket, given.S3Key, given.S3ObjectVersion)
    except Fault as fault:
        if fault.http_status() >= 500:
            raise
        raise invalid(_S3.format(code=fault.name, message=fault.message)) from None


async def _object(call: Call, bucket: str, key: str, version_id: str | None) -> bytes:
    """The bytes of an object, if the caller may read it. Raises S3's faults."""
    from craton.services.s3 import contents, gate, sealing, versions  # loaded by the first who asks for them

    action = "s3:GetObject" if version_id is None else "s3:GetObjectVersion"
    opened = await gate.opened(call, bucket, action, key, look=versions.looking(key, version_id))
    found = versions.seen(call, opened, key, version_id)
    if found.size > _MOST_ZIPPED:
        raise invalid(f"Unzipped size must be smaller than {_MOST_ZIPPED} bytes")
    way = await sealing.for_read(call, opened, key, found.detail.sealing, _NoKey())
    return await contents.read(call, opened, way, found)


class _NoKey:
    """A read that brings no key of the customer's own."""

    def __getattr__(self, name: str) -> None:
        return None
