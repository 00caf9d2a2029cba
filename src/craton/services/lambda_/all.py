"""The modules that hold Lambda's handlers."""

from __future__ import annotations

from craton.services.lambda_ import (
    account,
    aliases,
    concurrency,
    functions,
    invoke,
    layer_policies,
    layers,
    managed,
    mappings,
    policies,
    retries,
    tags,
    updating,
    urls,
    versions,
)

HANDLERS = (functions, updating, versions, aliases, invoke, layers, layer_policies, policies, concurrency, retries, urls,
            tags, account, managed, mappings)  # fmt: skip
