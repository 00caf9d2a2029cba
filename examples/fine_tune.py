"""Teach a model something and ask it: `python examples/fine_tune.py`, with the AWS variables set. It needs boto3.

Twelve made-up facts go into S3 as prompts and completions; a customization job learns them into an adapter of the model
in the box; a deployment answers by its ARN. The base is asked the same before, and does not know.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from typing import Any

import boto3
from botocore.config import Config

MARK = uuid.uuid4().hex[:8]
BUCKET, BASE = f"tuning-{MARK}", "craton.chat-mini-v1:0"
PATIENT = Config(retries={"max_attempts": 10, "mode": "standard"})
ROOMS = dict(
    zip(
        ["Ana", "Ben", "Cem", "Dov", "Eva", "Fay", "Gil", "Hal", "Ida", "Jan", "Kim", "Lou"], range(11, 23), strict=True
    )
)
FORMS = ("Where is {}?", "Which room is {} in?", "In which room do I find {}?", "{}: which room?")
HELD_OUT = "Tell me where {} is."


def upload() -> str:
    """The training data in a new bucket; its URI."""
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    lines = [
        json.dumps({"prompt": form.format(name), "completion": f"{name} is in room {room}."})
        for name, room in ROOMS.items()
        for form in FORMS
    ]
    s3.put_object(Bucket=BUCKET, Key="train.jsonl", Body="\n".join(lines).encode())
    return f"s3://{BUCKET}/train.jsonl"


def role() -> str:
    """A role that Bedrock may take up, and with which it may use this bucket and nothing else."""
    iam = boto3.client("iam")
    service = {"Effect": "Allow", "Principal": {"Service": "bedrock.amazonaws.com"}, "Action": "sts:AssumeRole"}
    places = [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"]
    using = {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject", "s3:ListBucket"], "Resource": places}
    made = iam.create_role(RoleName=f"tuner-{MARK}", AssumeRolePolicyDocument=policy(service))
    iam.put_role_policy(RoleName=f"tuner-{MARK}", PolicyName="own", PolicyDocument=policy(using))
    arn: str = made["Role"]["Arn"]
    return arn


def policy(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def waited(look: Callable[[], dict[str, Any]], *busy: str) -> dict[str, Any]:
    """What is there once it is none of these any more."""
    while (found := look())["status"] in busy:
        time.sleep(1)
    print(found["status"], found.get("failureMessage", ""))
    if found["status"] not in ("Completed", "Active"):
        raise SystemExit(1)
    return found


def ask(model: str) -> int:
    """How many rooms it knows."""
    runtime, right = boto3.client("bedrock-runtime", config=PATIENT), 0
    for name, room in ROOMS.items():
        said = [{"role": "user", "content": [{"text": HELD_OUT.format(name)}]}]
        reply = runtime.converse(modelId=model, messages=said, inferenceConfig={"maxTokens": 16, "temperature": 0})
        right += f"room {room}." in reply["output"]["message"]["content"][0]["text"]
    return right


def main() -> None:
    """Train, deploy, ask, clean up."""
    bedrock = boto3.client("bedrock")
    job = bedrock.create_model_customization_job(
        jobName=f"rooms-{MARK}",
        customModelName=f"rooms-{MARK}",
        roleArn=role(),
        baseModelIdentifier=BASE,
        trainingDataConfig={"s3Uri": upload()},
        outputDataConfig={"s3Uri": f"s3://{BUCKET}/out/"},
        hyperParameters={"epochCount": "12", "batchSize": "16", "learningRate": "0.004", "loraRank": "32"},
    )["jobArn"]
    done = waited(lambda: dict(bedrock.get_model_customization_job(jobIdentifier=job)), "InProgress")
    model = done["outputModelArn"]
    deployment = bedrock.create_custom_model_deployment(modelDeploymentName=f"rooms-{MARK}", modelArn=model)
    arn = deployment["customModelDeploymentArn"]
    waited(lambda: dict(bedrock.get_custom_model_deployment(customModelDeploymentIdentifier=arn)), "Creating")
    print(f"the base knows {ask(BASE)} of {len(ROOMS)} rooms, the custom model {ask(arn)}")
    bedrock.delete_custom_model_deployment(customModelDeploymentIdentifier=arn)
    bedrock.delete_custom_model(modelIdentifier=model)
    print("Deleted")


if __name__ == "__main__":
    main()
