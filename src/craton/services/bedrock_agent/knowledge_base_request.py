"""What a knowledge base may be asked to be: its type, its embedding model, and the storage that it names.

Owns the rules of CreateKnowledgeBase beyond the service model, as tables, and the words in which they are refused. It
must not know rows. Storage is checked and kept as it was asked for; the store behind every type is Craton's own.
Sources: Bedrock's user guide, "Supported models and Regions for knowledge bases", "Prerequisites for your own vector
store", "Build a managed knowledge base".
"""

from __future__ import annotations

from typing import Any

from craton.aws.wire.faults import Fault, validation
from craton.context import Call
from craton.services.bedrock_agent.members import check_members

# Type of storage → its member.
STORAGES = {
    "OPENSEARCH_SERVERLESS": "opensearchServerlessConfiguration",
    "OPENSEARCH_MANAGED_CLUSTER": "opensearchManagedClusterConfiguration",
    "PINECONE": "pineconeConfiguration",
    "REDIS_ENTERPRISE_CLOUD": "redisEnterpriseCloudConfiguration",
    "RDS": "rdsConfiguration",
    "MONGO_DB_ATLAS": "mongoDbAtlasConfiguration",
    "NEPTUNE_ANALYTICS": "neptuneAnalyticsConfiguration",
    "S3_VECTORS": "s3VectorsConfiguration",
}
# The only ones that keep bits (user guide, "Vector store prerequisites").
BINARY_STORAGES = frozenset({"OPENSEARCH_SERVERLESS", "OPENSEARCH_MANAGED_CLUSTER"})
TYPES = {
    "VECTOR": "vectorKnowledgeBaseConfiguration",
    "MANAGED": "managedKnowledgeBaseConfiguration",
    "KENDRA": "kendraKnowledgeBaseConfiguration",
    "SQL": "sqlKnowledgeBaseConfiguration",
}
# Native schema of an embedding model → the lengths that its vectors can have, and whether it makes bits for a knowledge
# base. A schema that is not here makes floats of whatever length is asked for.
EMBEDDERS: dict[str, tuple[tuple[int, ...], bool]] = {
    "amazon.titan-embed-text": ((1536,), False),
    "amazon.titan-embed-text-v2": ((1024, 512, 256), True),
    "amazon.titan-embed-image": ((1024, 384, 256), False),
    "amazon.nova-embed": ((3072, 1024, 384, 256), False),
    "cohere.embed": ((1024,), True),
    "cohere.embed-v4": ((1536, 1024, 512, 256), True),
    "twelvelabs.marengo": ((1024,), False),
    "twelvelabs.marengo-3": ((512,), False),
}
ENGINES = {"SERVERLESS": "serverlessConfiguration", "PROVISIONED": "provisionedConfiguration"}
TABLES = {"REDSHIFT": "redshiftConfiguration", "AWS_DATA_CATALOG": "awsDataCatalogConfiguration"}
PROOFS = {"USERNAME_PASSWORD": "usernamePasswordSecretArn", "USERNAME": "databaseUser"}

NO_KENDRA = "Knowledge bases of the type KENDRA are not built here: there is no Amazon Kendra behind this server."
NO_STORAGE = "The knowledge base storage configuration provided is invalid: provide a storageConfiguration."
OWN_STORAGE = "A knowledge base of the type {type} takes no storageConfiguration."
STORAGE = "The knowledge base storage configuration provided is invalid"
NO_INDEX = STORAGE + ": s3VectorsConfiguration needs an indexArn, or a vectorBucketArn and an indexName."
UNKNOWN_MODEL = "The embedding model {arn} cannot be used: {why}"
NOT_EMBEDDING = "The model {arn} is not an embedding model. Choose one that makes vectors of text."
SIZES = "The embedding model {arn} makes vectors of {sizes} dimensions; {asked} were asked for."
NO_BITS = "The embedding model {arn} does not make vectors of the type BINARY."
BINARY_STORAGE = "Vectors of the type BINARY cannot be kept in a storage of the type {type}."
NO_MEDIA = "Audio and video are not ingested here: leave {member} out of the embedding model's configuration."
NO_CHOICE = "A managed knowledge base with the embeddingModelType MANAGED takes no {member}."
NO_MODEL = "A managed knowledge base with the embeddingModelType CUSTOM needs an embeddingModelArn."
NO_KEY = (
    "The index of a managed knowledge base is not sealed under a KMS key of its own here: leave out the "
    "serverSideEncryptionConfiguration."
)


