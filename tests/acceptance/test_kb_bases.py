"""Knowledge bases as a program with boto3 makes them: create, get, list, update, delete; and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from tests.acceptance.identities import allow, document, trust, user_key, with_key
from tests.acceptance.knowledge import EMBED, MOST_BASES, STORAGE, TRUST, vector
from tests.acceptance.resources import OTHER_KEY, OTHER_SECRET, refused
from tests.running import Running

FM = "arn:aws:bedrock:us-east-1::foundation-model/"
BASE = "arn:aws:bedrock:us-east-1:000000000000:knowledge-base/"
SECRET = "arn:aws:secretsmanager:us-east-1:000000000000:secret:store-AbCdEf"
FIELDS = {"textField": "text", "metadataField": "meta"}
STORES = {
    "OPENSEARCH_SERVERLESS": STORAGE["opensearchServerlessConfiguration"],
    "OPENSEARCH_MANAGED_CLUSTER": {
        "domainEndpoint": "https://search.example.com",
        "domainArn": "arn:aws:es:us-east-1:000000000000:domain/search",
        "vectorIndexName": "index",
        "fieldMapping": {"vectorField": "vector", **FIELDS},
    },
    "PINECONE": {"connectionString": "https://x.pinecone.io", "credentialsSecretArn": SECRET, "fieldMapping": FIELDS},
    "REDIS_ENTERPRISE_CLOUD": {
        "endpoint": "redis.example.com:12345",
        "vectorIndexName": "index",
        "credentialsSecretArn": SECRET,
        "fieldMapping": {"vectorField": "vector", **FIELDS},
    },
    "RDS": {
        "resourceArn": "arn:aws:rds:us-east-1:000000000000:cluster:kb",
        "credentialsSecretArn": SECRET,
        "databaseName": "postgres",
        "tableName": "bedrock_integration.kb",
        "fieldMapping": {"primaryKeyField": "id", "vectorField": "embedding", **FIELDS},
    },
    "MONGO_DB_ATLAS": {
        "endpoint": "cluster.mongodb.net",
        "databaseName": "db",
        "collectionName": "chunks",
        "vectorIndexName": "index",
        "credentialsSecretArn": SECRET,
        "fieldMapping": {"vectorField": "vector", **FIELDS},
    },
    "NEPTUNE_ANALYTICS": {
        "graphArn": "arn:aws:neptune-graph:us-east-1:000000000000:graph/g-1234567890",
        "fieldMapping": FIELDS,
    },
    "S3_VECTORS": {"indexArn": "arn:aws:s3vectors:us-east-1:000000000000:bucket/b/index/i"},
}
MEMBERS = {
    "OPENSEARCH_SERVERLESS": "opensearchServerlessConfiguration",
    "OPENSEARCH_MANAGED_CLUSTER": "opensearchManagedClusterConfiguration",
    "PINECONE": "pineconeConfiguration",
    "REDIS_ENTERPRISE_CLOUD": "redisEnterpriseCloudConfiguration",
    "RDS": "rdsConfiguration",
    "MONGO_DB_ATLAS": "mongoDbAtlasConfiguration",
    "NEPTUNE_ANALYTICS": "neptuneAnalyticsConfiguration",
    "S3_VECTORS": "s3VectorsConfiguration",
}
SQL = {
    "type": "SQL",
    "sqlKnowledgeBaseConfiguration": {
        "type": "REDSHIFT",
        "redshiftConfiguration": {
            "storageConfigurations": [{"type": "REDSHIFT", "redshiftConfiguration": {"databaseName": "dev"}}],
            "queryEngineConfiguration": {
                "type": "PROVISIONED",
                "provisionedConfiguration": {"clusterIdentifier": "c", "authConfiguration": {"type": "IAM"}},
            },
        },
    },
}


@pytest.fixture(scope="session")
def server(libraries: Running) -> Running:
    """With a role for every knowledge base here."""
    libraries.client("iam").create_role(RoleName="librarian", AssumeRolePolicyDocument=TRUST)
    return libraries


ROLE = "arn:aws:iam::000000000000:role/librarian"


@pytest.fixture(scope="module")
def agent(server: Running) -> Any:
    """A client of root."""
    return server.client("bedrock-agent")


def others(server: Running, service: str = "bedrock-agent") -> Any:
    """A client of the second account."""
    return server.client(service, aws_access_key_id=OTHER_KEY, aws_secret_access_key=OTHER_SECRET)


def asked(name: str, config: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """The members of CreateKnowledgeBase."""
    config = config or vector()
    storage = {"storageConfiguration": STORAGE} if config["type"] == "VECTOR" else {}
    return {"name": name, "roleArn": ROLE, "knowledgeBaseConfiguration": config} | storage | more


def make(agent: Any, name: str, config: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = agent.create_knowledge_base(**asked(name, config, **more))["knowledgeBase"]
    return made


def test_life_of_a_knowledge_base(agent: Any) -> None:
    """It is ACTIVE at once, shown as it was asked for, found in the list, renamed, and DELETING when it is deleted."""
    made = make(agent, "life", vector(dimensions=512), description="books", tags={"team": "a"})
    ident = made["knowledgeBaseId"]
    assert len(ident) == 10
    assert made["knowledgeBaseArn"] == BASE + ident
    assert (made["status"], made["roleArn"], made["description"]) == ("ACTIVE", ROLE, "books")
    assert made["knowledgeBaseConfiguration"] == vector(dimensions=512)
    assert made["storageConfiguration"] == STORAGE
    assert agent.get_knowledge_base(knowledgeBaseId=ident)["knowledgeBase"] == made
    listed = agent.list_knowledge_bases()["knowledgeBaseSummaries"]
    (mine,) = [one for one in listed if one["knowledgeBaseId"] == ident]
    assert (mine["name"], mine["description"], mine["status"]) == ("life", "books", "ACTIVE")
    changed = agent.update_knowledge_base(knowledgeBaseId=ident, **asked("lives", vector(dimensions=512)))[
        "knowledgeBase"
    ]
    assert changed["name"] == "lives"
    assert "description" not in changed
    assert changed["updatedAt"] > made["updatedAt"]
    assert agent.delete_knowledge_base(knowledgeBaseId=ident) | {"ResponseMetadata": 0} == {
        "knowledgeBaseId": ident,
        "status": "DELETING",
        "ResponseMetadata": 0,
    }


def test_every_storage_type_is_kept(agent: Any) -> None:
    """The storage of each type is accepted and shown as it was given."""
    for kind, config in STORES.items():
        storage = {"type": kind, MEMBERS[kind]: config}
        made = make(agent, f"store-{kind.lower()}", storageConfiguration=storage)
        assert made["storageConfiguration"] == storage


def test_storage_that_cannot_be(agent: Any) -> None:
    """A storage is there, is of one type with its member, and names its index."""
    wrong = [
        {"type": "RDS", MEMBERS["PINECONE"]: STORES["PINECONE"]},
        {"type": "PINECONE", MEMBERS["PINECONE"]: STORES["PINECONE"], MEMBERS["RDS"]: STORES["RDS"]},
        {"type": "PINECONE"},
        {"type": "S3_VECTORS", "s3VectorsConfiguration": {"indexName": "index"}},
    ]
    for storage in wrong:
        with refused("ValidationException", 400, "storage configuration provided is invalid"):
            make(agent, "wrong", storageConfiguration=storage)
    given = asked("none")
    del given["storageConfiguration"]
    with refused("ValidationException", 400, "provide a storageConfiguration"):
        agent.create_knowledge_base(**given)


@pytest.mark.parametrize(
    ("model", "options", "words"),
    [
        (FM + "amazon.titan-embed-text-v9:0", {}, "cannot be used: The provided model identifier is invalid"),
        (FM + "amazon.nova-lite-v1:0", {}, "is not an embedding model"),
        (EMBED, {"dimensions": 300}, "1024, 512, 256 dimensions; 300 were asked for"),
        (
            FM + "amazon.titan-embed-text-v1",
            {"embeddingDataType": "BINARY"},
            "does not make vectors of the type BINARY",
        ),
        (FM + "cohere.embed-english-v3", {"dimensions": 512}, "1024 dimensions; 512"),
        (EMBED.replace("us-east-1", "us-west-2"), {}, "cannot be used"),
        (FM + "amazon.nova-2-multimodal-embeddings-v1:0", {"modelConfiguration": {"video": {}}}, "Audio and video"),
    ],
)
def test_embedding_models_that_cannot_be(agent: Any, model: str, options: dict[str, Any], words: str) -> None:
    """The model exists, embeds, and can make such vectors."""
    with refused("ValidationException", 400, words):
        make(agent, "embedding", vector(model, **options))


def test_binary_vectors_need_a_store_of_bits(agent: Any) -> None:
    """OpenSearch keeps them, the others do not."""
    bits = vector(embeddingDataType="BINARY", dimensions=256)
    assert make(agent, "bits", bits)["knowledgeBaseConfiguration"] == bits
    with refused("ValidationException", 400, "cannot be kept in a storage of the type RDS"):
        make(agent, "bits-rds", bits, storageConfiguration={"type": "RDS", "rdsConfiguration": STORES["RDS"]})


def test_managed_knowledge_bases(agent: Any) -> None:
    """The service's model or one's own embeds; no storage is named, and what would not be heeded is refused."""
    own = {"embeddingModelType": "CUSTOM", "embeddingModelArn": EMBED}
    for name, managed in (("managed", {"embeddingModelType": "MANAGED"}), ("custom", own)):
        config = {"type": "MANAGED", "managedKnowledgeBaseConfiguration": managed}
        made = make(agent, name, config)
        assert made["knowledgeBaseConfiguration"] == config
        assert "storageConfiguration" not in made
    assert make(agent, "bare", {"type": "MANAGED"})["status"] == "ACTIVE"
    key = {"kmsKeyArn": "arn:aws:kms:us-east-1:000000000000:key/1234abcd-12ab-34cd-56ef-1234567890ab"}
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"embeddingModelType": "CUSTOM"}, "needs an embeddingModelArn"),
        ({"embeddingModelType": "MANAGED", "embeddingModelArn": EMBED}, "takes no embeddingModelArn"),
        ({"serverSideEncryptionConfiguration": key}, "not sealed under a KMS key"),
    ]
    for config, words in wrong:
        with refused("ValidationException", 400, words):
            make(agent, "wrong", {"type": "MANAGED", "managedKnowledgeBaseConfiguration": config})
    with refused("ValidationException", 400, "takes no storageConfiguration"):
        make(agent, "wrong", {"type": "MANAGED"}, storageConfiguration=STORAGE)


def test_types_that_are_not_vectors(agent: Any) -> None:
    """KENDRA is refused in so many words; SQL is kept, and its tables may be told anew."""
    index = "arn:aws:kendra:us-east-1:000000000000:index/12345678-1234-1234-1234-123456789012"
    kendra = {"type": "KENDRA", "kendraKnowledgeBaseConfiguration": {"kendraIndexArn": index}}
    with refused("ValidationException", 400, "KENDRA are not built here"):
        make(agent, "kendra", kendra)
    with refused("ValidationException", 400, "the member kendraKnowledgeBaseConfiguration does not belong"):
        make(agent, "both", {**vector(), "kendraKnowledgeBaseConfiguration": {"kendraIndexArn": index}})
    with refused("ValidationException", 400, "needs the member vectorKnowledgeBaseConfiguration"):
        make(agent, "none", {"type": "VECTOR"})
    made = make(agent, "sql", SQL)
    redshift = SQL["sqlKnowledgeBaseConfiguration"]["redshiftConfiguration"]  # type: ignore[index]
    table = {"tables": [{"name": "dev.public.orders", "description": "what was sold"}]}
    told = {**redshift, "queryGenerationConfiguration": {"generationContext": table}}
    more = {"type": "SQL", "sqlKnowledgeBaseConfiguration": {"type": "REDSHIFT", "redshiftConfiguration": told}}
    ident = made["knowledgeBaseId"]
    changed = agent.update_knowledge_base(knowledgeBaseId=ident, **asked("sql", more))["knowledgeBase"]
    assert changed["knowledgeBaseConfiguration"] == more
    with refused("ValidationException", 400, "type SQL has no data sources"):
        agent.create_data_source(knowledgeBaseId=ident, name="x", dataSourceConfiguration={"type": "CUSTOM"})


def test_a_token_makes_one(agent: Any) -> None:
    """The same request with the same token is the same knowledge base; another request with it conflicts."""
    token = "t" * 40
    first, second = (make(agent, "once", clientToken=token) for _ in range(2))
    assert first == second
    with refused("ConflictException", 409, "token was already used"):
        make(agent, "twice", clientToken=token)


def test_names_are_unique_and_few(server: Running) -> None:
    """A name is taken once, an account may have so many; pages of the list go through all of them."""
    agent = others(server)
    role = others(server, "iam").create_role(RoleName="librarian", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    made = [make(agent, f"n{count}", roleArn=role)["knowledgeBaseId"] for count in range(MOST_BASES - 1)]
    with refused("ConflictException", 409, "name already exists"):
        make(agent, "n0", roleArn=role)
    made.append(make(agent, "last", roleArn=role)["knowledgeBaseId"])
    with refused("ServiceQuotaExceededException", 402, f"limit of {MOST_BASES} knowledge bases"):
        make(agent, "more", roleArn=role)
    with refused("ConflictException", 409, "name already exists"):
        agent.update_knowledge_base(knowledgeBaseId=made[1], **asked("n0", roleArn=role))
    pages = list(agent.get_paginator("list_knowledge_bases").paginate(PaginationConfig={"PageSize": 20}))
    assert [len(page["knowledgeBaseSummaries"]) for page in pages] == [20, 20, 10]
    assert [one["knowledgeBaseId"] for page in pages for one in page["knowledgeBaseSummaries"]] == made
    with refused("ValidationException", 400, "nextToken is invalid"):
        agent.list_knowledge_bases(nextToken="made-up")


def test_what_an_update_may_not_change(agent: Any) -> None:
    """The embedding model and the storage stay; fields of metadata are a managed knowledge base's."""
    ident = make(agent, "fixed")["knowledgeBaseId"]
    with refused("ValidationException", 400, "knowledgeBaseConfiguration of a knowledge base cannot be changed"):
        agent.update_knowledge_base(knowledgeBaseId=ident, **asked("fixed", vector(dimensions=256)))
    with refused("ValidationException", 400, "storageConfiguration of a knowledge base cannot be changed"):
        other = {"type": "S3_VECTORS", "s3VectorsConfiguration": STORES["S3_VECTORS"]}
        agent.update_knowledge_base(knowledgeBaseId=ident, **asked("fixed", storageConfiguration=other))
    fields = [{"name": "year", "type": "STRING", "searchability": "ENABLED"}]
    with refused("ValidationException", 400, "Only a managed knowledge base"):
        agent.update_knowledge_base(knowledgeBaseId=ident, **asked("fixed"), metadataConfigurations=fields)
    managed = {"type": "MANAGED"}
    ident = make(agent, "fields", managed)["knowledgeBaseId"]
    update = {"knowledgeBaseId": ident, **asked("fields", managed)}
    assert (
        agent.update_knowledge_base(**update, metadataConfigurations=fields)["knowledgeBase"]["metadataConfigurations"]
        == fields
    )
    assert agent.update_knowledge_base(**update)["knowledgeBase"]["metadataConfigurations"] == fields
    assert (
        "metadataConfigurations"
        not in agent.update_knowledge_base(**update, metadataConfigurations=[])["knowledgeBase"]
    )


