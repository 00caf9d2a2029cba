"""Which models an account may call by its agreements."""

from __future__ import annotations

import pytest

from craton.aws.wire.faults import Fault
from craton.features.inference.routing.agreements import Agreements, StoredAgreement
from craton.features.inference.routing.routes import UNLIMITED, Route, Routes
from craton.models.catalog.rows import load

CATALOG = load()
ACCOUNT, OTHER, REGION = "111122223333", "999999999999", "us-east-1"
LLAMA, NOVA, OWN = "meta.llama3-8b-instruct-v1:0", "amazon.nova-lite-v1:0", "craton.chat-mini-v1:0"
ROUTES = [Route(name, (), UNLIMITED, CATALOG.find(name)) for name in (LLAMA, NOVA, OWN)]
DEMANDING = Routes(CATALOG, ROUTES, relaxed=False, agreements=Agreements(demanded=True))


def table(*, active: bool) -> Routes:
    return DEMANDING.owning([], [], [], [StoredAgreement(ACCOUNT, LLAMA, active)])


def test_only_third_parties_models_of_the_catalog_need_one() -> None:
    """Amazon's own, and what the catalog does not have, are open."""
    for name in (NOVA, OWN):
        assert DEMANDING.resolve(name, ACCOUNT, REGION).route.model_id == name
    with pytest.raises(Fault, match="You don't have access to the model with the specified model ID."):
        DEMANDING.resolve(LLAMA, ACCOUNT, REGION)


def test_one_opens_its_model_in_all_regions() -> None:
    """To its account, and the route stays the same object."""
    for region in (REGION, "eu-west-1"):
        assert table(active=True).resolve(LLAMA, ACCOUNT, region).route is ROUTES[0]
    with pytest.raises(Fault, match="don't have access"):
        table(active=True).resolve(LLAMA, OTHER, REGION)


def test_a_cancelled_one_opens_nothing() -> None:
    """Its row is still there."""
    with pytest.raises(Fault, match="don't have access"):
        table(active=False).resolve(LLAMA, ACCOUNT, REGION)


def test_without_the_demand_everything_is_open() -> None:
    """Whatever was agreed or cancelled."""
    open_to_all = Routes(CATALOG, ROUTES, relaxed=False).owning([], [], [], [StoredAgreement(ACCOUNT, LLAMA, False)])
    assert open_to_all.resolve(LLAMA, OTHER, REGION).route is ROUTES[0]
