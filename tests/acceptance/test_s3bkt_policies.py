"""Who may do what with buckets: identities' policies and buckets' own, across accounts, for nobody and for roles."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.acceptance import rawhttp
from tests.acceptance.identities import ACCOUNT, CONFIG, HOME_TRUST, allow, document, refused, user_key, with_key
from tests.acceptance.resources import OTHER, OTHER_KEY, OTHER_SECRET
from tests.acceptance.s3obj import bucket_of, read
from tests.running import Running

OPEN = {"BlockPublicAcls": True, "IgnorePublicAcls": True, "BlockPublicPolicy": False, "RestrictPublicBuckets": False}
EVERYONE: Any = "*"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Two accounts with a root each."""
    with Running(tmp_path_factory.mktemp("home"), CONFIG) as running:
        yield running


@pytest.fixture
def here(server: Running) -> tuple[Any, str]:
    """Root's client, and a bucket with an object `a/one`."""
    s3, bucket = bucket_of(server)
    s3.put_object(Bucket=bucket, Key="a/one", Body=b"1")
    return s3, bucket


def of_user(server: Running, name: str, *statements: dict[str, Any]) -> Any:
    """S3 as a new user sees it, who has these statements."""
    return with_key(server, user_key(server, name, document(*statements) if statements else None), "s3")


def stranger(server: Running) -> Any:
    """S3 as the root of another account sees it."""
    return server.client("s3", aws_access_key_id=OTHER_KEY, aws_secret_access_key=OTHER_SECRET)


def by_nobody(server: Running, bucket: str, method: str = "GET", body: bytes = b"") -> rawhttp.Answer:
    """A request for `a/one` without a signature, the bucket in the host."""
    head = f"{method} /a/one HTTP/1.1\r\nHost: {bucket}.localhost\r\nContent-Length: {len(body)}\r\nConnection: close"
    return rawhttp.exchange(server, f"{head}\r\n\r\n".encode() + body, method)


def grant(s3: Any, bucket: str, *statements: dict[str, Any]) -> None:
    s3.put_bucket_policy(Bucket=bucket, Policy=document(*statements))


def on(bucket: str, actions: Any, principal: Any, key: str = "*", **more: Any) -> dict[str, Any]:
    """A statement about the bucket and its objects under a key."""
    resources = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/{key}"]
    return {"Effect": "Allow", "Principal": principal, "Action": actions, "Resource": resources, **more}


def test_a_user_needs_a_policy(server: Running, here: tuple[Any, str]) -> None:
    """Without one everything is refused, with S3's words; with one, exactly what it says."""
    _, bucket = here
    none = of_user(server, "none")
    words = "no identity-based policy allows the s3:GetObject action"
    with refused("AccessDenied", 403, words):
        none.get_object(Bucket=bucket, Key="a/one")
    with refused("AccessDenied", 403):
        none.list_buckets()
    with refused("AccessDenied", 403):
        none.create_bucket(Bucket="not-for-you")
    reader = of_user(server, "reader", allow("s3:GetObject", f"arn:aws:s3:::{bucket}/a/*"))
    assert read(reader, bucket, "a/one") == b"1"
    with refused("AccessDenied", 403, f'on resource: "arn:aws:s3:::{bucket}/b" because'):
        reader.get_object(Bucket=bucket, Key="b")
    with refused("AccessDenied", 403):
        reader.put_object(Bucket=bucket, Key="a/one", Body=b"2")


def test_who_may_not_list_learns_of_no_key(server: Running, here: tuple[Any, str]) -> None:
    """A key that is not there is a 403 to whoever may not list, else a 404."""
    _, bucket = here
    blind = of_user(server, "blind", allow("s3:GetObject", "*"))
    with refused("AccessDenied", 403, "s3:ListBucket"):
        blind.get_object(Bucket=bucket, Key="a/nothing")
    seeing = of_user(server, "seeing", allow(["s3:GetObject", "s3:ListBucket"], "*"))
    with refused("NoSuchKey", 404):
        seeing.get_object(Bucket=bucket, Key="a/nothing")


