"""Retrieval instructions and their versions: created, got, listed, updated, deleted.

Owns the operations and what an instruction's content may be. Its rows and their sealing are `features.rag.instructions`'s.
AWS reviews content before it serves it; here there is nothing to review, so what was accepted is ACTIVE at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import msgspec

from craton.aws.access.request import tag_keys
from craton.aws.wire.faults import conflict, validation
from craton.context import Call
from craton.features.rag.instructions import (
    ACTIVE,
    DRAFT,
    KIND,
    SHOWN,
    SHOWN_VERSION,
    VERSION_KIND,
    Content,
    Instruction,
    instruction_arn,
    opened,
    sealed,
    version_arn,
    version_name,
    version_of,
)
from craton.infra.cipher.faults import unreadable
from craton.infra.store.ids import lower_id
from craton.infra.store.port import Query, Reader, Resource, Transaction, made_before
from craton.services import stored, tagging
from craton.services.bedrock_agent import rows
from craton.services.kms.use import READING, customer_key
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes.bedrock_agent import (
        CreateRetrievalInstructionRequest,
        CreateRetrievalInstructionResponse,
        CreateRetrievalInstructionVersionRequest,
        CreateRetrievalInstructionVersionResponse,
        DeleteRetrievalInstructionRequest,
        DeleteRetrievalInstructionResponse,
        GetRetrievalInstructionRequest,
        GetRetrievalInstructionResponse,
        ListRetrievalInstructionsRequest,
        ListRetrievalInstructionsResponse,
        ListRetrievalInstructionVersionsRequest,
        ListRetrievalInstructionVersionsResponse,
        RetrievalInstructionContent,
        RetrievalInstructionSummary,
        RetrievalInstructionVersionSummary,
        UpdateRetrievalInstructionRequest,
        UpdateRetrievalInstructionResponse,
    )

# Letters of a field, and of all four together; AWS's own limits are not public.
FIELD_LETTERS, ALL_LETTERS = 8000, 20_000
EMPTY = "instruction: at least one of the fields must be present."
TOO_LONG = "instruction: {what} may have at most {most} characters."
HAS_VERSIONS = "The retrieval instruction has versions. Delete those first."

# Field of `Content` → the API's.
_FIELDS = {
    "retrieval_guidance": "retrievalGuidance",
    "persona": "persona",
    "answer_format": "answerFormat",
    "answer_policy": "answerPolicy",
}


# --- create, update ---


@operation("bedrock-agent", "CreateRetrievalInstruction")
async def create_retrieval_instruction(
    call: Call, req: CreateRetrievalInstructionRequest
) -> CreateRetrievalInstructionResponse:
    given = list((req.tags or {}).items())
    mine = instruction_arn(call.account, call.region, "*")
    tagging.authorize_create(call, "bedrock:CreateRetrievalInstruction", ("*",), mine, given)
    content, tags = content_of(req.instruction), tagging.checked(given)
    key = await customer_key(call, req.customerEncryptionKeyArn) if req.customerEncryptionKeyArn else None
    ident = lower_id(10)
    arn = instruction_arn(call.account, call.region, ident)
    with unreadable(SHOWN):
        closed = await sealed(call.app.cipher, call.account, call.region, arn, content, key)
    body = Instruction(sealed=closed, description=req.description, kms_key=key, tags=tags)
    row = rows.new(call, KIND, instruction_arn, req.name, ACTIVE, body, ident)
    asked = (req.name, content, req.description, key, tags)
    kept = await rows.keep(
        call, row, SHOWN, req.clientToken, asked, lambda store: stored.check_room(call, store, noun(call))
    )
    return cast("CreateRetrievalInstructionResponse", without_description(kept))


def content_of(given: RetrievalInstructionContent) -> Content:
    """The content of a request. Raises ValidationException."""
    fields = {ours: getattr(given, theirs) for ours, theirs in _FIELDS.items() if getattr(given, theirs)}
    if not fields:
        raise validation(EMPTY)
    for ours, text in fields.items():
        if len(text) > FIELD_LETTERS:
            raise validation(TOO_LONG.format(what=_FIELDS[ours], most=FIELD_LETTERS))
    if sum(map(len, fields.values())) > ALL_LETTERS:
        raise validation(TOO_LONG.format(what="all fields together", most=ALL_LETTERS))
    return Content(**fields)


def noun(call: Call) -> stored.Noun:
    return stored.Noun(KIND, SHOWN, call.app.settings.file.limits.retrieval_instructions)


@operation("bedrock-agent", "UpdateRetrievalInstruction")
async def update_retrieval_instruction(
    call: Call, req: UpdateRetrievalInstructionRequest
) -> UpdateRetrievalInstructionResponse:
    """All four fields and the description are replaced; versions that were made of it stay as they are."""
    row = await found(call, "bedrock:UpdateRetrievalInstruction", req.retrievalInstructionId)
    content, key = content_of(req.instruction), row.read(Instruction).kms_key
    if key is not None:
        await customer_key(call, key)
    with unreadable(SHOWN):
        closed = await sealed(call.app.cipher, call.account, call.region, row.arn, content, key)

    def changed(now: Resource) -> Resource:
        body = msgspec.structs.replace(now.read(Instruction), sealed=closed, description=req.description, updated=True)
        return msgspec.structs.replace(now, body=msgspec.json.encode(body))

    return cast("UpdateRetrievalInstructionResponse", without_description(await rows.change(call, row, SHOWN, changed)))


@operation("bedrock-agent", "CreateRetrievalInstructionVersion")
async def create_retrieval_instruction_version(
    call: Call, req: CreateRetrievalInstructionVersionRequest
) -> CreateRetrievalInstructionVersionResponse:
    """What the instruction says now, under a number that is never given again."""
    row = await found(call, "bedrock:CreateRetrievalInstructionVersion", req.retrievalInstructionId)
    claim, now = stored.claimed(call, req.clientToken, (row.id, req.description)), call.app.clock.now()

    def work(transaction: Transaction) -> Resource:
        parent = transaction.get(row.arn)
        if parent is None:
            raise rows.missing(SHOWN, row.id)
        body = parent.read(Instruction)
        number = str(body.numbered + 1)
        copied = Instruction(sealed=body.sealed, description=req.description, kms_key=body.kms_key)
        name, arn = version_name(row.id, number), version_arn(call.account, call.region, row.id, number)
        made = rows.new(call, VERSION_KIND, lambda *_: arn, name, ACTIVE, copied, lower_id())
        made = msgspec.structs.replace(made, created_at=now, updated_at=now)
        earlier = made_before(transaction, made, claim)
        if earlier is not None:
            return earlier
        counted = msgspec.structs.replace(body, numbered=body.numbered + 1)
        transaction.update(msgspec.structs.replace(parent, body=msgspec.json.encode(counted)))
        return transaction.create(made)

    with stored.faults(SHOWN_VERSION):
        kept = await call.app.storage.keep(work)
    told: dict[str, Any] = {
        "retrievalInstructionId": row.id,
        "retrievalInstructionArn": row.arn,
        "version": version_of(kept),
        "createdAt": kept.created_at,
    }
    description = kept.read(Instruction).description
    more = {"description": description} if description else {}
    return cast("CreateRetrievalInstructionVersionResponse", told | more)


# --- get, list ---


async def found(call: Call, action: str, ident: str, version: str = DRAFT) -> Resource:
    """The caller's instruction, or a version of it, if the caller may do the action on the instruction.

    Raises AccessDeniedException, ResourceNotFoundException.
    """
    arn = instruction_arn(call.account, call.region, ident)

    def look(store: Reader) -> tuple[Resource | None, Resource | None]:
        return store.get(arn), store.get(version_arn(call.account, call.region, ident, version))

    with stored.faults(SHOWN):
        row, wanted = await call.app.storage.read(look)
    tags = row.read(Instruction).tags if row is not None else {}
    call.app.live.authority.judge(call, action, [(arn, tag_keys(resource_tags=tags))], {})
    if row is None:
        raise rows.missing(SHOWN, ident)
    if wanted is None:
        raise rows.missing(SHOWN_VERSION, f"{ident}:{version}")
    return wanted


async def content(call: Call, action: str, ident: str, version: str = DRAFT) -> Content:
    """What an instruction of the caller's says, for who heeds it. Raises as `found`, and for its KMS key."""
    return await read(call, await found(call, action, ident, version))


