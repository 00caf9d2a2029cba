"""Provider `mistral` against a server that speaks Mistral's documented format."""

from __future__ import annotations

import json

from msgspec import Raw

from craton.models.canon.content import ContentBlock, Message, ToolResultBlock, ToolResultContent, ToolUseBlock
from craton.models.canon.request import ConverseRequest
from craton.models.providers.mistral import MistralProvider
from craton.models.providers.provider import Upstream
from tests.fakes import vendors
from tests.fakes.upstream import FakeUpstream
from tests.integration.providers import vendor_contract as contract
from tests.integration.providers.vendor_contract import KEY, REQUEST, Vendor, VendorContract, asked, once, told

up = contract.up


class TestMistral(VendorContract):
    """Chat completions with Mistral's own words."""

    vendor = Vendor(
        make=lambda up, timeout_s: MistralProvider(Upstream("mistral", up.base_url + "/v1", "m", KEY, timeout_s)),
        answers=vendors.MISTRAL,
        path="/v1/chat/completions",
        stream_path="/v1/chat/completions",
        auth=("authorization", f"Bearer {KEY}"),
        native={"messages": [{"role": "user", "content": "hi there"}], "max_tokens": 9},
        calls_whole=True,
    )

    def test_nothing_is_sent_that_mistral_refuses(self, up: FakeUpstream) -> None:
        """No `stream_options`: Mistral forbids members that it does not know, and tells the usage unasked."""
        told(self.provider(up), "converse_stream", REQUEST)
        assert set(asked(up).json) == {"model", "stream", "max_tokens", "messages"}
        told(self.provider(up), "invoke_stream", json.dumps(self.vendor.native).encode())
        assert set(asked(up).json) == {"model", "stream", "max_tokens", "messages"}

    def test_ids_are_mistrals(self, up: FakeUpstream) -> None:
        """Ids of calls have nine letters and digits, the same in call and result."""
        use = ToolUseBlock("tooluse_long_one", "f", Raw(b"{}"))
        result = ToolResultBlock("tooluse_long_one", [ToolResultContent(text="x")])
        request = ConverseRequest(
            messages=[
                Message("user", [ContentBlock(text="a")]),
                Message("assistant", [ContentBlock(tool_use=use)]),
                Message("user", [ContentBlock(tool_result=result)]),
            ]
        )
        once(self.provider(up), "converse", request)
        _, call, answer = asked(up).json["messages"]
        assert call["tool_calls"][0]["id"] == answer["tool_call_id"]
        assert len(answer["tool_call_id"]) == 9

    def test_native_answers_have_bedrocks_names(self, up: FakeUpstream) -> None:
        """`stop_reason` and `message`, as a program for Bedrock reads them, whole and in pieces."""
        body = json.dumps(self.vendor.native).encode()
        (choice,) = json.loads(once(self.provider(up), "invoke", body))["choices"]
        assert choice["stop_reason"] == "stop"
        assert "finish_reason" not in choice
        chunks, _ = told(self.provider(up), "invoke_stream", body)
        values = [json.loads(chunk)["choices"][0] for chunk in chunks]
        assert all("message" in value and "delta" not in value for value in values)
        assert values[-1]["stop_reason"] == "stop"
