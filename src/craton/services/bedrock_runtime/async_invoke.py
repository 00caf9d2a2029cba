"""StartAsyncInvoke, GetAsyncInvoke and ListAsyncInvokes.

Owns what such a request must be, which model it leads to, and how an invocation is shown. What is done is the
workflow's (`workflows.async_invoke`); the two meet in the invocation's row (`features.async_invoke.invocation`).
"""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, Any

import msgspec

from craton.aws.access.request import tag_keys
from craton.aws.access.variables import Value
from craton.aws.wire.faults import Fault, access_denied, not_found, validation
from craton.context import Call
from craton.features.async_invoke import tasks, upstreams
from craton.features.async_invoke.invocation import (
    IN_PROGRESS,
    INPUT,
    KIND,
    SHOWN,
    AsyncInvocation,
    Place,
    Task,
    invocation_arn,
)
from craton.features.inference import kinds
from craton.features.inference.routing.routes import NO_ACCESS, foundation_model_arn, named_arn
from craton.infra.store.port import Resource, Transaction
from craton.models.catalog.rows import Model
from craton.services import started, stored, tagging
from craton.services.bedrock.invocation_jobs import reachable
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes.bedrock_runtime import (
        AsyncInvokeSummary,
        GetAsyncInvokeRequest,
        GetAsyncInvokeResponse,
        ListAsyncInvokesRequest,
        ListAsyncInvokesResponse,
        StartAsyncInvokeRequest,
        StartAsyncInvokeResponse,
    )

INVOKE = "bedrock:InvokeModel"
NOT_THERE = "The requested asynchronous invocation could not be found."
NOT_VALID = "The provided request is not valid"
NO_PLACE = "The provided output data config must name a location in Amazon S3."
NO_BUCKET = "Invalid S3 credentials: {why}"
NO_KEY = "The provided KMS key cannot be used: {why}"
_LARGE_BYTES = 256 * 1024
_encode = msgspec.json.Encoder().encode


class Chosen(msgspec.Struct, frozen=True):
    """A model as an invocation needs it: `called` is the id that the gateway takes, `resources` are judged by IAM."""

    model_id: str
    called: str
    schema: str
    resources: tuple[str, ...]
    is_video: bool


# --- start ---


@operation("bedrock-runtime", "StartAsyncInvoke")
async def start_async_invoke(call: Call, req: StartAsyncInvokeRequest) -> StartAsyncInvokeResponse:
    """Everything that can be known now is checked now; the run goes on from the sealed input."""
    mine = invocation_arn(call.account, call.region, "*")
    given = [(tag.key, tag.value) for tag in req.tags or ()]
    chosen = choose(call, req.modelId, mine, given)
    tags = checked_tags(given)
    place = place_of(req.outputDataConfig.s3OutputDataConfig)
    if not isinstance(req.modelInput, dict):
        raise validation(NOT_VALID)
    plain = _encode(req.modelInput)
    body = AsyncInvocation(
        model_id=chosen.model_id,
        model_arn=foundation_model_arn(chosen.model_id, call.region),
        called=chosen.called,
        schema=chosen.schema,
        task=await decided(call, chosen, plain),
        target=place,
        caller=call.caller,
        token=req.clientRequestToken,
        tags=tags,
    )
    row = stored.new_row(call, stored.Noun(KIND, SHOWN, 0), invocation_arn, "", body)
    row = msgspec.structs.replace(row, name=None, status=IN_PROGRESS)
    await check_place(call, place, row.id)
    request = (req.modelId, hashlib.sha256(plain).hexdigest(), place, tags)
    made = await keep(call, row, req.clientRequestToken, request, plain)
    return {"invocationArn": made.arn}


async def decided(call: Call, chosen: Chosen, plain: bytes) -> Task:
    """`task_of`, beside the loop where the input is large."""
    if len(plain) < _LARGE_BYTES:
        return task_of(call, chosen, plain)
    return await asyncio.to_thread(task_of, call, chosen, plain)


