"""Deploys a function that hears of every batch job's end, runs a small job, and shows what the function says of it.

eval "$(craton env)"; python examples/job-finished/deploy.py
"""

from __future__ import annotations

import io
import json
import os
import time
import zipfile
from pathlib import Path
from typing import Any

import boto3

MODEL = os.environ.get("MODEL", "craton.chat-mini-v1:0")
RUNTIME = os.environ.get("RUNTIME", "python3.11")
RECORDS = int(os.environ.get("RECORDS", "100"))
FOLDER = Path(__file__).parent
ENDED = {
    "source": ["aws.bedrock"],
    "detail-type": ["Batch Inference Job State Change"],
    "detail": {"status": ["Completed", "PartiallyCompleted", "Failed", "Stopped", "Expired"]},
}


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **each} for each in statements]})


def make_role(name: str, service: str, *rights: dict[str, Any]) -> str:
    """A role for a service, with these rights; its ARN."""
    iam = boto3.client("iam")
    trust = policy({"Principal": {"Service": service}, "Action": "sts:AssumeRole"})
    arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="rights", PolicyDocument=policy(*rights))
    return arn


def zipped(folder: Path) -> bytes:
    """The function's files as Lambda takes them."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.glob("*.py")):
            archive.write(path, path.name)
    return target.getvalue()


def deploy(name: str) -> None:
    """A function, and a rule that gives it the end of every batch job."""
    functions, events = boto3.client("lambda"), boto3.client("events")
    role = make_role(
        name,
        "lambda.amazonaws.com",
        {"Action": "bedrock:GetModelInvocationJob", "Resource": "*"},
        {"Action": ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"], "Resource": "*"},
    )
    function = functions.create_function(
        FunctionName=name,
        Runtime=RUNTIME,
        Handler="app.handler",
        Role=role,
        Code={"ZipFile": zipped(FOLDER / "function")},
        Timeout=30,
    )["FunctionArn"]
    functions.get_waiter("function_active_v2").wait(FunctionName=name)
    rule = events.put_rule(Name=name, EventPattern=json.dumps(ENDED))["RuleArn"]
    functions.add_permission(
        FunctionName=name,
        StatementId="rule",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceArn=rule,
    )
    events.put_targets(Rule=name, Targets=[{"Id": "function", "Arn": function}])


def start_job(name: str) -> str:
    """A batch job of short prompts; its ARN."""
    boto3.client("s3").create_bucket(Bucket=name)
    lines = [
        json.dumps({"recordId": f"R{at:04}", "modelInput": {
            "messages": [{"role": "user", "content": [{"text": f"Say {at}."}]}], "inferenceConfig": {"maxTokens": 8}
        }})
        for at in range(RECORDS)
    ]  # fmt: skip
    boto3.client("s3").put_object(Bucket=name, Key="in/prompts.jsonl", Body="\n".join(lines).encode())
    places = [f"arn:aws:s3:::{name}", f"arn:aws:s3:::{name}/*"]
    role = make_role(
        f"{name}-job",
        "bedrock.amazonaws.com",
        {"Action": ["s3:GetObject", "s3:PutObject", "s3:ListBucket"], "Resource": places},
    )
    arn: str = boto3.client("bedrock").create_model_invocation_job(
        jobName=name,
        modelId=MODEL,
        modelInvocationType="Converse",
        roleArn=role,
        inputDataConfig={"s3InputDataConfig": {"s3Uri": f"s3://{name}/in/"}},
        outputDataConfig={"s3OutputDataConfig": {"s3Uri": f"s3://{name}/out/"}},
    )["jobArn"]
    return arn


def heard(name: str) -> str | None:
    """What the function said of the job in its log, if it has."""
    logs = boto3.client("logs")
    try:
        found = logs.filter_log_events(logGroupName=f"/aws/lambda/{name}", filterPattern=f'{{ $.job = "{name}" }}')
    except logs.exceptions.ResourceNotFoundException:
        return None
    return found["events"][0]["message"].strip() if found["events"] else None


def main() -> None:
    name = f"job-finished-{int(time.time())}"
    deploy(name)
    print(f"deployed {name}; started {start_job(name)}")
    while (said := heard(name)) is None:
        time.sleep(0.5)
    print(said)


if __name__ == "__main__":
    main()
