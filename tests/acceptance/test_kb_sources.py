"""Data sources and ingestion jobs as a program with boto3 makes them; and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from tests.acceptance.identities import allow, document, user_key, with_key
from tests.acceptance.knowledge import EMBED, Knowledge, knowledge, place
from tests.acceptance.resources import refused
from tests.running import Running

FM = "arn:aws:bedrock:us-east-1::foundation-model/"
LAMBDA = "arn:aws:lambda:us-east-1:000000000000:function:cut"
S3 = {"type": "S3", "version": "1", "connectionConfiguration": {"bucketName": "library-bucket"}}


@pytest.fixture(scope="session")
def server(libraries: Running) -> Running:
    return libraries


@pytest.fixture(scope="session")
def library(server: Running) -> Knowledge:
    """A knowledge base of vectors."""
    return knowledge(server, "sources")


@pytest.fixture(scope="session")
def managed(server: Running) -> Knowledge:
    """A knowledge base whose store and model are the service's."""
    return knowledge(
        server, "sources-managed", config={"type": "MANAGED"}, source={"dataSourceConfiguration": connector(S3)}
    )


def connector(parameters: Any, **more: Any) -> dict[str, Any]:
    config = {"connectorParameters": parameters, **more}
    return {"type": "MANAGED_KNOWLEDGE_BASE_CONNECTOR", "managedKnowledgeBaseConnectorConfiguration": config}


def made(library: Knowledge, name: str, config: dict[str, Any], **more: Any) -> dict[str, Any]:
    given = {"knowledgeBaseId": library.base, "name": name, "dataSourceConfiguration": config, **more}
    found: dict[str, Any] = library.agent.create_data_source(**given)["dataSource"]
    return found


def chunking(strategy: str, **more: Any) -> dict[str, Any]:
    return {"chunkingConfiguration": {"chunkingStrategy": strategy, **more}}


def levels(parent: int, child: int, overlap: int) -> dict[str, Any]:
    sizes = [{"maxTokens": parent}, {"maxTokens": child}]
    config = {"levelConfigurations": sizes, "overlapTokens": overlap}
    return chunking("HIERARCHICAL", hierarchicalChunkingConfiguration=config)


def transformation(uri: str) -> dict[str, Any]:
    function = {"transformationLambdaConfiguration": {"lambdaArn": LAMBDA}}
    return {
        "customTransformationConfiguration": {
            "intermediateStorage": {"s3Location": {"uri": uri}},
            "transformations": [{"stepToApply": "POST_CHUNKING", "transformationFunction": function}],
        }
    }


def parsing(strategy: str, model: str = "") -> dict[str, Any]:
    config: dict[str, Any] = {"parsingStrategy": strategy}
    if model:
        config["bedrockFoundationModelConfiguration"] = {"modelArn": model}
    return {"parsingConfiguration": config}


def test_life_of_a_data_source(server: Running) -> None:
    """It is AVAILABLE at once, shown as it was asked for, listed, changed, and DELETING when it is deleted."""
    library = knowledge(server, "sources-life")
    ingestion = levels(1500, 300, 60) | transformation("s3://life-bucket/tmp/")
    source = made(
        library, "books", place(library.bucket, "S3", "in/"), vectorIngestionConfiguration=ingestion, description="d"
    )
    assert (source["status"], source["dataDeletionPolicy"], source["description"]) == ("AVAILABLE", "DELETE", "d")
    assert source["dataSourceConfiguration"] == place(library.bucket, "S3", "in/")
    assert source["vectorIngestionConfiguration"] == ingestion
    here = {"knowledgeBaseId": library.base, "dataSourceId": source["dataSourceId"]}
    assert library.agent.get_data_source(**here)["dataSource"] == source
    listed = library.agent.list_data_sources(knowledgeBaseId=library.base)["dataSourceSummaries"]
    assert [(one["name"], one.get("description")) for one in listed] == [("sources-life", None), ("books", "d")]
    update = {"name": "tomes", "dataSourceConfiguration": place(library.bucket), "dataDeletionPolicy": "RETAIN"}
    changed = library.agent.update_data_source(**here, **update, vectorIngestionConfiguration=levels(1500, 300, 60))
    assert changed["dataSource"]["name"] == "tomes"
    assert changed["dataSource"]["dataDeletionPolicy"] == "RETAIN"
    assert changed["dataSource"]["dataSourceConfiguration"] == place(library.bucket)
    gone = library.agent.delete_data_source(**here)
    assert (gone["dataSourceId"], gone["status"]) == (source["dataSourceId"], "DELETING")


