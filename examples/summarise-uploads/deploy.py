"""Deploys the function and its bucket, puts a text into it, and shows the summary that comes of it.

eval "$(craton env)"; python examples/summarise-uploads/deploy.py
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
FOLDER = Path(__file__).parent
TEXT = (
    "A craton is an old and stable part of the continental lithosphere. Cratons have survived cycles of merging and "
    "rifting of continents, and are found in the interiors of tectonic plates."
)


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **each} for each in statements]})


def zipped(folder: Path) -> bytes:
    """The function's files as Lambda takes them."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.glob("*.py")):
            archive.write(path, path.name)
    return target.getvalue()


def make_role(name: str, bucket: str) -> str:
    """What the function may do: read uploads, write summaries, ask the model, write its log. Nothing else."""
    iam = boto3.client("iam")
    trust = policy({"Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"})
    arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    rights = policy(
        {"Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/uploads/*"},
        {"Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{bucket}/summaries/*"},
        {"Action": "bedrock:InvokeModel", "Resource": f"arn:aws:bedrock:*::foundation-model/{MODEL}"},
        {"Action": ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"], "Resource": "*"},
    )
    iam.put_role_policy(RoleName=name, PolicyName="rights", PolicyDocument=rights)
    return arn


def deploy(name: str, bucket: str) -> None:
    """The bucket tells the function of each object below `uploads/`; the summaries lie elsewhere, so nothing goes round."""
    s3, functions = boto3.client("s3"), boto3.client("lambda")
    s3.create_bucket(Bucket=bucket)
    function = functions.create_function(
        FunctionName=name,
        Runtime=RUNTIME,
        Handler="app.handler",
        Role=make_role(name, bucket),
        Code={"ZipFile": zipped(FOLDER / "function")},
        Environment={"Variables": {"MODEL": MODEL}},
        Timeout=60,
        MemorySize=256,
    )["FunctionArn"]
    functions.get_waiter("function_active_v2").wait(FunctionName=name)
    functions.add_permission(
        FunctionName=name,
        StatementId="bucket",
        Action="lambda:InvokeFunction",
        Principal="s3.amazonaws.com",
        SourceArn=f"arn:aws:s3:::{bucket}",
    )
    rule = {"LambdaFunctionArn": function, "Events": ["s3:ObjectCreated:*"],
            "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "uploads/"}]}}}  # fmt: skip
    s3.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"LambdaFunctionConfigurations": [rule]}
    )


def main() -> None:
    name = f"summarise-uploads-{int(time.time())}"
    deploy(name, name)
    print(f"deployed {name}: put texts below s3://{name}/uploads/")
    s3 = boto3.client("s3")
    s3.put_object(Bucket=name, Key="uploads/craton.txt", Body=TEXT.encode())
    s3.get_waiter("object_exists").wait(
        Bucket=name, Key="summaries/craton.txt", WaiterConfig={"Delay": 1, "MaxAttempts": 90}
    )
    print(s3.get_object(Bucket=name, Key="summaries/craton.txt")["Body"].read().decode())


if __name__ == "__main__":
    main()