def test_the_role_is_handed_over(server: Running, agent: Any) -> None:
    """It must exist and trust Bedrock, and the caller must be allowed to pass it."""
    server.client("iam").create_role(RoleName="aloof", AssumeRolePolicyDocument=trust({"Service": "ec2.amazonaws.com"}))
    for name in ("aloof", "nobody"):
        with refused("ValidationException", 400, "cannot be assumed by bedrock.amazonaws.com"):
            make(agent, "role", roleArn=f"arn:aws:iam::000000000000:role/{name}")
    key = user_key(server, "maker", document(allow(["bedrock:CreateKnowledgeBase", "bedrock:TagResource"])))
    with refused("AccessDeniedException", 403, "iam:PassRole"):
        make(with_key(server, key, "bedrock-agent"), "passed")


def test_tags_decide_who_may(server: Running, agent: Any) -> None:
    """Tags are set, read and taken away, and conditions of policies see them."""
    arn = make(agent, "mine", tags={"team": "a"})["knowledgeBaseArn"]
    theirs = make(agent, "theirs", tags={"team": "b"})["knowledgeBaseId"]
    agent.tag_resource(resourceArn=arn, tags={"stage": "dev"})
    agent.untag_resource(resourceArn=arn, tagKeys=["nothing"])
    assert agent.list_tags_for_resource(resourceArn=arn)["tags"] == {"team": "a", "stage": "dev"}
    only = {"StringEquals": {"aws:ResourceTag/team": "a"}}
    key = user_key(server, "member", document(allow("bedrock:GetKnowledgeBase", Condition=only)))
    member = with_key(server, key, "bedrock-agent")
    assert member.get_knowledge_base(knowledgeBaseId=arn.rpartition("/")[2])["knowledgeBase"]["name"] == "mine"
    for ident in (theirs, "AAAAAAAAAA"):
        with refused("AccessDeniedException", 403, "bedrock:GetKnowledgeBase"):
            member.get_knowledge_base(knowledgeBaseId=ident)


def test_others_see_nothing(server: Running, agent: Any) -> None:
    """Another account and another region have knowledge bases of their own."""
    ident = make(agent, "private")["knowledgeBaseId"]
    far = server.client("bedrock-agent", region_name="us-west-2")
    for client in (far, others(server)):
        listed = client.list_knowledge_bases()["knowledgeBaseSummaries"]
        assert ident not in {one["knowledgeBaseId"] for one in listed}
        with refused("ResourceNotFoundException", 404, f"knowledge base with id {ident} does not exist"):
            client.get_knowledge_base(knowledgeBaseId=ident)
        with refused("ResourceNotFoundException", 404, ident):
            client.delete_knowledge_base(knowledgeBaseId=ident)
