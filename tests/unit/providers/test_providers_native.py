"""Native bodies and chunks on their way through."""

from __future__ import annotations

import pytest

from craton.aws.wire.faults import Fault
from craton.models.providers.native import AnthropicChunks, OpenAIChunks, read_members, write_members


def test_members_that_are_not_named_stay_byte_for_byte():
    """Numbers keep their spelling and unknown members their place."""
    body = b'{"a": 1.50, "b": {"x" : [1e2]}, "model": "old"}'
    written = write_members(read_members(body), change={"model": "new"}, leave_out=("b", "none"))
    assert written == b'{"a":1.50,"model":"new"}'


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b'"x"', b"{", b"\xff{}", b"[" * 100_000, b'{"a": }'])
def test_what_is_no_object_is_refused(body):
    """Anything but a JSON object is a malformed request, never an exception of another kind."""
    with pytest.raises(Fault) as refused:
        read_members(body)
    assert refused.value.name == "ValidationException"


def test_openai_chunks_end_with_done_or_a_reason():
    """A stream is complete after `[DONE]`, or after a reason to finish; the mark itself is not passed on."""
    done = OpenAIChunks("m", "")
    assert done.feed(b'{"x": 1}') == [b'{"x": 1}']
    assert done.feed(b"[DONE]") == []
    assert done.close() == []
    finished = OpenAIChunks("m", "")
    finished.feed(b'{"choices": [{"finish_reason": "stop"}]}')
    finished.feed(b'{"choices": [], "usage": {}}')
    assert finished.close() == []


@pytest.mark.parametrize("chunks", [[], [b'{"choices": [{"finish_reason": null}]}']])
def test_openai_chunks_cut_short(chunks):
    """A stream without its end is an error when it closes."""
    reader = OpenAIChunks("m", "")
    for chunk in chunks:
        reader.feed(chunk)
    with pytest.raises(Fault, match="ModelStreamErrorException"):
        reader.close()


def test_openai_chunk_whose_error_is_null():
    """A server that writes an empty error into every chunk has made none; space around a chunk is no harm."""
    reader = OpenAIChunks("m", "")
    assert reader.feed(b'{"error": null, "choices": []}') == [b'{"error": null, "choices": []}']
    assert reader.feed(b' {"choices": []} ') == [b'{"choices": []}']


@pytest.mark.parametrize("data", [b"", b"hello", b'{"half": ', b'[{"x": 1}]'])
def test_chunk_that_is_no_object(data):
    """What is no JSON object is not passed on."""
    for reader in (OpenAIChunks("m", ""), AnthropicChunks("m", "")):
        with pytest.raises(Fault, match="ModelStreamErrorException"):
            reader.feed(data)


def test_anthropic_chunks():
    """Events pass, pings do not, and the stream is complete after its last event alone."""
    reader = AnthropicChunks("m", "")
    assert reader.feed(b'{"type": "message_start"}', "message_start") == [b'{"type": "message_start"}']
    assert reader.feed(b'{"type": "ping"}', "ping") == []
    with pytest.raises(Fault):
        reader.close()
    reader.feed(b'{"type": "message_stop"}', "message_stop")
    assert reader.close() == []
