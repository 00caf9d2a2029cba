"""A knowledge base: documents go into S3, a sync reads them, and a model answers from them and says where it is from.

eval "$(craton env)"; python examples/knowledge_base.py [MODEL [QUESTION]]
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import boto3

MODEL = "craton.chat-mini-v1:0"
QUESTION = "Where is Brightwater based?"
EMBEDDING = "arn:aws:bedrock:{region}::foundation-model/amazon.titan-embed-text-v2:0"
DOCUMENTS = {
    "brightwater.md": "Brightwater was founded in 1998. Brightwater is based in Lisbon. Brightwater has 210 employees.",
    "pump.md": "The Aurora pump weighs 12 kilograms. The Aurora pump costs 240 dollars.",
}


def role(iam: Any, name: str) -> str:
    """A role that Bedrock may take on to read one bucket and to make vectors."""
    trust = {"Effect": "Allow", "Principal": {"Service": "bedrock.amazonaws.com"}, "Action": "sts:AssumeRole"}
    files = {
        "Effect": "Allow",
        "Action": ["s3:GetObject", "s3:ListBucket"],
        "Resource": [f"arn:aws:s3:::{name}", f"arn:aws:s3:::{name}/*"],
    }
    models = {"Effect": "Allow", "Action": "bedrock:InvokeModel", "Resource": "*"}
    made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy(trust))
    iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=policy(files, models))
    arn: str = made["Role"]["Arn"]
    return arn


def policy(*statements: object) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def made(agent: Any, name: str, role_arn: str) -> dict[str, str]:
    """A knowledge base over the bucket of this name, and its data source."""
    model = EMBEDDING.format(region=agent.meta.region_name)
    index = f"arn:aws:s3vectors:{agent.meta.region_name}:000000000000:bucket/{name}/index/{name}"
    base = agent.create_knowledge_base(
        name=name,
        roleArn=role_arn,
        knowledgeBaseConfiguration={"type": "VECTOR", "vectorKnowledgeBaseConfiguration": {"embeddingModelArn": model}},
        storageConfiguration={"type": "S3_VECTORS", "s3VectorsConfiguration": {"indexArn": index}},
    )["knowledgeBase"]["knowledgeBaseId"]
    source = agent.create_data_source(
        knowledgeBaseId=base,
        name=name,
        dataSourceConfiguration={"type": "S3", "s3Configuration": {"bucketArn": f"arn:aws:s3:::{name}"}},
    )["dataSource"]["dataSourceId"]
    return {"knowledgeBaseId": base, "dataSourceId": source}


def sync(agent: Any, where: dict[str, str]) -> None:
    job = agent.start_ingestion_job(**where)["ingestionJob"]
    while job["status"] not in ("COMPLETE", "FAILED", "STOPPED"):
        time.sleep(0.5)
        job = agent.get_ingestion_job(**where, ingestionJobId=job["ingestionJobId"])["ingestionJob"]
    print(job["status"], *job.get("failureReasons", []))


def main() -> None:
    given = sys.argv[1:]
    model, question = (*given, *(MODEL, QUESTION)[len(given) :])
    s3, agent = boto3.client("s3"), boto3.client("bedrock-agent")
    name = f"example-library-{int(time.time())}"
    s3.create_bucket(Bucket=name)
    for key, text in DOCUMENTS.items():
        s3.put_object(Bucket=name, Key=key, Body=text.encode())
    where = made(agent, name, role(boto3.client("iam"), name))
    sync(agent, where)

    answer = boto3.client("bedrock-agent-runtime").retrieve_and_generate(
        input={"text": question},
        retrieveAndGenerateConfiguration={
            "type": "KNOWLEDGE_BASE",
            "knowledgeBaseConfiguration": {"knowledgeBaseId": where["knowledgeBaseId"], "modelArn": model},
        },
    )
    print(answer["output"]["text"])
    for citation in answer["citations"]:
        part = citation["generatedResponsePart"]["textResponsePart"]
        for reference in citation["retrievedReferences"]:
            span = part["span"]
            print(f"  {span['start']}-{span['end']}: {reference['location']['s3Location']['uri']}")


if __name__ == "__main__":
    main()
