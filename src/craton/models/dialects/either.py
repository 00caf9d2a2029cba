"""Two native schemas behind one model: that of its family, and OpenAI's, which servers of open weights speak as well.

Owns how a body tells which of the two it is. Bedrock takes both for imported models (its user guide, "Invoke your
imported model"). A reply is written in the schema of the request that it answers. Pure.
"""

from __future__ import annotations

import msgspec

from craton.models.canon.reply import ConverseReply
from craton.models.canon.request import ConverseRequest
from craton.models.dialects.dialect import Dialect, Outgoing, Shown, StreamReader, StreamWriter

_MEMBERS: msgspec.json.Decoder[dict[str, msgspec.Raw]] = msgspec.json.Decoder(dict[str, msgspec.Raw])
_CHAT = "messages"


class Either:
    """A family's dialect that takes OpenAI's bodies too. It bears the family's name and writes the family's bodies."""

    def __init__(self, family: Dialect, openai: Dialect) -> None:
        self._family = family
        self._openai = openai
        self.name = family.name
        self.streams = family.streams

    def read_request(self, body: bytes, *, streaming: bool = False) -> ConverseRequest:
        return self._of(body).read_request(body, streaming=streaming)

    def write_request(self, request: ConverseRequest, out: Outgoing) -> bytes:
        return self._family.write_request(request, out)

    def read_reply(self, body: bytes) -> ConverseReply:
        return self._family.read_reply(body)

    def write_reply(self, reply: ConverseReply, shown: Shown) -> bytes:
        return self._of(shown.body).write_reply(reply, shown)

    def reader(self) -> StreamReader:
        return self._family.reader()

    def writer(self, shown: Shown) -> StreamWriter:
        return self._of(shown.body).writer(shown)

    def _of(self, body: bytes) -> Dialect:
        """A conversation is OpenAI's; what cannot be read at all is for the family to refuse."""
        try:
            return self._openai if _CHAT in _MEMBERS.decode(body) else self._family
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return self._family
