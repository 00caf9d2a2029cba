"""The tables of the config file that say how containers of models are run, and what endpoints may be made of.

Owns names, types and defaults, and what must stand together. Reading is `config`'s; must not know how they are run.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

_Positive = Annotated[float, Meta(gt=0)]
_Count = Annotated[int, Meta(ge=0, le=10_000)]


class ContainerTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What runs (an `image`, a `root` folder or a `command` alone), how it is spoken to, what it needs, how it scales.

    `model_dir` lies at /opt/ml/model inside, `reads` are folders seen where they are. `memory_bytes` is what a replica
    takes, and where it ends; `gpus` likewise: None is what an endpoint's instance type says, else nothing.
    """

    image: str = ""
    root: str = ""
    command: tuple[str, ...] = ()
    model_dir: str = ""
    reads: tuple[str, ...] = ()
    env: dict[str, str] = {}
    port: Annotated[int, Meta(ge=0, le=65535)] = 8080
    speaks: Literal["sagemaker", "openai"] = "sagemaker"
    schema: str = ""
    health: Annotated[str, Meta(pattern=r"^(/\S*)?\Z")] = ""
    user: str = ""
    pull: Literal["never", "missing"] = "never"
    threads: Annotated[int, Meta(ge=0)] = 0
    processes: Annotated[int, Meta(ge=1)] = 512
    memory_bytes: Annotated[int, Meta(ge=0)] | None = None
    scratch_bytes: Annotated[int, Meta(ge=4096)] = 1 << 30
    gpus: Annotated[float, Meta(ge=0)] | None = None
    start_timeout_s: _Positive = 120.0
    least: _Count = 0
    most: Annotated[int, Meta(ge=1, le=10_000)] = 1
    target: _Positive = 8.0
    down_after_s: Annotated[float, Meta(ge=0)] = 120.0
    idle_timeout_s: Annotated[float, Meta(ge=0)] = 900.0
    queue: Annotated[int, Meta(ge=0)] = 64

    @property
    def mistake(self) -> str:
        """What does not fit together, in words; empty where all does."""
        if self.image and self.root:
            return "it has both an image and a root folder"
        if not (self.image or self.root or self.command):
            return "it has neither an image nor a root folder nor a command"
        if self.port == 0 and not any("{uds}" in word for word in self.command):
            return "with port = 0 its command must name the socket to listen on, as {uds}"
        if self.most < self.least:
            return "most is smaller than least"
        if any(not name.isidentifier() for name in self.env):
            return "a name in env is none of an environment variable"
        return ""


class MarketplaceModelTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A model that endpoints can be made of. `source` is its hub content's ARN, or its name in it for all versions."""

    source: Annotated[str, Meta(min_length=1, max_length=2048)]
    container: ContainerTable
    name: str = ""
    eula: bool = False
    instances: tuple[str, ...] = ()
    context_tokens: int = 0


class MarketplaceTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What CreateMarketplaceModelEndpoint can run, and how many endpoints an account may have in a region."""

    model: list[MarketplaceModelTable] = []
    endpoints: Annotated[int, Meta(ge=0)] = 100
