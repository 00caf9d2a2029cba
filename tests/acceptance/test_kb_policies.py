"""Resource policies of knowledge bases: put, got, deleted, and what another account may do by one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.acceptance.identities import allow, document, user_key, with_key
from tests.acceptance.knowledge import Knowledge, knowledge
from tests.acceptance.resources import OTHER, OTHER_KEY, OTHER_SECRET, refused
from tests.running import Running

CUSTOM = {
    "type": "MANAGED_KNOWLEDGE_BASE_CONNECTOR",
    "managedKnowledgeBaseConnectorConfiguration": {"connectorParameters": {"type": "CUSTOM", "version": "1"}},
}
GUEST = {"Principal": {"AWS": f"arn:aws:iam::{OTHER}:root"}}


@pytest.fixture(scope="session")
def server(libraries: Running) -> Running:
    return libraries


@pytest.fixture(scope="session")
def shared(server: Running) -> Knowledge:
    """A managed knowledge base without documents."""
    return knowledge(server, "shared", config={"type": "MANAGED"}, source={"dataSourceConfiguration": CUSTOM})


def arn_of(where: Knowledge) -> str:
    return f"arn:aws:bedrock:us-east-1:000000000000:knowledge-base/{where.base}"


def others(server: Running, service: str) -> Any:
    return server.client(service, aws_access_key_id=OTHER_KEY, aws_secret_access_key=OTHER_SECRET)


def ask(client: Any, where: Knowledge) -> Any:
    return client.retrieve(knowledgeBaseId=arn_of(where), retrievalQuery={"text": "cats"})


def test_revisions_of_a_policy(shared: Knowledge) -> None:
    """It is shown as it was put, and is changed by whoever knows its revision."""
    agent, arn = shared.agent, arn_of(shared)
    with refused("ResourceNotFoundException", 404, "no resource policy"):
        agent.get_resource_policy(resourceArn=arn)
    text = document(allow("bedrock:Retrieve", arn, **GUEST))
    first = agent.put_resource_policy(resourceArn=arn, policy=text)["revisionId"]
    got = agent.get_resource_policy(resourceArn=arn)
    assert (got["policy"], got["revisionId"], got["resourceArn"]) == (text, first, arn)
    second = agent.put_resource_policy(resourceArn=arn, policy=text, expectedRevisionId=first)["revisionId"]
    assert second != first
    with refused("ConflictException", 409, "changed by another request"):
        agent.put_resource_policy(resourceArn=arn, policy=text, expectedRevisionId=first)
    with refused("ConflictException", 409, "changed by another request"):
        agent.delete_resource_policy(resourceArn=arn, expectedRevisionId=first)
    assert agent.delete_resource_policy(resourceArn=arn, expectedRevisionId=second)["resourceArn"] == arn
    with refused("ResourceNotFoundException", 404, "no resource policy"):
        agent.delete_resource_policy(resourceArn=arn)


def test_what_a_policy_may_not_say(server: Running, shared: Knowledge) -> None:
    """Two actions, in full, on this knowledge base, which is a managed one."""
    arn = arn_of(shared)
    for text, words in (
        ("{", "is not valid"),
        (document(allow("bedrock:Retrieve", arn)), "is not valid"),
        (document(allow("bedrock:*", arn, **GUEST)), "the actions that a policy may name"),
        (document(allow("bedrock:GetKnowledgeBase", arn, **GUEST)), "the actions that a policy may name"),
        (document(allow("bedrock:Retrieve", "*", **GUEST)), "must name the resource"),
    ):
        with refused("ValidationException", 400, words):
            shared.agent.put_resource_policy(resourceArn=arn, policy=text)
    own = knowledge(server, "vectors")
    with refused("ValidationException", 400, "of the type MANAGED"):
        text = document(allow("bedrock:Retrieve", arn_of(own), **GUEST))
        own.agent.put_resource_policy(resourceArn=arn_of(own), policy=text)
    with refused("AccessDeniedException", 403, "bedrock:PutResourcePolicy"):
        others(server, "bedrock-agent").put_resource_policy(resourceArn=arn, policy="{}")
    with refused("ResourceNotFoundException", 404, "does not exist"):
        shared.agent.get_resource_policy(resourceArn=arn[:-10] + "AAAAAAAAAA")


def test_another_account_asks(server: Running, shared: Knowledge) -> None:
    """It may once the policy lets it, and may not change anything all the same."""
    arn, guest = arn_of(shared), others(server, "bedrock-agent-runtime")
    with refused("AccessDeniedException", 403, "bedrock:Retrieve"):
        ask(guest, shared)
    shared.agent.put_resource_policy(resourceArn=arn, policy=document(allow("bedrock:Retrieve", arn, **GUEST)))
    assert ask(guest, shared)["retrievalResults"] == []
    with refused("AccessDeniedException", 403, "bedrock:PutResourcePolicy"):
        others(server, "bedrock-agent").put_resource_policy(resourceArn=arn, policy="{}")
    shared.agent.delete_resource_policy(resourceArn=arn)
    with refused("AccessDeniedException", 403, "bedrock:Retrieve"):
        ask(guest, shared)


def test_a_denial_holds_in_its_own_account(server: Running, shared: Knowledge) -> None:
    """What a policy denies is denied to users whom their own policies allow it."""
    arn = arn_of(shared)
    key = user_key(server, "policies-reader", document(allow("bedrock:Retrieve", arn)))
    reader = with_key(server, key, "bedrock-agent-runtime")
    assert ask(reader, shared)["retrievalResults"] == []
    user = {"AWS": "arn:aws:iam::000000000000:user/policies-reader"}
    denied = {"Effect": "Deny", "Principal": user, "Action": "bedrock:Retrieve", "Resource": arn}
    shared.agent.put_resource_policy(resourceArn=arn, policy=json.dumps({"Version": "2012-10-17", "Statement": denied}))
    with refused("AccessDeniedException", 403, "explicit deny in a resource-based policy"):
        ask(reader, shared)
