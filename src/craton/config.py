"""Settings: one frozen record, read from a TOML file and the environment.

Owns the names of the config's tables and keys and their defaults; knows no implementation. A secret never
stands in the file: a key names where it lies (`env:NAME` or `file:PATH`) and is read when a route is built.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

DEFAULT_PORT = 8765
SAMPLE_MODEL = "craton.chat-mini-v1:0"

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


_SIGNED = ("bedrock", "sagemaker")
_ASKS_NOBODY = ("replay", "script")
RecordMode = Literal["once", "new_episodes", "none", "all"]
_SECRETS = ("api_key", "access_key_id", "secret_access_key", "session_token")


class ConfigError(Exception):
    """The configuration cannot be used; the message says which file, where and why."""


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
    image: str = ""


class StoreTable(Table, frozen=True):
    """`secret` is what all servers on one store share; without it, each home has its own."""

    url: str = ""
    password: str = ""
    secret: str = ""


class BlobsTable(Table, frozen=True):
    url: str = ""
    endpoint_url: str = ""


class VectorsTable(Table, frozen=True):
    url: str = ""


class ComputeTable(Table, frozen=True):
    """`sandbox`: walls around model processes as the system allows them, all of them or no model, or none."""

    backend: Literal["local"] = "local"
    sandbox: Literal["auto", "required", "off"] = "auto"
    threads: Annotated[int, Meta(ge=0)] = 0
    idle_timeout_s: Annotated[float, Meta(ge=0)] = 900.0
    start_timeout_s: Positive = 60.0


class LimitsTable(Table, frozen=True):
    """Quotas of an account in a region; AWS's own are the defaults, where they are public."""

    inference_profiles: Annotated[int, Meta(ge=0)] = 1000
    prompt_routers: Annotated[int, Meta(ge=0)] = 500
    iam_users: Annotated[int, Meta(ge=0)] = 5000
    iam_groups: Annotated[int, Meta(ge=0)] = 300
    iam_roles: Annotated[int, Meta(ge=0)] = 1000
    iam_policies: Annotated[int, Meta(ge=0)] = 1500


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


class TranslationTable(Table, frozen=True):
    mode: Literal["strict", "lenient"] = "lenient"


class CompatTable(Table, frozen=True):
    relaxed: bool = False


class TargetTable(Table, frozen=True):
    """`region` and the three keys after it are for the providers whose requests are signed."""

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
    record: str = ""
    record_mode: RecordMode = "once"
    cassette: str = ""
    match_on: tuple[str, ...] = ()
    speed: NotNegative = 0.0
    repeats: bool = True
    rules: str = ""


class ModelTable(Table, frozen=True):
    """`dialect` is the native schema of an id that the catalog does not know."""

    id: Annotated[str, Meta(min_length=1, max_length=256, pattern=r"^[a-zA-Z0-9_.:/-]+\Z")]
    target: Annotated[list[TargetTable], Meta(min_length=1)]
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


