"""Provider `sagemaker` against a server that answers as sagemaker-runtime does and checks the signatures."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from craton.aws.wire.eventstream import encode_exception
from craton.models.providers.provider import Upstream
from craton.models.providers.sagemaker import SageMakerProvider
from tests.fakes import scripts, vendors
from tests.fakes.upstream import FakeUpstream
from tests.integration.providers import vendor_contract as contract
from tests.integration.providers.signatures import KEYS, verified
from tests.integration.providers.vendor_contract import (
    KEY,
    REQUEST,
    STATUSES,
    Vendor,
    VendorContract,
    asked,
    once,
    text_of,
    told,
)

up = contract.up


def target(up: FakeUpstream, timeout_s: float = 60.0, **more: Any) -> SageMakerProvider:
    upstream = Upstream("sagemaker", up.base_url, "m", timeout_s=timeout_s, region="eu-west-1")
    return SageMakerProvider(msgspec.structs.replace(upstream, **KEYS, **more))


class TestSageMaker(VendorContract):
    """InvokeEndpoint, and its response stream of payload parts."""

    vendor = Vendor(
        make=lambda up, timeout_s: target(up, timeout_s, session_token=KEY),
        answers=vendors.SAGEMAKER,
        path="/endpoints/up-model/invocations",
        stream_path="/endpoints/up-model/invocations-response-stream",
        auth=("authorization", "AWS4-HMAC-SHA256 Credential=AKIATARGET/"),
        native={"messages": [{"role": "user", "content": "hi there"}], "max_tokens": 9, "model": "caller's"},
        statuses=STATUSES,
    )

    @pytest.mark.parametrize("token", ["", "session/token=="])
    @pytest.mark.parametrize("how", ["converse", "converse_stream", "invoke", "invoke_stream"])
    def test_signature_holds(self, up: FakeUpstream, how: str, token: str) -> None:
        """Both operations are signed for SageMaker in the target's region."""
        provider = target(up, session_token=token)
        native = json.dumps(self.vendor.native).encode()
        given = native if how.startswith("invoke") else REQUEST
        if how.endswith("stream"):
            assert told(provider, how, given)[1] is None
        else:
            once(provider, how, given)
        who = verified(asked(up), "sagemaker", token)
        assert (who.region, who.session_token or "") == ("eu-west-1", token)

    def test_body(self, up: FakeUpstream) -> None:
        """OpenAI's shape, without a model: the endpoint is the model."""
        told(target(up), "converse_stream", REQUEST)
        sent = asked(up).json
        assert "model" not in sent
        assert (sent["stream"], sent["max_tokens"]) == (True, 9)

    def test_quirks(self, up: FakeUpstream) -> None:
        """A container that wants a model's name gets one; an inference component is named in a header."""
        once(target(up, quirks={"body_model": "tgi", "component": "ic-1"}), "converse", REQUEST)
        assert asked(up).json["model"] == "tgi"
        assert asked(up).headers["x-amzn-sagemaker-inference-component"] == "ic-1"

    def test_words_of_the_container(self, up: FakeUpstream) -> None:
        """What the container says is wrong with a request reaches the caller in its own words."""
        up.play(vendors.sagemaker_error(400))
        _, fault = self.fail(up, "whole")
        assert fault.message.endswith("max_tokens is too large")

    @pytest.mark.parametrize(
        ("status", "kind", "text", "name"),
        [
            (400, "ValidationError", "Endpoint x of account 123456789012 not found.", "ModelErrorException"),
            (400, "ValidationError", "Body is too long", "ValidationException"),
            (400, "ThrottlingException", "Rate exceeded", "ThrottlingException"),
            (429, "ModelNotReadyException", "Loading", "ModelNotReadyException"),
            (500, "InternalFailure", "broke", "ModelErrorException"),
            (530, "InternalDependencyException", "broke", "ServiceUnavailableException"),
        ],
    )
    def test_sagemakers_own_errors(self, up: FakeUpstream, status: int, kind: str, text: str, name: str) -> None:
        """Each of them is the error that a caller of Bedrock understands."""
        up.play(scripts.reply({"Message": text}, status, {"x-amzn-errortype": kind}))
        _, fault = self.fail(up, "whole")
        assert fault.name == name

    @pytest.mark.parametrize("how", ["stream", "native"])
    def test_exception_in_a_stream(self, up: FakeUpstream, how: str) -> None:
        """A model that breaks off is the stream's error."""
        broken = encode_exception("ModelStreamError", b'{"Message":"broke","ErrorCode":"ModelInvocationTimeExceeded"}')
        first = vendors.sagemaker_parts(b"".join(scripts.openai_events(["Hello"])[:2]))
        up.play(vendors.framed([*first, broken]))
        got, fault = self.fail(up, how)
        assert got
        assert (fault.name, fault.fields["originalMessage"]) == ("ModelStreamErrorException", "broke")

    def test_upstream_that_stays_open_after_its_last_event(self, up: FakeUpstream) -> None:
        """After the container's `[DONE]` the caller does not wait for the upstream to close."""
        up.play((*vendors.framed(vendors.sagemaker_events(["done"]))[:-1], scripts.Hang()))
        events, fault = told(target(up), "converse_stream", REQUEST)
        assert fault is None
        assert text_of(events) == "done"
