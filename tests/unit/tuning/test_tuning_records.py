"""Lines of training files: every form that is read, and what is said of each kind of bad line."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from craton.features.tuning.plan import FORMS, Form
from craton.features.tuning.reading import FAULTS, LINE_BYTES, Account, records
from craton.features.tuning.records import BadRecord, Record, Turn, read

ANSWERS = FORMS["sft"]


def line(value: Any) -> bytes:
    return json.dumps(value).encode()


def conversation(*messages: dict[str, Any], **more: Any) -> bytes:
    return line({"schemaVersion": "bedrock-conversation-2024", "messages": list(messages), **more})


def says(role: str, *texts: str) -> dict[str, Any]:
    return {"role": role, "content": [{"text": text} for text in texts]}


def test_prompt_and_completion() -> None:
    """The completion alone is learned."""
    found = read(line({"prompt": "Hello", "completion": "Hi"}), ANSWERS)
    assert found.turns == [Turn("user", "Hello"), Turn("assistant", "Hi", True)]


def test_conversation_with_system_and_turns() -> None:
    """All that the assistant says is learned; several text blocks are one text."""
    system = [{"text": "Be short."}]
    found = read(conversation(says("user", "a", "b"), says("assistant", "c"), says("user", "d"), says("assistant", "e"), system=system), ANSWERS)  # fmt: skip
    assert [(turn.role, turn.text, turn.learned) for turn in found.turns] == [
        ("system", "Be short.", False), ("user", "a\nb", False), ("assistant", "c", True), ("user", "d", False), ("assistant", "e", True),
    ]  # fmt: skip


def test_conversation_with_tools() -> None:
    """A call is the assistant's, its result a turn of the tool, and the tools are kept for the template."""
    call = {"role": "assistant", "content": [{"toolUse": {"toolUseId": "1", "name": "add", "input": {"a": 1}}}]}
    result = {"role": "user", "content": [{"toolResult": {"toolUseId": "1", "content": [{"json": {"sum": 3}}]}}]}
    tools = {"tools": [{"toolSpec": {"name": "add", "inputSchema": {"json": {"type": "object"}}}}]}
    found = read(conversation(says("user", "?"), call, result, says("assistant", "3"), toolConfig=tools), ANSWERS)
    assert found.turns[1].calls == [{"name": "add", "arguments": {"a": 1}}]
    assert [turn.role for turn in found.turns] == ["user", "assistant", "tool", "assistant"]
    assert found.turns[2].text == '{"sum": 3}'
    assert found.tools[0]["function"]["name"] == "add"


def test_messages_of_texts() -> None:
    """Anthropic's form."""
    messages = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    found = read(line({"system": "s", "messages": messages}), ANSWERS)
    assert [turn.role for turn in found.turns] == ["system", "user", "assistant"]


def test_raw_text_and_preferences_and_prompts() -> None:
    """The forms of the other methods."""
    assert read(line({"input": "raw"}), FORMS["cpt"]).text == "raw"
    pair = read(line({"prompt": "p", "chosen": "good", "rejected": "bad"}), FORMS["dpo"])
    assert (pair.turns[-1].text, pair.rejected) == ("good", "bad")
    graded = {"messages": [{"role": "user", "content": "1+1?"}], "reference_answer": 2, "topic": "sums"}
    found = read(line(graded), FORMS["rft"])
    assert (found.reference, found.extra) == (2, {"topic": "sums"})


