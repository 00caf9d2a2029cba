"""Provisioned throughput of a model in a container of one's own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.acceptance.containing import HELLO, model, until
from tests.acceptance.importing import patient
from tests.integration.containers.running_containers import walled
from tests.running import Running

pytestmark = walled


@pytest.mark.parametrize("options", [{}, {"speaks": "openai", "health": "/ping"}], ids=["sagemaker", "openai"])
def test_its_replicas_are_more_containers(tmp_path: Path, options: dict[str, str]) -> None:
    """Run and spoken to as the model's own, for as many units as there are; the model itself sleeps meanwhile."""
    with Running(tmp_path, model("test.good", **options)) as server:
        bedrock, runtime = server.client("bedrock"), patient(server)
        made = bedrock.create_provisioned_model_throughput(
            modelUnits=2, provisionedModelName="kept", modelId="test.good"
        )
        arn = made["provisionedModelArn"]
        until(
            lambda: bedrock.get_provisioned_model_throughput(provisionedModelId=arn)["status"],
            lambda status: status == "InService",
        )
        answer = runtime.converse(modelId=arn, messages=HELLO)
        assert answer["output"]["message"]["content"] == [{"text": "Echo: Hello"}]
        body = json.dumps({"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 9})
        native = json.loads(runtime.invoke_model(modelId=arn, body=body)["body"].read())
        assert native["choices"][0]["message"]["content"] == "Echo: Hello"
