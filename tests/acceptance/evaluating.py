"""What the tests of evaluation share: a role that Bedrock may take, a dataset, a request, waiting, and the outputs."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from typing import Any

from tests.acceptance.identities import allow, document, trust
from tests.running import Running

TRUST = trust({"Service": "bedrock.amazonaws.com"})
OVER = frozenset({"Completed", "Failed", "Stopped"})
BUCKET = "evaluations"
FILES = [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"]
RIGHTS = document(allow(["s3:GetObject", "s3:PutObject", "s3:ListBucket"], FILES), allow(["bedrock:InvokeModel"], "*"))


def prepared(server: Running, rights: str = RIGHTS, name: str = "evaluator") -> str:
    """The bucket and a role; the role's ARN."""
    s3, iam = server.client("s3"), server.client("iam")
    if BUCKET not in {one["Name"] for one in s3.list_buckets()["Buckets"]}:
        s3.create_bucket(Bucket=BUCKET)
    arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=rights)
    return arn


def put(server: Running, key: str, records: Iterable[dict[str, Any]]) -> str:
    """A dataset; its URI."""
    body = "\n".join(json.dumps(one) for one in records).encode()
    server.client("s3").put_object(Bucket=BUCKET, Key=key, Body=body)
    return f"s3://{BUCKET}/{key}"


def bedrock_model(name: str, **more: Any) -> dict[str, Any]:
    return {"bedrockModel": {"modelIdentifier": name, **more}}


def dataset(uri: str, *metrics: str, task: str = "QuestionAndAnswer", name: str = "mine") -> dict[str, Any]:
    place = {"datasetLocation": {"s3Uri": uri}} if uri else {}
    return {"taskType": task, "dataset": {"name": name, **place}, "metricNames": list(metrics)}


def asked(
    name: str, role: str, datasets: list[dict[str, Any]], models: list[dict[str, Any]], judge: str = "", **more: Any
) -> dict[str, Any]:
    """The members of a CreateEvaluationJob."""
    automated: dict[str, Any] = {"datasetMetricConfigs": datasets, **more.pop("automated", {})}
    if judge:
        automated["evaluatorModelConfig"] = {"bedrockEvaluatorModels": [{"modelIdentifier": judge}]}
    return {
        "jobName": name,
        "roleArn": role,
        "evaluationConfig": {"automated": automated},
        "inferenceConfig": {"models": models},
        "outputDataConfig": {"s3Uri": f"s3://{BUCKET}/out/"},
        **more,
    }


def finished(bedrock: Any, arn: str, timeout_s: float = 240.0) -> dict[str, Any]:
    """The job once it is over."""
    end = time.monotonic() + timeout_s
    while True:
        job: dict[str, Any] = bedrock.get_evaluation_job(jobIdentifier=arn)
        if job["status"] in OVER:
            return job
        assert time.monotonic() < end, job
        time.sleep(0.1)


def outputs(server: Running, job: str) -> dict[str, list[dict[str, Any]]]:
    """The lines of each output of a job, by key."""
    s3 = server.client("s3")
    found = s3.list_objects_v2(Bucket=BUCKET, Prefix=f"out/{job}/").get("Contents", [])
    keys = [one["Key"] for one in found if one["Key"].endswith(".jsonl")]
    return {
        key: [json.loads(line) for line in s3.get_object(Bucket=BUCKET, Key=key)["Body"].read().splitlines()]
        for key in keys
    }


def scores(line: dict[str, Any]) -> dict[str, Any]:
    return {one["metricName"]: one["result"] for one in line["automatedEvaluationResult"]["scores"]}
