"""Provider `gemini` against a server that speaks Google's documented format."""

from __future__ import annotations

import pytest

from craton.models.providers.gemini import GeminiProvider
from craton.models.providers.provider import Upstream
from tests.fakes import scripts, vendors
from tests.fakes.upstream import FakeUpstream
from tests.integration.providers import vendor_contract as contract
from tests.integration.providers.vendor_contract import (
    KEY,
    REQUEST,
    STATUSES,
    Vendor,
    VendorContract,
    asked,
    attempt,
    once,
    run,
    told,
)

up = contract.up


class TestGemini(VendorContract):
    """generateContent and streamGenerateContent."""

    vendor = Vendor(
        make=lambda up, timeout_s: GeminiProvider(Upstream("gemini", up.base_url, "m", KEY, timeout_s)),
        answers=vendors.GEMINI,
        path="/v1beta/models/up-model:generateContent",
        stream_path="/v1beta/models/up-model:streamGenerateContent?alt=sse",
        auth=("x-goog-api-key", KEY),
        native={"contents": [{"role": "user", "parts": [{"text": "hi there"}]}]},
        counts=True,
        calls_whole=True,
        statuses={status: name for status, name in STATUSES.items() if status not in (413, 422, 502, 529)},
    )

    def test_body(self, up: FakeUpstream) -> None:
        """Turns, system prompt and limits have their places; neither model nor stream stands in the body."""
        told(self.provider(up), "converse_stream", REQUEST)
        assert asked(up).json == {
            "contents": [{"role": "user", "parts": [{"text": "hi there"}]}],
            "systemInstruction": {"parts": [{"text": "be brief"}]},
            "generationConfig": {"maxOutputTokens": 9},
        }

    def test_count(self, up: FakeUpstream) -> None:
        """The whole request is counted, with its model."""
        once(self.provider(up), "count_tokens", REQUEST)
        assert asked(up).path == "/v1beta/models/up-model:countTokens"
        assert set(asked(up).json["generateContentRequest"]) == {
            "model", "contents", "systemInstruction", "generationConfig",
        }  # fmt: skip
        assert asked(up).json["generateContentRequest"]["model"] == "models/up-model"

    @pytest.mark.parametrize(
        ("model", "path"),
        [("tunedModels/x-1", "/v1beta/tunedModels/x-1"), ("a b?c", "/v1beta/models/a%20b%3Fc")],
    )
    def test_names_of_models(self, up: FakeUpstream, model: str, path: str) -> None:
        """A resource's name is taken as it is; nothing in a name can change the path."""

        async def main() -> None:
            provider = self.provider(up)
            given = attempt()
            given.model = model
            up.play(vendors.gemini_reply("x"))
            await provider.converse(REQUEST, given)
            await provider.close()

        run(main())
        assert asked(up).path == f"{path}:generateContent"

    def test_wait_that_stands_in_the_body(self, up: FakeUpstream) -> None:
        """Google tells how long to wait among the details of the error."""
        up.play(vendors.gemini_error(429))
        _, fault = self.fail(up, "whole")
        assert fault.retry_after_s == 7.0

    def test_error_in_a_stream(self, up: FakeUpstream) -> None:
        """An error that comes after text ends the stream."""
        error = vendors.sse({"error": {"code": 503, "message": "busy", "status": "UNAVAILABLE"}})
        for how in ("stream", "native"):
            up.play(scripts.event_stream([*vendors.gemini_events(["Hello"])[:-1], error]))
            got, fault = self.fail(up, how)
            assert got
            assert fault.name == "ServiceUnavailableException"
