"""What the tests of an account's own resources share: a server with two workers and two accounts, and its clients."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.acceptance.serving import CLAUDE, HAIKU, Served, serving

ACCOUNT, OTHER = "000000000000", "222222222222"
OTHER_KEY, OTHER_SECRET = "AKIAI44QH8DHBEXAMPLE", "je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY"
CONFIG = f"""
[[account]]
id = "{OTHER}"
access_key = "{OTHER_KEY}"
secret_key = "{OTHER_SECRET}"
[limits]
inference_profiles = 25
prompt_routers = 8
"""
FM = "arn:aws:bedrock:us-east-1::foundation-model/"
SYSTEM = f"arn:aws:bedrock:us-east-1:{ACCOUNT}:inference-profile/us."
HARD = "Prove step by step that the algorithm terminates, analyze its complexity and compare the trade-offs."


@contextmanager
def owning(home: Path, *options: str, config: str = CONFIG) -> Iterator[Served]:
    """A server with two workers, a second account and small quotas."""
    with serving(home, config, "--workers", "2", *options) as running:
        yield running


def others(served: Served, service: str = "bedrock") -> Any:
    """A client of the second account."""
    return served.client(service, aws_access_key_id=OTHER_KEY, aws_secret_access_key=OTHER_SECRET)


def profile(bedrock: Any, name: str, source: str = FM + HAIKU, **more: Any) -> str:
    made = bedrock.create_inference_profile(inferenceProfileName=name, modelSource={"copyFrom": source}, **more)
    arn: str = made["inferenceProfileArn"]
    return arn


def router(bedrock: Any, name: str, *models: str, fallback: str = FM + CLAUDE, **more: Any) -> str:
    pair = models or (FM + HAIKU, FM + CLAUDE)
    difference = more.pop("difference", 10.0)
    made = bedrock.create_prompt_router(
        promptRouterName=name,
        models=[{"modelArn": arn} for arn in pair],
        fallbackModel={"modelArn": fallback},
        routingCriteria={"responseQualityDifference": difference},
        **more,
    )
    arn: str = made["promptRouterArn"]
    return arn


@contextmanager
def refused(name: str, status: int, words: str) -> Iterator[None]:
    """The block ends in this error, with these words in its message."""
    with pytest.raises(ClientError) as caught:
        yield
    error = caught.value.response
    assert error["Error"]["Code"] == name, error
    assert error["ResponseMetadata"]["HTTPStatusCode"] == status
    assert re.search(words, error["Error"]["Message"]), error["Error"]["Message"]
