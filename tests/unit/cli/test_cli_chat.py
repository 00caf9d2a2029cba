"""The conversation behind `craton chat`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from craton.cli.chat import Conversation, in_words, obey

USAGE = {"inputTokens": 3, "outputTokens": 5, "totalTokens": 8}


class Stream:
    """boto3's event stream, as far as chat uses it; an exception among the events is raised in its place."""

    def __init__(self, events: list[Any]) -> None:
        self.events = events
        self.closed = False

    def __iter__(self) -> Iterator[Any]:
        for event in self.events:
            if isinstance(event, BaseException):
                raise event
            yield event

    def close(self) -> None:
        self.closed = True


class Client:
    """A runtime client that answers with what it was given, and remembers what it was asked."""

    def __init__(self, *answers: list[Any]) -> None:
        self.answers = list(answers)
        self.asked: list[dict[str, Any]] = []
        self.streams: list[Stream] = []

    def converse_stream(self, **request: Any) -> dict[str, Any]:
        self.asked.append(request)
        self.streams.append(Stream(self.answers.pop(0)))
        return {"stream": self.streams[-1]}


def delta(text: str) -> dict[str, Any]:
    return {"contentBlockDelta": {"delta": {"text": text}, "contentBlockIndex": 0}}


def answer(*texts: str) -> list[Any]:
    return [*map(delta, texts), {"messageStop": {"stopReason": "end_turn"}}, {"metadata": {"usage": USAGE}}]


def test_an_answer_is_shown_in_pieces_and_kept() -> None:
    """Pieces are shown as they come; the next turn carries the whole conversation."""
    client, shown = Client(answer("Pa", "ris"), answer("Yes")), []
    talk = Conversation(client, "m", system="Be brief.")
    turn = talk.say("Capital?", shown.append)
    talk.say("Sure?", shown.append)
    assert shown == ["Pa", "ris", "Yes"]
    assert (turn.text, turn.input_tokens, turn.output_tokens) == ("Paris", 3, 5)
    assert [message["role"] for message in client.asked[1]["messages"]] == ["user", "assistant", "user"]
    assert client.asked[0]["system"] == [{"text": "Be brief."}]


def test_ctrl_c_stops_the_answer_and_keeps_what_came() -> None:
    """A stopped answer closes the stream; its half stays in the conversation."""
    client = Client([delta("Once "), KeyboardInterrupt()])
    talk = Conversation(client, "m")
    turn = talk.say("Tell a tale", lambda _: None)
    assert turn.stop_reason == "stopped"
    assert client.streams[0].closed
    assert talk.messages[-1]["content"] == [{"text": "Once "}]


def test_a_stop_before_the_first_word_leaves_no_trace() -> None:
    """An empty turn may not be sent back to a model."""
    talk = Conversation(Client([KeyboardInterrupt()]), "m")
    talk.say("Hello", lambda _: None)
    assert talk.messages == []


def test_a_failure_leaves_the_conversation_as_it_was() -> None:
    """After an error the same question may be asked again."""
    error = ClientError({"Error": {"Code": "ThrottlingException", "Message": "Slow down."}}, "ConverseStream")
    talk = Conversation(Client([delta("x"), error]), "m")
    with pytest.raises(ClientError):
        talk.say("Hello", lambda _: None)
    assert talk.messages == []
    assert in_words(error) == "ThrottlingException: Slow down."


def test_slash_commands() -> None:
    """/system, /model and /clear change the conversation; /exit ends it; others explain."""
    talk = Conversation(Client(), "m", messages=[{"role": "user", "content": []}])
    assert obey(talk, "/system Answer in French.")
    assert talk.system == "Answer in French."
    assert obey(talk, "/model other")
    assert talk.model == "other"
    assert obey(talk, "/clear")
    assert talk.messages == []
    assert obey(talk, "/system")
    assert talk.system == ""
    assert obey(talk, "/what")
    assert not obey(talk, "/exit")
