"""Embeddings and rankings between caller and target: kinds, stand-ins, lengths, norms, encodings."""

from __future__ import annotations

import asyncio
import time
import tomllib
from typing import Any

import msgspec
import pytest

from craton import config, config_tables
from craton.aws.wire.faults import Fault
from craton.features.inference import embed, rerank
from craton.features.inference.routing.compile import Compiler
from craton.features.inference.routing.routes import Resolved, Routes, Target, native_dialect
from craton.models.canon.embedding import EmbedReply, EmbedRequest, Item, Vector, is_unit
from craton.models.canon.rerank import RerankReply, RerankRequest
from craton.models.catalog.local import LocalModel
from craton.models.catalog.rows import load
from craton.models.dialects.all import dialect_named
from craton.models.dialects.dialect import Ledger
from craton.models.providers.provider import Attempt, Embeds, Reranks, Upstream
from tests.fakes.embedders import vector

CATALOG = load()
TITAN, COHERE = "amazon.titan-embed-text-v2:0", "cohere.embed-english-v3"
RANKER = "cohere.rerank-v3-5:0"
MINI = LocalModel(id="mini", directory="/nowhere", kind="embedding")
CROSS = LocalModel(id="cross", directory="/nowhere", kind="rerank")


class Words:
    """A provider that embeds by words, 384 dimensions, and cannot rank."""

    name = "words"
    dialect = dialect_named("openai.chat")

    def __init__(self, upstream: Upstream) -> None:
        self.upstream = upstream
        self.asked: list[EmbedRequest] = []
        self.scale = 1.0
        self.tokens: int | None = 5

    async def embed(self, request: EmbedRequest, attempt: Attempt) -> EmbedReply:
        self.asked.append(request)
        vectors: list[Vector] = [[self.scale * x for x in vector(text)] for text in request.texts()]
        return EmbedReply(vectors={"float": vectors}, input_tokens=self.tokens)


class Chatter:
    """A provider that only talks."""

    name = "chatter"
    dialect = dialect_named("openai.chat")

    def __init__(self, upstream: Upstream) -> None:
        self.upstream = upstream


def routes(text: str = "", *local: LocalModel, make: Any = Words) -> Routes:
    settings = config.Settings(home="/nowhere", file=msgspec.convert(tomllib.loads(text), config_tables.ConfigFile))
    return Compiler(settings, CATALOG, make, dialect_named).routes(local)


def resolved(model_id: str, *local: LocalModel, text: str = "") -> Resolved:
    return routes(text, *local).resolve(model_id, "123456789012", "us-east-1")


class Clock:
    monotonic = staticmethod(time.monotonic)


class Call:
    """As much of a call as an inference looks at."""

    def __init__(self, mode: str = "lenient") -> None:
        self.headers = {b"x-craton-translation": mode.encode()}
        self.response_headers: list[tuple[bytes, bytes]] = []
        self.request_id, self.speaks = "r-1", ""
        self.started_at = time.monotonic()
        self.app = type("App", (), {"clock": Clock, "quota": None, "tracer": None})()

    @property
    def told(self) -> dict[bytes, bytes]:
        return dict(self.response_headers)


def embedded(route: Resolved, body: bytes, mode: str = "lenient") -> tuple[dict[str, Any], Any, dict[bytes, bytes]]:
    call: Any = Call(mode)
    native, counted = asyncio.run(embed.invoke(call, route, "the-id", body))
    return msgspec.json.decode(native), counted, call.told


# --- routes ------------------------------------------------------------------------------------------------------------


def test_a_local_embedding_model_stands_in_for_all() -> None:
    """Every embedding model of the catalog, and, by cosine, every reranking one."""
    table = routes("", MINI)
    ids = [model.model_id for model in CATALOG.models() if model.family in ("embedding", "rerank")]
    assert len(ids) == 16
    for model_id in ids:
        target = table.by_id[model_id].targets[0]
        assert target.standin == "mini"
        assert bool(target.quirks) == (table.by_id[model_id].kind == "rerank")


def test_a_reranking_model_is_the_better_stand_in() -> None:
    """Where there is one, nothing is ranked by cosine; the configuration can name another."""
    assert routes("", MINI, CROSS).by_id[RANKER].targets[0].standin == "cross"
    assert routes("", MINI, CROSS).by_id[TITAN].targets[0].standin == "mini"
    other = msgspec.structs.replace(MINI, id="other")
    named = '[standins]\nembedding = "other"'
    assert routes(named, MINI, other).by_id[TITAN].targets[0].standin == "other"
    assert routes('[standins]\nembedding = "gone"', MINI).by_id[TITAN].targets == ()


