"""Provider `ai21` against a server that speaks AI21's documented format."""

from __future__ import annotations

from craton.models.providers.ai21 import AI21Provider
from craton.models.providers.provider import Upstream
from tests.fakes import vendors
from tests.fakes.upstream import FakeUpstream
from tests.integration.providers import vendor_contract as contract
from tests.integration.providers.vendor_contract import KEY, REQUEST, Vendor, VendorContract, asked, once, told

up = contract.up


class TestAI21(VendorContract):
    """Jamba in the vendor's own form."""

    vendor = Vendor(
        make=lambda up, timeout_s: AI21Provider(Upstream("ai21", up.base_url + "/studio/v1", "m", KEY, timeout_s)),
        answers=vendors.AI21,
        path="/studio/v1/chat/completions",
        stream_path="/studio/v1/chat/completions",
        auth=("authorization", f"Bearer {KEY}"),
        native={"messages": [{"role": "user", "content": "hi there"}], "max_tokens": 9, "stream": True},
    )

    def test_body_in_the_vendors_form(self, up: FakeUpstream) -> None:
        """Model and stream stand in the body, and nothing that AI21 does not know."""
        told(self.provider(up), "converse_stream", REQUEST)
        sent = asked(up).json
        assert (sent["model"], sent["stream"], sent["max_tokens"]) == ("up-model", True, 9)
        assert set(sent) == {"model", "stream", "max_tokens", "messages"}

    def test_native_body_in_the_vendors_form(self, up: FakeUpstream) -> None:
        """A body in Bedrock's form gets the model, and loses what Bedrock reads itself."""
        body = b'{"messages":[{"role":"user","content":"x"}],"amazon-bedrock-guardrailConfig":{}}'
        once(self.provider(up), "invoke", body)
        assert set(asked(up).json) == {"messages", "model"}
