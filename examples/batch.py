"""Batch inference: a hundred prompts in a file in S3, one job, the answers in another file.

eval "$(craton env)"; python examples/batch.py
"""

from __future__ import annotations

import json
import time
from typing import Any

import boto3

MODEL = "craton.chat-mini-v1:0"
RECORDS = 100
DONE = ("Completed", "PartiallyCompleted", "Failed", "Stopped", "Expired")


def role(iam: Any, account: str, bucket: str) -> str:
    """A role that Bedrock may take on for its jobs, and that may read and write one bucket."""
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": "bedrock.amazonaws.com"},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"aws:SourceAccount": account}},
    }
    may = {
        "Effect": "Allow",
        "Action": ["s3:GetObject", "s3:PutObject", "s3:ListBucket"],
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
    }
    made = iam.create_role(RoleName=bucket, AssumeRolePolicyDocument=policy(trust))
    iam.put_role_policy(RoleName=bucket, PolicyName="files", PolicyDocument=policy(may))
    arn: str = made["Role"]["Arn"]
    return arn


def policy(statement: dict[str, object]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def main() -> None:
    s3, bedrock = boto3.client("s3"), boto3.client("bedrock")
    bucket = f"example-batch-{int(time.time())}"
    s3.create_bucket(Bucket=bucket)
    lines = [
        json.dumps({"recordId": f"R{at:04}", "modelInput": {"messages": [
            {"role": "user", "content": [{"text": "What is the capital of France?"}]}
        ]}})
        for at in range(RECORDS)
    ]  # fmt: skip
    s3.put_object(Bucket=bucket, Key="in/prompts.jsonl", Body="\n".join(lines).encode())
    account = boto3.client("sts").get_caller_identity()["Account"]
    job = bedrock.create_model_invocation_job(
        jobName=bucket,
        modelId=MODEL,
        modelInvocationType="Converse",
        roleArn=role(boto3.client("iam"), account, bucket),
        inputDataConfig={"s3InputDataConfig": {"s3Uri": f"s3://{bucket}/in/"}},
        outputDataConfig={"s3OutputDataConfig": {"s3Uri": f"s3://{bucket}/out/"}},
    )["jobArn"]
    status = ""
    while status not in DONE:
        time.sleep(0.5)
        found = bedrock.get_model_invocation_job(jobIdentifier=job)
        if found["status"] != status:
            status = found["status"]
            print(status, found.get("message", ""))
    folder = f"out/{job.rpartition('/')[2]}"
    print(s3.get_object(Bucket=bucket, Key=f"{folder}/manifest.json.out")["Body"].read().decode())
    first = s3.get_object(Bucket=bucket, Key=f"{folder}/prompts.jsonl.out")["Body"].readline()
    print(json.loads(first)["modelOutput"]["output"]["message"]["content"][0]["text"])


if __name__ == "__main__":
    main()
