"""Provider `bedrock` against a server that answers as bedrock-runtime does and checks the signatures."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from craton.models.canon.content import ContentBlock, Message
from craton.models.canon.request import ConverseRequest
from craton.models.providers.bedrock import BedrockProvider
from craton.models.providers.provider import Upstream
from tests.fakes import scripts, vendors
from tests.fakes.upstream import FakeUpstream
from tests.integration.providers import vendor_contract as contract
from tests.integration.providers.signatures import KEYS, verified
from tests.integration.providers.vendor_contract import (
    KEY,
    REQUEST,
    Vendor,
    VendorContract,
    asked,
    attempt,
    once,
    run,
    told,
)

up = contract.up


def target(up: FakeUpstream, timeout_s: float = 60.0, **more: Any) -> BedrockProvider:
    upstream = Upstream(
        "bedrock", up.base_url, "m", timeout_s=timeout_s, region="eu-west-1", native="anthropic.messages"
    )
    return BedrockProvider(msgspec.structs.replace(upstream, **(more or KEYS)))


class TestBedrock(VendorContract):
    """Converse and InvokeModel, signed with the target's own keys."""

    vendor = Vendor(
        make=lambda up, timeout_s: target(up, timeout_s, **KEYS, session_token=KEY),
        answers=vendors.BEDROCK,
        path="/model/up-model/converse",
        stream_path="/model/up-model/converse-stream",
        auth=("authorization", "AWS4-HMAC-SHA256 Credential=AKIATARGET/"),
        native={
            "anthropic_version": "bedrock-2023-05-31",
            "max_tokens": 9,
            "messages": [{"role": "user", "content": "hi there"}],
        },
        counts=True,
        statuses={
            400: "ValidationException",
            403: "ModelErrorException",
            404: "ModelErrorException",
            429: "ThrottlingException",
            500: "InternalServerException",
            502: "ModelErrorException",
            503: "ServiceUnavailableException",
        },
        native_checked=False,
    )

    @pytest.mark.parametrize("token", ["", "session/token=="])
    @pytest.mark.parametrize("how", ["converse", "converse_stream", "invoke", "invoke_stream", "count_tokens"])
    def test_signature_holds(self, up: FakeUpstream, how: str, token: str) -> None:
        """Every operation is signed for the target's region, with its session token if it has one."""
        provider = target(up, 10.0, **KEYS, session_token=token)
        native = json.dumps(self.vendor.native).encode()
        if how.endswith("stream"):
            _, fault = told(provider, how, native if how.startswith("invoke") else REQUEST)
            assert fault is None
        else:
            once(provider, how, native if how == "invoke" else REQUEST)
        who = verified(asked(up), "bedrock", token)
        assert (who.access_key_id, who.region, who.session_token or "") == ("AKIATARGET", "eu-west-1", token)

    def test_model_in_the_path(self, up: FakeUpstream) -> None:
        """Ids with colons and ARNs are encoded as SDKs encode them, and the signature holds for them too."""
        arn = "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.anthropic.claude-3-haiku-20240307-v1:0"

        async def main() -> None:
            provider = target(up)
            given = attempt()
            given.model = arn
            await provider.converse(REQUEST, given)
            await provider.close()

        run(main())
        assert asked(up).path == (
            "/model/arn%3Aaws%3Abedrock%3Aeu-west-1%3A123456789012%3Ainference-profile%2F"
            "eu.anthropic.claude-3-haiku-20240307-v1%3A0/converse"
        )
        assert verified(asked(up), "bedrock")

    def test_bearer_key(self, up: FakeUpstream) -> None:
        """A Bedrock API key goes as a bearer token, unsigned."""
        once(target(up, api_key=KEY), "converse", REQUEST)
        assert asked(up).headers["authorization"] == f"Bearer {KEY}"
        assert "x-amz-date" not in asked(up).headers

    def test_body_is_converses(self, up: FakeUpstream) -> None:
        """The conversation goes as it came: cache points and all; the model stands in the path alone."""
        point = {"cachePoint": {"type": "default"}}
        body = {
            "messages": [{"role": "user", "content": [{"text": "hi"}, point]}],
            "system": [{"text": "s"}, point],
            "inferenceConfig": {"maxTokens": 9, "stopSequences": ["x"]},
            "additionalModelRequestFields": {"top_k": 5, "thinking": {"type": "enabled", "budget_tokens": 1024}},
            "requestMetadata": {"team": "a"},
            "serviceTier": {"type": "priority"},
        }
        request = msgspec.convert({"modelId": "caller's", **body}, ConverseRequest)
        once(target(up), "converse", request)
        assert asked(up).json == body

    def test_native_body_byte_for_byte(self, up: FakeUpstream) -> None:
        """InvokeModel's body is not touched."""
        body = b'{ "anthropic_version": "bedrock-2023-05-31","max_tokens":1e0,"messages":[] , "x":[ ] }'
        once(target(up), "invoke", body)
        assert asked(up).body == body
        assert asked(up).path == "/model/up-model/invoke"

    def test_count_is_of_the_conversation(self, up: FakeUpstream) -> None:
        """What Converse counts, and no more."""
        once(target(up), "count_tokens", REQUEST)
        assert asked(up).path == "/model/up-model/count-tokens"
        assert set(asked(up).json["input"]["converse"]) == {"messages", "system"}

    @pytest.mark.parametrize(
        "name",
        [
            "ModelErrorException", "ModelNotReadyException", "ModelTimeoutException", "ServiceQuotaExceededException",
            "ServiceUnavailableException", "ThrottlingException", "ValidationException",
        ],
    )  # fmt: skip
    def test_bedrocks_own_errors_pass_on(self, up: FakeUpstream, name: str) -> None:
        """Name, text and modelled fields are the real Bedrock's."""
        up.play(vendors.bedrock_error(424, name=name))
        _, fault = self.fail(up, "whole")
        assert (fault.name, fault.message) == (name, f"{name} it is")
        assert fault.fields["originalStatusCode"] == 500

    @pytest.mark.parametrize("name", ["UnrecognizedClientException", "ExpiredTokenException", "AccessDeniedException"])
    def test_errors_about_our_credentials_are_not_the_callers(self, up: FakeUpstream, name: str) -> None:
        """The caller's key is right: what is wrong with the target's is a ModelErrorException without its text."""
        up.play(vendors.bedrock_error(403, name=name))
        _, fault = self.fail(up, "whole")
        assert (fault.name, fault.fields["originalStatusCode"]) == ("ModelErrorException", 403)
        assert "credentials that this server has" in fault.message

    @pytest.mark.parametrize(
        ("exception", "name"),
        [
            ("throttlingException", "ThrottlingException"),
            ("modelStreamErrorException", "ModelStreamErrorException"),
            ("serviceUnavailableException", "ServiceUnavailableException"),
            ("brandNewException", "ModelStreamErrorException"),
        ],
    )
    @pytest.mark.parametrize("native", [False, True])
    def test_exception_in_a_stream(self, up: FakeUpstream, exception: str, name: str, native: bool) -> None:
        """What came before it in the same read is given out; then the stream ends with the same exception."""
        broken = vendors.bedrock_exception(exception, "no more")
        chunk = vendors.bedrock_chunks([{"type": "message_start"}, {"type": "x"}])[0]
        events = [chunk] if native else vendors.bedrock_events(["Hello"])[:2]
        up.play(vendors.framed([b"".join([*events, broken])]))
        got, fault = self.fail(up, "native" if native else "stream")
        assert got
        assert fault.name == name

    def test_exception_before_anything_else(self, up: FakeUpstream) -> None:
        """Nothing has been said yet, so it is an error with a status."""
        up.play(vendors.framed([vendors.bedrock_exception("modelStreamErrorException", "no")]))
        got, fault = self.fail(up, "stream")
        assert (got, fault.name) == ([], "ModelErrorException")

    def test_native_stream_that_is_cut(self, up: FakeUpstream) -> None:
        """A native stream without the metrics of its last chunk is not complete."""
        frames = vendors.bedrock_chunks([{"type": "message_start"}, {"type": "message_stop"}])
        up.play(vendors.framed(frames[:-1]))
        got, fault = self.fail(up, "native")
        assert (len(got), fault.name) == (1, "ModelStreamErrorException")

    def test_damaged_frame(self, up: FakeUpstream) -> None:
        """A frame whose checksum does not hold ends the stream."""
        frames = vendors.bedrock_events(["Hello", "world"])
        frames[2] = frames[2][:-1] + bytes([frames[2][-1] ^ 1])
        up.play(vendors.framed(frames))
        got, fault = self.fail(up, "stream")
        assert contract.text_of(got) == "Hello"
        assert fault.name == "ModelStreamErrorException"

    def test_stop_sequence(self, up: FakeUpstream) -> None:
        """Asked for by its path, what ended the turn is known as such."""
        value = {
            "output": {"message": {"role": "assistant", "content": [{"text": "a"}]}},
            "stopReason": "stop_sequence",
            "usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2, "cacheReadInputTokens": 0},
            "metrics": {"latencyMs": 1},
            "additionalModelResponseFields": {"stop_sequence": "x"},
        }
        up.play(scripts.reply(value))
        request = ConverseRequest(
            messages=[Message("user", [ContentBlock(text="a")])],
            additional_model_response_field_paths=["/stop_sequence"],
        )
        reply = once(target(up), "converse", request)
        assert asked(up).json["additionalModelResponseFieldPaths"] == ["/stop_sequence"]
        assert (reply.stop_sequence, reply.usage.cache_read_input_tokens) == ("x", 0)