@pytest.mark.parametrize(
    ("ingestion", "words"),
    [
        (levels(300, 1500, 60), "exceed those of the parent"),
        (levels(1500, 300, 300), "must be fewer than the maxTokens of the child"),
        (chunking("FIXED_SIZE"), "needs the member fixedSizeChunkingConfiguration"),
        (chunking("NONE", fixedSizeChunkingConfiguration={"maxTokens": 1, "overlapPercentage": 1}), "does not belong"),
        (chunking("FIXED_SIZE", fixedSizeChunkingConfiguration={"maxTokens": 9000, "overlapPercentage": 1}), "8192"),
        (transformation("s3://b"), "is not a location in Amazon S3"),
        (parsing("BEDROCK_DATA_AUTOMATION"), "BEDROCK_DATA_AUTOMATION is not built here"),
        (parsing("SMART_PARSING"), "SMART_PARSING is not built here"),
        (parsing("BEDROCK_FOUNDATION_MODEL"), "needs the member bedrockFoundationModelConfiguration"),
        (parsing("BEDROCK_FOUNDATION_MODEL", FM + "amazon.nova-micro-v1:0"), "does not read images"),
        (parsing("BEDROCK_FOUNDATION_MODEL", EMBED), "does not read images"),
        (parsing("BEDROCK_FOUNDATION_MODEL", FM + "nobody.knows-v1:0"), "cannot be used"),
    ],
)
def test_ingestion_that_cannot_be(library: Knowledge, ingestion: dict[str, Any], words: str) -> None:
    """Chunk sizes go together, and what would parse can see."""
    with refused("ValidationException", 400, words):
        made(library, "wrong", place(library.bucket), vectorIngestionConfiguration=ingestion)


def test_sources_that_are_not_built(library: Knowledge) -> None:
    """They are refused in so many words, and so are pages of the web unless the server may crawl."""
    login = {"hostType": "SAAS", "authType": "BASIC", "hostUrl": "https://example.atlassian.net"}
    secret = "arn:aws:secretsmanager:us-east-1:000000000000:secret:wiki"
    wiki = {
        "type": "CONFLUENCE",
        "confluenceConfiguration": {"sourceConfiguration": {**login, "credentialsSecretArn": secret}},
    }
    for config, words in (
        (wiki, "type CONFLUENCE are not built"),
        ({"type": "REDSHIFT_METADATA"}, "REDSHIFT_METADATA are not built"),
        (web("https://example.com/"), "crawls no web pages"),
        ({"type": "S3"}, "needs the member s3Configuration"),
        ({**place("bucket"), "type": "CUSTOM"}, "does not belong to the type CUSTOM"),
        (connector(S3), "Only a managed knowledge base"),
    ):
        with refused("ValidationException", 400, words):
            made(library, "wrong", config)


def web(url: str, **crawler: Any) -> dict[str, Any]:
    seeds = {"sourceConfiguration": {"urlConfiguration": {"seedUrls": [{"url": url}]}}}
    return {"type": "WEB", "webConfiguration": seeds | ({"crawlerConfiguration": crawler} if crawler else {})}


