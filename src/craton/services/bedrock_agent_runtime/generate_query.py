"""GenerateQuery: SQL for a question, from what a SQL knowledge base tells of its tables. Nothing is run.

The model is the service's own choice, as on AWS: here the one that stands in for others (`[standins] model`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from craton.aws.wire.faults import Fault, validation
from craton.context import Call
from craton.features.rag.retrieval.models import say
from craton.features.rag.retrieval.text_to_sql import instructions, query_in
from craton.services.bedrock_agent_runtime.found import knowledge_base
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes.bedrock_agent_runtime import GenerateQueryRequest, GenerateQueryResponse

ACTION = "bedrock:GenerateQuery"
NO_BASE = "transformationConfiguration.textToSqlConfiguration needs a knowledgeBaseConfiguration."
NO_QUERY = "The model {model} made no query of the question. Ask otherwise, or have a larger model make queries."
_SQL = frozenset({"SQL"})


@operation("bedrock-agent-runtime", "GenerateQuery", status="partial")
async def generate_query(call: Call, req: GenerateQueryRequest) -> GenerateQueryResponse:
    call.authorize(ACTION, "*")
    configuration = req.transformationConfiguration.textToSqlConfiguration
    named = configuration.knowledgeBaseConfiguration if configuration is not None else None
    if named is None:
        raise validation(NO_BASE)
    base = await knowledge_base(call, named.knowledgeBaseArn, ACTION, types=_SQL)
    model = call.app.settings.file.standins.model
    told = instructions(base.body.configuration.get("sqlKnowledgeBaseConfiguration", {}))
    sql = query_in(await say(call, model, told, req.queryGenerationInput.text, managed=True))
    if sql is None:
        raise Fault("DependencyFailedException", NO_QUERY.format(model=model), fields={"resourceName": model})
    return {"queries": [{"type": "REDSHIFT_SQL", "sql": sql}]}
