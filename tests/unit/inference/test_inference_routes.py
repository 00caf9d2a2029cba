"""From names to routes."""

from __future__ import annotations

from typing import Any

import pytest

from craton import config, config_tables
from craton.aws.wire.faults import Fault
from craton.features.inference.routing.compile import Compiler
from craton.features.inference.routing.routes import Resolved, Routes
from craton.models.catalog.local import LocalModel
from craton.models.catalog.rows import load
from craton.models.dialects.all import dialect_named

CATALOG = load()
ACCOUNT, REGION = "123456789012", "us-east-1"
HAIKU = "anthropic.claude-3-haiku-20240307-v1:0"
SONNET = "anthropic.claude-3-7-sonnet-20250219-v1:0"
SAMPLE = LocalModel(id="craton.chat-mini-v4:0", directory="/nowhere")


class Silent:
    """A provider that is only named."""

    dialect = dialect_named("openai.chat")

    def __init__(self, upstream: Any) -> None:
        self.upstream = upstream


def routes(text: str = "", *local: LocalModel, relaxed: bool = False) -> Routes:
    import tomllib

    import msgspec

    file = msgspec.convert(
        tomllib.loads(text + f"\n[compat]\nrelaxed = {str(relaxed).lower()}\n"), config_tables.ConfigFile
    )
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