def test_connectors_of_a_managed_knowledge_base(managed: Knowledge) -> None:
    """S3 and CUSTOM, with their parameters; what nothing would heed is refused."""
    lists = {"aclEnabled": True, "aclConfiguration": {"globalAccessControlListS3Uri": "s3://acl-bucket/acl.json"}}
    filters = {"filterConfiguration": {"inclusionPrefixes": ["in/"], "exclusionPatterns": [".*\\.tmp"]}}
    for name, parameters in (
        ("lists", {**S3, **lists, **filters, "metadataFilesPrefix": "meta/"}),
        ("custom", {"type": "CUSTOM", "version": "1", "aclEnabled": True}),
    ):
        source = made(managed, name, connector(parameters), vectorIngestionConfiguration=parsing("SMART_PARSING"))
        assert source["dataSourceConfiguration"] == connector(parameters)
    for config, words in (
        (connector({"type": "SHAREPOINT", "version": "1"}), "type SHAREPOINT are not built"),
        (connector({**S3, "version": "2"}), "nvalid enum value"),
        (connector({**S3, "shards": 3}), "unknown field `shards`"),
        (connector({**S3, "aclConfiguration": lists["aclConfiguration"]}), "needs aclEnabled"),
        (connector({**S3, "filterConfiguration": {"inclusionPatterns": ["("]}}), "not a regular expression"),
        (connector({"type": "S3", "version": "1"}), "connectionConfiguration"),
        (connector(["S3"]), "must be a JSON object"),
        (connector(S3, syncSchedule={"daily": {}}), "syncSchedule is not built"),
        (place("bucket"), "takes data sources of the type MANAGED_KNOWLEDGE_BASE_CONNECTOR only"),
    ):
        with refused("ValidationException", 400, words):
            made(managed, "wrong", config)
    with refused("ValidationException", 400, "takes no chunkingConfiguration"):
        made(managed, "wrong", connector(S3), vectorIngestionConfiguration=chunking("NONE"))


def test_what_an_update_may_not_change(server: Running, managed: Knowledge) -> None:
    """The type, the chunking and the use of access lists stay as they were."""
    fixed = knowledge(server, "sources-fixed", **chunking("NONE"))
    for config, ingestion, words in (
        ({"type": "CUSTOM"}, chunking("NONE"), "The type of a data source cannot be changed"),
        (place(fixed.bucket), {}, "The chunkingConfiguration of a data source cannot be changed"),
        (place(fixed.bucket), levels(300, 100, 10), "The chunkingConfiguration"),
    ):
        update = {**fixed.here, "name": "fixed", "dataSourceConfiguration": config}
        with refused("ValidationException", 400, words):
            fixed.agent.update_data_source(
                **update, **({"vectorIngestionConfiguration": ingestion} if ingestion else {})
            )
    lists = connector({**S3, "aclEnabled": True})
    with refused("ValidationException", 400, "connectorParameters.aclEnabled"):
        managed.agent.update_data_source(**managed.here, name="managed", dataSourceConfiguration=lists)


def test_names_tokens_and_quotas_of_sources(server: Running) -> None:
    """A name is taken once in a knowledge base, a token makes one source, and there are so many."""
    library, other = knowledge(server, "first"), knowledge(server, "second")
    with refused("ConflictException", 409, "name already exists"):
        made(library, "first", {"type": "CUSTOM"})
    assert made(other, "first", {"type": "CUSTOM"})["name"] == "first"
    token = "t" * 40
    one, same = (made(library, "one", {"type": "CUSTOM"}, clientToken=token) for _ in range(2))
    assert one == same
    for count in range(6):
        made(library, f"more-{count}", {"type": "CUSTOM"})
    with refused("ServiceQuotaExceededException", 402, "limit of 8 data sources"):
        made(library, "full", {"type": "CUSTOM"})
    pages = library.agent.get_paginator("list_data_sources").paginate(
        knowledgeBaseId=library.base, PaginationConfig={"PageSize": 3}
    )
    assert [len(page["dataSourceSummaries"]) for page in pages] == [3, 3, 2]


def test_a_source_is_its_own_base_s(library: Knowledge, managed: Knowledge) -> None:
    """By the id of another knowledge base it is not found; nor is what nobody made."""
    for here in (
        {"knowledgeBaseId": managed.base, "dataSourceId": library.source},
        {"knowledgeBaseId": library.base, "dataSourceId": "AAAAAAAAAA"},
    ):
        with refused("ResourceNotFoundException", 404, "data source with id"):
            library.agent.get_data_source(**here)
        with refused("ResourceNotFoundException", 404, "data source with id"):
            library.agent.start_ingestion_job(**here)
    with refused("ResourceNotFoundException", 404, "knowledge base with id"):
        library.agent.get_data_source(knowledgeBaseId="AAAAAAAAAA", dataSourceId=library.source)


