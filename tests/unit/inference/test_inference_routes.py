"""From names to routes, and from routes to targets."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from craton import config
from craton.aws.wire.faults import Fault, model_error, throttled, validation
from craton.features.inference import balance
from craton.features.inference.compile import Compiler
from craton.features.inference.routes import UNLIMITED, Resolved, Route, Routes, Target
from craton.models.catalog.local import LocalModel
from craton.models.catalog.rows import load
from craton.models.dialects.all import dialect_named

CATALOG = load()
ACCOUNT, REGION = "123456789012", "us-east-1"
HAIKU = "anthropic.claude-3-haiku-20240307-v1:0"
SONNET = "anthropic.claude-3-7-sonnet-20250219-v1:0"
SAMPLE = LocalModel(id="craton.chat-mini-v1:0", directory="/nowhere")


class Silent:
    """A provider that is only named."""

    dialect = dialect_named("openai.chat")

    def __init__(self, upstream: Any) -> None:
        self.upstream = upstream


def routes(text: str = "", *local: LocalModel, relaxed: bool = False) -> Routes:
    import tomllib

    import msgspec

    file = msgspec.convert(tomllib.loads(text + f"\n[compat]\nrelaxed = {str(relaxed).lower()}\n"), config.ConfigFile)
    settings = config.Settings(home="/nowhere", file=file)
    return Compiler(settings, CATALOG, Silent, dialect_named).routes(local)  # type: ignore[arg-type]


def resolve(name: str, table: Routes | None = None) -> Resolved:
    return (table or routes("", SAMPLE)).resolve(name, ACCOUNT, REGION)


def test_a_bare_id_and_its_arn_lead_to_one_route() -> None:
    """IAM judges the foundation model's ARN, which has no account."""
    table = routes("", SAMPLE)
    arn = f"arn:aws:bedrock:{REGION}::foundation-model/{HAIKU}"
    assert resolve(HAIKU, table) == resolve(arn, table)
    assert resolve(HAIKU, table).resources == (arn,)


def test_a_profile_names_itself_and_every_destination() -> None:
    """The profile's ARN comes first, then a foundation model per destination."""
    found = resolve(f"us.{SONNET}")
    assert found.resources[0] == f"arn:aws:bedrock:{REGION}:{ACCOUNT}:inference-profile/us.{SONNET}"
    assert all(arn.endswith(f"::foundation-model/{SONNET}") for arn in found.resources[1:])
    assert len(found.resources) > 2


@pytest.mark.parametrize(
    "name",
    [
        "nobody.nothing-v1",
        f"eu.{HAIKU}",
        f"arn:aws:bedrock:eu-west-1::foundation-model/{HAIKU}",
        f"arn:aws:bedrock:{REGION}:999999999999:inference-profile/us.{HAIKU}",
        f"arn:aws:bedrock:{REGION}::foundation-model/us.{HAIKU}",
        "arn:aws:s3:::bucket",
        "",
    ],
)
def test_a_name_that_leads_nowhere_here_is_invalid(name: str) -> None:
    """Unknown, of another region or of another account: Bedrock says the same."""
    with pytest.raises(Fault, match="The provided model identifier is invalid."):
        resolve(name)


def test_a_model_only_behind_profiles_needs_one_unless_relaxed() -> None:
    """`[compat] relaxed` lifts the rule."""
    with pytest.raises(Fault, match="on-demand throughput"):
        resolve(SONNET)
    assert resolve(SONNET, routes("", SAMPLE, relaxed=True)).route.model_id == SONNET


def test_without_stand_ins_a_listed_model_gives_no_access() -> None:
    """The id exists, but nothing here serves it."""
    with pytest.raises(Fault) as caught:
        resolve(HAIKU, routes("[standins]\nenabled = false", SAMPLE))
    assert caught.value.name == "AccessDeniedException"


def test_the_configuration_wins_over_the_stand_in() -> None:
    """A configured id goes to its own target and says no stand-in."""
    text = f'[[model]]\nid = "{HAIKU}"\n[[model.target]]\nprovider = "openai"\nbase_url = "http://h/v1"\nmodel = "m"'
    target = resolve(HAIKU, routes(text, SAMPLE)).route.targets[0]
    assert (target.model, target.standin) == ("m", "")
    assert resolve("anthropic.claude-v2", routes(text, SAMPLE)).route.targets[0].standin == SAMPLE.id


def route(*targets: Target) -> Route:
    return Route("m", targets, UNLIMITED)


def target(name: str, **options: Any) -> Target:
    return Target(Silent(name), name, **options)  # type: ignore[arg-type]


def test_weights_decide_and_fallbacks_come_last() -> None:
    """Nine to one over many draws; a weight of nothing is never first, a fallback always last."""
    three = route(target("a", weight=9), target("b", weight=1), target("c", fallback=True), target("d", weight=0))
    orders = [[t.model for t in balance.order(three)] for _ in range(2000)]
    firsts = Counter(order[0] for order in orders)
    assert 0.85 < firsts["a"] / 2000 < 0.95
    assert {order[-1] for order in orders} == {"c"}
    assert not any("d" in order for order in orders)


def ask(faults: dict[str, Fault]) -> tuple[list[str], Any]:
    asked: list[str] = []

    async def one(given: Target) -> str:
        asked.append(given.model)
        if given.model in faults:
            raise faults[given.model]
        return given.model

    return asked, one


def test_the_next_target_is_tried_after_an_upstreams_fault() -> None:
    """Throttling, unavailability and model errors may be one upstream's own."""
    for fault in (throttled(), model_error(), Fault("ServiceUnavailableException", "x")):
        asked, one = ask({"a": fault})
        assert asyncio.run(balance.first_answer(route(target("a"), target("b", fallback=True)), one)) == "b"
        assert asked == ["a", "b"]


def test_the_callers_own_fault_is_not_tried_again() -> None:
    """A request that is wrong is wrong everywhere."""
    asked, one = ask({"a": validation("no")})
    with pytest.raises(Fault, match="no"):
        asyncio.run(balance.first_answer(route(target("a"), target("b", fallback=True)), one))
    assert asked == ["a"]


def test_a_stream_moves_on_only_before_its_first_piece() -> None:
    """After it, the fault belongs to the stream."""

    async def opened(given: Target) -> AsyncGenerator[list[str]]:
        if given.model == "a":
            raise throttled()
        yield [given.model]
        raise throttled()

    async def run() -> list[str]:
        stream = await balance.first_stream(
            route(target("a"), target("b", fallback=True)), lambda one: (opened(one), int)
        )
        seen = []
        with pytest.raises(Fault, match="Throttling"):
            async for piece in stream:
                seen += piece
        return seen

    assert asyncio.run(run()) == ["b"]
