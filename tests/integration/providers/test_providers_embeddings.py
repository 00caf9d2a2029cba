"""Embeddings and rankings of every provider, against a server that speaks the vendor's documented format."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from craton.aws.wire.faults import Fault
from craton.models.canon.embedding import EmbedReply, EmbedRequest, Item, Media, is_unit
from craton.models.canon.rerank import RerankReply, RerankRequest
from craton.models.dialects.dialect import Ledger
from craton.models.providers.bedrock import BedrockProvider
from craton.models.providers.cohere import CohereProvider
from craton.models.providers.container import ContainerProvider
from craton.models.providers.gemini import GeminiProvider
from craton.models.providers.local import LocalProvider
from craton.models.providers.mistral import MistralProvider
from craton.models.providers.openai import OpenAIProvider
from craton.models.providers.provider import Attempt, Upstream
from craton.models.providers.sagemaker import SageMakerProvider
from tests.fakes import embedders, scripts, vendors
from tests.fakes.replicas import local_at
from tests.fakes.upstream import FakeUpstream
from tests.integration.providers.vendor_contract import KEY, STATUSES, run

Make = Callable[[FakeUpstream], Any]
TEXTS = EmbedRequest(items=[Item("one cat"), Item("two dogs and a cat")], dimensions=1024)
DOCUMENTS = RerankRequest(query="cats", documents=["dogs", "cats", {"title": "cats and dogs"}], top_n=2)
SIGNED = {"region": "us-east-1", "access_key_id": "AKIATEST", "secret_access_key": "secret"}
TITAN = "amazon.titan-embed-text-v2"


def upstream(name: str, url: str, **more: Any) -> Upstream:
    keys = {} if "access_key_id" in more else {"api_key": KEY}
    return Upstream(name, url, "m", **{"timeout_s": 5.0, **keys, **more})


def local(up: FakeUpstream) -> LocalProvider:
    return local_at(up.base_url)


EMBEDDERS: dict[str, tuple[Make, str, int]] = {
    # How it is made, its path, how long its vectors come.
    "openai": (lambda up: OpenAIProvider(upstream("openai", up.openai_url)), "/v1/embeddings", 384),
    "mistral": (lambda up: MistralProvider(upstream("mistral", up.openai_url)), "/v1/embeddings", 384),
    "cohere": (lambda up: CohereProvider(upstream("cohere", up.base_url)), "/v2/embed", 1024),
    "gemini": (
        lambda up: GeminiProvider(upstream("gemini", up.base_url)), "/v1beta/models/up-model:batchEmbedContents", 1024,
    ),
    "bedrock": (
        lambda up: BedrockProvider(upstream("bedrock", up.base_url, native=TITAN, **SIGNED)),
        "/model/up-model/invoke", 1024,
    ),
    "sagemaker": (
        lambda up: SageMakerProvider(upstream("sagemaker", up.base_url, **SIGNED)),
        "/endpoints/up-model/invocations", 384,
    ),
    "container": (lambda up: ContainerProvider(upstream("container", up.base_url)), "/invocations", 384),
    "local": (local, "/v1/embeddings", 384),
}  # fmt: skip
RANKERS: dict[str, tuple[Make, str]] = {
    "openai": (EMBEDDERS["openai"][0], "/v1/rerank"),
    "cohere": (EMBEDDERS["cohere"][0], "/v2/rerank"),
    "bedrock": (
        lambda up: BedrockProvider(upstream("bedrock", up.base_url, native="cohere.rerank", **SIGNED)),
        "/model/up-model/invoke",
    ),
    "sagemaker": (EMBEDDERS["sagemaker"][0], "/endpoints/up-model/invocations"),
    "container": (EMBEDDERS["container"][0], "/invocations"),
    "local": (local, "/v1/rerank"),
}
AUTH = {"gemini": ("x-goog-api-key", KEY), "bedrock": ("authorization", "AWS4-HMAC-SHA256 Credential=AKIATEST/")}
AUTH["sagemaker"] = AUTH["bedrock"]
BEARER = ("authorization", f"Bearer {KEY}")


@pytest.fixture
def up() -> Iterator[FakeUpstream]:
    with FakeUpstream(fallback=embedders.natural) as server:
        yield server


def ask(provider: Any, request: Any, ledger: Ledger | None = None, seconds: float = 60.0, **quirks: object) -> Any:
    """One call; the provider is closed after it."""

    async def main() -> Any:
        deadline = asyncio.get_running_loop().time() + seconds
        attempt = Attempt("up-model", ledger or Ledger(), deadline, "request-1", quirks=quirks)
        try:
            method = provider.embed if isinstance(request, EmbedRequest) else provider.rerank
            return await method(request, attempt)
        finally:
            await provider.close()

    return run(main())


def sent(up: FakeUpstream, path: str) -> Any:
    return next(request for request in up.requests if request.path == path)


@pytest.mark.parametrize("name", list(EMBEDDERS))
def test_texts_become_vectors(up: FakeUpstream, name: str) -> None:
    """One each, in order; path, key and texts are as the vendor wants them."""
    make, path, size = EMBEDDERS[name]
    reply: EmbedReply = ask(make(up), TEXTS)
    first, second = reply.vectors["float"]
    assert first == pytest.approx(embedders.vector("one cat", size))
    assert second == pytest.approx(embedders.vector("two dogs and a cat", size))
    assert reply.input_tokens == (42 if name == "gemini" else 7)
    request = sent(up, path)
    assert request.method == "POST"
    assert "two dogs" in b"".join(one.body for one in up.requests).decode()
    if name != "local":
        header, start = AUTH.get(name, BEARER)
        assert request.headers[header].startswith(start)


@pytest.mark.parametrize("name", list(RANKERS))
def test_documents_are_ranked(up: FakeUpstream, name: str) -> None:
    """Best first, no more than asked for."""
    make, path = RANKERS[name]
    reply: RerankReply = ask(make(up), DOCUMENTS)
    assert [one.index for one in reply.results] == [1, 2]
    assert reply.results[0].relevance_score == 1.0
    body = sent(up, path).json
    assert (body["query"], body["top_n"], body["documents"][:2]) == ("cats", 2, ["dogs", "cats"])


def failures(name: str) -> Iterator[tuple[str, Make, Any]]:
    if name in EMBEDDERS:
        yield "embed", EMBEDDERS[name][0], EmbedRequest(items=[Item("one cat")])
    if name in RANKERS:
        yield "rerank", RANKERS[name][0], DOCUMENTS


CASES = [pytest.param(make, given, id=f"{name}-{what}") for name in EMBEDDERS for what, make, given in failures(name)]
ERRORS = {"cohere": vendors.cohere_error, "gemini": vendors.gemini_error, "mistral": vendors.mistral_error}


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 429, 500])
@pytest.mark.parametrize(("make", "given"), CASES)
def test_error_statuses(up: FakeUpstream, make: Make, given: Any, status: int) -> None:
    """The vendor's error is Bedrock's error, with the wait that it asked for."""
    answer = scripts.reply({"message": "no"}, status, {"retry-after": "7"})
    provider = make(up)
    up.fallback = lambda request: scripts.reply({}) if request.path == "/ping" else answer
    with pytest.raises(Fault) as raised:
        ask(provider, given)
    assert raised.value.name == STATUSES[status]
    if status == 429:
        assert raised.value.retry_after_s == 7.0


@pytest.mark.parametrize(("make", "given"), CASES)
def test_an_overloaded_vendor(up: FakeUpstream, make: Make, given: Any) -> None:
    """Unavailable for now, or, for what loads, not ready: both may be asked again."""
    answer = scripts.reply({"message": "busy"}, 503)
    provider = make(up)
    up.fallback = lambda request: scripts.reply({}) if request.path == "/ping" else answer
    with pytest.raises(Fault) as raised:
        ask(provider, given)
    assert raised.value.name in ("ServiceUnavailableException", "ModelNotReadyException")
    assert raised.value.retryable


@pytest.mark.parametrize(
    ("script", "name"),
    [
        (scripts.HANG, "ModelTimeoutException"),
        (scripts.CUT, "ModelErrorException"),
        (scripts.INVALID_JSON, "ModelErrorException"),
        (scripts.reply({"data": [], "embeddings": [], "results": [{"index": 9, "relevance_score": 1}]}), "ModelErrorException"),
    ],
    ids=["hang", "cut", "invalid-json", "other-answer"],
)  # fmt: skip
@pytest.mark.parametrize(("make", "given"), CASES)
def test_failures(up: FakeUpstream, make: Make, given: Any, script: Any, name: str) -> None:
    """In time, and never a made-up vector."""
    provider = make(up)
    up.fallback = lambda request: scripts.reply({}) if request.path == "/ping" else script
    with pytest.raises(Fault) as raised:
        ask(provider, given, seconds=0.4 if script is scripts.HANG else 10.0)
    assert raised.value.name == name


def test_no_key_in_a_fault(up: FakeUpstream) -> None:
    """A vendor that echoes the key does not get it to the caller."""
    up.play(scripts.reply({"message": f"bad key {KEY}"}, 400))
    with pytest.raises(Fault) as raised:
        ask(EMBEDDERS["openai"][0](up), TEXTS)
    assert "4711" not in raised.value.message


# --- what is a vendor's own ----------------------------------------------------------------------------------------------


def native(schema: str, body: dict[str, Any], request: EmbedRequest) -> EmbedRequest:
    request.schema, request.native = schema, json.dumps(body).encode()
    return request


def test_bedrock_gets_the_callers_own_body(up: FakeUpstream) -> None:
    """Byte for byte where the schemas agree, and its answer comes back so, with the count of its headers."""
    request = native(TITAN, {"inputText": "one cat", "dimensions": 256}, EmbedRequest(items=[Item("one cat")]))
    reply: EmbedReply = ask(EMBEDDERS["bedrock"][0](up), request)
    assert up.requests[-1].body == request.native
    assert len(json.loads(reply.native)["embedding"]) == 256
    assert reply.input_tokens == 2


def test_bedrock_gets_another_familys_texts_one_by_one(up: FakeUpstream) -> None:
    """Titan takes one text per body."""
    many = EmbedRequest(items=[Item(f"text {number}") for number in range(20)], dimensions=512)
    reply: EmbedReply = ask(EMBEDDERS["bedrock"][0](up), many)
    assert len(up.requests) == 20
    assert reply.vectors["float"][13] == pytest.approx(embedders.vector("text 13", 512))
    assert reply.input_tokens == 40


def test_one_failure_ends_the_rest(up: FakeUpstream) -> None:
    """A request of many bodies fails as one."""
    up.play(scripts.reply({"message": "no"}, 429))
    with pytest.raises(Fault, match="Throttling"):
        ask(EMBEDDERS["bedrock"][0](up), EmbedRequest(items=[Item("a"), Item("b"), Item("c")]))


@pytest.mark.parametrize("name", ["sagemaker", "container"])
def test_an_endpoint_may_speak_a_native_schema(up: FakeUpstream, name: str) -> None:
    """The quirk `schema` says so; the caller's own body passes through."""
    more = SIGNED if name == "sagemaker" else {}
    kind: Any = SageMakerProvider if name == "sagemaker" else ContainerProvider
    provider = kind(upstream(name, up.base_url, quirks={"schema": "cohere.embed"}, **more))
    body = {"texts": ["one cat"], "input_type": "search_query"}
    reply: EmbedReply = ask(provider, native("cohere.embed", body, EmbedRequest(items=[Item("one cat")])))
    assert up.requests[-1].json == body
    assert "float" in json.loads(reply.native)["embeddings"]