def test_without_a_local_model_a_call_says_how_to_add_one() -> None:
    """A modelled error, not a made-up vector."""
    for model_id, what in ((TITAN, "embeddings"), (RANKER, "rankings")):
        call: Any = Call()
        invoke = embed.invoke if what == "embeddings" else rerank.invoke
        with pytest.raises(Fault, match=f"makes {what}.*craton models add minilm") as caught:
            asyncio.run(invoke(call, resolved(model_id), model_id, b"{}"))
        assert caught.value.name == "ResourceNotFoundException"


def test_a_local_model_has_its_own_id() -> None:
    """With OpenAI's bodies, and no Converse."""
    route = routes("", MINI).by_id["mini"]
    assert (route.kind, route.native, route.capabilities.converse) == ("embedding", "openai.embeddings", False)


def test_a_provider_that_cannot_embed_is_refused_at_the_start() -> None:
    """Not at the first call."""
    text = f'[[model]]\nid = "{TITAN}"\n[[model.target]]\nprovider = "openai"\nbase_url = "http://h/v1"'
    with pytest.raises(config.ConfigError, match="the provider 'chatter' has no embeddings"):
        routes(text, make=Chatter)
    ranker = text.replace(TITAN, RANKER)
    with pytest.raises(config.ConfigError, match="has no rankings"):
        routes(ranker)
    assert routes(ranker + '\nquirks = {rank_by = "embeddings"}').by_id[RANKER].targets


def test_an_id_of_ones_own_names_its_schema() -> None:
    """By the dialect of its table."""
    text = '[[model]]\nid = "mine"\ndialect = "cohere.embed"\n[[model.target]]\nprovider = "openai"\nbase_url = "http://h/v1"'
    assert routes(text).by_id["mine"].kind == "embedding"


def test_such_models_do_not_stream() -> None:
    """In Bedrock's words."""
    with pytest.raises(Fault, match="The model is unsupported for streaming"):
        native_dialect(resolved(TITAN, MINI).route)


def test_a_chat_model_does_not_embed() -> None:
    """Whoever asks for vectors of it is told."""
    chat = resolved("anthropic.claude-v2", LocalModel(id="craton.chat-mini-v4:0", directory="/nowhere"))
    call: Any = Call()
    with pytest.raises(Fault, match="is not an embedding model"):
        asyncio.run(embed.embed(call, chat, EmbedRequest(items=[Item("x")])))


# --- vectors -----------------------------------------------------------------------------------------------------------


def test_short_vectors_are_filled_up_and_said_so() -> None:
    """384 dimensions behind Titan's 1,024: zeros at the end; the answer names its stand-in and what was lost."""
    native, counted, told = embedded(resolved(TITAN, MINI), b'{"inputText": "Hello there"}')
    assert len(native["embedding"]) == 1024
    assert native["embedding"][:384] == pytest.approx(vector("Hello there"))
    assert not any(native["embedding"][384:])
    assert told == {b"x-craton-standin": b"mini", b"x-craton-dropped": b"dimensions"}
    assert (counted.input_tokens, counted.output_tokens) == (5, None)


def test_every_way_to_a_model_leads_to_the_same_length() -> None:
    """Whoever asks without a native body, as the doors do, gets the model's own length too."""
    call: Any = Call()
    reply = asyncio.run(embed.embed(call, resolved(TITAN, MINI), EmbedRequest(items=[Item("x")])))
    assert len(reply.vectors["float"][0]) == 1024
    own = asyncio.run(embed.embed(call, resolved("mini", MINI), EmbedRequest(items=[Item("x")])))
    assert len(own.vectors["float"][0]) == 384


def test_strict_translation_refuses_to_fill_up() -> None:
    """And says how long the vectors are."""
    with pytest.raises(Fault, match="384 dimensions, and 1024 were asked for"):
        embedded(resolved(TITAN, MINI), b'{"inputText": "Hello"}', "strict")


def test_long_vectors_are_shortened_and_normalized() -> None:
    """By what the answer calls emulated."""
    native, _, told = embedded(resolved(TITAN, MINI), b'{"inputText": "a b c d e f g", "dimensions": 256}', "strict")
    assert len(native["embedding"]) == 256
    assert is_unit(native["embedding"])
    assert told[b"x-craton-emulated"] == b"dimensions"


