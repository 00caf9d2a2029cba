"""From the ARNs of application profiles and prompt routers to routes."""

from __future__ import annotations

import pytest

from craton.aws.wire.faults import Fault
from craton.features.inference.routing.profiles import StoredProfile
from craton.features.inference.routing.prompt_router import DEFAULTS, StoredRouter, default_router, pair_of
from craton.features.inference.routing.routes import UNLIMITED, Resolved, Route, Routes
from craton.models.catalog.rows import load

CATALOG = load()
ACCOUNT, REGION = "123456789012", "us-east-1"
HAIKU, SONNET = "anthropic.claude-3-haiku-20240307-v1:0", "anthropic.claude-3-5-sonnet-20240620-v1:0"
FM = f"arn:aws:bedrock:{REGION}::foundation-model/"
SYSTEM = f"arn:aws:bedrock:{REGION}:{ACCOUNT}:inference-profile/us.{SONNET}"
ONE = StoredProfile(ACCOUNT, REGION, "aaaaaaaaaaaa", FM + HAIKU)
MANY = StoredProfile(ACCOUNT, REGION, "bbbbbbbbbbbb", SYSTEM)
ROUTER = StoredRouter(ACCOUNT, REGION, "cccccccccccc", (MANY.arn, FM + HAIKU), MANY.arn, 10.0)
BASE = Routes(CATALOG, [Route(name, (), UNLIMITED) for name in (HAIKU, SONNET)], relaxed=False)
TABLE = BASE.owning([ONE, MANY], [ROUTER])


def resolve(name: str, account: str = ACCOUNT, region: str = REGION, table: Routes = TABLE) -> Resolved:
    return table.resolve(name, account, region)


def test_a_profile_names_itself_and_its_models() -> None:
    """Not the system profile that it was copied from: the caller need not be allowed that one."""
    assert resolve(ONE.arn).resources == (ONE.arn, FM + HAIKU)
    found = resolve(MANY.arn)
    assert found.route.model_id == SONNET
    assert found.resources[0] == MANY.arn
    assert len(found.resources) > 2
    assert all(f"::foundation-model/{SONNET}" in arn for arn in found.resources[1:])


def test_a_bare_id_leads_to_the_callers_profile() -> None:
    """The model identifier's pattern allows it; ids of others lead nowhere."""
    assert resolve(ONE.id) == resolve(ONE.arn)
    with pytest.raises(Fault, match="model identifier is invalid"):
        resolve(ONE.id, account="999999999999")


@pytest.mark.parametrize("arn", [ONE.arn, ROUTER.arn])
@pytest.mark.parametrize(("account", "region"), [("999999999999", REGION), (ACCOUNT, "eu-west-1")])
def test_what_is_anothers_leads_nowhere(arn: str, account: str, region: str) -> None:
    """Neither another account's nor another region's, and the refusal does not tell that it exists."""
    with pytest.raises(Fault, match="The provided model identifier is invalid."):
        resolve(arn, account, region)


def test_what_is_deleted_leads_nowhere() -> None:
    """The next generation knows nothing of it; the routes stay the same objects."""
    after = TABLE.owning([], [])
    with pytest.raises(Fault, match="model identifier is invalid"):
        resolve(ONE.arn, table=after)
    assert resolve(HAIKU, table=after).route is resolve(HAIKU).route


def test_a_router_names_itself_and_everything_behind_both_models() -> None:
    """IAM judges the router, the profile and the models; nothing twice."""
    found = resolve(ROUTER.arn)
    assert found.router is not None
    assert found.route.model_id == SONNET  # the fallback's, until a request decides
    assert found.resources[0] == ROUTER.arn
    assert {MANY.arn, FM + HAIKU} < set(found.resources)
    assert len(set(found.resources)) == len(found.resources)


def test_a_trace_names_what_an_application_profile_stands_for() -> None:
    """PromptRouterTrace has no room for application profiles."""
    router = resolve(ROUTER.arn).router
    assert router is not None
    assert (router.weaker.arn, router.stronger.arn) == (FM + HAIKU, SYSTEM)


@pytest.mark.parametrize("default", DEFAULTS, ids=lambda each: each.id)
def test_default_routers_exist_where_their_profiles_do(default: object) -> None:
    """In the United States all of them, over cross-region profiles."""
    assert isinstance(default, type(DEFAULTS[0]))
    made = default_router(CATALOG, default, ACCOUNT, REGION)
    assert made is not None
    assert all(f":{ACCOUNT}:inference-profile/us." in arn for arn in made.models)
    assert default_router(CATALOG, default, ACCOUNT, "af-south-1") is None


def test_a_default_router_is_called_by_its_arn() -> None:
    """Of the own account and region; an unknown one is invalid."""
    head = f"arn:aws:bedrock:{REGION}:{ACCOUNT}:default-prompt-router/"
    found = resolve(head + "anthropic.claude:1")
    assert found.router is not None
    assert found.route.model_id == SONNET
    for wrong in (head + "nobody:1", head.replace(ACCOUNT, "9" * 12) + "anthropic.claude:1"):
        with pytest.raises(Fault, match="model identifier is invalid"):
            resolve(wrong)


def test_the_fallback_may_stand_among_the_models_or_beside_them() -> None:
    """Both forms name two models."""
    assert pair_of(["a", "b"], "b") == pair_of(["a"], "b") == ("a", "b")
