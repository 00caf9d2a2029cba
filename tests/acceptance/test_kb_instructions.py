"""Retrieval instructions and their versions as a program with boto3 makes them; and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from tests.acceptance.identities import allow, document, user_key, with_key
from tests.acceptance.resources import refused
from tests.running import Running

SAYS = {"retrievalGuidance": "Prefer the newest report.", "answerPolicy": "Say so when nothing is found."}


@pytest.fixture(scope="module")
def agent(server: Running) -> Any:
    """A client of root."""
    return server.client("bedrock-agent")


def make(agent: Any, name: str, says: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = agent.create_retrieval_instruction(name=name, instruction=says or SAYS, **more)
    return made


def test_life_of_an_instruction(agent: Any) -> None:
    """It is ACTIVE at once, shown as it was written, replaced whole by an update, and gone when it is deleted."""
    made = make(agent, "life", description="d", tags={"team": "a"})
    ident = {"retrievalInstructionId": made["retrievalInstructionId"]}
    assert (made["status"], made["lastTransitionStatus"], made["name"]) == ("ACTIVE", "CREATE_SUCCESSFUL", "life")
    got = agent.get_retrieval_instruction(**ident)
    assert (got["instruction"], got["description"], got["version"]) == (SAYS, "d", "DRAFT")
    assert "latestVersion" not in got
    assert agent.list_tags_for_resource(resourceArn=made["retrievalInstructionArn"])["tags"] == {"team": "a"}
    update = agent.update_retrieval_instruction(**ident, instruction={"persona": "A librarian."})
    assert update["lastTransitionStatus"] == "UPDATE_SUCCESSFUL"
    got = agent.get_retrieval_instruction(**ident)
    assert got["instruction"] == {"persona": "A librarian."}
    assert "description" not in got
    listed = agent.list_retrieval_instructions()["retrievalInstructionSummaries"]
    assert ident["retrievalInstructionId"] in {one["retrievalInstructionId"] for one in listed}
    assert agent.list_retrieval_instructions(status="INACTIVE")["retrievalInstructionSummaries"] == []
    assert agent.delete_retrieval_instruction(**ident)["retrievalInstructionArn"] == made["retrievalInstructionArn"]
    with refused("ResourceNotFoundException", 404, "does not exist"):
        agent.get_retrieval_instruction(**ident)


def test_versions_stay_as_they_were(agent: Any) -> None:
    """Each has a number that is never given again, says what was said then, and holds its instruction."""
    ident = {"retrievalInstructionId": make(agent, "versions")["retrievalInstructionId"]}
    token = "v" * 40
    first = agent.create_retrieval_instruction_version(**ident, clientToken=token, description="one")
    assert (first["version"], first["description"]) == ("1", "one")
    assert agent.create_retrieval_instruction_version(**ident, clientToken=token, description="one")["version"] == "1"
    agent.update_retrieval_instruction(**ident, instruction={"persona": "A pirate."})
    assert agent.create_retrieval_instruction_version(**ident)["version"] == "2"
    agent.delete_retrieval_instruction(**ident, retrievalInstructionVersion="2")
    assert agent.create_retrieval_instruction_version(**ident)["version"] == "3"
    old = agent.get_retrieval_instruction(**ident, retrievalInstructionVersion="1")
    assert (old["instruction"], old["version"], old["name"]) == (SAYS, "1", "versions")
    assert agent.get_retrieval_instruction(**ident)["latestVersion"] == "3"
    page = agent.list_retrieval_instruction_versions(**ident, maxResults=1)
    rest = agent.list_retrieval_instruction_versions(**ident, nextToken=page["nextToken"])
    listed = page["retrievalInstructionVersionSummaries"] + rest["retrievalInstructionVersionSummaries"]
    assert [one["version"] for one in listed] == ["3", "1"]
    with refused("ResourceNotFoundException", 404, "version with id"):
        agent.get_retrieval_instruction(**ident, retrievalInstructionVersion="2")
    with refused("ConflictException", 409, "has versions"):
        agent.delete_retrieval_instruction(**ident)
    for version in ("1", "3"):
        assert agent.delete_retrieval_instruction(**ident, retrievalInstructionVersion=version)["version"] == version
    agent.delete_retrieval_instruction(**ident)


def test_instructions_that_cannot_be(agent: Any) -> None:
    """They say something, not too much of it, and their names are unique."""
    make(agent, "taken")
    with refused("ConflictException", 409, "name already exists"):
        make(agent, "taken")
    for says, words in (
        ({}, "at least one"),
        ({"persona": "x" * 8001}, "persona may have at most 8000"),
        (dict.fromkeys(("persona", "answerFormat", "answerPolicy"), "x" * 7000), "all fields together"),
    ):
        with refused("ValidationException", 400, words):
            agent.create_retrieval_instruction(name="wrong", instruction=says)


def test_a_key_of_the_customer(server: Running, agent: Any) -> None:
    """The content lies under it, and who may not use the key does not read it."""
    kms = server.client("kms")
    key = kms.create_key()["KeyMetadata"]
    made = make(agent, "sealed", customerEncryptionKeyArn=key["Arn"])
    ident = {"retrievalInstructionId": made["retrievalInstructionId"]}
    got = agent.get_retrieval_instruction(**ident)
    assert (got["customerEncryptionKeyArn"], got["instruction"]) == (key["Arn"], SAYS)
    reader = user_key(server, "keyless", document(allow("bedrock:*")))
    with refused("AccessDeniedException", 403, "kms:Decrypt"):
        with_key(server, reader, "bedrock-agent").get_retrieval_instruction(**ident)
    kms.disable_key(KeyId=key["KeyId"])
    with refused("ValidationException", 400, "KMS key cannot be used"):
        agent.get_retrieval_instruction(**ident)


def test_rights_by_arn(server: Running, agent: Any) -> None:
    """They are judged on the instruction, by its tags too."""
    mine, theirs = make(agent, "mine", tags={"team": "a"}), make(agent, "theirs", tags={"team": "b"})
    only = {"StringEquals": {"aws:ResourceTag/team": "a"}}
    key = user_key(server, "instructed", document(allow("bedrock:GetRetrievalInstruction", Condition=only)))
    member = with_key(server, key, "bedrock-agent")
    assert member.get_retrieval_instruction(retrievalInstructionId=mine["retrievalInstructionId"])["name"] == "mine"
    with refused("AccessDeniedException", 403, "bedrock:GetRetrievalInstruction"):
        member.get_retrieval_instruction(retrievalInstructionId=theirs["retrievalInstructionId"])
    with refused("AccessDeniedException", 403, "bedrock:ListRetrievalInstructions"):
        member.list_retrieval_instructions()
