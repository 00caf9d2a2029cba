"""Embeddings and rankings through a whole server: boto3 and langchain-aws at one end, a vendor's format at the other."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from craton.models.canon.embedding import cosine
from tests.fakes import embedders, scripts
from tests.fakes.upstream import FakeUpstream
from tests.running import Running, model_config

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from langchain_aws import BedrockEmbeddings, BedrockRerank
    from langchain_core.documents import Document

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")

TITAN_1, TITAN_2 = "amazon.titan-embed-text-v1", "amazon.titan-embed-text-v2:0"
COHERE_3, COHERE_4 = "cohere.embed-english-v3", "cohere.embed-v4:0"
NOVA = "amazon.nova-2-multimodal-embeddings-v1:0"
RERANK, AMAZON_RERANK = "cohere.rerank-v3-5:0", "amazon.rerank-v1:0"
UNSERVED = "amazon.titan-embed-image-v1"
ARN = "arn:aws:bedrock:us-east-1::foundation-model/"
TEXTS = ["the cat sat on the mat", "stocks fell on monday", "a dog and a cat"]
BY_COSINE = 'quirks = {rank_by = "embeddings"}'


@pytest.fixture(scope="module")
def up() -> Iterator[FakeUpstream]:
    with FakeUpstream(fallback=embedders.natural) as upstream:
        yield upstream


@pytest.fixture(scope="module")
def server(up: FakeUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    config = "".join(
        [
            '[standins]\nembedding = "somebody.else"\n',
            model_config(TITAN_1, "openai", up.openai_url),
            model_config(TITAN_2, "openai", up.openai_url, model="text-embedding-3-small"),
            model_config(COHERE_3, "cohere", up.base_url, model="embed-english-v3.0"),
            model_config(COHERE_4, "cohere", up.base_url, model="embed-v4.0"),
            model_config(NOVA, "gemini", up.base_url),
            model_config(RERANK, "cohere", up.base_url),
            model_config(AMAZON_RERANK, "openai", up.openai_url, extra=BY_COSINE),
        ]
    )
    with Running(tmp_path_factory.mktemp("home"), config) as running:
        yield running


@pytest.fixture(autouse=True)
def _environment(server: Running, up: FakeUpstream, monkeypatch: pytest.MonkeyPatch) -> None:
    up.scripts.clear()
    up.requests.clear()
    for name, value in {**server.environment(), "AWS_MAX_ATTEMPTS": "1"}.items():
        monkeypatch.setenv(name, value)


def invoked(server: Running, model: str, body: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    reply = server.client("bedrock-runtime").invoke_model(modelId=model, body=json.dumps(body))
    return json.loads(reply["body"].read()), reply["ResponseMetadata"]["HTTPHeaders"]


def error(caught: pytest.ExceptionInfo[ClientError]) -> tuple[str, int]:
    response = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def rerank(server: Running, model: str = RERANK, **members: Any) -> Any:
    sources = members.pop("sources", [{"type": "TEXT", "textDocument": {"text": text}} for text in TEXTS])
    configuration = {"modelConfiguration": {"modelArn": ARN + model, **members.pop("further", {})}, **members}
    return server.client("bedrock-agent-runtime").rerank(
        queries=[{"type": "TEXT", "textQuery": {"text": "a cat"}}],
        sources=[{"type": "INLINE", "inlineDocumentSource": source} for source in sources],
        rerankingConfiguration={
            "type": "BEDROCK_RERANKING_MODEL",
            "bedrockRerankingConfiguration": configuration,
        },
    )


# --- langchain-aws -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "size"), [(TITAN_1, 1536), (TITAN_2, 1024), (COHERE_3, 1024), (COHERE_4, 1536), (NOVA, 3072)]
)
def test_langchain_embeds_documents_and_queries(model: str, size: int) -> None:
    """With nothing but the environment; what is alike is near."""
    embeddings = BedrockEmbeddings(model_id=model)
    documents = embeddings.embed_documents(TEXTS)
    query = embeddings.embed_query("a cat on a mat")
    assert [len(vector) for vector in [*documents, query]] == [size] * 4
    assert cosine(query, documents[0]) > cosine(query, documents[1])


@pytest.mark.parametrize(("model", "size"), [(TITAN_2, 256), (COHERE_4, 512), (NOVA, 384)])
def test_langchain_asks_for_dimensions(model: str, size: int) -> None:
    """By each schema's own name."""
    assert len(BedrockEmbeddings(model_id=model, dimensions=size).embed_query("Hello")) == size


