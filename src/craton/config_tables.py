"""The tables of the config file: their names, keys, types and defaults, and nothing else.

Reading and checking are `config`'s, which also gives out what stands here.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from craton.config_containers import ContainerTable, MarketplaceTable
from craton.config_events import EventsTable
from craton.config_places import PlaceTable
from craton.config_watching import Watching

DEFAULT_PORT = 8765
SAMPLE_MODEL = "craton.chat-mini-v4:0"
SAMPLE_PAINTER = "craton.image-mini-v2:0"

Positive = Annotated[float, Meta(gt=0)]
NotNegative = Annotated[float, Meta(ge=0)]
AccountId = Annotated[str, Meta(pattern=r"^[0-9]{12}\Z")]
ProviderName = Literal[
    "anthropic",
    "openai",
    "ai21",
    "cohere",
    "mistral",
    "stability",
    "gemini",
    "bedrock",
    "sagemaker",
    "container",
    "local",
    "replay",
    "script",
]


RecordMode = Literal["once", "new_episodes", "none", "all"]


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the config file: a misspelt key is an error, not a silent default."""


class ServerTable(Table, frozen=True):
    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = DEFAULT_PORT
    workers: Annotated[int, Meta(ge=1, le=64)] = 1
    max_body_bytes: Annotated[int, Meta(ge=1)] = 36 * 1024 * 1024
    body_timeout_s: Positive = 60.0
    drain_timeout_s: Positive = 10.0
    write_stall_s: Positive = 60.0


class StandinsTable(Table, frozen=True):
    """`model` stands in for chat models; the others for models of their kind ("": the first local model of it)."""

    enabled: bool = True
    model: str = SAMPLE_MODEL
    embedding: str = ""
    rerank: str = ""
    image: str = SAMPLE_PAINTER


class StoreTable(Table, frozen=True):
    """`secret` is what all servers on one store share; without it, each home has its own."""

    url: str = ""
    password: str = ""
    secret: str = ""


class BlobsTable(PlaceTable, frozen=True):
    """Where the bytes of objects lie; `url` "" is HOME/blobs."""


class S3Table(Table, frozen=True):
    """What `s3://` means to jobs: this server's own S3, or the one at `endpoint_url` with these keys (`env:`, `file:`).

    `domains` are names of this server under which a host may name a bucket (`BUCKET.DOMAIN`), beside localhost's.
    """

    endpoint_url: str = ""
    region: str = ""
    access_key: str = ""
    secret_key: str = ""
    session_token: str = ""
    domains: tuple[str, ...] = ()


class JobsTable(Table, frozen=True):
    """Processes that do jobs, made when there is something to do and ended after `idle_timeout_s` without.

    `endpoint_url` is how they reach the gateway ("": this server's own address), `ca` the authority to trust there,
    `certificate` and `key` what to show where clients must. `concurrency`: jobs of a kind at once in a process.
    `batch_concurrency`: records of one batch that may be asked at once. `training_processes`: how many train one model
    together (0: as many as there are accelerators, one where there is none).
    """

    workers: Annotated[int, Meta(ge=0, le=16)] = 1
    idle_timeout_s: Positive = 300.0
    endpoint_url: str = ""
    ca: str = ""
    certificate: str = ""
    key: str = ""
    concurrency: dict[str, Annotated[int, Meta(ge=0)]] = {}
    default_concurrency: Annotated[int, Meta(ge=1)] = 4
    batch_concurrency: Annotated[int, Meta(ge=1, le=1024)] = 64
    training_processes: Annotated[int, Meta(ge=0, le=64)] = 0


class VectorsTable(PlaceTable, frozen=True):
    """Where the indices of knowledge bases lie; `url` "" is HOME/vectors.

    `keep_s`: how long a version of an index stays readable after the next one, which must outlast any search under way.
    `cache_mib`: what a process holds of indices and of files' headers at most.
    """

    keep_s: Annotated[float, Meta(ge=60, le=604_800)] = 600.0
    cache_mib: Annotated[int, Meta(ge=16, le=65_536)] = 512


