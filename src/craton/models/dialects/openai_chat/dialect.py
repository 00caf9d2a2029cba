"""OpenAI chat: what every OpenAI-compatible server speaks, and gpt-oss, Qwen and others in InvokeModel.

What one server wants otherwise reaches `write_request` as `Outgoing.quirks`:

| quirk | values (the first is the default) | what it changes |
|---|---|---|
| `max_tokens` | `max_tokens`, `max_completion_tokens` | the member's name |
| `system` | `system`, `developer`, `user` | the role of the system prompt |
| `content` | `parts`, `string` | several texts of a message: as parts, or joined in one string |
| `reasoning` | `reasoning_content`, `reasoning`, `""` | the member for earlier reasoning; empty: not sent |
| `files` | false, true | whether documents that are not text go as `file` parts |
| `videos` | false, true | whether videos go as `video_url` parts |
| `media` | true, false | whether images and sounds go at all; a model of text alone drops them by name |
| `extras` | `servers`, `vendor`, `pass` | extra fields: those of servers too, OpenAI's alone, or any |
| `usage` | true, false | whether a stream is asked for its usage |
| `prefill` | false, true | whether a last assistant message is to be continued (vLLM) |
"""

from __future__ import annotations

import time
from collections.abc import Callable

from craton.models.canon.reply import ConverseReply
from craton.models.canon.request import ConverseRequest
from craton.models.dialects.dialect import Outgoing, Shown
from craton.models.dialects.openai_chat import reply as replies
from craton.models.dialects.openai_chat import request as requests
from craton.models.dialects.openai_chat.reader import Reader
from craton.models.dialects.openai_chat.writer import Writer


class OpenAIChat:
    """The dialect `openai.chat`.

    Args:
        head_tag: the tag at the head of the text in which a server leaves reasoning (`think`, `reasoning`), for
            replies read. Replies of gpt-oss are always written with `reasoning`, as Bedrock does.
        clock: seconds since the epoch, for `created` in what is written.
    """

    name = "openai.chat"
    streams = True

    __slots__ = ("_clock", "_head_tag")

    def __init__(self, *, head_tag: str = "", clock: Callable[[], float] = time.time) -> None:
        self._head_tag = head_tag
        self._clock = clock

    def read_request(self, body: bytes, *, streaming: bool = False) -> ConverseRequest:
        return requests.read_request(body, streaming=streaming)

    def write_request(self, request: ConverseRequest, out: Outgoing) -> bytes:
        return requests.write_request(request, out)

    def read_reply(self, body: bytes) -> ConverseReply:
        return replies.read_reply(body, self._head_tag)

    def write_reply(self, reply: ConverseReply, shown: Shown) -> bytes:
        return replies.write_reply(reply, shown, created=int(self._clock()), head_tag=_shown_tag(shown))

    def reader(self) -> Reader:
        return Reader(self._head_tag)

    def writer(self, shown: Shown) -> Writer:
        return Writer(shown, created=int(self._clock()), head_tag=_shown_tag(shown))


def _shown_tag(shown: Shown) -> str:
    return "reasoning" if "openai.gpt-oss" in shown.model else ""