def test_who_wants_no_normalization_is_told() -> None:
    """An upstream whose vectors have length one cannot give others; one whose have not is left alone."""
    route = resolved(TITAN, MINI)
    body = b'{"inputText": "a b", "dimensions": 256, "normalize": false}'
    assert b"normalize" in embedded(route, body)[2][b"x-craton-dropped"]
    words: Any = route.route.targets[0].provider
    words.scale = 3.0
    native, _, told = embedded(route, body)
    assert b"x-craton-dropped" not in told
    assert not is_unit(native["embedding"])


def test_vectors_are_normalized_where_asked() -> None:
    """Titan's default."""
    route = resolved(TITAN, MINI)
    words: Any = route.route.targets[0].provider
    words.scale = 3.0
    assert is_unit(embedded(route, b'{"inputText": "a b", "dimensions": 256}')[0]["embedding"])


def test_encodings_are_made_here() -> None:
    """Each of Cohere's types from floats."""
    body = b'{"texts": ["a"], "input_type": "clustering", "embedding_types": ["float", "int8", "uint8", "binary", "ubinary"]}'
    native = embedded(resolved(COHERE, MINI), body)[0]["embeddings"]
    assert {name: len(found[0]) for name, found in native.items()} == {
        "float": 1024, "int8": 1024, "uint8": 1024, "binary": 128, "ubinary": 128
    }  # fmt: skip
    assert max(native["int8"][0]) == 127
    assert all(isinstance(x, int) for x in native["int8"][0])


def test_an_unknown_count_is_no_zero() -> None:
    """The header is left out, and Titan's reply, which must have a number, says that it is not one."""
    route = resolved(TITAN, MINI)
    words: Any = route.route.targets[0].provider
    words.tokens = None
    _, counted, told = embedded(route, b'{"inputText": "a b"}')
    assert counted.input_tokens is None
    assert b"inputTextTokenCount" in told[b"x-craton-dropped"]


def test_encodings_of_the_upstreams_own_stay() -> None:
    """Cohere calibrates its int8; what it gave is not made again."""
    reply = EmbedReply(vectors={"int8": [[1, 2, 3]]})
    request = EmbedRequest(items=[Item("x")], dimensions=3, encodings=("int8",))
    embed.shape(reply, request, Ledger())
    assert reply.vectors == {"int8": [[1, 2, 3]]}
    with pytest.raises(Fault, match="unexpected error"):
        embed.shape(reply, msgspec.structs.replace(request, encodings=("float",)), Ledger())


# --- ranking -----------------------------------------------------------------------------------------------------------


def ranked(request: RerankRequest, mode: str = "lenient") -> tuple[RerankReply, dict[bytes, bytes]]:
    call: Any = Call(mode)
    return asyncio.run(rerank.rerank(call, resolved(RANKER, MINI), request)), call.told


def test_an_embedding_model_ranks() -> None:
    """Best first, no more than asked for, scores from 0 to 1; the answer says that it is emulated."""
    documents: list[Any] = ["about dogs", "all about cats and more cats", {"title": "cats"}]
    reply, told = ranked(RerankRequest(query="cats", documents=documents, top_n=2))
    assert {one.index for one in reply.results} == {1, 2}
    assert reply.results[0].relevance_score >= reply.results[1].relevance_score
    assert all(0 <= one.relevance_score <= 1 for one in reply.results)
    assert told == {b"x-craton-standin": b"mini", b"x-craton-emulated": b"relevance_score"}


def test_many_documents_go_in_parts() -> None:
    """A thousand of them, in their order; the query is embedded once."""
    documents: list[Any] = [f"word{number}" for number in range(1000)]
    reply, _ = ranked(RerankRequest(query="word777", documents=documents, top_n=1))
    assert reply.results[0].index == 777


def test_what_embeddings_cannot_heed_is_dropped_by_name() -> None:
    """Or refused in strict translation."""
    request = RerankRequest(query="q", documents=["d"], max_tokens_per_document=5, extras={"mood": 1})
    assert ranked(request)[1][b"x-craton-dropped"] == b"max_tokens_per_doc, additionalModelRequestFields.mood"
    with pytest.raises(Fault, match="cannot carry max_tokens_per_doc"):
        ranked(request, "strict")


def test_ports_are_told_apart() -> None:
    """Who embeds need not rank."""
    words = Words(Upstream("words", "", "m"))
    assert isinstance(words, Embeds)
    assert not isinstance(words, Reranks)
    assert Target(words, "m").state.calm  # type: ignore[arg-type]
