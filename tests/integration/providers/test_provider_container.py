"""Provider `container` against a server with `/ping` and `/invocations`."""

from __future__ import annotations

import asyncio

import pytest

from craton.aws.wire.faults import Fault
from craton.models.providers.container import ContainerProvider
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
PONG = scripts.reply({})


class TestContainer(VendorContract):
    """OpenAI-shaped bodies at `/invocations`."""

    vendor = Vendor(
        make=lambda up, timeout_s: ContainerProvider(Upstream("container", up.base_url, "m", KEY, timeout_s)),
        answers=vendors.CONTAINER,
        path="/invocations",
        stream_path="/invocations",
        auth=("authorization", f"Bearer {KEY}"),
        native={"messages": [{"role": "user", "content": "hi there"}], "max_tokens": 9},
        statuses={**STATUSES, 503: "ModelNotReadyException"},
    )

    def play(self, up: FakeUpstream, *answers: scripts.Script) -> None:
        """A new provider pings first. On the connection that has answered the ping, a lost request is sent again."""
        up.play(PONG, *answers, *(answers if answers == (scripts.CUT,) else ()))

    def test_body(self, up: FakeUpstream) -> None:
        """OpenAI's, its stream with the usage."""
        told(self.provider(up), "converse_stream", REQUEST)
        sent = asked(up).json
        assert (sent["model"], sent["stream"], sent["stream_options"]) == ("up-model", True, {"include_usage": True})

    def test_pinged_once(self, up: FakeUpstream) -> None:
        """A container that was ready is not asked again."""

        async def main() -> None:
            provider = self.provider(up)
            for _ in range(3):
                await provider.converse(REQUEST, attempt())
            await provider.close()

        run(main())
        assert [request.path for request in up.requests] == ["/ping", *["/invocations"] * 3]

    def test_container_that_loads(self, up: FakeUpstream) -> None:
        """Until `/ping` says yes the model is not ready and nothing is sent; after a 503 it is pinged again."""
        up.play(scripts.reply({}, 503), PONG, scripts.error_openai(503))

        async def main() -> None:
            provider = self.provider(up)
            for _ in range(2):
                with pytest.raises(Fault) as raised:
                    await provider.converse(REQUEST, attempt())
                assert raised.value.name == "ModelNotReadyException"
                assert raised.value.retry_after_s
            assert (await provider.converse(REQUEST, attempt())).stop_reason == "end_turn"
            await provider.close()

        run(main())
        assert [request.path for request in up.requests] == [
            "/ping", "/ping", "/invocations", "/ping", "/invocations",
        ]  # fmt: skip

    def test_container_whose_ping_hangs(self, up: FakeUpstream) -> None:
        """The request's deadline holds for the ping too."""
        up.play(scripts.HANG)
        with pytest.raises(Fault) as raised:
            once(self.provider(up), "converse", REQUEST, 0.2)
        assert raised.value.name == "ModelTimeoutException"

    def test_container_that_is_not_there(self) -> None:
        """Nobody listens: the service is not available."""

        async def port() -> int:
            server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
            found: int = server.sockets[0].getsockname()[1]
            server.close()
            return found

        provider = ContainerProvider(Upstream("container", f"http://127.0.0.1:{asyncio.run(port())}", "m"))
        with pytest.raises(Fault) as raised:
            once(provider, "converse", REQUEST)
        assert raised.value.name == "ServiceUnavailableException"
