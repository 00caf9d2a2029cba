"""OpenAI Responses: OpenAI's newer API, inbound at the door and outbound to OpenAI and servers that speak it.

Nothing is kept at the vendor: each request holds the whole conversation (`store` is false), and what must come back
of its reasoning travels encrypted (`seal`).
"""

from __future__ import annotations

import time
from collections.abc import Callable

from craton.models.canon.reply import ConverseReply
from craton.models.canon.request import ConverseRequest
from craton.models.dialects.dialect import Outgoing, Shown
from craton.models.dialects.openai_responses import reply as replies
from craton.models.dialects.openai_responses import request as requests
from craton.models.dialects.openai_responses.frame import Frame
from craton.models.dialects.openai_responses.reader import Reader
from craton.models.dialects.openai_responses.writer import Writer


class OpenAIResponses:
    """The dialect `openai.responses`.

    Args:
        stores: whether whoever writes replies keeps them; shown as `store`.
        clock: seconds since the epoch, for `created_at` in what is written.
    """

    name = "openai.responses"
    streams = True

    __slots__ = ("_clock", "_stores")

    def __init__(self, *, stores: bool = False, clock: Callable[[], float] = time.time) -> None:
        self._stores = stores
        self._clock = clock

    def read_request(self, body: bytes, *, streaming: bool = False) -> ConverseRequest:
        return requests.read_request(body, streaming=streaming)

    def write_request(self, request: ConverseRequest, out: Outgoing) -> bytes:
        return requests.write_request(request, out)

    def read_reply(self, body: bytes) -> ConverseReply:
        return replies.read_reply(body)

    def write_reply(self, reply: ConverseReply, shown: Shown) -> bytes:
        return replies.write_reply(reply, self._frame(shown))

    def reader(self) -> Reader:
        return Reader()

    def writer(self, shown: Shown) -> Writer:
        return Writer(self._frame(shown))

    def _frame(self, shown: Shown) -> Frame:
        return Frame(shown, created=int(self._clock()), stores=self._stores)
