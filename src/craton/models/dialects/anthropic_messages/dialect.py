"""Anthropic Messages (`anthropic.claude-3*` and later), in Bedrock's form and in the vendor's.

Bedrock's form is the body of InvokeModel: `anthropic_version` and `anthropic_beta` inside, no `model` and no
`stream`. The vendor's form is what Anthropic's own endpoint takes; `AnthropicMessages(vendor=True)` reads and writes
it, and `write_request` also writes it where `Outgoing.quirks` says `{"form": "vendor"}`. Betas then travel as a
header: `beta_header(request)`. For bodies that pass through unread there is `vendor_body`.
"""

from __future__ import annotations

from craton.models.canon.reply import ConverseReply
from craton.models.canon.request import ConverseRequest
from craton.models.dialects.anthropic_messages import reply as replies
from craton.models.dialects.anthropic_messages import request as requests
from craton.models.dialects.anthropic_messages.reader import Reader
from craton.models.dialects.anthropic_messages.request import beta_header, vendor_body
from craton.models.dialects.anthropic_messages.writer import Writer
from craton.models.dialects.dialect import Outgoing, Shown

__all__ = ["AnthropicMessages", "beta_header", "vendor_body"]


class AnthropicMessages:
    """The dialect `anthropic.messages`. `vendor`: requests are read, and by default written, in the vendor's form."""

    name = "anthropic.messages"
    streams = True

    __slots__ = ("_vendor",)

    def __init__(self, *, vendor: bool = False) -> None:
        self._vendor = vendor

    def read_request(self, body: bytes, *, streaming: bool = False) -> ConverseRequest:
        return requests.read_request(body, vendor=self._vendor)

    def write_request(self, request: ConverseRequest, out: Outgoing) -> bytes:
        vendor = self._vendor if "form" not in out.quirks else out.quirks["form"] == "vendor"
        return requests.write_request(request, out, vendor=vendor)

    def read_reply(self, body: bytes) -> ConverseReply:
        return replies.read_reply(body)

    def write_reply(self, reply: ConverseReply, shown: Shown) -> bytes:
        return replies.write_reply(reply, shown)

    def reader(self) -> Reader:
        return Reader()

    def writer(self, shown: Shown) -> Writer:
        return Writer(shown)