def test_langchain_tells_queries_from_documents(up: FakeUpstream) -> None:
    """Cohere's input types arrive at the vendor."""
    embeddings = BedrockEmbeddings(model_id=COHERE_3)
    embeddings.embed_documents(["x"])
    embeddings.embed_query("x")
    assert [request.json["input_type"] for request in up.requests] == ["search_document", "search_query"]


@pytest.mark.parametrize("model", [RERANK, AMAZON_RERANK], ids=["ranked", "by-cosine"])
def test_langchain_reranks(model: str) -> None:
    """Documents in the order in which they answer, with their scores."""
    ranker = BedrockRerank(model_arn=ARN + model, top_n=2)
    found = ranker.compress_documents([Document(text) for text in TEXTS], "a cat")
    assert len(found) == 2
    assert found[0].page_content == "a dog and a cat"
    assert found[0].metadata["relevance_score"] >= found[1].metadata["relevance_score"]


# --- InvokeModel ---------------------------------------------------------------------------------------------------------


def test_the_headers_count_the_input_alone(server: Running) -> None:
    """As Bedrock does for embeddings."""
    native, headers = invoked(server, TITAN_2, {"inputText": "one two three"})
    assert native["inputTextTokenCount"] == 3
    assert headers["x-amzn-bedrock-input-token-count"] == "3"
    assert "x-amzn-bedrock-output-token-count" not in headers
    assert int(headers["x-amzn-bedrock-invocation-latency"]) >= 0
    assert headers["content-type"] == "application/json"


def test_what_was_lost_is_named(server: Running) -> None:
    """384 dimensions behind Titan's 1,536: filled up in lenient translation, refused in strict."""
    native, headers = invoked(server, TITAN_1, {"inputText": "Hello"})
    assert (len(native["embedding"]), headers["x-craton-dropped"]) == (1536, "dimensions")
    runtime = server.client("bedrock-runtime")
    runtime.meta.events.register(
        "before-sign.bedrock-runtime.*",
        lambda request, **_: request.headers.add_header("x-craton-translation", "strict"),
    )
    with pytest.raises(ClientError, match="384 dimensions, and 1536 were asked for"):
        runtime.invoke_model(modelId=TITAN_1, body=b'{"inputText": "Hello"}')


def test_types_of_vectors(server: Running) -> None:
    """Cohere's own from Cohere; Titan's binary made here."""
    body = {"texts": ["x"], "input_type": "clustering", "embedding_types": ["int8", "ubinary"]}
    native, _ = invoked(server, COHERE_3, body)
    assert native["response_type"] == "embeddings_by_type"
    assert {name: len(found[0]) for name, found in native["embeddings"].items()} == {"int8": 1024, "ubinary": 128}
    titan, _ = invoked(server, TITAN_2, {"inputText": "x", "embeddingTypes": ["binary"], "dimensions": 256})
    assert set(titan["embeddingsByType"]["binary"]) == {0, 1}
    assert "embedding" not in titan


def test_rerank_has_a_native_body_too(server: Running) -> None:
    """Cohere's, with its version."""
    native, _ = invoked(server, RERANK, {"api_version": 2, "query": "a cat", "documents": TEXTS, "top_n": 1})
    assert native == {"results": [{"index": 2, "relevance_score": 1.0}]}


@pytest.mark.parametrize("model", [TITAN_2, COHERE_3, RERANK, UNSERVED])
def test_they_neither_stream_nor_converse(server: Running, model: str) -> None:
    """In Bedrock's words."""
    runtime = server.client("bedrock-runtime")
    with pytest.raises(ClientError, match="The model is unsupported for streaming"):
        runtime.invoke_model_with_response_stream(modelId=model, body=b'{"inputText": "x"}')
    messages = [{"role": "user", "content": [{"text": "Hello"}]}]
    for call in (runtime.converse, runtime.converse_stream):
        with pytest.raises(ClientError, match="This action doesn't support the model that you provided") as caught:
            call(modelId=model, messages=messages)
        assert error(caught) == ("ValidationException", 400)


def test_a_body_of_another_schema_is_refused(server: Running) -> None:
    """As Bedrock does."""
    with pytest.raises(ClientError, match="required key \\[inputText\\] not found") as caught:
        invoked(server, TITAN_1, {})
    assert error(caught) == ("ValidationException", 400)


