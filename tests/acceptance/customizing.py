"""What the tests of customization share: a role that Bedrock may take, data in S3, a job, and waiting for its end."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from typing import Any

from tests.acceptance.identities import ACCOUNT, allow, document
from tests.acceptance.importing import patient
from tests.running import Running

BASE = "craton.chat-mini-v1:0"
BUCKET = "tuning"
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
                    "ArnEquals": {"aws:SourceArn": f"arn:aws:bedrock:us-east-1:{ACCOUNT}:*"},
                },
            }
        ],
    }
)
RIGHTS = ["s3:GetObject", "s3:PutObject", "s3:ListBucket"]
MAY = document(allow(RIGHTS, [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"]))
CONFIG = "[limits]\ncustomization_jobs = 20\n"
QUICK = {"epochCount": "1", "batchSize": "4", "loraRank": "4"}
COLOURS = ("red", "green", "blue", "grey", "pink", "brown", "black", "white")
PAIRS = [{"prompt": f"Which colour has door {at}?", "completion": f"{colour}."} for at, colour in enumerate(COLOURS)]
SHORT = {"maxTokens": 12, "temperature": 0.0}


def lines(records: Iterable[Mapping[str, Any]]) -> bytes:
    return "".join(json.dumps(each) + "\n" for each in records).encode()


def role(server: Running, name: str = "tuner", policy: str = MAY, trust: str = TRUST) -> str:
    """A role with this inline policy; its ARN."""
    iam = server.client("iam")
    arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=policy)
    return arn


def upload(server: Running, key: str, data: bytes) -> str:
    """Put an object into S3; its URI."""
    s3 = server.client("s3")
    if BUCKET not in [one["Name"] for one in s3.list_buckets()["Buckets"]]:
        s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key=key, Body=data)
    return f"s3://{BUCKET}/{key}"


def asked(name: str, role_arn: str, train: str, **more: Any) -> dict[str, Any]:
    """The members of a CreateModelCustomizationJob; the model has the job's name with `-model` behind."""
    return {
        "jobName": name,
        "customModelName": f"{name}-model",
        "roleArn": role_arn,
        "baseModelIdentifier": BASE,
        "trainingDataConfig": {"s3Uri": train},
        "outputDataConfig": {"s3Uri": f"s3://{BUCKET}/out/"},
        "hyperParameters": QUICK,
        **more,
    }


def finished(bedrock: Any, arn: str, timeout_s: float = 600.0) -> dict[str, Any]:
    """The job once it is over."""
    end = time.monotonic() + timeout_s
    while True:
        job: dict[str, Any] = bedrock.get_model_customization_job(jobIdentifier=arn)
        if job["status"] not in ("InProgress", "Stopping"):
            return job
        assert time.monotonic() < end, job
        time.sleep(0.1)


def deployed(bedrock: Any, arn: str, timeout_s: float = 300.0) -> dict[str, Any]:
    """The deployment once it has left `Creating`."""
    end = time.monotonic() + timeout_s
    while True:
        found: dict[str, Any] = bedrock.get_custom_model_deployment(customModelDeploymentIdentifier=arn)
        if found["status"] != "Creating" and found.get("updateDetails", {}).get("updateStatus") != "Updating":
            return found
        assert time.monotonic() < end, found
        time.sleep(0.1)


def says(server: Running, model: str, words: str) -> str:
    """What a model answers, without chance."""
    messages = [{"role": "user", "content": [{"text": words}]}]
    reply = patient(server).converse(modelId=model, messages=messages, inferenceConfig=SHORT)
    text: str = reply["output"]["message"]["content"][0]["text"]
    return text
