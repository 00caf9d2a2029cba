"""What the tour of knowledge bases runs. The body of each function below is printed as it stands, without its `return`,
then run.

Owns the requests, and the three documents. A function takes boto3's clients (`s3`, `iam`, `agent`, `runtime`) and what
those before it returned by its parameters' names; `name` is a name that is free. `stage` prints, `quickstart_kb` decides
the order.
"""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
import time
from collections.abc import Callable
from typing import Any, cast

from craton.config_tables import SAMPLE_MODEL as MODEL

Show = Callable[[Any], None]

DOCUMENTS = {
    "brightwater.md": (
        "# Brightwater\n\nBrightwater was founded in 1998. Brightwater is based in Lisbon. "
        "The head of Brightwater is Mara Osei. Brightwater has 210 employees.\n"
    ),
    "pump.txt": (
        "The Aurora pump weighs 12 kilograms. The Aurora pump has a warranty of 36 months. "
        "The price of the Aurora pump is 240 dollars.\n"
    ),
    "lighthouse.html": (
        "<html><body><h1>The lighthouse</h1><p>The lighthouse of Port Merrow was built in 1874.</p>"
        "<p>The lighthouse opens at 10:00.</p><script>track()</script></body></html>"
    ),
}
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "bedrock.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
)
RIGHTS = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket", "bedrock:InvokeModel"], "Resource": "*"}
        ],
    }
)
TITAN = "arn:aws:bedrock:{region}::foundation-model/amazon.titan-embed-text-v2:0"
STORAGE = {
    "type": "S3_VECTORS",
    "s3VectorsConfiguration": {"indexArn": "arn:aws:s3vectors:us-east-1:000000000000:bucket/tour/index/tour"},
}


def put_documents(s3: Any, name: str, show: Show) -> dict[str, Any]:
    s3.create_bucket(Bucket=name)
    for key, text in DOCUMENTS.items():
        s3.put_object(Bucket=name, Key=key, Body=text.encode())
    show([f"s3://{name}/{key}" for key in DOCUMENTS])
    return {}


def make_knowledge_base(iam: Any, agent: Any, name: str, show: Show) -> dict[str, Any]:
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="read", PolicyDocument=RIGHTS)
    model = {"embeddingModelArn": TITAN.format(region=agent.meta.region_name)}
    vectors = {"type": "VECTOR", "vectorKnowledgeBaseConfiguration": model}
    made = agent.create_knowledge_base(
        name=name, roleArn=role, knowledgeBaseConfiguration=vectors, storageConfiguration=STORAGE
    )
    base = made["knowledgeBase"]["knowledgeBaseId"]
    bucket = {"type": "S3", "s3Configuration": {"bucketArn": f"arn:aws:s3:::{name}"}}
    made = agent.create_data_source(knowledgeBaseId=base, name=name, dataSourceConfiguration=bucket)
    where = {"knowledgeBaseId": base, "dataSourceId": made["dataSource"]["dataSourceId"]}
    show(where)
    return {"base": base, "where": where}


def sync(agent: Any, where: dict[str, str], show: Show) -> dict[str, Any]:
    job = agent.start_ingestion_job(**where)["ingestionJob"]
    while job["status"] not in ("COMPLETE", "FAILED"):
        time.sleep(0.2)
        job = agent.get_ingestion_job(**where, ingestionJobId=job["ingestionJobId"])["ingestionJob"]
    show(job)
    return {}


def ask(runtime: Any, base: str, show: Show) -> dict[str, Any]:
    library = {"knowledgeBaseId": base, "modelArn": MODEL}
    answer = runtime.retrieve_and_generate(
        input={"text": "How many employees does Brightwater have?"},
        retrieveAndGenerateConfiguration={"type": "KNOWLEDGE_BASE", "knowledgeBaseConfiguration": library},
    )
    show(answer["citations"])
    return {"library": library}


def stream(runtime: Any, library: dict[str, str], show: Show) -> dict[str, Any]:
    answer = runtime.retrieve_and_generate_stream(
        input={"text": "How much does the Aurora pump cost?"},
        retrieveAndGenerateConfiguration={"type": "KNOWLEDGE_BASE", "knowledgeBaseConfiguration": library},
    )
    for event in answer["stream"]:
        show(event)
    return {}


def delete_and_ask(
    s3: Any, agent: Any, runtime: Any, name: str, where: Any, library: Any, show: Show
) -> dict[str, Any]:
    s3.delete_object(Bucket=name, Key="pump.txt")
    sync(agent, where, show)
    answer = runtime.retrieve_and_generate(
        input={"text": "How much does the Aurora pump cost?"},
        retrieveAndGenerateConfiguration={"type": "KNOWLEDGE_BASE", "knowledgeBaseConfiguration": library},
    )
    show(answer["citations"])
    return {}


def source_of(step: Callable[..., Any]) -> str:
    """The body of a step as it stands in this file, without what it hands to the next one."""
    text = textwrap.dedent(inspect.getsource(step))
    body = cast("ast.FunctionDef", ast.parse(text).body[0]).body
    return textwrap.dedent("\n".join(text.splitlines()[body[0].lineno - 1 : body[-1].lineno - 1]))
