"""What a data source may be asked to be: where its documents are, and how they are read and cut.

Owns the rules of CreateDataSource beyond the service model, as tables, and the words in which they are refused. It must
not know rows. Sources: Bedrock's user guide, "How content chunking works for knowledge bases", "Parsing options",
"Connect a data source" of managed knowledge bases.
"""

from __future__ import annotations

import re
from typing import Any

from craton.aws.wire.faults import Fault, validation
from craton.context import Call
from craton.features.rag.resources import KnowledgeBase
from craton.services.bedrock_agent.connector import check_connector
from craton.services.bedrock_agent.members import check_members

# Type of source → its member, None for one without.
SOURCES: dict[str, str | None] = {"S3": "s3Configuration", "WEB": "webConfiguration", "CUSTOM": None}
CONNECTOR = "MANAGED_KNOWLEDGE_BASE_CONNECTOR"
STRATEGIES: dict[str, str | None] = {
    "FIXED_SIZE": "fixedSizeChunkingConfiguration",
    "HIERARCHICAL": "hierarchicalChunkingConfiguration",
    "SEMANTIC": "semanticChunkingConfiguration",
    "NONE": None,
}
MODEL_PARSER, SMART_PARSER = "BEDROCK_FOUNDATION_MODEL", "SMART_PARSING"
_BUCKET = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/.*)?", re.DOTALL)

NOT_BUILT = "Data sources of the type {type} are not built here. Use one of the types S3, CUSTOM and WEB."
NO_CRAWLER = (
    "This server crawls no web pages: data sources of the type WEB are off. Whoever runs it can set crawler = true in "
    "the table [rag] of the configuration."
)
NO_HOST = "This server does not crawl the host of {url}. Whoever runs it names the hosts in crawler_hosts."
NOT_FOR_SQL = (
    "A knowledge base of the type SQL has no data sources here: its tables are named in its own configuration."
)
WANTS_CONNECTOR = "A managed knowledge base takes data sources of the type MANAGED_KNOWLEDGE_BASE_CONNECTOR only."
NO_CONNECTOR = "Only a managed knowledge base takes data sources of the type MANAGED_KNOWLEDGE_BASE_CONNECTOR."
BIG_CHILD = "chunkingConfiguration: the maxTokens of the child level ({child}) exceed those of the parent ({parent})."
BIG_OVERLAP = (
    "chunkingConfiguration: the overlapTokens ({overlap}) must be fewer than the maxTokens of the child ({child})."
)
OWN_CHUNKS = "A managed knowledge base with the embeddingModelType MANAGED takes no chunkingConfiguration."
NO_PARSER = "The parsing strategy {name} is not built here. Use {others}."
BLIND = "The model {arn} cannot parse documents: it does not read images."
NO_MODEL = "The parsing model {arn} cannot be used: {why}"
NO_ENRICHMENT = "contextEnrichmentConfiguration is not built here: there is no graph store behind this server."
NO_BUCKET = "customTransformationConfiguration: {uri} is not a location in Amazon S3."


def check(call: Call, base: KnowledgeBase, configuration: dict[str, Any], ingestion: dict[str, Any]) -> None:
    """Raise ValidationException for a data source that this knowledge base cannot have."""
    check_place(call, base.configuration["type"], configuration)
    managed = base.configuration["type"] == "MANAGED"
    chunking = ingestion.get("chunkingConfiguration")
    if chunking is not None:
        model = base.configuration.get("managedKnowledgeBaseConfiguration", {}).get("embeddingModelType", "MANAGED")
        if managed and model == "MANAGED":
            raise validation(OWN_CHUNKS)
        check_chunking(chunking)
    if "parsingConfiguration" in ingestion:
        check_parsing(call, ingestion["parsingConfiguration"], managed=managed)
    if "contextEnrichmentConfiguration" in ingestion:
        raise validation(NO_ENRICHMENT)
    if "customTransformationConfiguration" in ingestion:
        uri = ingestion["customTransformationConfiguration"]["intermediateStorage"]["s3Location"]["uri"]
        if not _BUCKET.fullmatch(uri):
            raise validation(NO_BUCKET.format(uri=uri[:200]))


def check_place(call: Call, base_type: str, configuration: dict[str, Any]) -> None:
    """Where documents come from."""
    kind = configuration["type"]
    if base_type == "SQL":
        raise validation(NOT_FOR_SQL)
    if kind == CONNECTOR:
        if base_type != "MANAGED":
            raise validation(NO_CONNECTOR)
        check_members(configuration, "managedKnowledgeBaseConnectorConfiguration", "dataSourceConfiguration")
        check_connector(configuration["managedKnowledgeBaseConnectorConfiguration"])
        return
    if kind not in SOURCES:
        raise validation(NOT_BUILT.format(type=kind))
    if base_type == "MANAGED":
        raise validation(WANTS_CONNECTOR)
    check_members(configuration, SOURCES[kind], "dataSourceConfiguration")
    if kind == "WEB":
        check_web(call, configuration["webConfiguration"])


def check_web(call: Call, web: dict[str, Any]) -> None:
    """Nothing is crawled that whoever runs the server did not let it."""
    from craton.features.rag.crawling.fetch import Hosts  # with sockets and patterns, which few servers need
    from craton.features.rag.crawling.plan import BadPlan, plan_of

    rag = call.app.settings.file.rag
    if not rag.crawler:
        raise validation(NO_CRAWLER)
    try:
        plan = plan_of(web)
    except BadPlan as error:
        raise validation(f"webConfiguration: {error}") from None
    hosts = Hosts(rag.crawler_hosts)
    for seed in plan.seeds:
        if not hosts.allow(seed):
            raise validation(NO_HOST.format(url=seed[:200]))


def check_chunking(chunking: dict[str, Any]) -> None:
    """The strategy's numbers, where they bear on each other."""
    check_members(chunking, STRATEGIES[chunking["chunkingStrategy"]], "chunkingConfiguration", "chunkingStrategy")
    levels = chunking.get("hierarchicalChunkingConfiguration")
    if levels is None:
        return
    parent, child = (level["maxTokens"] for level in levels["levelConfigurations"])
    if child > parent:
        raise validation(BIG_CHILD.format(child=child, parent=parent))
    if levels["overlapTokens"] >= child:
        raise validation(BIG_OVERLAP.format(overlap=levels["overlapTokens"], child=child))


def check_parsing(call: Call, parsing: dict[str, Any], *, managed: bool) -> None:
    """Who reads what is no text: the default parser, or a model that sees."""
    where = "parsingConfiguration"
    own = SMART_PARSER if managed else MODEL_PARSER
    if parsing["parsingStrategy"] != own:
        raise validation(NO_PARSER.format(name=parsing["parsingStrategy"], others=f"{own}, or leave {where} out"))
    member = "bedrockFoundationModelConfiguration" if own == MODEL_PARSER else None
    check_members(parsing, member, where, "parsingStrategy")
    if member is None:
        return
    arn = parsing[member]["modelArn"]
    try:
        route = call.app.live.routes.resolve(arn, call.account, call.region).route
    except Fault as fault:
        raise validation(NO_MODEL.format(arn=arn, why=fault.message)) from None
    if route.kind != "chat" or not route.capabilities.vision:
        raise validation(BLIND.format(arn=arn))
