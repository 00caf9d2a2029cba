"""Buckets and their configurations, with boto3: what is put comes back, what makes no sense is refused by S3's name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.acceptance.identities import refused
from tests.acceptance.s3obj import bucket_of
from tests.running import Running

FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:resize"
CONFIG = "[limits]\ns3_buckets = 30\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server with room for thirty buckets."""
    with Running(tmp_path_factory.mktemp("home"), CONFIG) as running:
        yield running


@pytest.fixture(scope="module")
def here(server: Running) -> tuple[Any, str]:
    return bucket_of(server)


def test_a_bucket_lives(server: Running) -> None:
    """Made, made again, found, listed, located, deleted, gone."""
    s3 = server.client("s3")
    assert s3.create_bucket(Bucket="a-life")["Location"] == "/a-life"
    s3.create_bucket(Bucket="a-life")  # no error in the oldest region
    found = s3.head_bucket(Bucket="a-life")
    assert (found["BucketRegion"], found["BucketArn"]) == ("us-east-1", "arn:aws:s3:::a-life")
    assert s3.get_bucket_location(Bucket="a-life")["LocationConstraint"] is None
    assert "a-life" in [one["Name"] for one in s3.list_buckets()["Buckets"]]
    s3.delete_bucket(Bucket="a-life")
    for call in (s3.delete_bucket, s3.list_objects_v2, s3.get_bucket_tagging):
        with refused("NoSuchBucket", 404, "The specified bucket does not exist"):
            call(Bucket="a-life")
    with refused("404", 404):
        s3.head_bucket(Bucket="a-life")


def test_regions(server: Running) -> None:
    """A bucket is where its constraint says; the endpoint's region and the constraint must agree."""
    west = server.client("s3", region_name="eu-west-1")
    with refused("IllegalLocationConstraintException", 400, "unspecified"):
        west.create_bucket(Bucket="in-the-west")
    with refused("IllegalLocationConstraintException", 400, "us-west-2"):
        west.create_bucket(Bucket="in-the-west", CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    west.create_bucket(Bucket="in-the-west", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    with refused("BucketAlreadyOwnedByYou", 409):
        west.create_bucket(Bucket="in-the-west", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3 = server.client("s3")
    assert s3.get_bucket_location(Bucket="in-the-west")["LocationConstraint"] == "eu-west-1"
    assert s3.head_bucket(Bucket="in-the-west")["BucketRegion"] == "eu-west-1"
    assert [one["Name"] for one in s3.list_buckets(BucketRegion="eu-west-1")["Buckets"]] == ["in-the-west"]
    with refused("InvalidLocationConstraint", 400):
        s3.create_bucket(Bucket="nowhere", CreateBucketConfiguration={"LocationConstraint": "the-moon"})


def test_listing_by_pages(server: Running) -> None:
    """By name, by prefix, a page at a time; a token of nobody's is refused."""
    s3 = server.client("s3")
    names = [f"page-{number}" for number in range(5)]
    for name in reversed(names):
        s3.create_bucket(Bucket=name)
    pages = s3.get_paginator("list_buckets").paginate(Prefix="page-", PaginationConfig={"PageSize": 2})
    assert [[one["Name"] for one in page["Buckets"]] for page in pages] == [names[:2], names[2:4], names[4:]]
    with refused("InvalidArgument", 400, "continuation token"):
        s3.list_buckets(ContinuationToken="bm90IG91cnM")


def test_bad_names_and_too_many(server: Running) -> None:
    """A name that breaks the rules, and a bucket beyond the account's limit."""
    s3 = server.client("s3")
    with refused("InvalidBucketName", 400):
        s3.create_bucket(Bucket="Not_A_Name")
    with refused("TooManyBuckets", 400):
        for number in range(40):
            s3.create_bucket(Bucket=f"many-{number}")
    for one in s3.list_buckets(Prefix="many-")["Buckets"]:
        s3.delete_bucket(Bucket=one["Name"])


def test_only_an_empty_bucket_goes(server: Running) -> None:
    """Objects, versions and delete markers keep a bucket; an upload that was begun does not."""
    s3, bucket = bucket_of(server, versioning="Enabled")
    s3.put_object(Bucket=bucket, Key="a", Body=b"1")
    s3.delete_object(Bucket=bucket, Key="a")
    with refused("BucketNotEmpty", 409, "all versions"):
        s3.delete_bucket(Bucket=bucket)
    shown = s3.list_object_versions(Bucket=bucket)
    for one in shown["Versions"] + shown["DeleteMarkers"]:
        s3.delete_object(Bucket=bucket, Key="a", VersionId=one["VersionId"])
    upload = s3.create_multipart_upload(Bucket=bucket, Key="b")["UploadId"]
    s3.upload_part(Bucket=bucket, Key="b", UploadId=upload, PartNumber=1, Body=b"1")
    s3.delete_bucket(Bucket=bucket)


def test_tags(here: tuple[Any, str]) -> None:
    """Tags are replaced as a whole; S3's own names and doubles are refused."""
    s3, bucket = here
    with refused("NoSuchTagSet", 404):
        s3.get_bucket_tagging(Bucket=bucket)
    tags = [{"Key": "team", "Value": "art"}, {"Key": "cost", "Value": ""}]
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags})
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == tags
    for bad in ([{"Key": "aws:x", "Value": "1"}], [tags[0], tags[0]], [{"Key": "x" * 129, "Value": ""}]):
        with refused("InvalidTag", 400):
            s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": bad})
    s3.delete_bucket_tagging(Bucket=bucket)
    with refused("NoSuchTagSet", 404):
        s3.get_bucket_tagging(Bucket=bucket)


def test_encryption(here: tuple[Any, str]) -> None:
    """Always on: S3's keys by default, the account's KMS key where the bucket says so."""
    s3, bucket = here
    rule = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"][0]
    assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    by_kms = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}, "BucketKeyEnabled": True}]}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=by_kms)
    assert s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"] == by_kms
    assert s3.put_object(Bucket=bucket, Key="sealed", Body=b"x")["ServerSideEncryption"] == "aws:kms"
    s3.delete_bucket_encryption(Bucket=bucket)
    assert s3.put_object(Bucket=bucket, Key="sealed", Body=b"x")["ServerSideEncryption"] == "AES256"


