"""Conversations with a knowledge base: what is remembered, for whom, and under which key."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest

from tests.acceptance.answering import Library, parts
from tests.acceptance.identities import refused
from tests.acceptance.resources import OTHER_KEY, OTHER_SECRET
from tests.acceptance.serving import GPT, HAIKU

UNKNOWN = "Session with Id {} is not valid. Please check and try again."


def test_a_conversation_goes_on(shelf: Library) -> None:
    """What was said before makes the query for the next question, and the answering model sees it."""
    first = shelf.ask("What does the Aurora pump cost?", "The Aurora pump costs 240 dollars [[1]].")
    second = shelf.ask(
        "And how heavy is it?", "<query>weight of the Aurora pump</query>", "It weighs 12 kilograms [[1]].",
        session=first["sessionId"], results=1,
    )  # fmt: skip
    assert second["sessionId"] == first["sessionId"]
    assert parts(second) == [("It weighs 12 kilograms.", ["pump.txt"])]
    asked = shelf.told(0)
    assert "User: What does the Aurora pump cost?\nAssistant: The Aurora pump costs 240 dollars." in asked
    turns = [message["content"][0]["text"] for message in shelf.served.sent()["messages"]]
    assert turns == ["What does the Aurora pump cost?", "The Aurora pump costs 240 dollars.", "And how heavy is it?"]


def test_a_model_that_makes_no_query(shelf: Library) -> None:
    """Then the question itself is looked up."""
    first = shelf.ask("Hello?", "Hi.")
    second = shelf.ask(
        "What does the Aurora pump cost?", "I do not know.", "240 dollars [[1]].", session=first["sessionId"]
    )
    assert parts(second)[0][1] == ["pump.txt"]


def test_a_stream_is_a_turn_too(shelf: Library) -> None:
    """Its session's id comes in a header, before the first word."""
    session, events = shelf.stream("What does the Aurora pump cost?", "240", " dollars.")
    assert "".join(event["output"]["text"] for event in events if "output" in event) == "240 dollars."
    shelf.ask("And?", "<query>pump</query>", "Yes.", session=session)
    assert "Assistant: 240 dollars." in shelf.told(0)


@pytest.mark.parametrize("ident", ["no-such-session", "00000000-0000-4000-8000-000000000000"])
def test_a_session_that_is_not_there(shelf: Library, ident: str) -> None:
    """In Bedrock's words; a caller cannot name a session himself."""
    with refused("ValidationException", 400, UNKNOWN.format(ident)):
        shelf.ask("Cost?", session=ident)


def test_a_session_is_its_accounts(shelf: Library) -> None:
    """Another account, and another region, learn nothing of it."""
    session = shelf.ask("Cost?", "240.")["sessionId"]
    for options in (
        {"aws_access_key_id": OTHER_KEY, "aws_secret_access_key": OTHER_SECRET},
        {"region_name": "eu-west-1"},
    ):
        runtime = shelf.served.client("bedrock-agent-runtime", **options)
        external = {"type": "EXTERNAL_SOURCES", "externalSourcesConfiguration": outside(HAIKU)}
        with refused("ValidationException", 400, UNKNOWN.format(session)):
            runtime.retrieve_and_generate(
                input={"text": "Cost?"}, sessionId=session, retrieveAndGenerateConfiguration=external
            )


def outside(model: str) -> dict[str, Any]:
    content = {"identifier": "a.txt", "contentType": "text/plain", "data": b"The price is 5 dollars."}
    return {"modelArn": model, "sources": [{"sourceType": "BYTE_CONTENT", "byteContent": content}]}


def test_a_session_keeps_its_model(shelf: Library) -> None:
    """The knowledge base and the model of a conversation cannot be changed."""
    session = shelf.ask("Cost?", "240.")["sessionId"]
    with refused("ValidationException", 400, "cannot be modified for an ongoing session"):
        shelf.ask("Cost?", session=session, model=GPT)


def test_sessions_lie_sealed(shelf: Library) -> None:
    """Neither questions nor answers can be read in the store."""
    shelf.ask("What is the zebra's favourite?", "Quagga grass.")
    with sqlite3.connect(shelf.served.server.home / "craton.db") as store:
        rows = store.execute("SELECT * FROM rag_sessions").fetchall()
    assert rows
    assert not any(word in repr(row) for row in rows for word in ("zebra", "Quagga"))


def test_a_customers_key(shelf: Library) -> None:
    """It seals the conversation: with the key disabled nobody goes on, and another key is refused."""
    kms = shelf.served.client("kms")
    key, other = (kms.create_key()["KeyMetadata"]["Arn"] for _ in range(2))
    session = shelf.ask("Cost?", "240.", key=key)["sessionId"]
    assert shelf.ask("Cost?", "<query>x</query>", "240.", session=session)["sessionId"] == session
    with refused("ValidationException", 400, "cannot be changed"):
        shelf.ask("Cost?", session=session, key=other)
    kms.disable_key(KeyId=key)
    with refused("AccessDeniedException", 403, "KMS key"):
        shelf.ask("Cost?", session=session)
    with refused("ValidationException", 400, "KMS key"):
        shelf.ask("Cost?", key=key)
    with refused("ValidationException", 400, "KMS key"):
        shelf.ask("Cost?", key=key.replace(key[-36:], "00000000-0000-4000-8000-000000000000"))