def test_an_openai_body_names_the_targets_model(up: FakeUpstream) -> None:
    """Even where the schemas agree, the caller's name of the model is not the upstream's."""
    body = {"input": "one cat", "model": "the-callers-name"}
    reply: EmbedReply = ask(
        EMBEDDERS["openai"][0](up), native("openai.embeddings", body, EmbedRequest(items=[Item("one cat")]))
    )
    assert up.requests[-1].json["model"] == "up-model"
    assert reply.native == b""


def test_cohere_makes_its_own_types(up: FakeUpstream) -> None:
    """It is asked for what the caller wants, and for nothing else; pictures come with their sizes."""
    typed = EmbedRequest(items=[Item("a cat")], encodings=("int8", "ubinary"), purpose="query", truncate="start")
    reply: EmbedReply = ask(EMBEDDERS["cohere"][0](up), typed)
    assert set(reply.vectors) == {"int8", "ubinary"}
    assert all(isinstance(x, int) for x in reply.vectors["int8"][0])
    body = up.requests[-1].json
    assert (body["input_type"], body["embedding_types"], body["truncate"]) == (
        "search_query",
        ["int8", "ubinary"],
        "START",
    )
    picture = EmbedRequest(items=[Item(media=(Media("image", "png", "iVBORw0KGgo="),))])
    assert ask(EMBEDDERS["cohere"][0](up), picture).images[0]["width"] == 2


