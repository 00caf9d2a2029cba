"""Whether a bucket and a log group take invocation logs, tried when the configuration is put.

Owns the two trials, made as those who will deliver: to a bucket as Bedrock's service principal on behalf of the account
(an object is written, as Bedrock does), to a log group as the role that is named (its stream is made). Whatever is in
the way is one ValidationException, as Bedrock has it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import cache
from typing import Any

from craton.aws.access.credentials import Principal
from craton.aws.wire.compile import Types
from craton.aws.wire.faults import Fault, validation
from craton.aws.wire.model import load
from craton.aws.wire.payload import Incoming
from craton.context import Call
from craton.features.invocations.delivery import STREAM
from craton.features.invocations.layout import CHECK, root
from craton.features.invocations.terms import CloudWatchConfig, S3Config
from craton.infra.identities.records import ROLE
from craton.infra.store.port import Resource
from craton.services import passing, stored
from craton.services.logs.group import judged
from craton.services.logs.streams import create_log_stream
from craton.services.s3 import gate, objects

NO_BUCKET = (
    "Failed to validate permissions for S3 bucket: {bucket}. Verify that the bucket exists in this account and Region and "
    "that its policy allows bedrock.amazonaws.com to perform s3:PutObject."
)
# Bedrock's own words.
NO_GROUP = "Failed to validate permissions for log group: {group}, with role: {role}. Verify the IAM role permissions are correct."


async def check_bucket(call: Call, config: S3Config) -> None:
    """Write an object where logs will lie. An outside S3 that the configuration names is tried when logs are delivered.

    Raises ValidationException.
    """
    if call.app.settings.file.s3.endpoint_url:
        return
    source = f"arn:aws:bedrock:{call.region}:{call.account}:invocation-logging"
    service = Principal(
        account=call.account, arn=passing.BEDROCK, kind="service", user_id=passing.BEDROCK, name=passing.BEDROCK,
        source_arn=source,
    )  # fmt: skip
    key = f"{root(config.key_prefix, call.account)}/{CHECK}"
    made = {"Bucket": config.bucket_name, "Key": key, "Body": Incoming(nothing()), "ContentType": "text/plain"}
    refusal = validation(NO_BUCKET.format(bucket=config.bucket_name))
    try:
        with stored.faults("bucket"):
            row = await call.app.storage.read(lambda store: gate.find(store, config.bucket_name))
        if (row.account, row.region) != (call.account, call.region):
            raise refusal
        await objects.put_object(in_the_name_of(call, service), request("s3", "PutObject")(**made))
    except Fault:
        raise refusal from None


async def check_group(call: Call, config: CloudWatchConfig) -> None:
    """Make the stream of the logs. Raises AccessDeniedException (iam:PassRole), ValidationException."""
    await passing.check_pass_role(call, config.role_arn)
    with stored.faults("role"):
        role = await call.app.storage.read(lambda store: store.get(config.role_arn))
    if role is None or role.kind != ROLE:
        raise validation(NO_GROUP.format(group=config.log_group_name, role=config.role_arn))
    session = session_of(call, role)
    made = {"logGroupName": config.log_group_name, "logStreamName": STREAM}
    try:
        await judged(session, "PutLogEvents", config.log_group_name, stream=STREAM)
        await create_log_stream(session, request("logs", "CreateLogStream")(**made))
    except Fault as fault:
        if fault.name != "ResourceAlreadyExistsException":
            raise validation(NO_GROUP.format(group=config.log_group_name, role=config.role_arn)) from None


def session_of(call: Call, role: Resource) -> Call:
    """What the role does when logs are delivered."""
    name = "BedrockModelInvocationLogging"
    arn = f"arn:aws:sts::{role.account}:assumed-role/{role.name}/{name}"
    principal = Principal(
        account=role.account, arn=arn, kind="assumed-role", user_id=f"{role.id}:{name}", role_arn=role.arn
    )
    return in_the_name_of(call, principal)


def in_the_name_of(call: Call, principal: Principal) -> Call:
    """A call of somebody else, which comes from nowhere."""
    return Call(
        call.app, call.operation, principal, call.region, call.request_id, {}, call.started_at, call.report,
        {"scheme": "https"},
    )  # fmt: skip


@cache
def request(service_name: str, name: str) -> Any:
    """The request type of an operation."""
    service = load(service_name)
    return Types(service).request(service.operations[name])


async def nothing() -> AsyncIterator[bytes]:
    """The body of the trial."""
    for piece in (b"",):
        yield piece