def task_of(call: Call, chosen: Chosen, plain: bytes) -> Task:
    """What is to be done with the input, which is held against the model's schema. Raises ValidationException."""
    target = upstreams.target_of(call.app.settings.file, chosen.model_id)
    if chosen.is_video:
        upstreams.check_video_target(target, chosen.model_id)
        if target is None and not call.app.settings.file.standins.enabled:
            raise not_found(kinds.NO_LOCAL.format(made="videos", example="PATH", id=chosen.model_id))
    if upstreams.relays(target) and (chosen.is_video or chosen.schema in {*tasks.MARENGO, tasks.NOVA_EMBED}):
        tasks.check_relayed(chosen.schema, plain, chosen.model_id)
        return "relay"
    return tasks.task_of(chosen.schema, plain, chosen.model_id)


async def keep(call: Call, row: Resource, token: str | None, request: object, plain: bytes) -> Resource:
    """Keep the invocation, its run and its input together, or find the invocation that the same token made."""
    from craton.infra.jobs import runs  # with the SQL toolkit, which a server without jobs never loads

    bound = runs.bound(row.arn, INPUT)
    content = msgspec.msgpack.encode(plain)
    sealed = await call.app.cipher.seal(call.account, runs.STEP_PURPOSE, None, content, bound, region=call.region)

    def give(transaction: Transaction) -> None:
        transaction.run(lambda connection: runs.give(connection, row.arn, INPUT, sealed, row.created_at))

    return await started.keep(call, row, SHOWN, token=token, request=request, also=give)


def checked_tags(given: list[tuple[str, str]]) -> tagging.Tags:
    """The tags; too many of them are this operation's ValidationException."""
    try:
        return tagging.checked(given)
    except Fault as fault:
        raise validation(fault.message) from None


# --- which model ---


def choose(call: Call, identifier: str, mine: str, tags: list[tuple[str, str]]) -> Chosen:
    """The model, if the caller may invoke it and it takes such calls. Raises AccessDenied- and ValidationException."""
    try:
        chosen = found(call, identifier)
    except Fault:
        # Whoever may not ask learns nothing of what is there.
        tagging.authorize_create(call, INVOKE, (named_arn(identifier, call.region), mine), mine, tags)
        raise
    tagging.authorize_create(call, INVOKE, (*chosen.resources, mine), mine, tags)
    if chosen.schema not in tasks.ASYNCHRONOUS:
        raise tasks.not_asynchronous()
    return chosen


def found(call: Call, identifier: str) -> Chosen:
    """What the id or ARN leads to. A video model that nothing is configured for leads to the stand-in."""
    name = reachable(call, identifier)
    routes = call.app.live.routes
    model: Model | None = call.app.catalog.find(name)
    if model is not None and model.family == "video" and model.model_id not in routes.by_id:
        if not routes.agreements.allow(model, call.account):
            raise access_denied(NO_ACCESS)
        arn = foundation_model_arn(model.model_id, call.region)
        return Chosen(model.model_id, name, model.dialect, (arn,), is_video=True)
    resolved = routes.resolve(name, call.account, call.region)
    route = resolved.route
    is_video = route.model is not None and route.model.family == "video"
    if resolved.router is not None or (route.kind not in ("image", "embedding") and not is_video):
        return Chosen(route.model_id, name, "", resolved.resources, is_video=False)
    if not is_video:
        kinds.check_route(route, route.kind)
    schema = route.model.dialect if is_video and route.model is not None else route.native
    return Chosen(route.model_id, name, schema, resolved.resources, is_video)


# --- where the results go ---


def place_of(given: Any) -> Place:
    """The place that was asked for. Raises ValidationException for a union without its one member."""
    if given is None:
        raise validation(NO_PLACE)
    return Place(given.s3Uri, given.bucketOwner, given.kmsKeyId)


