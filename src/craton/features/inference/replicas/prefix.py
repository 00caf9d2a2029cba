"""The beginning of a prompt as a number, by which requests that share it come to the replica that has it in its cache.

Owns what counts as the beginning: how the body opens (the system prompt, as far as it may tell one application from
another) and the first message of the user, which stays the same through a conversation and seldom is in two. Bodies are
looked at as bytes, never decoded. Short prompts have no prefix: computing them again costs less than an uneven load.
"""

from __future__ import annotations

from zlib import crc32

SHORTEST_BYTES = 1024
_OPENING_BYTES = 256
_MESSAGE_BYTES = 1024
_USER = b'"role":"user"'
_USER_SPACED = b'"role": "user"'
# Where a text ends, whether the message is one text or a list of parts. In a text that holds JSON it may come early, but
# at the same place in every turn.
_END = b'"}'
_SPREAD = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1


def prefix_of(body: bytes) -> int:
    """64 bits, the same in every gateway; 0 for a body that is short or no conversation."""
    if len(body) < SHORTEST_BYTES:
        return 0
    at = body.find(_USER)
    if at < 0:
        at = body.find(_USER_SPACED)
        if at < 0:
            return 0
    end = body.find(_END, at, at + _MESSAGE_BYTES)
    opening = crc32(body[: min(at, _OPENING_BYTES)])
    return crc32(body[at : end if end > 0 else at + _MESSAGE_BYTES], opening) * _SPREAD & _MASK
