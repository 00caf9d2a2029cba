"""Models that have an ARN of their own, and where the replicas of what serves them are: what travels to the workers.

Owns the two records that the supervisor publishes: `Hosted` (an ARN, and which deployment answers for it) and
`Placement` (a deployment, and its replicas now). It knows neither the store nor how a replica is started.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from craton.models.catalog.local import Kind

Speaks = Literal["engine", "openai", "sagemaker"]
"""How a replica is spoken to: Craton's own engine; a server of OpenAI's shape; `POST /invocations`."""

Standing = Literal["cold", "starting", "ready", "failed"]


class Hosted(msgspec.Struct, frozen=True, kw_only=True):
    """A model that is called by its ARN, and what IAM, the routes and the rules need to know of it.

    `deployment` says whose replicas answer, `adapter` which of the adapters loaded there (empty: the weights as they
    are). `foundation` is the id of the model that it was made from, where there is one in the catalog: its native
    schema and its rules hold then. `standin` is the local model that answers in that one's place, as the answers' header
    says. `waits_s` is how long a request waits for a cold start before it is told ModelNotReadyException.
    """

    arn: str
    account: str
    region: str
    name: str
    deployment: str
    adapter: str = ""
    speaks: Speaks = "engine"
    schema: str = "openai.chat"
    kind: Kind = "chat"
    foundation: str = ""
    standin: str = ""
    context_tokens: int = 0
    converse: bool = True
    active: bool = True
    """Whether it may be called at all: not while it is being made, nor after it failed."""
    waits_s: float = 2.0
    tags: dict[str, str] = {}


class Seat(msgspec.Struct, frozen=True, array_like=True):
    """A replica that takes requests. `address` is `unix:/path` or `http://host:port`.

    `slots` is how many requests it computes together (0: unknown); `adapters` are loaded into it.
    """

    id: str
    address: str
    slots: int = 0
    adapters: list[str] = []


class Placement(msgspec.Struct, frozen=True, kw_only=True):
    """A deployment's replicas that take requests now; those that drain are not among them.

    `queue` is how many requests may wait per seat before the next is throttled. `error` and `retry_after_s` say why a
    deployment cannot be brought up, and when asking again makes sense.
    """

    deployment: str
    standing: Standing = "cold"
    seats: list[Seat] = []
    queue: int = 64
    error: str = ""
    retry_after_s: float = 0.0
