"""Records of a batch: lines out of pieces, records out of lines, and the lines that answer them."""

from __future__ import annotations

import json

import pytest

from craton.features.batch import records
from craton.features.batch.records import (
    BadRecord,
    Line,
    Splitter,
    answered,
    check_line,
    read_record,
    record_id,
    refused,
)

TEXT = b'{"recordId":"a","modelInput":{"x":1}}\r\n\n  \n{"modelInput":{"y":"\xc3\xa9"}}\n{"modelInput":{}}'


def lines(*pieces: bytes, offset: int = 0, number: int = 0) -> list[Line]:
    splitter = Splitter(0, offset, number)
    found = [line for piece in pieces for line in splitter.feed(piece)]
    return [*found, *splitter.finish()]


@pytest.mark.parametrize("size", [1, 2, 7, 40, 1000])
def test_lines_do_not_depend_on_how_the_file_comes(size: int) -> None:
    """However a file is cut into pieces, its lines, their numbers and ends are the same; empty ones are left out."""
    found = lines(*(TEXT[at : at + size] for at in range(0, len(TEXT), size)))
    assert [line.number for line in found] == [1, 4, 5]
    assert found == lines(TEXT)
    assert found[-1].end == len(TEXT)


def test_lines_go_on_behind_any_line() -> None:
    """Who begins behind a line gets the rest as if all had been read."""
    whole = lines(TEXT)
    for at, line in enumerate(whole):
        assert lines(TEXT[line.end :], offset=line.end, number=line.number) == whole[at + 1 :]


def test_line_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line over the limit is refused before it fills the memory."""
    monkeypatch.setattr(records, "MAX_LINE_BYTES", 100)
    with pytest.raises(BadRecord, match="line 2 is longer"):
        lines(b"{}\n", *(b"x" * 10 for _ in range(11)))
    with pytest.raises(BadRecord, match="line 1 is longer"):
        lines(b"x" * 101 + b"\n")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b'{"recordId":"a"}', "modelInput"),
        (b'{"recordId":7,"modelInput":{}}', "recordId"),
        (b'{"modelInput":[1]}', "not a JSON object"),
        (b'{"modelInput":"text"}', "not a JSON object"),
        (b'[{"modelInput":{}}]', "must be a JSON object"),
        (b'"modelInput"', "must be a JSON object"),
        (b'{"modelInput":{}', "not valid JSON"),
        (b'{"modelInput":{}} {"modelInput":{}}', "not valid JSON"),
        (b"\xff\xfe{\x00}\x00", "not UTF-8"),
        (b'{"modelInput":{"x":"\xff"}}', "not UTF-8"),
        (b'\xef\xbb\xbf{"modelInput":{}}', "not valid JSON"),
    ],
)
def test_lines_that_are_no_record(data: bytes, words: str) -> None:
    """What is no object with a modelInput is refused, naming the line and nothing of what it holds."""
    with pytest.raises(BadRecord, match=words) as caught:
        check_line(Line(0, 12, 99, data))
    assert "line 12" in str(caught.value)
    assert "text" not in str(caught.value)


def test_answer_keeps_the_input_as_it_stands() -> None:
    """The output's line has the input byte by byte, even where JSON could be written otherwise."""
    data = rb'{ "modelInput" : {"n": 1.0, "big":12345678901234567890, "a":1,"a":2, "u":"\u00e9"}, "more":1, "recordId":"R"}'
    record = read_record(Line(0, 1, len(data), data))
    line = answered("R", record, b'{"out":\n [1,\n 2]}')
    assert line.startswith(
        rb'{"recordId":"R","modelInput":{"n": 1.0, "big":12345678901234567890, "a":1,"a":2, "u":"\u00e9"},"modelOutput":'
    )
    assert line.count(b"\n") == 1
    assert json.loads(line)["modelOutput"] == {"out": [1, 2]}


def test_error_in_the_place_of_an_answer() -> None:
    """A refused record has Bedrock's error object, whatever the words hold."""
    record = read_record(Line(0, 1, 1, b'{"modelInput":{}}'))
    told = json.loads(refused('q"\n', record, 400, 'bad "request"\n'))
    assert told == {
        "recordId": 'q"\n',
        "modelInput": {},
        "error": {"errorCode": 400, "errorMessage": 'bad "request"\n'},
    }


def test_missing_ids_are_made_once_and_for_all() -> None:
    """A record without an id gets eleven letters and digits, the same whenever the job is taken up again."""
    record = read_record(Line(0, 1, 1, b'{"modelInput":{}}'))
    made = record_id(record, "arn:job", "in/a.jsonl", 7)
    assert made == record_id(record, "arn:job", "in/a.jsonl", 7)
    assert len(made) == 11
    assert made.isalnum()
    others = {record_id(record, "arn:job", "in/a.jsonl", number) for number in range(1000)}
    assert len(others) == 1000