def test_gemini_is_normalized_and_counted(up: FakeUpstream) -> None:
    """Its shortened vectors come at any length; where it cannot count, nobody knows."""
    reply: EmbedReply = ask(EMBEDDERS["gemini"][0](up), TEXTS)
    assert is_unit(reply.vectors["float"][0])
    up.fallback = lambda request: (
        scripts.reply({}, 404) if request.path.endswith(":countTokens") else embedders.natural(request)
    )
    assert ask(EMBEDDERS["gemini"][0](up), TEXTS).input_tokens is None


def test_mistral_has_its_own_word_for_the_length(up: FakeUpstream) -> None:
    """`output_dimension`, where the target says that its model can shorten."""
    ask(EMBEDDERS["mistral"][0](up), TEXTS, dimensions=True)
    assert up.requests[-1].json["output_dimension"] == 1024


def test_local_is_told_purpose_and_where_to_cut(up: FakeUpstream) -> None:
    """The engine has the model's prompts; purposes that it does not know are dropped by name."""
    ledger = Ledger()
    ask(local(up), EmbedRequest(items=[Item("x")], truncate="start", purpose="query"), ledger)
    assert (up.requests[-1].json["input_type"], up.requests[-1].json["truncate"]) == ("query", "start")
    assert (ledger.dropped, ledger.emulated) == ([], ["input_type"])
    ask(local(up), EmbedRequest(items=[Item("x")], purpose="clustering"), ledger)
    assert ledger.dropped == ["input_type"]


def test_local_shortens_a_long_text_and_says_so(up: FakeUpstream) -> None:
    """Where the caller said nothing of it; a strict caller, or one who forbids it, gets the engine's refusal."""
    too_long = scripts.reply({"error": {"message": "the text is too long", "type": "invalid_request_error"}}, 400)
    ledger = Ledger()
    up.play(too_long)
    ask(local(up), EmbedRequest(items=[Item("x")]), ledger)
    assert [request.json["truncate"] for request in up.requests] == ["none", "end"]
    assert ledger.dropped == ["text"]
    for request, strict in (
        (EmbedRequest(items=[Item("x")]), True),
        (EmbedRequest(items=[Item("x")], truncate="none"), False),
    ):
        up.play(too_long)
        with pytest.raises(Fault, match="the text is too long"):
            ask(local(up), request, Ledger(strict=strict))


def test_a_target_of_unknown_schema_is_refused() -> None:
    """A Bedrock model that nobody knows may speak anything; nothing is sent."""
    provider = BedrockProvider(upstream("bedrock", "http://127.0.0.1:9", **SIGNED))
    with pytest.raises(Fault, match="speaks no schema of embeddings"):
        ask(provider, TEXTS)