def test_an_id_that_nothing_here_serves_says_what_to_do(server: Running) -> None:
    """The local embedding model that is to stand in is not there."""
    with pytest.raises(ClientError, match="craton models add minilm") as caught:
        invoked(server, UNSERVED, {"inputText": "x"})
    assert error(caught) == ("ResourceNotFoundException", 404)


@pytest.mark.parametrize(
    ("status", "name", "code"),
    [
        (400, "ValidationException", 400),
        (401, "ModelErrorException", 424),
        (404, "ModelErrorException", 424),
        (413, "ValidationException", 400),
        (429, "ThrottlingException", 429),
        (500, "ModelErrorException", 424),
        (503, "ServiceUnavailableException", 503),
    ],
)
def test_a_vendors_errors(server: Running, up: FakeUpstream, status: int, name: str, code: int) -> None:
    """Each under Bedrock's name and status."""
    up.play(scripts.error_openai(status) if status != 413 else scripts.reply({"message": "too long"}, 413))
    with pytest.raises(ClientError) as caught:
        invoked(server, TITAN_2, {"inputText": "x"})
    assert error(caught) == (name, code)


# --- Rerank --------------------------------------------------------------------------------------------------------------


def test_rerank_orders_texts_and_objects(server: Running) -> None:
    """All of them unless fewer are asked for; no further page."""
    sources = [
        {"type": "TEXT", "textDocument": {"text": "stocks"}},
        {"type": "JSON", "jsonDocument": {"name": "a cat"}},
    ]
    answer = rerank(server, sources=sources)
    assert [result["index"] for result in answer["results"]] == [1, 0]
    assert answer["results"][0]["relevanceScore"] == 1.0
    assert "nextToken" not in answer
    assert len(rerank(server, numberOfResults=1)["results"]) == 1


def test_rerank_passes_fields_of_the_models_own(server: Running, up: FakeUpstream) -> None:
    """Those that its schema has; others are named."""
    answer = rerank(server, further={"additionalModelRequestFields": {"max_tokens_per_doc": 50, "mood": "good"}})
    assert up.requests[-1].json["max_tokens_per_doc"] == 50
    assert answer["ResponseMetadata"]["HTTPHeaders"]["x-craton-dropped"] == "additionalModelRequestFields.mood"


def test_rerank_refuses_what_is_not_to_be_ranked(server: Running) -> None:
    """A document without its text, a model of another kind, a token that was never given."""
    with pytest.raises(ClientError, match="sources.0 must have textDocument.text"):
        rerank(server, sources=[{"type": "TEXT"}])
    with pytest.raises(ClientError, match="is not a reranking model") as caught:
        rerank(server, TITAN_2)
    assert error(caught) == ("ValidationException", 400)
    with pytest.raises(ClientError, match="The provided nextToken is invalid"):
        server.client("bedrock-agent-runtime").rerank(
            queries=[{"type": "TEXT", "textQuery": {"text": "x"}}],
            sources=[{"type": "INLINE", "inlineDocumentSource": {"type": "TEXT", "textDocument": {"text": "x"}}}],
            rerankingConfiguration={
                "type": "BEDROCK_RERANKING_MODEL",
                "bedrockRerankingConfiguration": {"modelConfiguration": {"modelArn": ARN + RERANK}},
            },
            nextToken="made-up",
        )


def test_rerank_is_served_as_real(server: Running) -> None:
    """And said to be so."""
    import urllib.request

    with urllib.request.urlopen(f"{server.url}/craton/operations") as answer:
        rows = json.load(answer)
    rows = rows if isinstance(rows, list) else rows["operations"]
    assert {"service": "bedrock-agent-runtime", "operation": "Rerank", "status": "real"} in rows


# --- pictures ------------------------------------------------------------------------------------------------------------


def test_langchain_embeds_pictures_where_the_target_can(up: FakeUpstream) -> None:
    """Cohere takes them; a target of texts alone refuses them by name."""
    picture = b"\x89PNG\r\n\x1a\n" + bytes(24)
    assert len(BedrockEmbeddings(model_id=COHERE_4).embed_image(picture)) == 1536
    assert up.requests[-1].json["images"][0].startswith("data:image/png;base64,iVBOR")
    with pytest.raises(ClientError, match="cannot embed images") as caught:
        BedrockEmbeddings(model_id=NOVA).embed_image(picture)
    assert error(caught) == ("ValidationException", 400)
