"""Functions in Node.js as boto3 sees them: AWS's runtime client and SDK from the npm registry, against this server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from craton.features.functions.host.runtimes import available
from tests.acceptance.functions import make, make_role, until, zipped
from tests.running import Running

CLIENT = str(Path(__file__).parents[2] / ".tools" / "js")
NODE = next(name for name in available(CLIENT) if name.startswith("nodejs"))
MODEL = "amazon.nova-lite-v1:0"
RIGHTS = ({"Effect": "Allow", "Action": "logs:*", "Resource": "*"},
          {"Effect": "Allow", "Action": "bedrock:InvokeModel", "Resource": f"arn:aws:bedrock:*::foundation-model/{MODEL}"})  # fmt: skip
CONVERSE = f"""
import {{ BedrockRuntimeClient, ConverseCommand }} from "@aws-sdk/client-bedrock-runtime";
const models = new BedrockRuntimeClient({{}});
export const handler = async (event) => {{
    console.log("asked for", event);
    const messages = [{{ role: "user", content: [{{ text: event }}] }}];
    const said = await models.send(new ConverseCommand({{ modelId: "{MODEL}", messages }}));
    return said.output.message.content[0].text;
}};
"""
STREAM = """
export const handler = awslambda.streamifyResponse(async (event, stream) => {
    const metadata = { statusCode: 201, headers: { "x-own": "yes" }, cookies: ["a=b"] };
    stream = awslambda.HttpResponseStream.from(stream, metadata);
    for (const piece of ["a", "b", "c"]) stream.write(piece);
    stream.end();
});
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("home"), f'[lambda]\nnode_client = "{CLIENT}"\n') as running:
        yield running


@pytest.fixture(scope="module")
def functions(server: Running) -> Any:
    return server.client("lambda")


@pytest.fixture(scope="module")
def role(server: Running) -> str:
    return make_role(server, "node-runs", *RIGHTS)


def node(functions: Any, name: str, role: str, source: str) -> str:
    """A function of one file; its ARN."""
    code = {"ZipFile": zipped({"index.mjs": source})}
    more: dict[str, Any] = {"Runtime": NODE, "Handler": "index.handler", "Code": code, "Timeout": 60, "MemorySize": 256}
    arn: str = make(functions, name, role, **more)["FunctionArn"]
    return arn


def test_the_sdk_in_a_function_calls_a_model_under_its_role(server: Running, functions: Any, role: str) -> None:
    """It is found without being brought, finds this server by itself, and what is printed is in the log."""
    node(functions, "asks", role, CONVERSE)
    answer = functions.invoke(FunctionName="asks", Payload=b'"Hello"')
    said = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, said
    assert isinstance(said, str)
    logs = server.client("logs")

    def told() -> list[str]:
        if not logs.describe_log_groups(logGroupNamePrefix="/aws/lambda/asks")["logGroups"]:
            return []
        events = logs.filter_log_events(logGroupName="/aws/lambda/asks")["events"]
        lines = [event["message"] for event in events]
        return lines if any(line.startswith("REPORT") for line in lines) else []

    assert any(line.endswith("\tINFO\tasked for Hello") for line in until(told))


def test_an_answer_is_streamed(functions: Any, role: str) -> None:
    """awslambda.streamifyResponse, with the head of an HTTP answer before the pieces."""
    node(functions, "streams", role, STREAM)
    answer = functions.invoke_with_response_stream(FunctionName="streams")
    events = list(answer["EventStream"])
    body = b"".join(event["PayloadChunk"]["Payload"] for event in events if "PayloadChunk" in event)
    head, pieces = body.split(bytes(8))
    assert json.loads(head) == {"statusCode": 201, "headers": {"x-own": "yes"}, "cookies": ["a=b"]}
    assert pieces == b"abc"
    assert "InvokeComplete" in events[-1]