def check(call: Call, configuration: dict[str, Any], storage: dict[str, Any]) -> None:
    """Raise ValidationException for a knowledge base that cannot be; both arguments as the API writes them."""
    kind = configuration["type"]
    if kind == "KENDRA":
        raise validation(NO_KENDRA)
    needed = None if kind == "MANAGED" and TYPES[kind] not in configuration else TYPES[kind]
    check_members(configuration, needed, "knowledgeBaseConfiguration")
    if kind != "VECTOR" and storage:
        raise validation(OWN_STORAGE.format(type=kind))
    if kind == "VECTOR":
        check_storage(storage)
        check_model(call, configuration[TYPES[kind]], storage["type"])
    elif kind == "MANAGED":
        check_managed(call, configuration.get(TYPES[kind], {}))
    else:
        check_sql(configuration[TYPES[kind]])


def check_storage(storage: dict[str, Any]) -> None:
    if not storage:
        raise validation(NO_STORAGE)
    check_members(storage, STORAGES[storage["type"]], STORAGE)
    bucket = storage.get("s3VectorsConfiguration")
    if bucket is not None and "indexArn" not in bucket and not {"vectorBucketArn", "indexName"} <= set(bucket):
        raise validation(NO_INDEX)


def check_managed(call: Call, managed: dict[str, Any]) -> None:
    if managed.get("serverSideEncryptionConfiguration"):
        raise validation(NO_KEY)
    if managed.get("embeddingModelType", "MANAGED") == "CUSTOM":
        if "embeddingModelArn" not in managed:
            raise validation(NO_MODEL)
        check_model(call, managed, "OPENSEARCH_SERVERLESS")
        return
    for member in ("embeddingModelArn", "embeddingModelConfiguration"):
        if member in managed:
            raise validation(NO_CHOICE.format(member=member))


def check_model(call: Call, given: dict[str, Any], storage: str) -> None:
    """Whether the model embeds, and can make such vectors; and whether the storage can hold them."""
    arn = given["embeddingModelArn"]
    try:
        route = call.app.live.routes.resolve(arn, call.account, call.region).route
    except Fault as fault:
        raise validation(UNKNOWN_MODEL.format(arn=arn, why=fault.message)) from None
    if route.kind != "embedding":
        raise validation(NOT_EMBEDDING.format(arn=arn))
    options = given.get("embeddingModelConfiguration", {}).get("bedrockEmbeddingModelConfiguration", {})
    for member in ("audio", "video", "modelConfiguration"):
        if options.get(member):
            raise validation(NO_MEDIA.format(member=member))
    sizes, bits = EMBEDDERS.get(route.native, ((), False))
    asked = options.get("dimensions")
    if asked is not None and (asked not in sizes if sizes else asked < 1):
        words = ", ".join(map(str, sizes)) or "1 to 4096"
        raise validation(SIZES.format(arn=arn, sizes=words, asked=asked))
    if options.get("embeddingDataType") == "BINARY":
        if not bits:
            raise validation(NO_BITS.format(arn=arn))
        if storage not in BINARY_STORAGES:
            raise validation(BINARY_STORAGE.format(type=storage))


def check_sql(sql: dict[str, Any]) -> None:
    """A SQL knowledge base is kept, for queries to be made from what it tells of its tables; it ingests nothing."""
    where = "sqlKnowledgeBaseConfiguration"
    check_members(sql, "redshiftConfiguration", where)
    redshift = sql["redshiftConfiguration"]
    for storage in redshift["storageConfigurations"]:
        check_members(storage, TABLES[storage["type"]], f"{where}.storageConfigurations")
    engine = redshift["queryEngineConfiguration"]
    check_members(engine, ENGINES[engine["type"]], f"{where}.queryEngineConfiguration")
    proof = engine[ENGINES[engine["type"]]]["authConfiguration"]
    check_members(proof, PROOFS.get(proof["type"]), f"{where}.authConfiguration")