def test_jobs_are_started_and_stopped(server: Running) -> None:
    """A source has one at a time, a token starts one, and what is over cannot be stopped."""
    library = knowledge(server, "jobs")
    for number in range(20):  # so that it takes longer than what is asked meanwhile
        library.put(f"{number}.txt", "The cat sat on the mat. " * 400)
    token, agent = "j" * 40, library.agent
    ident = library.start(description="first", clientToken=token)
    job = library.job(ident)
    assert (job["description"], job["knowledgeBaseId"], job["dataSourceId"]) == ("first", *library.here.values())
    with refused("ConflictException", 409, "is in progress: " + ident):
        library.start()
    assert library.start(description="first", clientToken=token) == ident
    assert agent.stop_ingestion_job(**library.here, ingestionJobId=ident)["ingestionJob"]["status"] == "STOPPING"
    assert library.finished(ident)["status"] == "STOPPED"
    with refused("ConflictException", 409, "cannot be stopped: its status is STOPPED"):
        agent.stop_ingestion_job(**library.here, ingestionJobId=ident)
    with refused("ResourceNotFoundException", 404, "ingestion job with id"):
        agent.stop_ingestion_job(**library.here, ingestionJobId="AAAAAAAAAA")


def test_jobs_are_listed(server: Running) -> None:
    """The newest first or as it is asked, page by page, by status if it is asked; those of other sources never."""
    library, agent = knowledge(server, "listed"), server.client("bedrock-agent")
    jobs = [library.sync()["ingestionJobId"] for _ in range(3)]

    def listed(**more: Any) -> list[str]:
        found = agent.list_ingestion_jobs(**library.here, **more)["ingestionJobSummaries"]
        return [one["ingestionJobId"] for one in found]

    assert listed() == jobs[::-1]
    assert listed(sortBy={"attribute": "STARTED_AT", "order": "ASCENDING"}) == jobs
    assert sorted(listed(sortBy={"attribute": "STATUS", "order": "ASCENDING"})) == sorted(jobs)
    page = agent.list_ingestion_jobs(**library.here, maxResults=2)
    assert [one["ingestionJobId"] for one in page["ingestionJobSummaries"]] == jobs[:0:-1]
    assert listed(maxResults=2, nextToken=page["nextToken"]) == jobs[:1]
    by_status = {"attribute": "STATUS", "operator": "EQ"}
    assert listed(filters=[{**by_status, "values": ["COMPLETE"]}]) == jobs[::-1]
    assert listed(filters=[{**by_status, "values": ["FAILED", "STOPPED"]}]) == []
    with refused("ValidationException", 400, "GONE is not a status"):
        listed(filters=[{**by_status, "values": ["GONE"]}])


def test_the_rights_are_the_knowledge_base_s(server: Running, library: Knowledge) -> None:
    """What a caller may do with sources and jobs is judged on the ARN of their knowledge base."""
    arn = f"arn:aws:bedrock:us-east-1:000000000000:knowledge-base/{library.base}"
    actions = ["bedrock:GetDataSource", "bedrock:ListIngestionJobs"]
    reader = with_key(server, user_key(server, "sources-reader", document(allow(actions, arn))), "bedrock-agent")
    assert reader.get_data_source(**library.here)["dataSource"]["name"] == "sources"
    assert "ingestionJobSummaries" in reader.list_ingestion_jobs(**library.here)
    with refused("AccessDeniedException", 403, "bedrock:StartIngestionJob on resource: " + arn):
        reader.start_ingestion_job(**library.here)
    with refused("AccessDeniedException", 403, "bedrock:GetDataSource"):
        reader.get_data_source(knowledgeBaseId="AAAAAAAAAA", dataSourceId=library.source)