def test_conditions_on_listings(server: Running, here: tuple[Any, str]) -> None:
    """A user may list its own folder only, by s3:prefix."""
    _, bucket = here
    folder = allow("s3:ListBucket", f"arn:aws:s3:::{bucket}", Condition={"StringLike": {"s3:prefix": ["a/*", "a/"]}})
    user = of_user(server, "folder", folder)
    assert user.list_objects_v2(Bucket=bucket, Prefix="a/")["KeyCount"] == 1
    with refused("AccessDenied", 403):
        user.list_objects_v2(Bucket=bucket, Prefix="b/")
    with refused("AccessDenied", 403):
        user.list_objects_v2(Bucket=bucket)


def test_conditions_on_tags(server: Running, here: tuple[Any, str]) -> None:
    """Reading is for objects with a tag; writing for requests that bring one."""
    s3, bucket = here
    s3.put_object(Bucket=bucket, Key="a/open", Body=b"2", Tagging="kind=open")
    user = of_user(
        server,
        "tags",
        allow("s3:GetObject", "*", Condition={"StringEquals": {"s3:ExistingObjectTag/kind": "open"}}),
        allow(["s3:PutObject", "s3:PutObjectTagging"], "*",
              Condition={"StringEquals": {"s3:RequestObjectTag/kind": "mine"}}),
    )  # fmt: skip
    assert read(user, bucket, "a/open") == b"2"
    with refused("AccessDenied", 403):
        user.get_object(Bucket=bucket, Key="a/one")
    user.put_object(Bucket=bucket, Key="a/mine", Body=b"3", Tagging="kind=mine")
    with refused("AccessDenied", 403):
        user.put_object(Bucket=bucket, Key="a/other", Body=b"3", Tagging="kind=yours")


def test_a_bucket_policy_lets_in_and_keeps_out(server: Running, here: tuple[Any, str]) -> None:
    """Within the account either policy allows; a Deny beats both, even for root; root can still mend the policy."""
    s3, bucket = here
    user = of_user(server, "inside")
    grant(s3, bucket, on(bucket, "s3:GetObject", {"AWS": f"arn:aws:iam::{ACCOUNT}:user/inside"}))
    assert read(user, bucket, "a/one") == b"1"
    grant(s3, bucket, on(bucket, "s3:*", EVERYONE, Effect="Deny"))
    for client in (user, s3):
        with refused("AccessDenied", 403, "with an explicit deny in a resource-based policy"):
            client.get_object(Bucket=bucket, Key="a/one")
    assert "Deny" in s3.get_bucket_policy(Bucket=bucket)["Policy"]
    s3.delete_bucket_policy(Bucket=bucket)
    assert read(s3, bucket, "a/one") == b"1"


def test_other_accounts_need_both(server: Running, here: tuple[Any, str]) -> None:
    """A stranger is told nothing but no; the bucket's policy opens it to that account."""
    s3, bucket = here
    other = stranger(server)
    with refused("AccessDenied", 403, "^Access Denied$"):
        other.get_object(Bucket=bucket, Key="a/one")
    with refused("403", 403):
        other.head_bucket(Bucket=bucket)
    with refused("BucketAlreadyExists", 409):
        other.create_bucket(Bucket=bucket)
    grant(s3, bucket, on(bucket, ["s3:GetObject", "s3:PutObject"], {"AWS": f"arn:aws:iam::{OTHER}:root"}))
    assert read(other, bucket, "a/one") == b"1"
    other.put_object(Bucket=bucket, Key="theirs", Body=b"x")
    assert read(s3, bucket, "theirs") == b"x"  # what others put belongs to the bucket's owner
    with refused("AccessDenied", 403):
        other.delete_object(Bucket=bucket, Key="a/one")
    assert bucket not in [one["Name"] for one in other.list_buckets()["Buckets"]]
    with refused("AccessDenied", 403):
        other.get_object(Bucket=bucket, Key="a/one", ExpectedBucketOwner=OTHER)
    assert other.get_object(Bucket=bucket, Key="a/one", ExpectedBucketOwner=ACCOUNT)["ContentLength"] == 1


