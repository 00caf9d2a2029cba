"""A knowledge base that is asked, and as whom its models are asked: its own role for embeddings, the caller for the rest.

Owns the record of a knowledge base that was found and judged, and calls within a call. Who may ask a knowledge base is
decided before (`services/bedrock_agent_runtime/found.py`). It must not know vectors or prompts.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import cache
from typing import Any, Literal, TypeVar

import msgspec

from craton.aws.access.credentials import Principal
from craton.aws.wire.faults import Fault
from craton.aws.wire.model import Operation, load
from craton.context import Call
from craton.features.inference import run
from craton.features.inference.routing.routes import Resolved
from craton.features.rag.resources import KnowledgeBase

Invocation = Literal["InvokeModel", "Converse", "ConverseStream"]
T = TypeVar("T")
_TRACE = (b"traceparent", b"tracestate")


class Base(msgspec.Struct, frozen=True):
    """A knowledge base as it is asked: its row's names, its body, and the session of its role."""

    id: str
    arn: str
    account: str
    region: str
    body: KnowledgeBase
    role: Principal


@cache
def _operation(name: Invocation) -> Operation:
    return load("bedrock-runtime").operations[name]


def within(call: Call, name: Invocation, caller: Principal | None = None) -> Call:
    """An invocation of a model that a call makes on its way: as the same caller, or as another, in the same region.

    It has none of the headers but those of the trace, and is counted as an invocation by itself (`counted`).
    """
    traced = {name: call.headers[name] for name in _TRACE if name in call.headers}
    return Call(
        call.app, _operation(name), caller or call.caller, call.region, call.request_id, traced,
        call.app.clock.monotonic(), call.report,
    )  # fmt: skip


def resolved_for(inner: Call, model: str, *, managed: bool = False) -> Resolved:
    """The route to a model that this call's caller may invoke, or that the service itself chose (`managed`)."""
    if not managed:
        return run.resolve(inner, model, run.INVOKE)
    resolved: Resolved = inner.app.live.routes.resolve(model, inner.account, inner.region)
    inner.resolved, inner.named = resolved, model
    return resolved


async def counted(call: Call, work: Callable[[Call], Coroutine[Any, Any, T]]) -> T:
    """The result of an invocation, which the account's metrics count like one that came by itself."""
    meter = call.app.meter
    try:
        done = await work(call)
    except Fault as fault:
        if meter is not None:
            meter.failed(call, fault)
        raise
    if meter is not None:
        meter.served(call)
    return done
