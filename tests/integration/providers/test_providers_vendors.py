"""What is each vendor's own: paths, headers, counting, and the local model's cold start."""

from __future__ import annotations

import asyncio
import json

import pytest
import uvloop

from craton.aws.wire.faults import Fault, model_not_ready, throttled
from craton.models.canon.content import ContentBlock, Message
from craton.models.canon.request import ConverseRequest, InferenceConfig, SystemBlock
from craton.models.dialects.dialect import Ledger
from craton.models.providers.anthropic import AnthropicProvider
from craton.models.providers.openai import OpenAIProvider
from craton.models.providers.provider import Attempt, Upstream
from tests.fakes import scripts
from tests.fakes.replicas import Places, local_at
from tests.fakes.upstream import FakeUpstream


def asking(**extra):
    return ConverseRequest(
        messages=[Message("user", [ContentBlock(text="hi there")])],
        system=[SystemBlock(text="be brief")],
        inference_config=InferenceConfig(max_tokens=9, temperature=0.5, top_p=0.9, stop_sequences=["x"]),
        additional_model_request_fields=extra or None,
    )


@pytest.fixture
def up():
    with FakeUpstream() as upstream:
        yield upstream


def attempt(seconds=60.0, model="up-model", **more):
    return Attempt(model, Ledger(), asyncio.get_running_loop().time() + seconds, "request-1", **more)


def run(coroutine):
    return uvloop.run(asyncio.wait_for(coroutine, 20))


def openai(up, **more):
    return OpenAIProvider(Upstream("openai", up.openai_url, "m", **more))


def anthropic(up, **more):
    return AnthropicProvider(Upstream("anthropic", up.anthropic_url, "m", **more))


async def closing(provider, coroutine):
    try:
        return await coroutine
    finally:
        await provider.close()


async def once(provider, method, *arguments):
    """One call of one method, with an attempt."""
    return await closing(provider, getattr(provider, method)(*arguments, attempt()))


async def all_of(provider, generator):
    items = [item async for batch in generator for item in batch]
    await provider.close()
    return items


# --- openai -----------------------------------------------------------------------------------------------------------


def test_openai_headers(up):
    """The key is a bearer token; the answer is asked for uncompressed."""
    run(once(openai(up, api_key="sk-1"), "converse", asking()))
    sent = up.requests[0]
    assert (sent.method, sent.path) == ("POST", "/v1/chat/completions")
    assert sent.headers["authorization"] == "Bearer sk-1"
    assert sent.headers["accept-encoding"] == "identity"
    assert sent.headers["content-type"] == "application/json"


def test_openai_without_a_key(up):
    """A server without keys is sent none."""
    run(once(openai(up), "converse", asking()))
    assert "authorization" not in up.requests[0].headers


@pytest.mark.parametrize(("quirks", "asked"), [({}, {"include_usage": True}), ({"usage": False}, None)])
def test_openai_native_stream_asks_for_usage(up, quirks, asked):
    """A native stream is asked for its usage, unless the server cannot."""

    async def main():
        provider = openai(up, quirks=quirks)
        return await all_of(provider, provider.invoke_stream(b'{"messages": []}', attempt()))

    run(main())
    assert up.requests[0].json.get("stream_options") == asked


def test_openai_native_whole_is_no_stream(up):
    """A native body that asks for a stream is not streamed by InvokeModel."""
    run(once(openai(up), "invoke", b'{"messages": [], "stream": true, "stream_options": {}, "big": 1e400}'))
    assert up.requests[0].body == b'{"messages":[],"big":1e400,"model":"up-model"}'


def test_openai_cannot_count(up):
    """Counting is refused in Bedrock's words, not guessed."""
    with pytest.raises(Fault, match="doesn't support counting tokens"):
        run(once(openai(up), "count_tokens", asking()))
    assert not up.requests


def test_attempts_quirks_win(up):
    """A quirk of the attempt overrides the target's."""

    async def main():
        provider = openai(up, quirks={"max_tokens": "max_tokens"})
        given = attempt(quirks={"max_tokens": "max_completion_tokens"})
        await closing(provider, provider.converse(asking(), given))

    run(main())
    assert up.requests[0].json["max_completion_tokens"] == 9


def test_reasoning_at_the_head_of_the_text(up):
    """A server that leaves its reasoning in the text is understood by a quirk."""
    up.play(scripts.openai_reply("<think>hm</think>Hello"))
    reply = run(once(openai(up, quirks={"head_tag": "think"}), "converse", asking()))
    kinds = [block.kind for block in reply.output.message.content]
    assert kinds == ["reasoningContent", "text"]


# --- anthropic --------------------------------------------------------------------------------------------------------


def test_anthropic_headers(up):
    """The key, the version and the betas travel as headers."""
    run(once(anthropic(up, api_key="sk-ant-1"), "converse", asking(anthropic_beta=["one-2025", "two-2025"])))
    sent = up.requests[0]
    assert (sent.method, sent.path) == ("POST", "/v1/messages")
    assert sent.headers["x-api-key"] == "sk-ant-1"
    assert sent.headers["anthropic-version"] == "2023-06-01"
    assert sent.headers["anthropic-beta"] == "one-2025,two-2025"
    assert "anthropic_beta" not in sent.json
    assert "anthropic_version" not in sent.json


@pytest.mark.parametrize("beta", ["a\r\nx-evil: 1", "a b", "é", "", "x" * 200])
def test_anthropic_beta_cannot_make_a_header(up, beta):
    """A beta that is no plain name is refused before anything is sent."""
    with pytest.raises(Fault) as refused:
        run(once(anthropic(up), "converse", asking(anthropic_beta=[beta])))
    assert refused.value.name == "ValidationException"
    assert not up.requests


