"""A marketplace endpoint from its making to its end.

craton serve --config examples/container/craton.toml
eval "$(craton env)"; python examples/container/endpoint.py
"""

from __future__ import annotations

import json
import time
from typing import Any

import boto3

SOURCE = "arn:aws:sagemaker:us-east-1:aws:hub-content/SageMakerPublicHub/Model/example-echo/1.0.0"


def role(iam: Any) -> str:
    """A role that SageMaker may take on."""
    trust = {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    made = iam.create_role(RoleName=f"endpoint-{int(time.time())}", AssumeRolePolicyDocument=document)
    arn: str = made["Role"]["Arn"]
    return arn


def main() -> None:
    """Make an endpoint, wait, ask it, delete it."""
    bedrock, runtime = boto3.client("bedrock"), boto3.client("bedrock-runtime")
    sized = {"initialInstanceCount": 1, "instanceType": "ml.m5.large", "executionRole": role(boto3.client("iam"))}
    made = bedrock.create_marketplace_model_endpoint(
        modelSourceIdentifier=SOURCE, endpointName="echo", endpointConfig={"sageMaker": sized}
    )
    endpoint = made["marketplaceModelEndpoint"]
    arn = endpoint["endpointArn"]
    while endpoint["endpointStatus"] == "Creating":
        time.sleep(0.2)
        endpoint = bedrock.get_marketplace_model_endpoint(endpointArn=arn)["marketplaceModelEndpoint"]
    print(arn, endpoint["endpointStatus"])
    asked = [{"role": "user", "content": [{"text": "hello from a container"}]}]
    print(runtime.converse(modelId=arn, messages=asked)["output"]["message"]["content"][0]["text"])
    bedrock.delete_marketplace_model_endpoint(endpointArn=arn)


if __name__ == "__main__":
    main()
