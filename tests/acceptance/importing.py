"""What the tests of model import share: a role that Bedrock may take, a folder in S3, a job, and waiting for its end."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from botocore.config import Config

from tests.acceptance.identities import ACCOUNT, allow, document
from tests.running import Running

BUCKET = "models"
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
                    "ArnEquals": {"aws:SourceArn": f"arn:aws:bedrock:us-east-1:{ACCOUNT}:model-import-job/*"},
                },
            }
        ],
    }
)
MAY_READ = document(allow(["s3:GetObject", "s3:ListBucket"], [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"]))
CONFIG = "[limits]\nimported_models = 50\nimport_jobs = 20\n"


def role(server: Running, name: str = "importer", policy: str = MAY_READ, trust: str = TRUST) -> str:
    """A role with this inline policy; its ARN."""
    iam = server.client("iam")
    arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=policy)
    return arn


def upload(server: Running, folder: str, files: Mapping[str, bytes]) -> str:
    """Put a folder into S3; its URI."""
    s3 = server.client("s3")
    if BUCKET not in [one["Name"] for one in s3.list_buckets()["Buckets"]]:
        s3.create_bucket(Bucket=BUCKET)
    for name, data in files.items():
        s3.put_object(Bucket=BUCKET, Key=f"{folder}/{name}", Body=data)
    return f"s3://{BUCKET}/{folder}/"


def asked(job: str, model: str, role_arn: str, uri: str, **more: Any) -> dict[str, Any]:
    """The members of a CreateModelImportJob."""
    source = {"s3DataSource": {"s3Uri": uri}}
    return {"jobName": job, "importedModelName": model, "roleArn": role_arn, "modelDataSource": source, **more}


def finished(bedrock: Any, arn: str, timeout_s: float = 300.0) -> dict[str, Any]:
    """The job once it is over."""
    end = time.monotonic() + timeout_s
    while True:
        job: dict[str, Any] = bedrock.get_model_import_job(jobIdentifier=arn)
        if job["status"] != "InProgress":
            return job
        assert time.monotonic() < end, job
        time.sleep(0.1)


def patient(server: Running, **options: Any) -> Any:
    """A client of the runtime that waits for a cold model as boto3's own retries do."""
    config = Config(retries={"max_attempts": 20, "mode": "standard"}, read_timeout=60)
    return server.client("bedrock-runtime", config=config, **options)