async def read(call: Call, row: Resource) -> Content:
    key = row.read(Instruction).kms_key
    if key is not None:
        await customer_key(call, key, READING)
    with unreadable(SHOWN):
        return await opened(call.app.cipher, row)


def summary(row: Resource) -> RetrievalInstructionSummary:
    """An instruction as List shows it, and the other operations with more or less."""
    body = row.read(Instruction)
    told: dict[str, Any] = {
        "retrievalInstructionId": row.id,
        "retrievalInstructionArn": row.arn,
        "name": row.name or "",
        "status": ACTIVE,
        "lastTransitionStatus": "UPDATE_SUCCESSFUL" if body.updated else "CREATE_SUCCESSFUL",
        "createdAt": row.created_at,
        "updatedAt": row.updated_at,
    }
    more = {"description": body.description} if body.description else {}
    return cast("RetrievalInstructionSummary", told | more)


def without_description(row: Resource) -> dict[str, Any]:
    return {name: value for name, value in summary(row).items() if name != "description"}


@operation("bedrock-agent", "GetRetrievalInstruction")
async def get_retrieval_instruction(call: Call, req: GetRetrievalInstructionRequest) -> GetRetrievalInstructionResponse:
    action, version = "bedrock:GetRetrievalInstruction", req.retrievalInstructionVersion or DRAFT
    wanted = await found(call, action, req.retrievalInstructionId, version)
    row = wanted if version == DRAFT else await found(call, action, req.retrievalInstructionId)
    fields = msgspec.structs.asdict(await read(call, wanted))
    told: dict[str, Any] = {**summary(wanted), "version": version}
    told |= {"retrievalInstructionId": row.id, "retrievalInstructionArn": row.arn, "name": row.name or ""}
    told["instruction"] = {theirs: fields[ours] for ours, theirs in _FIELDS.items() if fields[ours]}
    key = wanted.read(Instruction).kms_key
    if key is not None:
        told["customerEncryptionKeyArn"] = key
    if version == DRAFT:
        newest, _ = await versions(call, row, 1, None)
        if newest:
            told["latestVersion"] = version_of(newest[0])
    return cast("GetRetrievalInstructionResponse", told)


