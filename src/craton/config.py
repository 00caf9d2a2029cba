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
]


_SIGNED = ("bedrock", "sagemaker")
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
    enabled: bool = True
    model: str = SAMPLE_MODEL


class StoreTable(Table, frozen=True):
    url: str = ""


class BlobsTable(Table, frozen=True):
    url: str = ""
    endpoint_url: str = ""


class VectorsTable(Table, frozen=True):
    url: str = ""


class ComputeTable(Table, frozen=True):
    backend: Literal["local"] = "local"
    threads: Annotated[int, Meta(ge=0)] = 0
    idle_timeout_s: Annotated[float, Meta(ge=0)] = 900.0
    start_timeout_s: Positive = 60.0


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
    fallback: bool = False
    retains_data: bool = False
    quirks: dict[str, Any] = {}
    region: str = ""
    access_key_id: str = ""
    secret_access_key: str = ""
    session_token: str = ""


class ModelTable(Table, frozen=True):
    """`dialect` is the native schema of an id that the catalog does not know."""

    id: Annotated[str, Meta(min_length=1, max_length=256, pattern=r"^[a-zA-Z0-9_.:/-]+\Z")]
    target: Annotated[list[TargetTable], Meta(min_length=1)]
    name: str = ""
    dialect: str = ""
    context_tokens: int | None = None
    max_output_tokens: int | None = None


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
    translation: TranslationTable = TranslationTable()
    compat: CompatTable = CompatTable()
    model: list[ModelTable] = []
    account: list[AccountTable] = []


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the composition root needs. `home` is absolute; `ephemeral` keeps nothing after the end."""

    home: str
    file: ConfigFile
    account: AccountId = "000000000000"
    region: str = "us-east-1"
    ephemeral: bool = False

    @property
    def home_path(self) -> Path:
        return Path(self.home)


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
        return msgspec.convert(raw, ConfigFile)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: {error}") from error


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
    accounts = [settings.account, *(account.id for account in settings.file.account)]
    if len(set(accounts)) != len(accounts):
        raise ConfigError("[[account]] ids must be unique and differ from the default account")


def check_target(model_id: str, target: TargetTable) -> None:
    where = f"[[model]] {model_id!r}, provider {target.provider!r}"
    if target.provider != "local" and not target.base_url:
        raise ConfigError(f"{where}: base_url is missing")
    if target.base_url and not target.base_url.startswith(("http://", "https://", "unix:")):
        raise ConfigError(f"{where}: base_url must begin with http://, https:// or unix:")
    for name in _SECRETS:
        given = getattr(target, name)
        if given and not given.startswith(("env:", "file:")):
            raise ConfigError(f"{where}: {name} must name where the key lies, as env:NAME or file:PATH")
    check_signing(where, target)


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
