"""Functions, their versions and aliases, layers and URLs as rows of the store: kinds, bodies, ARNs.

Owns what operations, invocations and the functions' host all know of them. It must not know HTTP, nor how a function is
run. A version's row is a copy of what the function was when it was published; `$LATEST` lies in the function's own row.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import msgspec

from craton.aws.arn import make

FUNCTION, VERSION, ALIAS = "lambda-function", "lambda-version", "lambda-alias"
LAYER, LAYER_VERSION = "lambda-layer", "lambda-layer-version"
URL, CODE = "lambda-url", "lambda-code"

LATEST: Final = "$LATEST"
ACTIVE, INACTIVE, FAILED = "Active", "Inactive", "Failed"
SERVICE: Final = "lambda.amazonaws.com"
"""The principal that assumes execution roles."""


class Code(msgspec.Struct, frozen=True):
    """A zip as it is kept: SHA-256 of its bytes (in hex), what it measures packed and unpacked, and the sealed blob."""

    sha256: str
    size: int
    unpacked: int
    blob: str


class LayerUse(msgspec.Struct, frozen=True):
    """A layer's version in a function, which goes on having it after the version was deleted."""

    arn: str
    code: Code


class Configuration(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a version of a function is. `environment` is sealed (`features.functions.environment`).

    `logging` is the API's LoggingConfig with every member filled in; `vpc` its VpcConfig, which is shown and
    changes nothing: `[lambda] network` says what functions reach.
    """

    role: str
    code: Code
    modified_at: datetime
    revision: str
    runtime: str
    handler: str = ""
    version: str = LATEST
    description: str = ""
    timeout_s: int = 3
    memory_mb: int = 128
    ephemeral_mb: int = 512
    architecture: str = "x86_64"
    environment: bytes | None = None
    kms_key: str | None = None
    layers: tuple[LayerUse, ...] = ()
    logging: dict[str, str] = {}
    tracing: str = "PassThrough"
    dead_letter: str | None = None
    vpc: dict[str, list[str]] = {}


class Policy(msgspec.Struct, frozen=True):
    """The resource policy of a function, version, alias or layer version."""

    document: str
    revision: str


class Retries(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What becomes of asynchronous invocations; a destination is an ARN, or a webhook's URL."""

    modified_at: datetime
    attempts: int | None = None
    age_s: int | None = None
    on_success: str | None = None
    on_failure: str | None = None


class Provisioned(msgspec.Struct, frozen=True):
    """So many environments of a version or alias are kept warm."""

    count: int
    modified_at: datetime


class Function(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A function's row. The maps have what belongs to a qualifier under it: a version's number, an alias, `$LATEST`.

    `reserved` is the reserved concurrency, None for none; `next_version` the number that is published next.
    """

    latest: Configuration
    next_version: int = 1
    reserved: int | None = None
    recursion: str = "Terminate"
    tags: dict[str, str] = {}
    policies: dict[str, Policy] = {}
    retries: dict[str, Retries] = {}
    provisioned: dict[str, Provisioned] = {}
    runtimes: dict[str, dict[str, str]] = {}


class Alias(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`weights` are the shares of further versions (0 to 1); the rest is `version`'s."""

    version: str
    revision: str
    description: str = ""
    weights: dict[str, float] = {}


class Layer(msgspec.Struct, frozen=True, omit_defaults=True):
    """The name of a layer, which outlives its versions: numbers are never given twice."""

    next_version: int = 1


class LayerVersion(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    code: Code
    version: int
    description: str = ""
    runtimes: tuple[str, ...] = ()
    architectures: tuple[str, ...] = ()
    license: str | None = None
    policy: Policy | None = None


class FunctionUrl(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A URL's row; its id is the first label of its host. `qualifier` is an alias or None, `cors` the API's Cors."""

    function: str
    auth: str
    qualifier: str | None = None
    mode: str = "BUFFERED"
    cors: dict[str, Any] = {}


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """All that the host needs to run one version. `arn` is the function's, `invoked` the one that the caller named.

    Environments are shared by whoever has the same `key`. `reserved` and `provisioned` are the function's at this moment.
    """

    arn: str
    invoked: str
    configuration: Configuration
    reserved: int | None = None
    provisioned: int = 0

    @property
    def name(self) -> str:
        return self.arn.rpartition(":")[2]

    @property
    def key(self) -> tuple[str, str, str]:
        """What an environment was made for: another revision needs another one."""
        return self.arn, self.configuration.version, self.configuration.revision


def function_arn(account: str, region: str, name: str, qualifier: str | None = None) -> str:
    found = make("lambda", region, account, f"function:{name}")
    return found if qualifier is None else f"{found}:{qualifier}"


def layer_arn(account: str, region: str, name: str, version: int | None = None) -> str:
    found = make("lambda", region, account, f"layer:{name}")
    return found if version is None else f"{found}:{version}"


def log_group(plan: Plan) -> str:
    """Where the function's log goes."""
    return plan.configuration.logging.get("LogGroup") or f"/aws/lambda/{plan.name}"
