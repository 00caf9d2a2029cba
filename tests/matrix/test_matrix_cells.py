"""No cell of the matrix loses anything without a word, and no schema or provider is left out of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

import msgspec
import pytest

from craton.aws.wire.faults import Fault
from craton.config_tables import ProviderName
from craton.models.canon.request import ConverseRequest
from craton.models.catalog.capabilities import capabilities
from craton.models.catalog.local import Kind
from craton.models.catalog.rows import load
from craton.models.dialects.all import DIALECTS, dialect_named
from craton.models.dialects.dialect import Ledger, Outgoing
from craton.models.dialects.embeddings.all import SCHEMAS as EMBEDDING_SCHEMAS
from craton.models.dialects.images.all import SCHEMAS as IMAGE_SCHEMAS
from craton.models.dialects.rerank.all import SCHEMAS as RERANK_SCHEMAS
from tests.matrix import say_chat, say_special, specials
from tests.matrix.asks import FEATURES, Feature
from tests.matrix.callers import CALLERS, INVOKE, NOT_CALLED, Caller
from tests.matrix.judge import Verdict
from tests.matrix.page import Tables
from tests.matrix.upstreams import UPSTREAMS

NATIVE = [caller for caller in CALLERS if caller.door == INVOKE]
# Rehearsals: they answer in whatever schema their caller speaks.
_NO_VENDORS = {"replay", "script"}


def lost(table: Mapping[Any, Verdict]) -> dict[Any, str]:
    return {cell: verdict.what for cell, verdict in table.items() if verdict.kind == "lost"}


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
def test_conversations_lose_nothing(tables: Tables, feature: Feature) -> None:
    """Every caller at every upstream: it arrives, or its loss is named, and strict translation refuses just that."""
    column = {cell: verdict for cell, verdict in tables.chat.items() if cell[2] == feature.name}
    assert len(column) == len(CALLERS) * len(UPSTREAMS)
    assert lost(column) == {}


@pytest.mark.parametrize("kind", list(specials.ROWS))
def test_other_kinds_lose_nothing(tables: Tables, kind: Kind) -> None:
    """Embeddings, rankings and pictures: every schema at every provider that has such a thing."""
    assert tables.kinds[kind]
    assert lost(tables.kinds[kind]) == {}


def test_families_refuse_what_their_rows_refuse(tables: Tables) -> None:
    """Whatever the target can do, a family's limits on Bedrock hold, by name; all else goes through."""
    assert lost(tables.families) == {}


def test_every_schema_is_a_caller() -> None:
    """A new dialect gets a row."""
    assert {caller.schema for caller in NATIVE} == set(DIALECTS) - NOT_CALLED
    for rows, schemas in (
        (say_special.EMBEDDINGS, EMBEDDING_SCHEMAS),
        (say_special.RANKINGS, RERANK_SCHEMAS),
        (say_special.IMAGES, IMAGE_SCHEMAS),
    ):
        assert {row.name for row in rows if not row.path} == set(schemas)


def test_every_provider_is_an_upstream(tables: Tables) -> None:
    """A new provider gets a column, of conversations or of another kind."""
    columns = {upstream.provider for upstream in UPSTREAMS}
    for found in tables.columns.values():
        columns |= set(found)
    assert columns == set(get_args(ProviderName)) - _NO_VENDORS


def test_every_family_has_a_row(tables: Tables) -> None:
    """All families of the catalog that converse."""
    assert set(tables.models) == {model.family for model in load().models() if capabilities(model).converse}


@pytest.mark.parametrize("caller", NATIVE, ids=lambda caller: caller.name)
def test_what_a_schema_has_no_words_for_its_dialect_names(caller: Caller) -> None:
    """An empty cell is no oversight of the matrix: written in that schema, the thing is dropped, emulated or refused."""
    dialect = dialect_named(caller.schema)
    assert dialect is not None
    for feature in FEATURES:
        if caller.request(feature.ask, "m") is not None:
            continue
        if feature.ask.stream and caller.say(feature.ask) is not None:
            assert not dialect.streams
            continue
        request = msgspec.json.decode(msgspec.json.encode(say_chat.converse(feature.ask)), type=ConverseRequest)
        ledger = Ledger()
        try:
            dialect.write_request(request, Outgoing("m", stream=feature.ask.stream, ledger=ledger))
        except Fault as refused:
            named = refused.name == "ValidationException"
        else:
            named = bool(ledger.dropped or ledger.emulated)
        assert named, feature.name