class RagTable(Table, frozen=True):
    """Ingestion into knowledge bases: how many documents are read, and calls of the embedding model made, at once for a
    job; how large a document may be. `crawler`: data sources of the type WEB are allowed, over `crawler_hosts` (`host`,
    `host:port`, `*.domain`), or over every public host if none is named. `parse_s`, `parse_mib`: what reading one
    document may take, in seconds and in memory of the process that reads it; `parsers`: how many of these.
    """

    documents_at_once: Annotated[int, Meta(ge=1, le=256)] = 192
    embeddings_at_once: Annotated[int, Meta(ge=1, le=256)] = 16
    document_bytes: Annotated[int, Meta(ge=1)] = 50 * 1024 * 1024
    crawler: bool = False
    crawler_hosts: tuple[str, ...] = ()
    parse_s: Annotated[float, Meta(ge=1, le=3600)] = 120.0
    parse_mib: Annotated[int, Meta(ge=256, le=65_536)] = 1024
    parsers: Annotated[int, Meta(ge=1, le=64)] = 2


class ScaleTable(Table, frozen=True):
    """Between how many replicas a model moves, and by what; see features/hosting/deployment.py. None: as it is."""

    model: Annotated[str, Meta(min_length=1)]
    least: Annotated[int, Meta(ge=0, le=10_000)] | None = None
    most: Annotated[int, Meta(ge=1, le=10_000)] | None = None
    target: Positive | None = None
    down_after_s: Annotated[float, Meta(ge=0)] | None = None
    idle_timeout_s: Annotated[float, Meta(ge=0)] | None = None
    queue: Annotated[int, Meta(ge=0)] | None = None


class ComputeTable(Table, frozen=True):
    """`sandbox`: walls around model processes as the system allows them, all of them or no model, or none."""

    backend: Literal["local", "ray"] = "local"
    # Of the Ray cluster (docs/cluster.md); "" finds the one that this machine belongs to.
    address: str = ""
    sandbox: Literal["auto", "required", "off"] = "auto"
    threads: Annotated[int, Meta(ge=0)] = 0
    idle_timeout_s: Annotated[float, Meta(ge=0)] = 900.0
    start_timeout_s: Positive = 60.0
    # Of each model on demand, unless [[compute.scale]] says otherwise.
    replicas_max: Annotated[int, Meta(ge=1, le=10_000)] = 1
    memory_reserve_bytes: Annotated[int, Meta(ge=0)] = 256 << 20
    drain_timeout_s: Annotated[float, Meta(ge=0)] = 600.0
    scale: list[ScaleTable] = []
    # What runs images of containers ("": podman or docker, whichever is there), and further options of its `run`.
    container_runtime: str = ""
    container_options: tuple[str, ...] = ()
    # Who serves models that write text (features/hosting/engines.py); `vllm` is the path of its program.
    engine: Literal["auto", "onnx", "transformers", "vllm"] = "auto"
    vllm: str = ""
    vllm_options: list[str] = []
    gpu_memory_share: Annotated[float, Meta(gt=0, le=1)] = 0.9
    adapters_max: Annotated[int, Meta(ge=1)] = 128
    adapter_rank_max: Literal[1, 8, 16, 32, 64, 128, 256, 320, 512] = 64
    # What becomes of imported weights (docs/model-import.md); "none": served as they are.
    import_precision: Literal["auto", "none", "int4", "int8", "w8a8", "fp32"] = "auto"


