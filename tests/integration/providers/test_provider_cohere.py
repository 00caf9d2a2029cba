"""Provider `cohere` against a server that speaks Cohere's documented format (v2 chat)."""

from __future__ import annotations

from craton.models.providers.cohere import CohereProvider
from craton.models.providers.provider import Upstream
from tests.fakes import scripts, vendors
from tests.fakes.upstream import FakeUpstream
from tests.integration.providers import vendor_contract as contract
from tests.integration.providers.vendor_contract import KEY, REQUEST, Vendor, VendorContract, asked, told

up = contract.up


class TestCohere(VendorContract):
    """The second version of chat."""

    vendor = Vendor(
        make=lambda up, timeout_s: CohereProvider(Upstream("cohere", up.base_url, "m", KEY, timeout_s)),
        answers=vendors.COHERE,
        path="/v2/chat",
        stream_path="/v2/chat",
        auth=("authorization", f"Bearer {KEY}"),
        native={"messages": [{"role": "user", "content": "hi there"}], "max_tokens": 9},
    )

    def test_body(self, up: FakeUpstream) -> None:
        """The system prompt is the first message; model and stream stand in the body."""
        told(self.provider(up), "converse_stream", REQUEST)
        assert asked(up).json == {
            "model": "up-model",
            "stream": True,
            "messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hi there"}],
            "max_tokens": 9,
        }

    def test_upstream_that_stays_open_after_its_last_event(self, up: FakeUpstream) -> None:
        """After `message-end` the caller does not wait for the upstream to close."""
        up.play(scripts.hang_midstream(vendors.cohere_events(["done"])))
        events, fault = told(self.provider(up), "converse_stream", REQUEST)
        assert fault is None
        assert contract.text_of(events) == "done"

    def test_error_at_the_end_of_a_stream(self, up: FakeUpstream) -> None:
        """An answer that ends with Cohere's ERROR ends as the stream's error."""
        end = vendors.cohere_event("message-end", delta={"finish_reason": "ERROR", "error": "broke"})
        up.play(scripts.event_stream([*vendors.cohere_events(["Hello"])[:-1], end]))
        events, fault = told(self.provider(up), "converse_stream", REQUEST)
        assert contract.text_of(events) == "Hello"
        assert fault is not None
        assert (fault.name, fault.fields["originalMessage"]) == ("ModelStreamErrorException", "broke")