async def check_place(call: Call, place: Place, ident: str) -> None:
    """Raise ValidationException for a bucket or a key that the caller may not use.

    What lies in an S3 elsewhere is found out when the run writes there.
    """
    from craton.services.s3 import gate  # S3 and KMS are loaded by the first who asks for them

    if call.app.settings.file.s3.endpoint_url:
        return
    keys: dict[str, Value] = {}
    if place.kms_key is not None:
        keys = {
            "s3:x-amz-server-side-encryption": "aws:kms",
            "s3:x-amz-server-side-encryption-aws-kms-key-id": place.kms_key,
        }
    try:
        await gate.opened(
            call, place.bucket, "s3:PutObject", f"{place.folder(ident)}manifest.json", given=keys,
            expected_owner=place.owner,
        )  # fmt: skip
    except Fault as fault:
        if fault.http_status() >= 500:
            raise
        raise validation(NO_BUCKET.format(why=fault.message)) from None
    if place.kms_key is not None:
        await check_key(call, place.kms_key)


async def check_key(call: Call, name: str) -> None:
    """Raise ValidationException for a key that S3 could not seal with for this caller."""
    from craton.services.kms import asked
    from craton.services.kms.asked import ONLY_ENABLED, Need

    need = Need(
        action="kms:GenerateDataKey", states=ONLY_ENABLED, aliases=True, context={},
        via=f"s3.{call.region}.amazonaws.com",
    )  # fmt: skip
    try:
        await asked.usable(call, name, need)
    except Fault as fault:
        if fault.http_status() >= 500:
            raise
        raise validation(NO_KEY.format(why=fault.message)) from None


# --- get, list ---


def shown(row: Resource) -> AsyncInvokeSummary:
    """An invocation as Get and List show it: the results' own folder, in the place of the one that was asked for."""
    body = row.read(AsyncInvocation)
    place = {"s3Uri": body.target.result_uri(row.id), "kmsKeyId": body.target.kms_key, "bucketOwner": body.target.owner}
    told: AsyncInvokeSummary = {
        "invocationArn": row.arn,
        "modelArn": body.model_arn,
        "status": row.status,  # the row holds one of them
        "submitTime": row.created_at,
        "lastModifiedTime": row.updated_at,
        "outputDataConfig": {"s3OutputDataConfig": {key: text for key, text in place.items() if text is not None}},  # type: ignore[typeddict-item]
    }
    if body.token:
        told["clientRequestToken"] = body.token
    if body.message:
        told["failureMessage"] = body.message
    if body.ended_at:
        told["endTime"] = body.ended_at
    return told


@operation("bedrock-runtime", "GetAsyncInvoke")
async def get_async_invoke(call: Call, req: GetAsyncInvokeRequest) -> GetAsyncInvokeResponse:
    with stored.faults(SHOWN):
        row = await call.app.storage.read(lambda store: store.get(req.invocationArn))
    mine = row is not None and row.kind == KIND and stored.belongs(call, row)
    tags = row.read(AsyncInvocation).tags if row is not None and mine else {}
    asked_for = [(req.invocationArn, tag_keys(resource_tags=tags))]
    call.app.live.authority.judge(call, "bedrock:GetAsyncInvoke", asked_for, {})
    if row is None or not mine:
        raise validation(NOT_THERE)
    answer: GetAsyncInvokeResponse = {**shown(row)}  # type: ignore[typeddict-item]  # the same members
    return answer


@operation("bedrock-runtime", "ListAsyncInvokes")
async def list_async_invokes(call: Call, req: ListAsyncInvokesRequest) -> ListAsyncInvokesResponse:
    """The newest first, unless it is asked otherwise."""
    call.authorize("bedrock:ListAsyncInvokes", "*")
    page, token = await started.page(
        call,
        KIND,
        SHOWN,
        after=req.submitTimeAfter,
        before=req.submitTimeBefore,
        status=req.statusEquals,
        order=req.sortOrder,
        limit=req.maxResults,
        token=req.nextToken,
    )
    answer: ListAsyncInvokesResponse = {"asyncInvokeSummaries": [shown(row) for row in page.items]}
    if token is not None:
        answer["nextToken"] = token
    return answer