def test_the_public_stays_out_by_default(server: Running, here: tuple[Any, str]) -> None:
    """A public policy cannot be put until the block is lifted, and the block shuts out the public again."""
    s3, bucket = here
    public = on(bucket, "s3:GetObject", EVERYONE)
    with refused("AccessDenied", 403, "BlockPublicPolicy"):
        grant(s3, bucket, public)
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=OPEN)
    told = by_nobody(server, bucket)
    assert (told.status, b"<Message>Access Denied</Message>" in told.body) == (403, True)
    grant(s3, bucket, public)
    assert s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"] == {"IsPublic": True}
    assert by_nobody(server, bucket).body == b"1"
    assert read(stranger(server), bucket, "a/one") == b"1"
    assert by_nobody(server, bucket, "PUT", b"2").status == 403
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration={**OPEN, "RestrictPublicBuckets": True})
    assert by_nobody(server, bucket).status == 403
    with refused("AccessDenied", 403):
        stranger(server).get_object(Bucket=bucket, Key="a/one")
    assert read(s3, bucket, "a/one") == b"1"


def test_a_role_acts_by_its_own_rights(server: Running, here: tuple[Any, str]) -> None:
    """A session has its role's rights, less what the session's own policy leaves out."""
    _, bucket = here
    iam = server.client("iam")
    role = iam.create_role(RoleName="files", AssumeRolePolicyDocument=HOME_TRUST)["Role"]["Arn"]
    iam.put_role_policy(
        RoleName="files", PolicyName="own", PolicyDocument=document(allow("s3:*", f"arn:aws:s3:::{bucket}/*"))
    )
    user = user_key(server, "assumer", document(allow("sts:AssumeRole")))
    narrowed = document(allow("s3:GetObject"))
    sts = with_key(server, user, "sts")
    session = sts.assume_role(RoleArn=role, RoleSessionName="one", Policy=narrowed)["Credentials"]
    s3 = with_key(server, session, "s3")
    assert read(s3, bucket, "a/one") == b"1"
    with refused("AccessDenied", 403, "no session policy allows the s3:PutObject action"):
        s3.put_object(Bucket=bucket, Key="a/two", Body=b"2")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"Resource": "arn:aws:s3:::somebody-elses/*"}, "invalid resource"),
        ({"Resource": []}, "must contain resources"),
        ({"Action": "iam:CreateUser"}, "invalid action"),
        ({"Principal": {"AWS": "somebody"}}, "Invalid principal"),
        ({"Effect": "Perhaps"}, "Statement\\[0\\].Effect"),
    ],
)
def test_a_policy_that_says_nothing_is_refused(here: tuple[Any, str], change: dict[str, Any], words: str) -> None:
    """With the place, and what was there before stays."""
    s3, bucket = here
    good = document(on(bucket, "s3:GetObject", {"AWS": ACCOUNT}))
    s3.put_bucket_policy(Bucket=bucket, Policy=good)
    bad = {**on(bucket, "s3:GetObject", {"AWS": ACCOUNT}), **change}
    with refused("MalformedPolicy", 400, words):
        grant(s3, bucket, bad)
    assert json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"]) == json.loads(good)


def test_encryption_can_be_demanded(here: tuple[Any, str]) -> None:
    """A bucket's policy may refuse what does not come with the encryption that it wants."""
    s3, bucket = here
    demand = {"StringNotEquals": {"s3:x-amz-server-side-encryption": "aws:kms"}}
    grant(s3, bucket, on(bucket, "s3:PutObject", EVERYONE, Effect="Deny", Condition=demand))
    with refused("AccessDenied", 403):
        s3.put_object(Bucket=bucket, Key="plain", Body=b"x")
    s3.put_object(Bucket=bucket, Key="sealed", Body=b"x", ServerSideEncryption="aws:kms")
