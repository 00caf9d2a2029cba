"""Evaluation: a model, or two, answer questions of ours and questions that come along; the scores lie in S3.

eval "$(craton env)"; python examples/evaluate.py [MODEL [MODEL]]
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from typing import Any

import boto3

MODELS = ["craton.chat-mini-v1:0"]
DONE = ("Completed", "Failed", "Stopped")
QUESTIONS = [("What is the capital of France?", "Paris"), ("What is two plus two?", "Four")]


def role(iam: Any, account: str, bucket: str) -> str:
    """A role that Bedrock may take on for its jobs: it reads and writes one bucket, and asks models."""
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": "bedrock.amazonaws.com"},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"aws:SourceAccount": account}},
    }
    files = {
        "Effect": "Allow",
        "Action": ["s3:GetObject", "s3:PutObject", "s3:ListBucket"],
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
    }
    models = {"Effect": "Allow", "Action": "bedrock:InvokeModel", "Resource": "*"}
    made = iam.create_role(RoleName=bucket, AssumeRolePolicyDocument=policy(trust))
    iam.put_role_policy(RoleName=bucket, PolicyName="own", PolicyDocument=policy(files, models))
    arn: str = made["Role"]["Arn"]
    return arn


def policy(*statements: Mapping[str, object]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def main() -> None:
    s3, bedrock = boto3.client("s3"), boto3.client("bedrock")
    bucket = f"example-evaluation-{int(time.time())}"
    s3.create_bucket(Bucket=bucket)
    lines = [json.dumps({"prompt": prompt, "referenceResponse": answer}) for prompt, answer in QUESTIONS]
    s3.put_object(Bucket=bucket, Key="questions.jsonl", Body="\n".join(lines).encode())
    account = boto3.client("sts").get_caller_identity()["Account"]
    own = {
        "taskType": "QuestionAndAnswer",
        "dataset": {"name": "own", "datasetLocation": {"s3Uri": f"s3://{bucket}/questions.jsonl"}},
        "metricNames": ["Builtin.Accuracy", "Builtin.Robustness"],
    }
    built_in = {
        "taskType": "QuestionAndAnswer",
        "dataset": {"name": "Craton.Questions"},
        "metricNames": ["Builtin.Accuracy", "Builtin.Toxicity"],
    }
    models = sys.argv[1:] or MODELS
    params = json.dumps({"inferenceConfig": {"maxTokens": 32, "temperature": 0}})
    job = bedrock.create_evaluation_job(
        jobName=bucket,
        roleArn=role(boto3.client("iam"), account, bucket),
        evaluationConfig={"automated": {"datasetMetricConfigs": [own, built_in]}},
        inferenceConfig={
            "models": [{"bedrockModel": {"modelIdentifier": one, "inferenceParams": params}} for one in models]
        },
        outputDataConfig={"s3Uri": f"s3://{bucket}/out/"},
    )["jobArn"]
    status = ""
    while status not in DONE:
        time.sleep(0.5)
        found = bedrock.get_evaluation_job(jobIdentifier=job)
        if found["status"] != status:
            status = found["status"]
            print(status, *found.get("failureMessages", []))
    for one in s3.list_objects_v2(Bucket=bucket, Prefix=f"out/{bucket}/").get("Contents", []):
        scores: dict[str, list[float]] = {}
        for line in s3.get_object(Bucket=bucket, Key=one["Key"])["Body"].read().splitlines():
            for score in json.loads(line)["automatedEvaluationResult"]["scores"]:
                scores.setdefault(score["metricName"], []).append(score["result"])
        told = ", ".join(f"{name} {sum(values) / len(values):.2f}" for name, values in scores.items())
        print(f"{one['Key'].split('/datasets/')[1].split('/')[0]}: {told}")


if __name__ == "__main__":
    main()
