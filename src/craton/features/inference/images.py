"""Pictures: a native body in, a native body out, by a model that paints.

The body is read by the model's own dialect and written for the target by the provider. Where the target speaks the
caller's schema, body and reply pass through once the body has been checked. Knows no schema and no HTTP.
"""

from __future__ import annotations

import asyncio

import msgspec

from craton.context import Call
from craton.features.inference import balance, kinds, run
from craton.features.inference.kinds import Counted
from craton.features.inference.quotas.quota import hold_tokens
from craton.features.inference.routing.routes import Resolved, Target
from craton.models.canon.image import ImageReply, ImageRequest
from craton.models.dialects.dialect import Ledger
from craton.models.dialects.images.all import image_dialect
from craton.models.dialects.images.dialect import ImageDialect
from craton.models.providers.provider import Paints, PaintsNative

# Reading a body decodes base64 and writing one encodes it: from this size on, beside the loop.
_LARGE_BYTES = 256 * 1024


class _Pictures(msgspec.Struct):
    images: list[msgspec.Raw] = []
    artifacts: list[msgspec.Raw] = []


async def invoke(call: Call, resolved: Resolved, model_id: str, body: bytes) -> tuple[bytes, Counted]:
    """The native reply to a native body. Nobody counts tokens of pictures. Raises Fault."""
    kinds.check_route(resolved.route, "image")
    dialect = image_dialect(resolved.route.native)
    if dialect is None:
        raise kinds.no_such_schema(resolved.route)
    request = await read(dialect, body, resolved.route.model_id)

    async def ask(target: Target) -> tuple[bytes, Target, Ledger]:
        ledger = run.ledger_of(call)
        attempt = run.attempt(call, resolved, target, ledger)
        provider = target.provider
        if not target.standin and isinstance(provider, PaintsNative) and provider.image_schema in (dialect.name, "*"):
            native = await provider.paint_native(body, attempt)
            call.images = pictures_in(native)
            return native, target, ledger
        painted = await asked(call, resolved, target, request, ledger)
        call.images = len(painted.pictures)
        return dialect.write_reply(painted, request), target, ledger

    with await hold_tokens(call, resolved):
        native, target, ledger = await balance.first_answer(resolved.route, ask, call)
    run.tell(call, target, ledger)
    return native, Counted()


async def paint(call: Call, resolved: Resolved, request: ImageRequest) -> ImageReply:
    """The pictures of the first target that gives some. Raises Fault."""
    kinds.check_route(resolved.route, "image")

    async def ask(target: Target) -> tuple[ImageReply, Target, Ledger]:
        ledger = run.ledger_of(call)
        return await asked(call, resolved, target, request, ledger), target, ledger

    with await hold_tokens(call, resolved):
        reply, target, ledger = await balance.first_answer(resolved.route, ask, call)
    run.tell(call, target, ledger)
    call.images = len(reply.pictures)
    return reply


def pictures_in(native: bytes) -> int:
    """How many pictures a native reply holds, in either of the shapes that families have."""
    try:
        found = msgspec.json.decode(native, type=_Pictures)
    except msgspec.MsgspecError:
        return 0
    return len(found.images) + len(found.artifacts)


async def asked(call: Call, resolved: Resolved, target: Target, request: ImageRequest, ledger: Ledger) -> ImageReply:
    """What one target paints; that it can paint was checked when the route was made."""
    if not isinstance(target.provider, Paints):
        raise kinds.no_such_schema(resolved.route)
    return await target.provider.paint(request, run.attempt(call, resolved, target, ledger))


async def read(dialect: ImageDialect, body: bytes, model_id: str) -> ImageRequest:
    """The body as the canon has it. Raises ValidationException that names the member at fault."""
    if len(body) < _LARGE_BYTES:
        return dialect.read_request(body, model_id)
    return await asyncio.to_thread(dialect.read_request, body, model_id)