@operation("bedrock-agent", "ListRetrievalInstructions")
async def list_retrieval_instructions(
    call: Call, req: ListRetrievalInstructionsRequest
) -> ListRetrievalInstructionsResponse:
    call.authorize("bedrock:ListRetrievalInstructions", "*")
    if req.status == "INACTIVE":  # what never passed a review; there is none here
        return {"retrievalInstructionSummaries": []}
    page, token = await rows.page(call, KIND, SHOWN, least(req.maxResults), req.nextToken)
    answer: ListRetrievalInstructionsResponse = {"retrievalInstructionSummaries": [summary(row) for row in page.items]}
    if token is not None:
        answer["nextToken"] = token
    return answer


def least(asked: int | None) -> int:
    """How many rows a page may have: what was asked, if it is no more than the usual."""
    return min(asked or stored.DEFAULT_PAGE, stored.DEFAULT_PAGE)


@operation("bedrock-agent", "ListRetrievalInstructionVersions")
async def list_retrieval_instruction_versions(
    call: Call, req: ListRetrievalInstructionVersionsRequest
) -> ListRetrievalInstructionVersionsResponse:
    """The newest first."""
    row = await found(call, "bedrock:ListRetrievalInstructionVersions", req.retrievalInstructionId)
    page, token = await versions(call, row, least(req.maxResults), req.nextToken)
    told: list[RetrievalInstructionVersionSummary] = [
        {"version": version_of(one), "createdAt": one.created_at} for one in page
    ]
    answer: ListRetrievalInstructionVersionsResponse = {"retrievalInstructionVersionSummaries": told}
    if token is not None:
        answer["nextToken"] = token
    return answer


async def versions(call: Call, row: Resource, limit: int, token: str | None) -> tuple[tuple[Resource, ...], str | None]:
    shape = stored.listing(call, row.id)
    query = Query(
        kind=VERSION_KIND,
        account=row.account,
        region=row.region,
        name_contains=version_name(row.id, ""),
        descending=True,
        limit=limit,
        after=stored.opened(call, shape, token),
    )
    with stored.faults(SHOWN_VERSION):
        page = await call.app.storage.read(lambda store: store.list(query))
    return page.items, stored.issued(call, shape, page.after)


# --- delete ---


@operation("bedrock-agent", "DeleteRetrievalInstruction")
async def delete_retrieval_instruction(
    call: Call, req: DeleteRetrievalInstructionRequest
) -> DeleteRetrievalInstructionResponse:
    """One version, or the instruction once it has none."""
    version = req.retrievalInstructionVersion or DRAFT
    row = await found(call, "bedrock:DeleteRetrievalInstruction", req.retrievalInstructionId, version)

    def work(transaction: Transaction) -> None:
        if version == DRAFT:
            of_it = Query(
                kind=VERSION_KIND,
                account=row.account,
                region=row.region,
                name_contains=version_name(row.id, ""),
                limit=1,
            )
            if transaction.list(of_it).items:
                raise conflict(HAS_VERSIONS)
        transaction.delete(row.arn)

    with stored.faults(SHOWN if version == DRAFT else SHOWN_VERSION):
        await call.app.storage.keep(work)
    ident = req.retrievalInstructionId
    told: DeleteRetrievalInstructionResponse = {
        "retrievalInstructionId": ident,
        "retrievalInstructionArn": instruction_arn(call.account, call.region, ident),
    }
    if version != DRAFT:
        told["version"] = version
    return told