def test_cors(here: tuple[Any, str]) -> None:
    """Rules come back as they were put; methods and wildcards are checked."""
    s3, bucket = here
    rules = [{"AllowedMethods": ["GET", "PUT"], "AllowedOrigins": ["https://*.example.com"], "MaxAgeSeconds": 60,
              "AllowedHeaders": ["*"], "ExposeHeaders": ["ETag"], "ID": "one"}]  # fmt: skip
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": rules})
    assert s3.get_bucket_cors(Bucket=bucket)["CORSRules"] == rules
    for change in ({"AllowedMethods": ["PATCH"]}, {"AllowedOrigins": ["*.*"]}, {"ExposeHeaders": ["x-*"]}):
        with refused("InvalidRequest", 400):
            s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [{**rules[0], **change}]})
    s3.delete_bucket_cors(Bucket=bucket)
    with refused("NoSuchCORSConfiguration", 404):
        s3.get_bucket_cors(Bucket=bucket)


def test_lifecycle(here: tuple[Any, str]) -> None:
    """Rules come back, each with an ID."""
    s3, bucket = here
    rules = [
        {"ID": "old", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 30}},
        {"Status": "Disabled", "Filter": {"And": {"Prefix": "a", "Tags": [{"Key": "k", "Value": "v"}]}},
         "NoncurrentVersionExpiration": {"NoncurrentDays": 5, "NewerNoncurrentVersions": 3}},
        {"ID": "up", "Status": "Enabled", "Filter": {}, "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}},
    ]  # fmt: skip
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": rules})
    found = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert found[1].pop("ID")
    assert found == rules
    s3.delete_bucket_lifecycle(Bucket=bucket)
    with refused("NoSuchLifecycleConfiguration", 404):
        s3.get_bucket_lifecycle_configuration(Bucket=bucket)


@pytest.mark.parametrize(
    ("rule", "error"),
    [
        ({"Expiration": {"Days": 0}}, "InvalidArgument"),
        ({"Expiration": {"Days": 1, "ExpiredObjectDeleteMarker": True}}, "MalformedXML"),
        ({"Expiration": {"Date": "2026-01-01T12:00:00Z"}}, "InvalidArgument"),
        ({}, "InvalidRequest"),
        ({"Prefix": "both", "Expiration": {"Days": 1}}, "MalformedXML"),
        ({"Transitions": [{"Days": 1, "StorageClass": "GLACIER"}]}, "NotImplemented"),
        ({"NoncurrentVersionExpiration": {"NoncurrentDays": 1, "NewerNoncurrentVersions": 101}}, "InvalidArgument"),
    ],
)
def test_lifecycle_rules_that_make_no_sense(here: tuple[Any, str], rule: dict[str, Any], error: str) -> None:
    """Each is refused by S3's name for it."""
    s3, bucket = here
    rules = [{"ID": "one", "Status": "Enabled", "Filter": {"Prefix": ""}, **rule}]
    with refused(error, 501 if error == "NotImplemented" else 400):
        s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": rules})


