"""From the configuration to routes: what a model's targets get where the file says nothing, and where it does."""

from __future__ import annotations

import tomllib
from typing import Any

import msgspec
import pytest

from craton import config, config_tables
from craton.features.inference.routing.compile import Compiler
from craton.features.inference.routing.routes import Route
from craton.features.inference.targets.report import rows
from craton.models.catalog.local import LocalModel
from craton.models.catalog.rows import load
from craton.models.dialects.all import dialect_named

CATALOG = load()
SAMPLE = LocalModel(id="craton.chat-mini-v4:0", directory="/nowhere")
TARGET = '[[model.target]]\nprovider = "openai"\nbase_url = "http://h/v1"\n'
MODEL = '[[model]]\nid = "m"\n'


class Silent:
    """A provider that is only named."""

    dialect = dialect_named("openai.chat")
    name = "openai"

    def __init__(self, upstream: Any) -> None:
        self.upstream = upstream


class Local(Silent):
    name = "local"


def compiler(text: str) -> Compiler:
    settings = config.Settings(home="/nowhere", file=msgspec.convert(tomllib.loads(text), config_tables.ConfigFile))
    config.check(settings)
    make = lambda upstream: (Local if upstream.provider == "local" else Silent)(upstream)  # noqa: E731
    return Compiler(settings, CATALOG, make, dialect_named)  # type: ignore[arg-type]


def route(text: str, name: str = "m") -> Route:
    return compiler(text).routes([SAMPLE]).by_id[name]


def test_one_target_takes_the_short_way() -> None:
    """Nothing is repeated or queued for, unless the file says so."""
    plain = route(MODEL + TARGET)
    assert plain.sole is plain.targets[0]
    assert plain.retrying.retries == 0
    assert route(MODEL + "retries = 1\n" + TARGET).sole is None
    assert route(MODEL + TARGET + "max_concurrent = 3\n").sole is None


def test_several_targets_get_another_turn() -> None:
    """`[[model]] retries` wins over `[routing] retries`, which wins over the default."""
    assert route(MODEL + TARGET + TARGET).retrying.retries == 1
    assert route("[routing]\nretries = 4\n" + MODEL + TARGET).retrying.retries == 4
    assert route("[routing]\nretries = 4\n" + MODEL + "retries = 0\n" + TARGET + TARGET).retrying.retries == 0


def test_the_deadline_of_a_model_wins() -> None:
    """Also where it is none."""
    text = "[routing]\ndeadline_s = 9.0\n" + MODEL
    assert route(text + TARGET).retrying.deadline_s == 9
    assert route(text + "deadline_s = 0.0\n" + TARGET).retrying.deadline_s == 0


def test_the_keys_of_a_catalogued_model_hold_too() -> None:
    """Hedging, breaker and times."""
    name = "anthropic.claude-3-haiku-20240307-v1:0"
    text = f'[routing]\nbreaker_failures = 9\n[[model]]\nid = "{name}"\nhedge_after_ms = 250\n{TARGET}'
    found = route(text + "first_byte_timeout_s = 3.0\nconnect_timeout_s = 1.0\n" + TARGET, name)
    assert found.retrying.hedge_s == 0.25
    first = found.targets[0]
    assert (first.first_byte_s, first.state.rules.failures) == (3.0, 9)
    assert first.provider.upstream.connect_timeout_s == 1.0  # type: ignore[attr-defined]


def test_ids_that_lead_to_one_upstream_model_share_its_state() -> None:
    """And generations of routes do; other limits are another state."""
    one = TARGET + 'model = "u"\n'
    text = MODEL + one + MODEL.replace('"m"', '"n"') + one + MODEL.replace('"m"', '"o"') + one + "max_concurrent = 1\n"
    made = compiler(text)
    states = [made.routes([SAMPLE]).by_id[name].targets[0].state for name in ("m", "n", "o", "m")]
    assert states[0] is states[1] is states[3]
    assert states[2] is not states[0]


def test_a_local_models_wait_is_not_heeded() -> None:
    """Its full queue empties within milliseconds; a vendor's word holds."""
    made = compiler(MODEL + TARGET).routes([SAMPLE]).by_id
    assert made["m"].targets[0].state.rules.heed_waits
    assert not made[SAMPLE.id].targets[0].state.rules.heed_waits


def test_workers_share_the_places() -> None:
    """Each has its part of `max_concurrent`, and one at least."""
    for workers, places in ((1, 8), (3, 2), (16, 1)):
        found = route(f"[server]\nworkers = {workers}\n" + MODEL + TARGET + "max_concurrent = 8\n")
        gate = found.targets[0].state.gate
        assert gate is not None
        assert gate.limit == places


def test_rows_name_no_address_and_skip_idle_local_models() -> None:
    """Only what an operator configured, or somebody asked."""
    made = compiler(MODEL + TARGET).routes([SAMPLE])
    (row,) = rows(made, 0.0)
    assert (row.models, row.state, "http" in repr(row)) == (["m"], "closed", False)
    made.by_id[SAMPLE.id].targets[0].state.answered += 1
    assert len(rows(made, 0.0)) == 2


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (MODEL + TARGET + "weight = 0\n", "all have weight 0"),
        ("[[quota.limit]]\nmodel = 'x'\n", "requests_per_minute or tokens_per_minute"),
    ],
)
def test_what_can_serve_nothing_is_refused(text: str, told: str) -> None:
    """At the start, not at the first request."""
    with pytest.raises(config.ConfigError, match=told):
        compiler(text)
