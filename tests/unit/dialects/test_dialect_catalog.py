"""Every text model of the catalog has its dialect, and every dialect answers the simplest request of its schema."""

from __future__ import annotations

import json

import pytest

from craton.aws.wire.faults import Fault
from craton.models.canon.content import ContentBlock
from craton.models.canon.events import BlockDelta
from craton.models.canon.reply import assistant_reply, usage
from craton.models.catalog.rows import Model
from craton.models.dialects.all import DIALECTS, dialect_named
from craton.models.dialects.dialect import Dialect, Ledger, Outgoing, Shown
from tests.unit.dialects import native_bodies
from tests.unit.dialects import prompt_conversations as make

NAMES = sorted({model.dialect for model in native_bodies.text_models()})


def named(name: str) -> Dialect:
    found = dialect_named(name)
    assert found is not None
    return found


@pytest.mark.parametrize("model", native_bodies.text_models(), ids=lambda model: model.model_id)
def test_every_text_model_has_a_dialect(model: Model) -> None:
    """The catalog's name of the schema is a dialect's, and what the catalog says streams has a native stream."""
    dialect = named(model.dialect)
    assert dialect.name == model.dialect
    assert dialect.streams or not model.streaming


@pytest.mark.parametrize("name", list(DIALECTS))
def test_a_dialect_is_loaded_by_its_name(name: str) -> None:
    """Each is there under its own name, always the same one."""
    assert named(name).name == name
    assert named(name) is named(name)


@pytest.mark.parametrize("name", NAMES)
def test_a_minimal_body_is_read_and_answered(name: str) -> None:
    """The body becomes one user turn with its limit, and a reply has its text where the schema puts it."""
    dialect, body = named(name), native_bodies.body_for(name, 7)
    request = dialect.read_request(body)
    assert make.turns(request) == [("user", "Hello")]
    assert request.inference_config is not None
    assert request.inference_config.max_tokens == 7
    reply = assistant_reply([ContentBlock(text="Hi there")], "end_turn", usage(3, 2))
    native = dialect.write_reply(reply, Shown("a.model-v1", request, "r-1", body))
    assert native_bodies.text_in(name, native).endswith("Hi there")
    assert dialect.read_reply(native).output == reply.output


@pytest.mark.parametrize("name", NAMES)
def test_a_minimal_stream_is_written(name: str) -> None:
    """A native stream reads as the text that was written, its metrics on the last object; or there is none at all."""
    dialect, body = named(name), native_bodies.body_for(name, 7)
    if not dialect.streams:
        with pytest.raises(Fault, match="unsupported for streaming"):
            dialect.read_request(body, streaming=True)
        return
    request = dialect.read_request(body, streaming=True)
    chunks = make.chunks_of(dialect, Shown("a.model-v1", request, "r-1", body), make.stream())
    objects = [chunk for chunk in chunks if isinstance(chunk, dict)]
    assert [make.ON_LAST in chunk for chunk in objects] == [False] * (len(objects) - 1) + [True]
    events = make.events_of(dialect, chunks)
    assert "".join(event.delta.text or "" for event in events if isinstance(event, BlockDelta)) == "Hello"


@pytest.mark.parametrize("name", NAMES)
def test_a_minimal_request_is_written_again(name: str) -> None:
    """Written and read again, the request is the same; nothing is lost on the way."""
    dialect, ledger = named(name), Ledger()
    request = dialect.read_request(native_bodies.body_for(name, 7))
    written = dialect.write_request(request, Outgoing("m", stream=False, ledger=ledger))
    assert isinstance(json.loads(written), dict)
    assert dialect.read_request(written) == request
    assert (ledger.dropped, ledger.emulated) == ([], [])
