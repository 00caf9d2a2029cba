"""A user with many policies, made over IAM on a running server: as many statements as a person's groups may bring.

Owns how statements are spread over managed policies and these over groups, so that IAM's quotas hold (ten policies on a
group, 6,144 characters in a policy). One statement in the middle lets the user call a model; all others are looked at
for nothing.
"""

from __future__ import annotations

import json
from typing import Any

from bench.access import usual

STATEMENTS = 20
_ON_A_GROUP = 10


def user_with(url: str, access_key: str, secret_key: str, policies: int, model: str) -> tuple[str, str]:
    """Make the user; its access key and secret."""
    import boto3

    iam = boto3.client(
        "iam", endpoint_url=url, region_name="us-east-1", aws_access_key_id=access_key, aws_secret_access_key=secret_key
    )
    iam.create_user(UserName="bench")
    for number, document in enumerate(documents(policies, model)):
        group = f"bench-{number // _ON_A_GROUP}"
        if number % _ON_A_GROUP == 0:
            iam.create_group(GroupName=group)
            iam.add_user_to_group(GroupName=group, UserName="bench")
        arn = iam.create_policy(PolicyName=f"bench-{number}", PolicyDocument=document)["Policy"]["Arn"]
        iam.attach_group_policy(GroupName=group, PolicyArn=arn)
    key = iam.create_access_key(UserName="bench")["AccessKey"]
    return key["AccessKeyId"], key["SecretAccessKey"]


def documents(policies: int, model: str) -> list[str]:
    """So many policies of `STATEMENTS` statements."""
    written: list[dict[str, Any]] = [usual(number) for number in range(policies * STATEMENTS)]
    grant = {"StringEquals": {"aws:RequestedRegion": "us-east-1"}, "IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}
    written[len(written) // 2] = {
        "Effect": "Allow",
        "Action": ["bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"],
        "Resource": [
            f"arn:aws:bedrock:*::foundation-model/{model}",
            "arn:aws:bedrock:*::foundation-model/bench.stream",
        ],
        "Condition": grant,
    }
    pages = [written[at : at + STATEMENTS] for at in range(0, len(written), STATEMENTS)]
    return [json.dumps({"Version": "2012-10-17", "Statement": page}, separators=(",", ":")) for page in pages]
