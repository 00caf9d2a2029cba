"""A sample of the matrix through a running server, signed and over sockets: the same verdicts as in the process."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.acceptance import rawhttp
from tests.matrix import judge
from tests.matrix.asks import FEATURES, Feature
from tests.matrix.callers import CALLERS, Caller
from tests.matrix.cells import model_id, model_tables
from tests.matrix.house import Answer
from tests.matrix.page import Tables
from tests.matrix.upstreams import UPSTREAMS, Upstream, Vendors
from tests.running import Running

BY_NAME = {feature.name: feature for feature in FEATURES}
CALLER = {caller.name: caller for caller in CALLERS}
UPSTREAM = {upstream.name: upstream for upstream in UPSTREAMS}
# Every upstream but the local one, whose process is the server's own, and every kind of door.
SAMPLE = [
    ("Converse", "gemini", "tools"),
    ("Converse", "cohere", "document"),
    ("Converse", "openai (Responses)", "stop"),
    ("Converse", "openai", "pdf"),
    ("OpenAI chat", "anthropic", "image"),
    ("OpenAI chat", "bedrock", "tools_stream"),
    ("OpenAI Responses", "mistral", "results"),
    ("OpenAI Responses", "anthropic", "stream"),
    ("Anthropic Messages", "ai21", "choice"),
    ("Anthropic Messages", "sagemaker", "tools_stream"),
    ("anthropic.messages", "bedrock", "stream"),
    ("amazon.nova", "container", "system"),
    ("cohere.command-r", "cohere", "results"),
    ("meta.llama", "gemini", "image"),
    ("amazon.titan-text", "openai", "sampling"),
    ("mistral.chat", "mistral", "tools_stream"),
    ("deepseek.r1", "anthropic", "usage"),
]


@pytest.fixture(scope="module")
def vendors() -> Iterator[Vendors]:
    found = Vendors()
    with found.up:
        yield found


@pytest.fixture(scope="module")
def server(vendors: Vendors, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server with the matrix's models."""
    home = tmp_path_factory.mktemp("matrix")
    (home / "key").write_text("sk-matrix-key\n")
    tables = [table for table in model_tables(vendors) if table["target"][0]["provider"] != "local"]
    config = "[standins]\nenabled = false\n" + "".join(map(_toml, tables)).replace("{key}", str(home / "key"))
    with Running(home / "home", config) as running:
        yield running


def _toml(table: dict[str, object]) -> str:
    """A `[[model]]` with its target; strings in JSON's form are strings in TOML's."""
    target = dict(table["target"][0])  # type: ignore[index]
    quirks = target.pop("quirks", {})
    lines = [f"[[model]]\nid = {json.dumps(table['id'])}\ndialect = {json.dumps(table['dialect'])}\n[[model.target]]"]
    lines += [f"{name} = {json.dumps(value)}" for name, value in target.items()]
    lines += [f"quirks.{name} = {json.dumps(value)}" for name, value in quirks.items()]
    return "\n".join(lines) + "\n"


def ask(server: Running, caller: Caller, upstream: Upstream, feature: Feature) -> Answer:
    request = caller.request(feature.ask, model_id(caller, upstream))
    assert request is not None
    path, headers, body = request
    found = rawhttp.call(server, "POST", path, json.dumps(body).encode(), headers)
    return Answer(found.status, found.headers, found.body)


@pytest.mark.parametrize(("row", "column", "name"), SAMPLE)
def test_a_server_says_the_same(
    tables: Tables, vendors: Vendors, server: Running, row: str, column: str, name: str
) -> None:
    """Verdict and names agree with the cell that was asked in the process."""
    feature, caller = BY_NAME[name], CALLER[row]
    vendors.set(feature.scene)
    answer = ask(server, caller, UPSTREAM[column], feature)
    assert judge.judged(caller, feature, answer, vendors.seen) == tables.chat[row, column, name]