def test_notifications(here: tuple[Any, str]) -> None:
    """Destinations are kept; ARNs, regions, events, filters and overlaps are checked."""
    s3, bucket = here
    rule = {"LambdaFunctionArn": FUNCTION, "Events": ["s3:ObjectCreated:*"],
            "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "in/"}]}}}  # fmt: skip

    def put(*rules: dict[str, Any]) -> None:
        s3.put_bucket_notification_configuration(
            Bucket=bucket, NotificationConfiguration={"LambdaFunctionConfigurations": list(rules)},
            SkipDestinationValidation=True,
        )  # fmt: skip

    put({**rule, "Id": "one"})
    found = s3.get_bucket_notification_configuration(Bucket=bucket)
    assert found["LambdaFunctionConfigurations"] == [{**rule, "Id": "one"}]
    for change, words in (
        ({"LambdaFunctionArn": "arn:aws:sns:us-east-1:000000000000:x"}, "not well formed"),
        ({"LambdaFunctionArn": FUNCTION.replace("east", "west")}, "region is not valid"),
        ({"Events": ["s3:Everything"]}, "not supported"),
    ):
        with refused("InvalidArgument", 400, words):
            put({**rule, **change})
    with refused("InvalidArgument", 400, "ambiguously"):
        put(rule, {**rule, "Events": ["s3:ObjectCreated:Put"]})
    put()
    assert "LambdaFunctionConfigurations" not in s3.get_bucket_notification_configuration(Bucket=bucket)


def test_ownership_is_the_buckets(here: tuple[Any, str]) -> None:
    """Lists can be read, and cannot say anything else."""
    s3, bucket = here
    shown = s3.get_bucket_acl(Bucket=bucket)
    assert [grant["Permission"] for grant in shown["Grants"]] == ["FULL_CONTROL"]
    s3.put_bucket_acl(Bucket=bucket, ACL="private")
    s3.put_bucket_acl(Bucket=bucket, AccessControlPolicy={"Owner": shown["Owner"], "Grants": shown["Grants"]})
    with refused("AccessControlListNotSupported", 400):
        s3.put_bucket_acl(Bucket=bucket, ACL="public-read")
    with refused("AccessControlListNotSupported", 400):
        s3.put_object(Bucket=bucket, Key="a", Body=b"", ACL="public-read")
    with refused("InvalidBucketAclWithObjectOwnership", 400):
        s3.create_bucket(Bucket="a-public-one", ACL="public-read")
    controls = s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]
    assert controls == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=controls)
    with refused("NotImplemented", 501):
        s3.put_bucket_ownership_controls(
            Bucket=bucket, OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]}
        )


def test_what_no_bucket_has(here: tuple[Any, str]) -> None:
    """Reading what is not built answers as for a bucket without it; putting it is refused as not implemented."""
    s3, bucket = here
    for call, code in (
        (s3.get_bucket_website, "NoSuchWebsiteConfiguration"),
        (s3.get_bucket_replication, "ReplicationConfigurationNotFoundError"),
        (s3.get_object_lock_configuration, "ObjectLockConfigurationNotFoundError"),
        (s3.get_bucket_policy, "NoSuchBucketPolicy"),
    ):
        with refused(code, 404):
            call(Bucket=bucket)
    assert "Status" not in s3.get_bucket_accelerate_configuration(Bucket=bucket)
    assert "LoggingEnabled" not in s3.get_bucket_logging(Bucket=bucket)
    assert s3.get_bucket_request_payment(Bucket=bucket)["Payer"] == "BucketOwner"
    assert not s3.list_bucket_inventory_configurations(Bucket=bucket)["IsTruncated"]
    with refused("NotImplemented", 501):
        s3.put_bucket_website(Bucket=bucket, WebsiteConfiguration={"IndexDocument": {"Suffix": "index.html"}})
    with refused("NotImplemented", 501):
        s3.put_bucket_accelerate_configuration(Bucket=bucket, AccelerateConfiguration={"Status": "Enabled"})
    with refused("NotImplemented", 501):
        s3.create_bucket(Bucket="a-locked-one", ObjectLockEnabledForBucket=True)