def test_anthropic_native_body(up):
    """A body in Bedrock's form is sent in the vendor's."""
    body = {"anthropic_version": "bedrock-2023-05-31", "anthropic_beta": ["b-1"], "max_tokens": 5, "messages": []}
    run(once(anthropic(up), "invoke", json.dumps(body).encode()))
    sent = up.requests[0]
    assert sent.headers["anthropic-beta"] == "b-1"
    assert sent.json == {"max_tokens": 5, "messages": [], "model": "up-model"}


def test_anthropic_counts(up):
    """Tokens are counted by the vendor, with nothing that its count refuses."""
    assert run(once(anthropic(up), "count_tokens", asking(top_k=5))) == 42
    assert up.requests[0].path == "/v1/messages/count_tokens"
    assert set(up.requests[0].json) == {"model", "messages", "system"}


def test_anthropic_count_that_is_none(up):
    """An answer without a count is a ModelErrorException."""
    up.play(scripts.reply({"tokens": 3}))
    with pytest.raises(Fault) as raised:
        run(once(anthropic(up), "count_tokens", asking()))
    assert raised.value.name == "ModelErrorException"


# --- local ------------------------------------------------------------------------------------------------------------


def local(ask, **more):
    return local_at(ask=ask, **more)


def test_local_over_a_unix_socket(tmp_path):
    """A model process answers over its socket; its place is asked for once."""
    with FakeUpstream(uds=tmp_path / "m.sock") as up:
        ensure = Places(up.base_url)

        async def main():
            provider = local(ensure)
            for _ in range(3):
                reply = await provider.converse(asking(), attempt(model="craton.x"))
            await provider.close()
            return reply

        assert run(main()).stop_reason == "end_turn"
        assert ensure.asked == ["craton.x"]
        assert up.requests[0].path == "/v1/chat/completions"
        assert up.requests[0].json["model"] == "craton.x"
        assert up.connections == 1


def test_local_counts(up):
    """Tokens are counted by the engine, over the conversation alone."""
    assert run(once(local(Places(up.base_url)), "count_tokens", asking())) == 42
    assert up.requests[0].path == "/tokenize"
    assert set(up.requests[0].json) == {"messages"}


def test_local_asks_again_when_the_process_is_gone(up, tmp_path):
    """A place where nobody listens any more is asked for anew, once, unseen by the caller."""
    ensure = Places(f"unix:{tmp_path}/gone.sock", up.base_url)
    assert run(once(local(ensure), "converse", asking())).stop_reason == "end_turn"
    assert len(ensure.asked) == 2


@pytest.mark.parametrize("native", [False, True])
def test_local_process_that_dies_before_its_first_byte(up, native):
    """A process that dies under a request is replaced, if no byte of an answer had come."""
    ensure = Places(up.base_url)

    async def main():
        provider = local(ensure)
        up.play(scripts.CUT)
        if native:
            return await all_of(provider, provider.invoke_stream(b'{"messages": []}', attempt()))
        return await closing(provider, provider.converse(asking(), attempt()))

    assert run(main())
    assert (len(ensure.asked), len(up.requests)) == (2, 2)


def test_local_process_that_dies_in_a_stream(up):
    """After the first byte nothing is asked again."""
    up.play(scripts.cut_midstream(scripts.openai_events(["Hel"])[:2]))
    ensure = Places(up.base_url)

    async def main():
        provider = local(ensure)
        return await all_of(provider, provider.converse_stream(asking(), attempt()))

    with pytest.raises(Fault) as raised:
        run(main())
    assert raised.value.name == "ModelStreamErrorException"
    assert (len(ensure.asked), len(up.requests)) == (1, 1)


def test_local_process_that_stays_gone(tmp_path):
    """A process that cannot be reached three times is a model that is not ready, with a time to wait."""
    ensure = Places(f"unix:{tmp_path}/gone.sock")
    with pytest.raises(Fault) as raised:
        run(once(local(ensure), "converse", asking()))
    assert raised.value.name == "ModelNotReadyException"
    assert raised.value.retry_after_s
    assert len(ensure.asked) == 3


def test_local_cold_start_that_takes_too_long():
    """A start that outlasts the deadline is a model that is not ready."""

    async def never(_deployment):
        await asyncio.sleep(60)

    async def main():
        provider = local(never)
        await closing(provider, provider.converse(asking(), attempt(0.1)))

    with pytest.raises(Fault) as raised:
        run(main())
    assert raised.value.name == "ModelNotReadyException"


def test_local_engine_that_still_loads(up):
    """An engine that says 503 is a model that is not ready, whole and in front of a stream."""
    up.play(scripts.error_openai(503), scripts.error_openai(503))

    async def main():
        provider = local(Places(up.base_url))
        for call in (provider.converse(asking(), attempt()), anext(provider.converse_stream(asking(), attempt()))):
            with pytest.raises(Fault) as raised:
                await call
            assert raised.value.name == "ModelNotReadyException"
        await provider.close()

    run(main())


@pytest.mark.parametrize(
    ("error", "name"),
    [(throttled(), "ThrottlingException"), (model_not_ready(), "ModelNotReadyException")],
)
def test_local_supervisor_that_refuses(error, name):
    """A Fault of the supervisor reaches the caller."""
    with pytest.raises(Fault) as raised:
        run(once(local(Places(error)), "converse", asking()))
    assert raised.value.name == name


def test_anthropic_native_whole_is_no_stream(up):
    """A native body that asks for a stream is not streamed by InvokeModel."""
    run(once(anthropic(up), "invoke", b'{"max_tokens": 5, "messages": [], "stream": true}'))
    assert not up.requests[0].json.get("stream")