class LimitsTable(Table, frozen=True):
    """Quotas of an account in a region; AWS's own are the defaults, where they are public."""

    inference_profiles: Annotated[int, Meta(ge=0)] = 1000
    prompt_routers: Annotated[int, Meta(ge=0)] = 500
    iam_users: Annotated[int, Meta(ge=0)] = 5000
    iam_groups: Annotated[int, Meta(ge=0)] = 300
    iam_roles: Annotated[int, Meta(ge=0)] = 1000
    iam_policies: Annotated[int, Meta(ge=0)] = 1500
    batch_jobs_per_model: Annotated[int, Meta(ge=0)] = 20
    batch_min_records: Annotated[int, Meta(ge=0)] = 100
    batch_records_per_file: Annotated[int, Meta(ge=1)] = 50_000
    batch_records_per_job: Annotated[int, Meta(ge=1)] = 50_000
    batch_file_bytes: Annotated[int, Meta(ge=1)] = 1024**3
    batch_job_bytes: Annotated[int, Meta(ge=1)] = 5 * 1024**3
    s3_buckets: Annotated[int, Meta(ge=0)] = 10_000
    # Bedrock's own default is 2 units; here the machines' memory is what limits.
    provisioned_units: Annotated[int, Meta(ge=0)] = 50
    provisioned_models: Annotated[int, Meta(ge=0)] = 100
    imported_models: Annotated[int, Meta(ge=0)] = 3
    import_jobs: Annotated[int, Meta(ge=0)] = 1
    import_model_bytes: Annotated[int, Meta(ge=1)] = 200 * 1024**3
    customization_jobs: Annotated[int, Meta(ge=0)] = 2
    customization_train_bytes: Annotated[int, Meta(ge=1)] = 10 * 1024**3
    customization_validation_bytes: Annotated[int, Meta(ge=1)] = 1024**3
    custom_models: Annotated[int, Meta(ge=0)] = 100
    custom_model_deployments: Annotated[int, Meta(ge=0)] = 100
    evaluation_jobs: Annotated[int, Meta(ge=0)] = 20
    evaluation_records: Annotated[int, Meta(ge=1)] = 1000
    knowledge_bases: Annotated[int, Meta(ge=0)] = 100
    data_sources: Annotated[int, Meta(ge=0)] = 5
    ingestion_jobs: Annotated[int, Meta(ge=0)] = 5
    retrieval_instructions: Annotated[int, Meta(ge=0)] = 100


class RetentionTable(Table, frozen=True):
    """What of callers' data may be kept. `responses`: answers of the Responses door, in memory, for follow-ups.

    `mode` holds for accounts that have set none of their own (PutAccountDataRetention).
    """

    responses: bool = False
    mode: Literal["default", "none", "aws_review", "provider_data_share"] = "default"


class KmsTable(Table, frozen=True):
    """The root key and the default key. Without any of it the root key is the home's own file.

    `root_key` is `file:PATH` or `env:NAME` (32 bytes in base64); with `endpoint_url` an outside KMS keeps it under
    `key_id` instead. `default_key` (alias or id, in each account) takes the place of the managed key `aws/bedrock`.
    """

    root_key: str = ""
    endpoint_url: str = ""
    key_id: str = ""
    region: str = "us-east-1"
    access_key_id: str = ""
    secret_access_key: str = ""
    session_token: str = ""
    default_key: str = ""


class TlsTable(Table, frozen=True):
    """PEM files; none: plain HTTP. `client_ca`: clients must have a certificate of this authority."""

    certificate: str = ""
    key: str = ""
    client_ca: str = ""


class AuditTable(Table, frozen=True):
    """`data_events`: the use of models as well. `retention_days`: 0 keeps all. `directory`: "" is the home's own."""

    enabled: bool = True
    data_events: bool = False
    directory: str = ""
    max_segment_bytes: Annotated[int, Meta(ge=4096)] = 64 * 1024 * 1024
    retention_days: Annotated[int, Meta(ge=0)] = 0


class LoggingTable(Table, frozen=True):
    """Invocation logs on their way: what may wait on the disk for a bucket or log group, and in a worker's memory."""

    spool_max_bytes: Annotated[int, Meta(ge=1 << 20)] = 1 << 30
    memory_max_bytes: Annotated[int, Meta(ge=1 << 20)] = 64 << 20


class LogsTable(Table, frozen=True):
    """What one query over log groups may take: time, and bytes of events read."""

    query_timeout_s: Positive = 900.0
    query_scan_bytes: Annotated[int, Meta(ge=1 << 20)] = 1 << 37


class TranslationTable(Table, frozen=True):
    mode: Literal["strict", "lenient"] = "lenient"


