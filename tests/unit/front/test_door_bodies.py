"""What the doors make of a vendor's body before the dialects' canon goes on."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from craton.features.inference.routing.routes import UNLIMITED
from craton.features.inference.rules import form as rules
from craton.features.inference.rules import media
from craton.front import anthropic_door, door_chat, openai_door
from craton.front.door_chat import document_name, settle
from craton.front.door_faults import DoorFault
from craton.models.canon.content import ContentBlock, Message
from craton.models.canon.request import ConverseRequest


def turns(*given: tuple[str, list[str]]) -> ConverseRequest:
    return ConverseRequest(
        messages=[Message(role, [ContentBlock(text=text) for text in texts]) for role, texts in given]  # type: ignore[arg-type]
    )


def told(request: ConverseRequest) -> list[tuple[str, list[str | None]]]:
    return [(message.role, [block.text for block in message.content]) for message in request.messages or ()]


def test_neighbours_of_one_role_are_one_turn() -> None:
    """Both vendors join them."""
    request = turns(("user", ["a"]), ("user", ["b"]), ("assistant", ["c"]), ("assistant", ["d"]), ("user", ["e"]))
    settle(request)
    assert told(request) == [("user", ["a", "b"]), ("assistant", ["c", "d"]), ("user", ["e"])]
    rules.check(request, UNLIMITED, 100, streaming=False)


def test_empty_texts_are_left_out_but_never_all_that_a_user_said() -> None:
    """An empty question is refused, not passed over."""
    request = turns(("user", ["a", ""]), ("assistant", [" "]), ("user", [""]))
    settle(request)
    assert told(request) == [("user", ["a", ""])]
    with pytest.raises(Exception, match="blank"):
        rules.check(request, UNLIMITED, 100, streaming=False)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("report.pdf", "report"),
        ("my_report.v2.pdf", "my report v2"),
        ("Report (2024) [final].docx", "Report (2024) [final]"),
        ("  two   spaces  ", "two spaces"),
        ("日本.pdf", "document"),
        ("x" * 300, "x" * 200),
    ],
)
def test_a_documents_name_is_one_that_bedrock_takes(given: str, kept: str) -> None:
    """The file's name as far as it can be kept."""
    assert document_name(given) == kept
    assert media._DOCUMENT_NAME.fullmatch(kept)


def body(**members: Any) -> bytes:
    return msgspec.json.encode({"model": "m", "messages": [{"role": "user", "content": "Hi"}], **members})


def test_openais_flag_chooses_the_stream() -> None:
    """In the body, where AWS has two operations."""
    assert openai_door.read_request(body(stream=True))[1] is True
    assert openai_door.read_request(body(stream=None))[1] is False
    assert openai_door.read_request(body())[0].model_id == "m"


@pytest.mark.parametrize("members", [{"n": 2}, {"modalities": ["audio"]}, {"functions": []}, {"function_call": "auto"}])
def test_what_would_change_the_answers_form_is_refused(members: dict[str, Any]) -> None:
    """One choice, text, tools: the rest would be passed over."""
    with pytest.raises(DoorFault) as caught:
        openai_door.read_request(body(**members))
    assert caught.value.param in members
    openai_door.read_request(body(n=1, modalities=["text"]))


def test_anthropics_count_needs_no_limit() -> None:
    """`max_tokens` is no member of it, though the schema demands it of a message."""
    assert anthropic_door.read_counted(body()).model_id == "m"


def test_anthropics_system_messages_go_to_the_system_prompt() -> None:
    """After what stands there, in their order; a body without any stays as it is."""
    given = body(
        max_tokens=5,
        system="One",
        messages=[
            {"role": "user", "content": "Hi"},
            {"role": "system", "content": [{"type": "text", "text": "Two"}]},
            {"role": "system", "content": "Three"},
        ],
    )
    request, streaming = anthropic_door.read_request(given)
    assert [block.text for block in request.system or ()] == ["One", "Two", "Three"]
    assert told(request) == [("user", ["Hi"])]
    assert streaming is False
    plain = body(max_tokens=5, system='"role": "system" is quoted')
    assert anthropic_door.gathered(plain) is plain


def test_an_event_has_the_name_of_its_type() -> None:
    """As the SDK looks for it."""
    assert door_chat.named_event(b'{"type":"message_stop"}') == (
        b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
    )
