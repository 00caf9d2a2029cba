"""What is counted of the invocations of one model, by one account in one region, for one use, in one minute.

Owns the record, which travels from workers to the supervisor, and how two become one. Latencies and tokens are kept as
how often each number was found, so nothing is lost on the way. Pure.
"""

from __future__ import annotations

import msgspec

Tallied = dict[int, int]
"""A number → how often it was found."""


class Record(msgspec.Struct, array_like=True):
    """Counts. Times are in ms; `first_ms` is of streams alone, cache tokens of requests that had some."""

    invocations: int = 0
    client_errors: int = 0
    server_errors: int = 0
    throttles: int = 0
    images: int = 0
    latency_ms: Tallied = {}
    first_ms: Tallied = {}
    input_tokens: Tallied = {}
    output_tokens: Tallied = {}
    cache_read_tokens: Tallied = {}
    cache_write_tokens: Tallied = {}


COUNTS = ("invocations", "client_errors", "server_errors", "throttles", "images")
SPREADS = ("latency_ms", "first_ms", "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")


class Use(msgspec.Struct, frozen=True, array_like=True):
    """For whom and with what a model was invoked, beside how it was named.

    `principal`: the caller's ARN; `served`: the id of the model behind the name; `profile`: the ARN of the inference
    profile or prompt router that was named, "" without; `tags` of that or of the hosted model, and the request's
    `metadata`: pairs in order of their keys, as JSON, "" for none; `kind` of that model: chat, embedding, image, rerank.
    """

    principal: str = ""
    served: str = ""
    profile: str = ""
    tags: str = ""
    metadata: str = ""
    kind: str = ""


NOBODYS = Use()


class Row(msgspec.Struct, frozen=True, array_like=True):
    """A record with what it is of. `minute_s` is when the minute begins, in seconds since 1970."""

    minute_s: int
    account: str
    region: str
    model: str
    record: Record
    use: Use = NOBODYS


def add(into: Record, more: Record) -> None:
    for name in COUNTS:
        setattr(into, name, getattr(into, name) + getattr(more, name))
    for name in SPREADS:
        found: Tallied = getattr(into, name)
        for number, count in getattr(more, name).items():
            found[number] = found.get(number, 0) + count