class CompatTable(Table, frozen=True):
    """`model_access`: whether accounts need an agreement for each model of a third party, as `agreements` says."""

    relaxed: bool = False
    model_access: Literal["open", "agreements"] = "open"


class TargetTable(Table, frozen=True):
    """`region` and the three keys after it are for the providers whose requests are signed.

    `output_s3` is an `s3://` location of a `bedrock` target's own, through which results of StartAsyncInvoke come.
    """

    provider: ProviderName
    base_url: str = ""
    model: str = ""
    api_key: str = ""
    weight: Annotated[int, Meta(ge=0)] = 1
    timeout_s: Positive = 60.0
    connect_timeout_s: Positive = 5.0
    first_byte_timeout_s: NotNegative = 0.0
    max_concurrent: Annotated[int, Meta(ge=0)] = 0
    max_waiting: Annotated[int, Meta(ge=0)] = 1000
    queue_timeout_s: Positive = 30.0
    fallback: bool = False
    retains_data: bool = False
    quirks: dict[str, Any] = {}
    region: str = ""
    access_key_id: str = ""
    secret_access_key: str = ""
    session_token: str = ""
    output_s3: Annotated[str, Meta(pattern=r"^(s3://[a-z0-9][.\-a-z0-9]{1,61}[a-z0-9](/.*)?)?\Z")] = ""
    record: str = ""
    record_mode: RecordMode = "once"
    cassette: str = ""
    match_on: tuple[str, ...] = ()
    speed: NotNegative = 0.0
    repeats: bool = True
    rules: str = ""


class ModelTable(Table, frozen=True):
    """`dialect` is the native schema of an id that the catalog does not know. It has targets, a container, or both."""

    id: Annotated[str, Meta(min_length=1, max_length=256, pattern=r"^[a-zA-Z0-9_.:/-]+\Z")]
    target: list[TargetTable] = []
    container: ContainerTable | None = None
    name: str = ""
    dialect: str = ""
    context_tokens: int | None = None
    max_output_tokens: int | None = None
    retries: Annotated[int, Meta(ge=0, le=10)] | None = None
    deadline_s: NotNegative | None = None
    hedge_after_ms: NotNegative = 0.0


class RoutingTable(Table, frozen=True):
    """How targets are retried and taken out. `retries`: where a model does not say; None: 1 with several targets, else 0."""

    retries: Annotated[int, Meta(ge=0, le=10)] | None = None
    backoff_s: Positive = 0.2
    backoff_max_s: Positive = 2.0
    deadline_s: NotNegative = 0.0
    heed_retry_after: bool = True
    breaker_failures: Annotated[int, Meta(ge=0)] = 5
    breaker_rate: Annotated[float, Meta(gt=0, le=1)] = 0.5
    breaker_least: Annotated[int, Meta(ge=1)] = 20
    breaker_window_s: Positive = 30.0
    breaker_open_s: Positive = 5.0
    breaker_open_max_s: Positive = 60.0


class QuotaLimitTable(Table, frozen=True):
    """One limit, with a bucket for each value of what stands in `per`; the patterns say which requests it counts."""

    per: tuple[Literal["account", "principal", "model"], ...] = ("account", "model")
    account: str = "*"
    principal: str = "*"
    model: str = "*"
    requests_per_minute: Annotated[int, Meta(ge=1)] | None = None
    tokens_per_minute: Annotated[int, Meta(ge=1)] | None = None


class TestingTable(Table, frozen=True):
    """`cassettes` is the folder whose cassettes tests may put before the models of an ephemeral server."""

    cassettes: str = ""


class RecordTable(Table, frozen=True):
    """What `craton record` adds to a configuration: a cassette before the `models`, none for all."""

    path: str
    mode: RecordMode = "new_episodes"
    match_on: tuple[str, ...] = ()
    models: tuple[str, ...] = ()


class OidcTable(Table, frozen=True):
    """An issuer of web identities whom every account may trust. `jwks`: its keys, a URL or a file's path."""

    issuer: Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^https?://[^\s?#]+\Z")]
    jwks: Annotated[str, Meta(min_length=1)]
    audience: tuple[str, ...] = ()