@pytest.mark.parametrize(
    ("given", "forms", "said"),
    [
        (b"\xff{}", ANSWERS, "not UTF-8: byte 0"),
        (b"{", ANSWERS, "not JSON"),
        (b"[" * 100_000, ANSWERS, "not JSON"),
        (b"[1]", ANSWERS, "not a JSON object"),
        (line({"input": "raw"}), ANSWERS, "none of the forms"),
        (line({"prompt": "a", "completion": ""}), ANSWERS, "'completion' is empty"),
        (line({"prompt": 1, "completion": "b"}), ANSWERS, "'prompt' must be a text"),
        (line({"schemaVersion": "2023", "messages": []}), ANSWERS, "'schemaVersion' must be"),
        (conversation(), ANSWERS, "at least one message"),
        (conversation(says("assistant", "a")), ANSWERS, "first of 'messages' must be the user's"),
        (conversation(says("user", "a")), ANSWERS, "last of 'messages' must be the assistant's"),
        (conversation(says("user", "a"), says("user", "b"), says("assistant", "c")), ANSWERS, "out of order"),
        (conversation(says("robot", "a")), ANSWERS, "'messages[0].role'"),
        (conversation({"role": "user", "content": [{"image": {"format": "png"}}]}), ANSWERS, "of the kind image"),
        (conversation({"role": "user", "content": "a"}, says("assistant", "b")), ANSWERS, "list of content blocks"),
        (line({"prompt": "p", "chosen": "x", "rejected": "x"}), FORMS["dpo"], "are the same"),
        (line({"messages": [{"role": "assistant", "content": "a"}]}), FORMS["rft"], "must be the user's"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_line(given: bytes, forms: tuple[Form, ...], said: str) -> None:
    """Each fault is named, and the line's content is not repeated."""
    with pytest.raises(BadRecord) as caught:
        read(given, forms)
    assert said in str(caught.value)


def account_of(path: Path, data: bytes, most: int = 0) -> tuple[list[Record], Account]:
    path.write_bytes(data)
    account = Account()
    return list(records(path, ANSWERS, account, most)), account


GOOD = line({"prompt": "a", "completion": "b"})


def test_faults_carry_their_line_numbers(tmp_path: Path) -> None:
    """Blank lines count as lines and are no records."""
    found, account = account_of(tmp_path / "f", b"\xef\xbb\xbf" + GOOD + b"\n\nnonsense\n" + GOOD.replace(b"a", b"c"))
    assert len(found) == 2
    assert [fault.line for fault in account.faults] == [3]
    assert account.complaint("it").startswith("it: 1 of 3 lines cannot be used: line 3: it is not JSON")


def test_the_first_hundred_faults_are_listed(tmp_path: Path) -> None:
    """And the others counted."""
    _, account = account_of(tmp_path / "f", b"x\n" * 250)
    assert len(account.faults) == FAULTS
    assert account.complaint("it").endswith("and 150 more")


def test_a_line_that_is_too_long(tmp_path: Path) -> None:
    """It is one fault, however long it is, and the next line is read."""
    found, account = account_of(tmp_path / "f", b"x" * (2 * LINE_BYTES + 5) + b"\n" + GOOD)
    assert (len(found), account.faulty, account.faults[0].line) == (1, 1, 1)


@pytest.mark.parametrize(("data", "said"), [(b"", "holds no records"), (b"\n" + GOOD + b"\n" + GOOD, "are the same")])
def test_files_that_teach_nothing(tmp_path: Path, data: bytes, said: str) -> None:
    """An empty one, and one whose lines are all alike."""
    assert said in account_of(tmp_path / "f", data)[1].complaint("it")


def test_no_more_than_asked_for(tmp_path: Path) -> None:
    """A file is read only as far as it is needed."""
    assert len(account_of(tmp_path / "f", GOOD + b"\n" + GOOD + b"\nnonsense", 2)[0]) == 2


def test_a_gigabyte_in_a_few_megabytes(tmp_path: Path) -> None:
    """Whatever a file's size, and whatever a line's, what is held of it is bounded."""
    path, account = tmp_path / "train.jsonl", Account()
    path.write_bytes(GOOD + b"\n")
    with path.open("ab") as file:
        file.truncate(1 << 30)
    tracemalloc.start()
    try:
        assert len(list(records(path, ANSWERS, account))) == 1
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()
    assert "line 2: it is longer than" in account.complaint("the data")
