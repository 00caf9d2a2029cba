"""GenerateQuery: a question to a SQL knowledge base becomes a query, by the server's own model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.acceptance.identities import allow, document, user_key, with_key
from tests.acceptance.knowledge import Knowledge, knowledge, role
from tests.acceptance.retrieving import PLANNER, Retrieving, retrieving
from tests.fakes import scripts

TABLES = [{"name": "db.public.orders", "description": "what was bought"}]
SQL = {
    "type": "SQL",
    "sqlKnowledgeBaseConfiguration": {
        "type": "REDSHIFT",
        "redshiftConfiguration": {
            "storageConfigurations": [{"type": "REDSHIFT", "redshiftConfiguration": {"databaseName": "db"}}],
            "queryEngineConfiguration": {
                "type": "SERVERLESS",
                "serverlessConfiguration": {
                    "workgroupArn": "arn:aws:redshift-serverless:us-east-1:000000000000:workgroup/11111111-2222-3333-4444-555555555555",
                    "authConfiguration": {"type": "IAM"},
                },
            },
            "queryGenerationConfiguration": {"generationContext": {"tables": TABLES}},
        },
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Retrieving]:
    with retrieving(tmp_path_factory.mktemp("home"), f'[standins]\nmodel = "{PLANNER}"\n') as running:
        yield running


@pytest.fixture(scope="module")
def tables(served: Retrieving) -> str:
    """The ARN of a SQL knowledge base."""
    made = served.server.client("bedrock-agent").create_knowledge_base(
        name="sql-tables", roleArn=role(served.server, "sql-bucket", "sql-role"), knowledgeBaseConfiguration=SQL
    )
    arn: str = made["knowledgeBase"]["knowledgeBaseArn"]
    return arn


def generate(client: Any, arn: str) -> list[dict[str, Any]]:
    answer = client.generate_query(
        queryGenerationInput={"type": "TEXT", "text": "How many orders?"},
        transformationConfiguration={
            "mode": "TEXT_TO_SQL",
            "textToSqlConfiguration": {
                "type": "KNOWLEDGE_BASE", "knowledgeBaseConfiguration": {"knowledgeBaseArn": arn},
            },
        },
    )  # fmt: skip
    found: list[dict[str, Any]] = answer["queries"]
    return found


def test_a_query(served: Retrieving, tables: str) -> None:
    """The model is told of the tables; what it says is the query, without the words around it."""
    served.talk.append(scripts.openai_reply("Sure:\n```sql\nSELECT count(*) FROM db.public.orders\n```"))
    client = served.server.client("bedrock-agent-runtime")
    assert generate(client, tables) == [{"type": "REDSHIFT_SQL", "sql": "SELECT count(*) FROM db.public.orders;"}]
    assert "db.public.orders: what was bought" in str(served.up.requests[-1].json)


def test_what_is_no_query(served: Retrieving, tables: str) -> None:
    """Something that would change the data is never given out."""
    served.talk.append(scripts.openai_reply("DROP TABLE db.public.orders"))
    with pytest.raises(ClientError) as caught:
        generate(served.server.client("bedrock-agent-runtime"), tables)
    assert caught.value.response["Error"]["Code"] == "DependencyFailedException"


def test_other_knowledge_bases(served: Retrieving, tables: str) -> None:
    """One of vectors makes no SQL, one of tables has no passages."""
    known: Knowledge = knowledge(served.server, "sql-vectors")
    client = served.server.client("bedrock-agent-runtime")
    arn = tables.rpartition("/")[0] + "/" + known.base
    with pytest.raises(ClientError, match="of the type VECTOR"):
        generate(client, arn)
    with pytest.raises(ClientError, match="of the type SQL"):
        client.retrieve(knowledgeBaseId=tables.rpartition("/")[2], retrievalQuery={"text": "orders"})


def test_rights(served: Retrieving, tables: str) -> None:
    """bedrock:GenerateQuery."""
    key = user_key(served.server, "sql-nobody", document(allow("bedrock:Retrieve")))
    with pytest.raises(ClientError, match="bedrock:GenerateQuery"):
        generate(with_key(served.server, key, "bedrock-agent-runtime"), tables)