class QuotaTable(Table, frozen=True):
    limit: list[QuotaLimitTable] = []


class RedisTable(Table, frozen=True):
    """Where servers of one place count quotas together: `redis://`, `rediss://` or `unix://`, in Redis or Valkey.

    The password is `env:NAME` or `file:PATH`, and so may the URL be; `ca` is a file of authorities for `rediss://`.
    """

    url: str = ""
    password: str = ""
    ca: str = ""


class OrganizationTable(Table, frozen=True):
    """Guard policies for all accounts: files of service control policies, and of resource control policies.

    `id` is what the condition key aws:PrincipalOrgID holds.
    """

    id: Annotated[str, Meta(pattern=r"^(o-[a-z0-9]{10,32})?\Z")] = ""
    policies: tuple[str, ...] = ()
    resource_policies: tuple[str, ...] = ()


class AccountTable(Table, frozen=True):
    id: AccountId
    access_key: str
    secret_key: str


class LambdaTable(Table, frozen=True):
    """Functions. `concurrency` and `code_bytes` are an account's limits in a region.

    `network`: what a function reaches, this server alone or everything. With an `endpoint_url` (`aws`: AWS's own) all
    of Lambda is elsewhere: the operations go there, signed with these keys (`env:NAME` or `file:PATH`).
    """

    concurrency: Annotated[int, Meta(ge=1)] = 1000
    code_bytes: Annotated[int, Meta(ge=0)] = 75 * 1024**3
    # The pause before a failed asynchronous invocation is tried again; before the next it is twice as long.
    event_retry_s: NotNegative = 60.0
    network: Literal["craton", "open"] = "craton"
    # Of one home: how many environments there may be at once, and after how long without work one goes.
    environments: Annotated[int, Meta(ge=1, le=10_000)] = 200
    idle_timeout_s: Positive = 300.0
    # Where npm installed AWS's runtime client for Node.js (`aws-lambda-ric`), or the client's own folder.
    node_client: str = ""
    endpoint_url: str = ""
    region: str = ""
    access_key: str = ""
    secret_key: str = ""
    session_token: str = ""


class CloudwatchTable(Table, frozen=True):
    """Where alarms may send what they have to say, beside functions.

    `webhooks`: a name, for actions `arn:craton:webhook:::NAME`, or the ARN of a topic or the like that an address stands
    in for → the address, or `env:NAME` or `file:PATH` that holds it. `webhook_keys`: the same names → `env:NAME` or
    `file:PATH` of the key under which calls are signed.
    """

    webhooks: dict[str, str] = {}
    webhook_keys: dict[str, Annotated[str, Meta(pattern="^(env|file):")]] = {}


class ConfigFile(Watching, Table, frozen=True):
    server: ServerTable = ServerTable()
    standins: StandinsTable = StandinsTable()
    store: StoreTable = StoreTable()
    blobs: BlobsTable = BlobsTable()
    s3: S3Table = S3Table()
    jobs: JobsTable = JobsTable()
    vectors: VectorsTable = VectorsTable()
    rag: RagTable = RagTable()
    compute: ComputeTable = ComputeTable()
    retention: RetentionTable = RetentionTable()
    kms: KmsTable = KmsTable()
    tls: TlsTable = TlsTable()
    audit: AuditTable = AuditTable()
    logging: LoggingTable = LoggingTable()
    logs: LogsTable = LogsTable()
    translation: TranslationTable = TranslationTable()
    compat: CompatTable = CompatTable()
    limits: LimitsTable = LimitsTable()
    routing: RoutingTable = RoutingTable()
    quota: QuotaTable = QuotaTable()
    redis: RedisTable = RedisTable()
    testing: TestingTable = TestingTable()
    organization: OrganizationTable = OrganizationTable()
    oidc: OidcTable | None = None
    marketplace: MarketplaceTable = MarketplaceTable()
    lambda_: LambdaTable = msgspec.field(default=LambdaTable(), name="lambda")
    cloudwatch: CloudwatchTable = CloudwatchTable()
    events: EventsTable = EventsTable()
    model: list[ModelTable] = []
    account: list[AccountTable] = []
