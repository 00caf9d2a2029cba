"""What the tests of batch inference share: a role that Bedrock may take, buckets, an input, and waiting for the end."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from typing import Any

from tests.acceptance.identities import ACCOUNT, allow, document
from tests.running import Running

TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "bedrock.amazonaws.com"},
                "Action": "sts:AssumeRole",
                "Condition": {
                    "StringEquals": {"aws:SourceAccount": ACCOUNT},
                    "ArnEquals": {"aws:SourceArn": f"arn:aws:bedrock:us-east-1:{ACCOUNT}:model-invocation-job/*"},
                },
            }
        ],
    }
)
OVER = frozenset({"Completed", "PartiallyCompleted", "Failed", "Stopped", "Expired"})
LIMITS = "\n[limits]\nbatch_min_records = 3\n"


def s3_rights(*buckets: str) -> str:
    """What Bedrock's user guide puts into the role of a batch: S3, and nothing of any model."""
    places = [f"arn:aws:s3:::{bucket}{part}" for bucket in buckets for part in ("", "/*")]
    return document(allow(["s3:GetObject", "s3:PutObject", "s3:ListBucket"], places))


def role(server: Running, name: str, policy: str, trust: str = TRUST) -> str:
    """A role with this inline policy; its ARN."""
    iam = server.client("iam")
    arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=policy)
    return arn


def said(numbers: Iterable[int]) -> bytes:
    """Records in Anthropic's schema, each saying its number."""
    lines = []
    for number in numbers:
        message = {"role": "user", "content": [{"type": "text", "text": f"number {number}"}]}
        body = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 64, "messages": [message]}
        lines.append(json.dumps({"recordId": f"CALL{number:07d}", "modelInput": body}))
    return "\n".join(lines).encode()


def asked(name: str, model: str, role_arn: str, source: str, target: str, **more: Any) -> dict[str, Any]:
    """The members of a CreateModelInvocationJob."""
    return {
        "jobName": name,
        "modelId": model,
        "roleArn": role_arn,
        "inputDataConfig": {"s3InputDataConfig": {"s3InputFormat": "JSONL", "s3Uri": source}},
        "outputDataConfig": {"s3OutputDataConfig": {"s3Uri": target}},
        **more,
    }


def finished(bedrock: Any, arn: str, timeout_s: float = 240.0) -> dict[str, Any]:
    """The job once it is over."""
    end = time.monotonic() + timeout_s
    while True:
        job: dict[str, Any] = bedrock.get_model_invocation_job(jobIdentifier=arn)
        if job["status"] in OVER:
            return job
        assert time.monotonic() < end, job
        time.sleep(0.1)


def answers(s3: Any, bucket: str, key: str) -> list[dict[str, Any]]:
    """The lines of an output."""
    return [json.loads(line) for line in s3.get_object(Bucket=bucket, Key=key)["Body"].read().splitlines()]
