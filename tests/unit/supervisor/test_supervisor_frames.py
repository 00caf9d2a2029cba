"""The control channel's frames survive the way, and rubbish ends a connection instead of a process."""

from __future__ import annotations

import pytest

from craton.infra.control.wire import (
    MAX_FRAME_BYTES,
    Ack,
    ControlLost,
    Fault,
    Frame,
    Hello,
    Push,
    Reply,
    Request,
    body_length,
    decode,
    encode,
)


@pytest.mark.parametrize(
    "frame",
    [
        Hello("worker", 1, 42),
        Request(7, "models.ensure", {"model_id": "m", "blob": b"\x00\xff", "n": [1, None]}),
        Reply(7, {"base_url": "unix:/x"}),
        Fault(7, "model_failed", "why", 1.5),
        Push(3, b"\x00snapshot"),
        Ack(3),
    ],
)
def test_a_frame_comes_back_as_it_went(frame: Frame) -> None:
    """Encoding and decoding are each other's inverse, lengths included."""
    data = encode(frame)
    assert body_length(data[:4]) == len(data) - 4
    assert decode(data[4:]) == frame


@pytest.mark.parametrize("body", [b"", b"\x00", b"\xc1", b"GET / HTTP/1.1\r\n", b"\x92\x63\x01"])
def test_rubbish_is_refused(body: bytes) -> None:
    """Bytes that are no frame raise ControlLost."""
    with pytest.raises(ControlLost):
        decode(body)


def test_a_huge_length_is_refused() -> None:
    """A length over the cap is refused before anything is read."""
    with pytest.raises(ControlLost):
        body_length((MAX_FRAME_BYTES + 1).to_bytes(4, "big"))
