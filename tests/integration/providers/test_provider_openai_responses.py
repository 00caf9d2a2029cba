"""Provider `openai` with the quirk `api = "responses"`, against a server that speaks the documented format."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from craton.aws.wire.faults import Fault
from craton.models.canon.content import ContentBlock, Message
from craton.models.canon.request import ConverseRequest
from craton.models.providers.openai import OpenAIProvider
from craton.models.providers.provider import Upstream
from tests.fakes import responses, scripts
from tests.fakes.upstream import FakeUpstream
from tests.integration.providers.vendor_contract import KEY, REQUEST, Vendor, VendorContract, asked, once, told


@pytest.fixture
def up() -> Iterator[FakeUpstream]:
    with FakeUpstream(fallback=responses.natural) as upstream:
        yield upstream


def make(up: FakeUpstream, timeout_s: float) -> OpenAIProvider:
    return OpenAIProvider(Upstream("openai", up.openai_url, "m", KEY, timeout_s, quirks={"api": "responses"}))


class TestResponses(VendorContract):
    """Responses in the place of chat."""

    vendor = Vendor(
        make=make,
        answers=responses.RESPONSES,
        path="/v1/responses",
        stream_path="/v1/responses",
        auth=("authorization", f"Bearer {KEY}"),
        native={"input": "hi there", "max_output_tokens": 9},
        counts=True,
    )

    def test_nothing_is_kept_at_the_vendor(self, up: FakeUpstream) -> None:
        """The whole conversation goes each time, and its reasoning comes back encrypted."""
        told(self.provider(up), "converse_stream", REQUEST)
        sent = asked(up).json
        assert (sent["store"], sent["stream"], sent["model"]) == (False, True, "up-model")
        assert sent["include"] == ["reasoning.encrypted_content"]
        assert (sent["instructions"], sent["max_output_tokens"]) == ("be brief", 9)

    def test_a_count_has_no_members_of_an_answer(self, up: FakeUpstream) -> None:
        """The count takes the conversation alone."""
        once(self.provider(up), "count_tokens", REQUEST)
        assert set(asked(up).json) == {"model", "instructions", "input"}
        assert asked(up).path == "/v1/responses/input_tokens"

    def test_reasoning_goes_back_to_its_maker(self, up: FakeUpstream) -> None:
        """What was encrypted, with its summary, whole and streamed, is the next turn's item."""
        item: dict[str, Any] = {
            "id": "rs_1", "type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm"}],
            "encrypted_content": "gAAAA",
        }  # fmt: skip
        up.play(scripts.reply(responses.response(item, responses.message("Yes"))))
        turn = once(self.provider(up), "converse", REQUEST).output.message
        asks = [*(REQUEST.messages or []), turn, Message("user", [ContentBlock(text="And?")])]
        once(self.provider(up), "converse", ConverseRequest(messages=asks))
        assert asked(up).json["input"][1] == item
        stream = [("response.output_item.done", {"output_index": 0, "item": item})]
        up.play(scripts.event_stream(responses.around(stream, item)))
        events, fault = told(self.provider(up), "converse_stream", REQUEST)
        assert fault is None
        assert "gAAAA" in str(events)

    def test_a_response_that_failed_is_an_error(self, up: FakeUpstream) -> None:
        """A 200 that says `failed` is no answer, whole or in a stream."""
        broken = responses.response(status="failed", error={"code": "server_error", "message": "It broke."})
        up.play(scripts.reply(broken))
        with pytest.raises(Fault) as raised:
            once(self.provider(up), "converse", REQUEST)
        assert raised.value.name == "ModelErrorException"
        begun = responses.text_events(["one"])[:5]
        up.play(scripts.event_stream([*begun, responses.event("response.failed", 9, response=broken)]))
        got, fault = told(self.provider(up), "converse_stream", REQUEST)
        assert got
        assert fault is not None
        assert fault.name == "ModelStreamErrorException"

    def test_an_answer_cut_short_says_so(self, up: FakeUpstream) -> None:
        """`incomplete` for want of tokens, or by a filter."""
        for reason, stop in (("max_output_tokens", "max_tokens"), ("content_filter", "content_filtered")):
            cut = responses.response(
                responses.message("one"), status="incomplete", incomplete_details={"reason": reason}
            )
            up.play(scripts.reply(cut))
            assert once(self.provider(up), "converse", REQUEST).stop_reason == stop
