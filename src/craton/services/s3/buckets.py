"""Buckets: made, found, listed, located, deleted.

Names are unique among all accounts, so a bucket's ARN alone finds it. Any region's endpoint serves any bucket; its
region is where it was made. It must not know what else is configured of a bucket.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from craton.context import Call
from craton.infra.objects import index, uploads
from craton.infra.store.port import BadPageToken, Query, Resource, Transaction
from craton.services import stored
from craton.services.operation import operation
from craton.services.s3 import gate
from craton.services.s3.acls import check_bucket_acl, check_ownership
from craton.services.s3.bucket_record import BLOCKED, KIND, Bucket, arn_of
from craton.services.s3.condition_keys import given_by
from craton.services.s3.faults import fault, invalid_argument, not_implemented
from craton.services.s3.naming import check_bucket_name, owner_of
from craton.services.s3.regions import FIRST_REGION, check_namespace, region_of
from craton.services.s3.tagging import checked_tags
from craton.services.s3.trouble import as_s3

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from craton.aws.shapes.s3 import (
        CreateBucketOutput,
        CreateBucketRequest,
        DeleteBucketRequest,
        GetBucketLocationOutput,
        GetBucketLocationRequest,
        HeadBucketOutput,
        HeadBucketRequest,
        ListBucketsOutput,
        ListBucketsRequest,
    )

MOST_LISTED: Final = 10_000
OWNED = "Your previous request to create the named bucket succeeded and you already own it."
TAKEN = (
    "The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please "
    "select a different name and try again."
)
TOO_MANY = "You have attempted to create more buckets than allowed"
NOT_EMPTY = "The bucket you tried to delete is not empty"
VERSIONS_LEFT = "The bucket you tried to delete is not empty. You must delete all versions in the bucket."


@operation("s3", "CreateBucket")
async def create_bucket(call: Call, req: CreateBucketRequest) -> CreateBucketOutput:
    gate.allow(call, "s3:CreateBucket", arn_of(req.Bucket), given_by(call, req))
    check_bucket_name(req.Bucket)
    _check_features(req)
    settings = req.CreateBucketConfiguration
    region = region_of(call.region, settings.LocationConstraint if settings is not None else None)
    check_namespace(req.BucketNamespace, req.Bucket, call.account, region)
    tags = checked_tags(settings.Tags or () if settings is not None else ())
    if tags:
        gate.allow(call, "s3:TagResource", arn_of(req.Bucket))
    now = call.now()
    row = Resource(
        account=call.account, region=region, kind=KIND, id=req.Bucket, arn=arn_of(req.Bucket), name=req.Bucket,
        created_at=now, updated_at=now, body=msgspec.json.encode(Bucket(public_access_block=dict(BLOCKED), tags=tags)),
    )  # fmt: skip
    most = call.app.settings.file.limits.s3_buckets

    def work(transaction: Transaction) -> None:
        earlier = transaction.get(row.arn)
        if earlier is not None:
            _check_again(call, earlier)
            return
        every = Query(kind=KIND, account=call.account, sort="id", limit=most or 1)
        if len(transaction.list(every).items) >= most:
            raise fault("TooManyBuckets", TOO_MANY)
        transaction.create(row)

    with as_s3():
        await call.app.storage.keep(work)
    return {"Location": f"/{req.Bucket}", "BucketArn": row.arn}


def _check_features(req: CreateBucketRequest) -> None:
    """Raise for what this server's buckets cannot be."""
    check_ownership(req.ObjectOwnership)
    check_bucket_acl(req, with_ownership=True)
    if req.ObjectLockEnabledForBucket:
        raise not_implemented("Object Lock is not implemented by this server.")


def _check_again(call: Call, earlier: Resource) -> None:
    """A bucket that is there already: in the oldest region, making one's own again is no error."""
    if earlier.account != call.account:
        raise fault("BucketAlreadyExists", TAKEN, BucketName=earlier.id)
    if not earlier.region == call.region == FIRST_REGION:
        raise fault("BucketAlreadyOwnedByYou", OWNED, BucketName=earlier.id)


@operation("s3", "HeadBucket")
async def head_bucket(call: Call, req: HeadBucketRequest) -> HeadBucketOutput:
    found = await gate.opened(call, req.Bucket, "s3:ListBucket", expected_owner=req.ExpectedBucketOwner)
    call.response_headers.append((b"content-type", b"application/xml"))  # S3 says so of the body that is not there
    return {"BucketRegion": found.region, "BucketArn": found.arn, "AccessPointAlias": False}


@operation("s3", "GetBucketLocation")
async def get_bucket_location(call: Call, req: GetBucketLocationRequest) -> GetBucketLocationOutput:
    found = await gate.opened(call, req.Bucket, "s3:GetBucketLocation", expected_owner=req.ExpectedBucketOwner)
    return {} if found.region == FIRST_REGION else {"LocationConstraint": found.region}


@operation("s3", "ListBuckets")
async def list_buckets(call: Call, req: ListBucketsRequest) -> ListBucketsOutput:
    gate.allow(call, "s3:ListAllMyBuckets")
    shape = stored.listing(call, req.Prefix, req.BucketRegion)
    try:
        after = call.app.storage.pages.open(shape, req.ContinuationToken)
    except BadPageToken:
        text = "The continuation token provided is incorrect"
        raise invalid_argument(text, "continuation-token", req.ContinuationToken) from None
    query = Query(
        kind=KIND, account=call.account, region=req.BucketRegion or None, id_prefix=req.Prefix or None, sort="id",
        limit=req.MaxBuckets or MOST_LISTED, after=after,
    )  # fmt: skip
    with as_s3():
        page = await call.app.storage.read(lambda store: store.list(query))
    answer: ListBucketsOutput = {"Owner": owner_of(call.account)}  # type: ignore[typeddict-item]
    answer["Buckets"] = [
        {"Name": row.id, "CreationDate": row.created_at, "BucketRegion": row.region, "BucketArn": row.arn}
        for row in page.items
    ]
    token = stored.issued(call, shape, page.after)
    if token is not None:
        answer["ContinuationToken"] = token
    if req.Prefix:
        answer["Prefix"] = req.Prefix
    return answer


@operation("s3", "DeleteBucket")
async def delete_bucket(call: Call, req: DeleteBucketRequest) -> None:
    found = await gate.opened(call, req.Bucket, "s3:DeleteBucket", expected_owner=req.ExpectedBucketOwner)

    def work(transaction: Transaction, freed: list[str]) -> None:
        gate.find(transaction, found.name)

        def empty_it(connection: Connection) -> None:
            if not index.is_empty(connection, found.name):
                text = VERSIONS_LEFT if found.bucket.versioning else NOT_EMPTY
                raise fault("BucketNotEmpty", text, BucketName=found.name)
            uploads.forget_bucket(connection, found.name, freed)

        transaction.run(empty_it)
        transaction.delete(found.arn)

    with as_s3():
        await call.app.objects.keep(work)
