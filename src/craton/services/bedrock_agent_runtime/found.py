"""The knowledge base that an operation of the runtime names, if the caller may do the operation's actions on it.

Owns the order: judged first (by the caller's policies and the knowledge base's own), then looked at, so that whoever may
not ask learns nothing of what is there; and the session of its role, which must still be there and trust Bedrock. It must
not know searches or models.
"""

from __future__ import annotations

from craton.aws.access.credentials import Principal
from craton.aws.wire.faults import validation
from craton.context import Call
from craton.features.rag.resources import ACTIVE, KNOWLEDGE_BASE, SHOWN_BASE, UPDATING, KnowledgeBase, base_arn
from craton.features.rag.retrieval.acting import Base
from craton.infra.identities import records
from craton.infra.identities.records import Role
from craton.infra.store.port import Reader, Resource
from craton.services import stored
from craton.services.bedrock_agent import base_policy, rows
from craton.services.passing import BEDROCK, trusts

RETRIEVE = "bedrock:Retrieve"
SESSION = "CratonKnowledgeBase"
NO_ROLE = (
    "The knowledge base's role {role} could not be assumed. Check that it exists and that its trust policy allows "
    "{service} to perform sts:AssumeRole."
)
NOT_READY = "The knowledge base with id {id} cannot be asked while its status is {status}."
OTHER_TYPE = "The knowledge base with id {id} is of the type {type}, which this operation does not take."
_SEARCHED = frozenset({"VECTOR", "MANAGED"})


async def knowledge_base(call: Call, identifier: str, *actions: str, types: frozenset[str] = _SEARCHED) -> Base:
    """A knowledge base by its id or ARN, with all that its retrieval needs; `actions` are RETRIEVE unless given.

    Raises AccessDeniedException, ResourceNotFoundException, ValidationException (its state, its type, its role).
    """
    arn = identifier if identifier.startswith("arn:") else base_arn(call.account, call.region, identifier)

    def look(store: Reader) -> tuple[Resource | None, KnowledgeBase | None, Resource | None]:
        row = store.get(arn)
        body = row.read(KnowledgeBase) if row is not None and row.kind == KNOWLEDGE_BASE else None
        return row, body, None if body is None else store.get(body.role_arn)

    with stored.faults(SHOWN_BASE):
        row, body, role = await call.app.storage.read(look)
    for action in actions or (RETRIEVE,):
        base_policy.judge(call, action, arn, body)
    ident = arn.rpartition("/")[2]
    if row is None or body is None or row.region != call.region:
        raise rows.missing(SHOWN_BASE, ident)
    if row.status not in (ACTIVE, UPDATING):
        raise validation(NOT_READY.format(id=ident, status=row.status))
    kind = body.configuration["type"]
    if kind not in types:
        raise validation(OTHER_TYPE.format(id=ident, type=kind))
    return Base(row.id, row.arn, row.account, row.region, body, session_of(row, body, role))


def session_of(row: Resource, body: KnowledgeBase, role: Resource | None) -> Principal:
    """Who the knowledge base is when it asks its embedding model. Raises ValidationException."""
    if role is None or role.kind != records.ROLE or role.account != row.account or not trusts(role, BEDROCK, row.arn):
        raise validation(NO_ROLE.format(role=body.role_arn, service=BEDROCK))
    name = role.read(Role).name
    return Principal(
        account=role.account,
        arn=f"arn:aws:sts::{role.account}:assumed-role/{name}/{SESSION}",
        kind="assumed-role",
        user_id=f"{role.id}:{SESSION}",
        role_arn=role.arn,
    )
