"""Settings: one frozen record, read from a TOML file and the environment.

Owns reading and checking; `config_tables` has the names of tables and keys. Knows no implementation. A secret never
stands in the file: a key names where it lies (`env:NAME` or `file:PATH`) and is read when a route is built.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any

import msgspec

from craton.config_containers import ContainerTable
from craton.config_tables import AccountId, ConfigFile, RecordTable, StoreTable, TargetTable, TestingTable

_SIGNED = ("bedrock", "sagemaker")
_ASKS_NOBODY = ("replay", "script")
_SECRETS = ("api_key", "access_key_id", "secret_access_key", "session_token")


class ConfigError(Exception):
    """The configuration cannot be used; the message says which file, where and why."""


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

    @property
    def spool_path(self) -> Path:
        """Where invocation logs wait."""
        return self.home_path / "spool" / "invocations"


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

    def contained(table: ContainerTable) -> ContainerTable:
        reads = tuple(str(folder / Path(path).expanduser()) for path in table.reads)
        command = table.command
        if command and "/" in command[0] and not (table.image or table.root):
            command = (str(folder / Path(command[0]).expanduser()), *command[1:])
        full = msgspec.structs.replace(table, reads=reads, command=command)
        found: ContainerTable = seen(full, "root", "model_dir")
        return found

    models = [
        msgspec.structs.replace(
            model,
            target=[seen(one, "record", "cassette", "rules") for one in model.target],
            container=model.container and contained(model.container),
        )
        for model in file.model
    ]
    known = [msgspec.structs.replace(one, container=contained(one.container)) for one in file.marketplace.model]
    guards = file.organization
    listed = {
        name: tuple(str(folder / Path(path).expanduser()) for path in getattr(guards, name))
        for name in ("policies", "resource_policies")
    }
    return msgspec.structs.replace(
        file,
        model=models,
        marketplace=msgspec.structs.replace(file.marketplace, model=known),
        testing=seen(file.testing, "cassettes"),
        audit=seen(file.audit, "directory"),
        prices=seen(file.prices, "file"),
        telemetry=seen(file.telemetry, "ca"),
        tls=seen(file.tls, "certificate", "key", "client_ca"),
        jobs=seen(file.jobs, "ca", "certificate", "key"),
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
        check_container(f"[[model]] {model.id!r}", model.container)
        if model.container is None and not model.target:
            raise ConfigError(f"[[model]] {model.id!r}: it has neither a target nor a container")
        if model.container is None and not any(target.weight or target.fallback for target in model.target):
            raise ConfigError(f"[[model]] {model.id!r}: no target takes requests: all have weight 0")
    for limit in settings.file.quota.limit:
        if limit.requests_per_minute is None and limit.tokens_per_minute is None:
            raise ConfigError("[[quota.limit]]: requests_per_minute or tokens_per_minute is missing")
    if bool(settings.file.tls.certificate) != bool(settings.file.tls.key) or (
        settings.file.tls.client_ca and not settings.file.tls.key
    ):
        raise ConfigError("[tls] needs both certificate and key")
    for known in settings.file.marketplace.model:
        check_container(f"[[marketplace.model]] {known.source!r}", known.container)
    check_store(settings.file.store)
    accounts = [settings.account, *(account.id for account in settings.file.account)]
    if len(set(accounts)) != len(accounts):
        raise ConfigError("[[account]] ids must be unique and differ from the default account")


def check_container(where: str, table: ContainerTable | None) -> None:
    """A container that can be run."""
    if table is not None and table.mistake:
        raise ConfigError(f"{where}: container: {table.mistake}")


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
