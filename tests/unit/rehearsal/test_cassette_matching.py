"""Which requests are the same, and what a person is told about those that are not."""

from __future__ import annotations

import json

import pytest

from craton.models.providers.cassettes.difference import nearest, told
from craton.models.providers.cassettes.request import asked, key, loose_key, without_secrets
from craton.models.providers.cassettes.taping import MATCH_ON
from tests.unit.rehearsal.conversations import request

M = "anthropic.claude-3-haiku-20240307-v1:0"


def same(first: object, second: object, match_on: tuple[str, ...] = MATCH_ON) -> str:
    a, b = (asked("Converse", M, each) for each in (first, second))  # type: ignore[arg-type]
    if key(a, match_on) == key(b, match_on):
        return "exactly"
    return "loosely" if loose_key(a, match_on) == loose_key(b, match_on) else "no"


@pytest.mark.parametrize(
    "members",
    [
        {"requestMetadata": {"run": "1"}},
        {"performanceConfig": {"latency": "optimized"}},
        {"serviceTier": {"type": "flex"}},
        {"additionalModelResponseFieldPaths": ["/stop_sequence"]},
    ],
)
def test_what_changes_no_answer_does_not_count(members: dict[str, object]) -> None:
    """Metadata, tiers and the like."""
    assert same(request(), request(**members)) == "exactly"


def test_cache_points_do_not_count() -> None:
    """They change the bill, not the answer."""
    system = [{"text": "Be brief"}]
    assert same(request(system=system), request(system=[*system, {"cachePoint": {"type": "default"}}])) == "exactly"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Today is 2026-01-31.", "Today is 2026-02-01."),
        ("It is 2026-01-31T10:00:00Z now", "It is 2026-02-01T11:22:33.5+01:00 now"),
        ("file 4b5f1f0e-0f7c-4f0e-8f5a-1a2b3c4d5e6f", "file 00000000-1111-4222-8333-444455556666"),
        ("see toolu_01AbCdEfGh", "see toolu_09ZyXwVuTs"),
    ],
)
def test_ids_and_times_count_only_for_the_first_choice(first: str, second: str) -> None:
    """Word for word they differ; loosely they do not."""
    assert same(request(first), request(second)) == "loosely"


def test_tool_use_ids_are_loose() -> None:
    """A model makes them anew each time; which result belongs to which call still counts."""

    def turns(one: str, two: str, swap: bool = False) -> object:
        uses = [{"toolUse": {"toolUseId": name, "name": "get", "input": {"n": n}}} for n, name in enumerate((one, two))]
        order = (two, one) if swap else (one, two)
        results = [{"toolResult": {"toolUseId": name, "content": [{"text": "x"}]}} for name in order]
        messages = [
            {"role": "user", "content": [{"text": "go"}]},
            {"role": "assistant", "content": uses},
            {"role": "user", "content": results},
        ]
        return request(messages=messages)

    assert same(turns("a1", "b1"), turns("a2", "b2")) == "loosely"
    assert same(turns("a1", "b1"), turns("a2", "b2", swap=True)) == "no"


@pytest.mark.parametrize(
    ("members", "part"),
    [
        ({"system": [{"text": "s"}]}, "system"),
        ({"inferenceConfig": {"temperature": 0.5}}, "inference"),
        ({"additionalModelRequestFields": {"top_k": 5}}, "inference"),
        ({"toolConfig": {"tools": [{"toolSpec": {"name": "t", "inputSchema": {"json": {}}}}]}}, "tools"),
    ],
)
def test_match_on_says_what_counts(members: dict[str, object], part: str) -> None:
    """Each part alone makes a request another one, unless it is left out."""
    assert same(request(), request(**members)) == "no"
    assert same(request(), request(**members), tuple(name for name in MATCH_ON if name != part)) == "exactly"


def test_the_last_message_alone_may_count() -> None:
    """For agents whose earlier turns a model wrote."""
    users = [{"role": "user", "content": [{"text": "go on"}]}]
    first = [
        {"role": "user", "content": [{"text": "a"}]},
        {"role": "assistant", "content": [{"text": "Sure."}]},
        *users,
    ]
    second = [{"role": "user", "content": [{"text": "a"}]}, {"role": "assistant", "content": [{"text": "OK!"}]}, *users]
    pair = request(messages=first), request(messages=second)
    assert same(*pair) == "no"
    assert same(*pair, ("model", "last_message")) == "exactly"
    assert same(*pair, ("model", "user_messages")) == "exactly"


def test_a_picture_counts_by_its_digest() -> None:
    """A cassette does not hold megabytes of base64, and still tells pictures apart."""

    def picture(data: str) -> object:
        content = [{"text": "what?"}, {"image": {"format": "png", "source": {"bytes": data * 200}}}]
        return request(messages=[{"role": "user", "content": content}])

    assert same(picture("AAAA"), picture("AAAA")) == "exactly"
    assert same(picture("AAAA"), picture("AAAB")) == "no"
    assert len(json.dumps(asked("Converse", M, picture("AAAA")).request)) < 300  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "secret",
    [
        "AKIAIOSFODNN7EXAMPLE",
        "sk-" + "a1b2" * 8,
        "Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.e30.abc",
        "x-api-key: 0123456789abcdef",
    ],
)
def test_credentials_in_a_prompt_are_masked(secret: str) -> None:
    """By their look; and a request with another one is the same request."""
    kept = json.dumps(asked("Converse", M, request(f"my key is {secret} ok")).request)
    assert secret.split()[-1] not in kept
    assert "***" in kept
    assert kept.endswith("}]}]}")


def test_known_secrets_are_masked() -> None:
    """Whatever they look like."""
    assert without_secrets('{"a":"xhunter2x"}', {"hunter2"}) == '{"a":"x***x"}'


def test_the_nearest_recording_is_told_without_words() -> None:
    """Where to look, and no prompt."""
    mine = asked("Converse", M, request("the secret plan B", inferenceConfig={"temperature": 0.2, "maxTokens": 5}))
    others = [
        asked("Converse", "other", request("quite another")),
        asked("Converse", M, request("the secret plan A", inferenceConfig={"temperature": 0.7, "maxTokens": 5})),
    ]
    found = nearest(mine, others, MATCH_ON)
    assert found is not None
    place, differences = found
    assert place == 1
    text = told(differences)
    assert "messages.0.content.0.text differs from character 16 on (17 characters, 17 recorded)" in text
    assert "inferenceConfig.temperature is 0.2, 0.7 recorded" in text
    assert "plan" not in text