class ConfigFile(Table, frozen=True):
    server: ServerTable = ServerTable()
    standins: StandinsTable = StandinsTable()
    store: StoreTable = StoreTable()
    blobs: BlobsTable = BlobsTable()
    vectors: VectorsTable = VectorsTable()
    compute: ComputeTable = ComputeTable()
    retention: RetentionTable = RetentionTable()
    kms: KmsTable = KmsTable()
    tls: TlsTable = TlsTable()
    audit: AuditTable = AuditTable()
    translation: TranslationTable = TranslationTable()
    compat: CompatTable = CompatTable()
    limits: LimitsTable = LimitsTable()
    routing: RoutingTable = RoutingTable()
    quota: QuotaTable = QuotaTable()
    testing: TestingTable = TestingTable()
    organization: OrganizationTable = OrganizationTable()
    oidc: OidcTable | None = None
    model: list[ModelTable] = []
    account: list[AccountTable] = []


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the composition root needs. `home` is absolute; `ephemeral` keeps nothing after the end."""

    home: str
    file: ConfigFile
    account: AccountId = "000000000000"
    region: str = "us-east-1"
    ephemeral: bool = False
    record: RecordTable | None = None

    @property
    def home_path(self) -> Path:
        return Path(self.home)

    @property
    def audit_path(self) -> Path:
        return Path(self.file.audit.directory) if self.file.audit.directory else self.home_path / "audit"


def home_path(home: str | None = None) -> Path:
    """The home: as given, else CRATON_HOME, else ~/.craton."""
    return Path(home or os.environ.get("CRATON_HOME") or Path.home() / ".craton").expanduser().absolute()


def read_file(path: str | Path) -> ConfigFile:
    """The config file; ConfigError names the key that is wrong."""
    try:
        raw = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from error
    try:
        return placed(msgspec.convert(raw, ConfigFile), Path(path).absolute().parent)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: {error}") from error


def placed(file: ConfigFile, folder: Path) -> ConfigFile:
    """The configuration with the paths of cassettes, rules and policies seen from the folder of its file."""

    def seen(table: Any, *names: str) -> Any:
        given = {name: getattr(table, name) for name in names}
        full = {name: str(folder / Path(path).expanduser()) for name, path in given.items() if path}
        return msgspec.structs.replace(table, **full) if full else table

    models = [
        msgspec.structs.replace(model, target=[seen(one, "record", "cassette", "rules") for one in model.target])
        for model in file.model
    ]
    guards = file.organization
    listed = {
        name: tuple(str(folder / Path(path).expanduser()) for path in getattr(guards, name))
        for name in ("policies", "resource_policies")
    }
    return msgspec.structs.replace(
        file,
        model=models,
        testing=seen(file.testing, "cassettes"),
        audit=seen(file.audit, "directory"),
        tls=seen(file.tls, "certificate", "key", "client_ca"),
        organization=msgspec.structs.replace(guards, **listed),
    )


def load(
    *,
    home: str | None = None,
    config: str | Path | None = None,
    host: str | None = None,
    port: int | None = None,
    workers: int | None = None,
    ephemeral: bool = False,
) -> Settings:
    """Settings from a config file, the environment and the command line, the later winning."""
    place = home_path(home)
    if config is None and (place / "config.toml").is_file():
        config = place / "config.toml"
    file = read_file(config) if config is not None else ConfigFile()
    changes = {k: v for k, v in (("host", host), ("port", port), ("workers", workers)) if v is not None}
    if changes:
        file = msgspec.structs.replace(file, server=msgspec.structs.replace(file.server, **changes))
    cassettes = os.environ.get("CRATON_TESTING_CASSETTES")
    if cassettes and ephemeral:
        file = msgspec.structs.replace(file, testing=TestingTable(cassettes=cassettes))
    settings = Settings(
        home=str(place),
        file=file,
        account=os.environ.get("CRATON_ACCOUNT_ID") or "000000000000",
        region=os.environ.get("CRATON_REGION") or "us-east-1",
        ephemeral=ephemeral,
    )
    check(settings)
    return settings


def check(settings: Settings) -> None:
    """What the types cannot say."""
    if not (len(settings.account) == 12 and settings.account.isascii() and settings.account.isdigit()):
        raise ConfigError("CRATON_ACCOUNT_ID must be 12 digits")
    seen: set[str] = set()
    for model in settings.file.model:
        if model.id in seen:
            raise ConfigError(f"[[model]] id {model.id!r} stands twice")
        seen.add(model.id)
        for target in model.target:
            check_target(model.id, target)
        # Positions and counts are a process's own, and a cassette that is begun anew has one beginner.
        alone = any(target.provider == "script" or target.record_mode == "all" for target in model.target)
        if alone and settings.file.server.workers > 1:
            raise ConfigError(f'[[model]] {model.id!r}: scripts, and record_mode "all", need [server] workers = 1')
        if not any(target.weight or target.fallback for target in model.target):
            raise ConfigError(f"[[model]] {model.id!r}: no target takes requests: all have weight 0")
    for limit in settings.file.quota.limit:
        if limit.requests_per_minute is None and limit.tokens_per_minute is None:
            raise ConfigError("[[quota.limit]]: requests_per_minute or tokens_per_minute is missing")
    if bool(settings.file.tls.certificate) != bool(settings.file.tls.key) or (
        settings.file.tls.client_ca and not settings.file.tls.key
    ):
        raise ConfigError("[tls] needs both certificate and key")
    check_store(settings.file.store)
    accounts = [settings.account, *(account.id for account in settings.file.account)]
    if len(set(accounts)) != len(accounts):
        raise ConfigError("[[account]] ids must be unique and differ from the default account")


def check_store(store: StoreTable) -> None:
    """A database that is known, and secrets that stand elsewhere. The url may hold a password, so it is not repeated."""
    references = ("env:", "file:")
    if store.url and not store.url.startswith((*references, "sqlite:///", "postgresql://")):
        raise ConfigError("[store] url is neither sqlite:///FILE nor postgresql://USER@HOST/NAME nor env:NAME")
    for name in ("password", "secret"):
        if getattr(store, name) and not getattr(store, name).startswith(references):
            raise ConfigError(f"[store] {name} must name where it lies, as env:NAME or file:PATH")
    if store.password and not store.url.startswith((*references, "postgresql://")):
        raise ConfigError("[store] password belongs to a url of PostgreSQL")


def check_target(model_id: str, target: TargetTable) -> None:
    where = f"[[model]] {model_id!r}, provider {target.provider!r}"
    if target.provider not in ("local", *_ASKS_NOBODY) and not target.base_url:
        raise ConfigError(f"{where}: base_url is missing")
    if target.base_url and not target.base_url.startswith(("http://", "https://", "unix:")):
        raise ConfigError(f"{where}: base_url must begin with http://, https:// or unix:")
    for name in _SECRETS:
        given = getattr(target, name)
        if given and not given.startswith(("env:", "file:")):
            raise ConfigError(f"{where}: {name} must name where the key lies, as env:NAME or file:PATH")
    check_signing(where, target)
    check_taping(where, target)


def check_taping(where: str, target: TargetTable) -> None:
    """What replays has a cassette, what is scripted has rules; no other has either, and neither is recorded."""
    for provider, name in (("replay", "cassette"), ("script", "rules")):
        if bool(getattr(target, name)) != (target.provider == provider):
            what = "is missing" if target.provider == provider else f"belongs to the provider {provider!r}"
            raise ConfigError(f"{where}: {name} {what}")
    if target.record and target.provider in _ASKS_NOBODY:
        raise ConfigError(f"{where}: record belongs to providers that ask somebody")


def check_signing(where: str, target: TargetTable) -> None:
    """A target of AWS's has a region and keys; no other has either."""
    keys = (target.access_key_id, target.secret_access_key)
    if target.provider not in _SIGNED:
        if target.region or any(keys) or target.session_token:
            raise ConfigError(f"{where}: region and access keys belong to the providers {' and '.join(_SIGNED)}")
        return
    if not target.region:
        raise ConfigError(f"{where}: region is missing")
    if not all(keys) and (any(keys) or target.provider != "bedrock" or not target.api_key):
        other = ", or api_key for a Bedrock API key" if target.provider == "bedrock" else ""
        raise ConfigError(f"{where}: access_key_id and secret_access_key are missing{other}")


def secret(reference: str) -> str:
    """The secret behind `env:NAME` or `file:PATH`; "" stays ""."""
    if not reference:
        return ""
    scheme, _, rest = reference.partition(":")
    if scheme == "env":
        value = os.environ.get(rest)
        if value is None:
            raise ConfigError(f"the environment variable {rest} is not set")
        return value
    try:
        return Path(rest).expanduser().read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigError(f"{rest}: cannot be read: {error.strerror}") from error
